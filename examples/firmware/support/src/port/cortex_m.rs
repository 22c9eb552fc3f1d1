//! Cortex-M: contexts are told apart by the exception number, and any interrupt can be pended.

use core::{arch::asm, num::NonZeroUsize};

use corepool::ContextId;
use cortex_m::{interrupt::InterruptNumber, peripheral::NVIC};

use super::SoftwareInterrupt;

/// The number of the exception that is being served; 0 in the thread.
fn exception() -> usize {
    let number: usize;
    // SAFETY: reads a register. (ICSR has the number too, but need not, on a Cortex-M0.)
    unsafe { asm!("mrs {}, IPSR", out(reg) number, options(nomem, nostack, preserves_flags)) };
    number & 0x1ff
}

/// The context that calls: the exception number plus one.
pub fn context() -> ContextId {
    NonZeroUsize::MIN.saturating_add(exception())
}

/// What [`context`] says in the thread.
pub const THREAD_CONTEXT: u8 = 1;

/// Whether no exception is being served.
pub fn in_thread() -> bool {
    exception() == 0
}

/// Waits for an interrupt, unless `woken` says that there is no need to.
///
/// With interrupts masked, none can come between the look and the `WFI`; one that is pending ends
/// the `WFI` all the same, and is served when they are unmasked.
pub fn sleep_unless(woken: impl FnOnce() -> bool) {
    cortex_m::interrupt::free(|_| {
        if !woken() {
            cortex_m::asm::wfi();
        }
    });
}

/// An interrupt of the NVIC that the chip's devices do not use.
pub struct Nvic<I>(pub I);

impl<I: InterruptNumber + Sync> SoftwareInterrupt for Nvic<I> {
    fn pend(&self) {
        NVIC::pend(self.0);
    }

    fn unmask(&self) {
        // SAFETY: no critical section is made of this mask.
        unsafe { NVIC::unmask(self.0) };
    }

    fn mask(&self) {
        NVIC::mask(self.0);
        // The handler is not entered after this.
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
    }

    /// The core takes care of all else: what is more urgent interrupts it.
    fn serve(&self, f: &mut dyn FnMut()) {
        f();
    }
}
