//! Cortex-M: events between cores, and the interrupts of the NVIC. Needs the feature `cortex-m`.

use cortex_m::{interrupt::InterruptNumber, peripheral::NVIC};

pub use super::event::Event;
use super::interrupt::SoftwareInterrupt;

/// An interrupt of the NVIC that no device of the chip uses.
#[derive(Clone, Copy, Debug)]
pub struct Nvic<I>(pub I);

impl<I: InterruptNumber + Sync> SoftwareInterrupt for Nvic<I> {
    fn pend(&self) {
        NVIC::pend(self.0);
    }

    fn unmask(&self) {
        // SAFETY: no critical section of the ports is made of this mask. An application whose
        // critical sections mask this interrupt does not use it for a worker.
        unsafe { NVIC::unmask(self.0) };
    }

    fn mask(&self) -> bool {
        let was_unmasked = NVIC::is_enabled(self.0);
        NVIC::mask(self.0);
        // The handler is not entered after this.
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
        was_unmasked
    }

    /// The NVIC clears the pending bit when the handler is entered, and more urgent interrupts
    /// interrupt the handler.
    fn serve(&self, f: &mut dyn FnMut()) {
        f();
    }
}
