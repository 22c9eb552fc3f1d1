//! RISC-V, machine mode: the handlers of a hart, and the software interrupts of the CLINT. Needs the
//! feature `riscv`.

use core::{fmt, marker::PhantomData};

use riscv::register::{mhartid, mie};
use riscv_peripheral::aclint::{Clint, mswi::MSIP};

pub use super::arch::depth::{MAX_HARTS, in_handler};
use super::interrupt::SoftwareInterrupt;

/// The software interrupt of a hart at the CLINT `C`.
fn msip_of<C: Clint>(hart: usize) -> MSIP {
    // SAFETY: the CLINT has such a register for each hart, one after the other.
    unsafe { MSIP::new(C::BASE + hart * size_of::<u32>()) }
}

/// The interrupt by which any hart ends the `WFI` of a hart that sleeps: the sleeping hart's software
/// interrupt at the CLINT `C`. The application uses it for nothing else.
///
/// The interrupt has no handler. The hart enables it for the sleep alone, and masks all interrupts
/// meanwhile; a pended interrupt ends the `WFI` all the same. No wake-up is lost: the interrupt stays
/// pended from [`send`](Self::send) until [`wait`](Self::wait) clears it. The woken context looks at
/// its queue only after that.
///
/// ```no_run
/// use corepool::ports::riscv::Ipi;
/// use riscv_peripheral::clint_codegen;
///
/// clint_codegen!(Clint, base 0x0200_0000, mtime_freq 10_000_000);
///
/// fn hart_0() {
///     Ipi::<Clint>::send(1);
/// }
///
/// fn hart_1() {
///     Ipi::<Clint>::wait();
/// }
/// ```
pub struct Ipi<C>(PhantomData<fn() -> C>);

impl<C> fmt::Debug for Ipi<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ipi")
    }
}

impl<C: Clint> Ipi<C> {
    /// Has the hart's [`wait`](Self::wait) end: the current one, or the next.
    ///
    /// * **Context**: any, of any hart.
    /// * **Cost**: O(1): a fence, and a store to the CLINT.
    pub fn send(hart: usize) {
        // The other hart can see this hart's writes before the interrupt.
        riscv::asm::fence();
        msip_of::<C>(hart).pend();
    }

    /// Waits for [`send`](Self::send), or for any other interrupt of this hart that is enabled.
    ///
    /// * **Context**: the thread of a hart.
    /// * **Cost**: it waits. All interrupts of the hart are masked meanwhile, and served after the wait.
    pub fn wait() {
        riscv::interrupt::free(|| {
            // SAFETY: no critical section is made of this mask.
            unsafe { mie::set_msoft() };
            riscv::asm::wfi();
            // SAFETY: as above.
            unsafe { mie::clear_msoft() };
        });
        msip_of::<C>(mhartid::read()).unpend();
        // The interrupt is cleared before the hart looks at memory.
        riscv::asm::fence();
    }
}

/// The software interrupt of the calling hart, at the CLINT `C`.
///
/// ```no_run
/// use corepool::ports::{Pended, riscv::Msip};
/// use riscv_peripheral::clint_codegen;
///
/// clint_codegen!(Clint, base 0x0200_0000, mtime_freq 10_000_000);
///
/// static WORKER: Pended<Msip<Clint>> = Pended::new(Msip::new());
/// ```
pub struct Msip<C>(PhantomData<fn() -> C>);

impl<C> Msip<C> {
    /// The software interrupt of whichever hart uses the value.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for Msip<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for Msip<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Msip")
    }
}

impl<C: Clint> SoftwareInterrupt for Msip<C> {
    fn pend(&self) {
        msip_of::<C>(mhartid::read()).pend();
    }

    fn unmask(&self) {
        // SAFETY: no critical section is made of this mask.
        unsafe { mie::set_msoft() };
    }

    fn mask(&self) -> bool {
        let was_unmasked = mie::read().msoft();
        // SAFETY: as above.
        unsafe { mie::clear_msoft() };
        was_unmasked
    }

    /// It calls `f` by [`in_handler`].
    fn serve(&self, f: &mut dyn FnMut()) {
        in_handler(|| {
            // The interrupt is cleared before the worker looks at the queue: a job that is queued later
            // pends it again.
            msip_of::<C>(mhartid::read()).unpend();
            self.mask();
            // SAFETY: the interrupt's handler calls this, so no critical section is under way on the
            // hart. The interrupt is masked, so it does not re-enter.
            unsafe { riscv::interrupt::nested(f) };
            self.unmask();
        });
    }
}
