//! RISC-V, machine mode: the handlers of a hart, and the software interrupts of the CLINT. Needs the
//! feature `riscv`.

use core::{fmt, marker::PhantomData};

use portable_atomic::{AtomicU8, Ordering};
use riscv::register::{mhartid, mie};
use riscv_peripheral::aclint::{Clint, mswi::MSIP};

use super::interrupt::SoftwareInterrupt;

/// Harts that the ports have room for, numbered from 0 by `mhartid`. With a greater number, a use of
/// the port panics.
pub const MAX_HARTS: usize = 16;

/// How many handlers are under way on each hart.
static DEPTHS: [AtomicU8; MAX_HARTS] = [const { AtomicU8::new(0) }; MAX_HARTS];

/// That of the calling hart, which alone changes it.
pub(super) fn depth() -> &'static AtomicU8 {
    &DEPTHS[mhartid::read()]
}

/// Calls `f` as the body of a handler, so that the ports know that a handler calls them.
///
/// No register of RISC-V tells whether a handler is under way. So each handler of an interrupt or an
/// exception that uses a pool does so in here. A handler that does not would count as the context
/// that it interrupts. Handlers may interrupt each other.
///
/// * **Context**: an interrupt handler, or the handler of an exception.
/// * **Cost**: a few instructions on top of `f`.
///
/// ```no_run
/// use corepool::{StaticPool, ports::riscv::in_handler};
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// /// The handler of the timer's interrupt.
/// fn machine_timer() {
///     in_handler(|| {
///         let _ = POOL.submit_detached(|| { /* … */ });
///     });
/// }
/// # machine_timer();
/// ```
pub fn in_handler<R>(f: impl FnOnce() -> R) -> R {
    let depth = depth();
    // Relaxed: one hart reads and writes it. A handler that comes in between restores what it found.
    let interrupted = depth.load(Ordering::Relaxed);
    depth.store(interrupted.wrapping_add(1), Ordering::Relaxed);
    let returned = f();
    depth.store(interrupted, Ordering::Relaxed);
    returned
}

/// The software interrupt of a hart at the CLINT `C`.
fn msip_of<C: Clint>(hart: usize) -> MSIP {
    // SAFETY: the CLINT has such a register for each hart, one after the other.
    unsafe { MSIP::new(C::BASE + hart * size_of::<u32>()) }
}

/// The interrupt on which a hart sleeps in `WFI`, to be woken by any hart: its software interrupt at
/// the CLINT `C`, which then is for nothing else.
///
/// The interrupt has no handler. It is enabled only during the sleep, while all interrupts of the hart
/// are masked; it ends the `WFI` all the same. No wake-up is lost: the interrupt stays pended from
/// [`send`](Self::send) until [`wait`](Self::wait) clears it. The woken context looks at its queue only
/// after that.
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
        // The writes to memory are there before the interrupt is.
        riscv::asm::fence();
        msip_of::<C>(hart).pend();
    }

    /// Waits for [`send`](Self::send), or for any other interrupt of this hart that is enabled.
    ///
    /// * **Context**: the thread of a hart.
    /// * **Cost**: it waits. All interrupts of the hart are masked meanwhile, and served after it.
    pub fn wait() {
        riscv::interrupt::free(|| {
            // SAFETY: no critical section is made of this mask.
            unsafe { mie::set_msoft() };
            riscv::asm::wfi();
            // SAFETY: as above.
            unsafe { mie::clear_msoft() };
        });
        msip_of::<C>(mhartid::read()).unpend();
        // It is cleared before memory is looked at.
        riscv::asm::fence();
    }
}

/// The software interrupt of the calling hart, at the CLINT `C`.
pub struct Msip<C>(PhantomData<fn() -> C>);

impl<C> Msip<C> {
    /// There is one for each hart.
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

    /// It calls [`in_handler`].
    fn serve(&self, f: &mut dyn FnMut()) {
        in_handler(|| {
            // Before the queue is looked at: a job that is queued later pends it again.
            msip_of::<C>(mhartid::read()).unpend();
            self.mask();
            // SAFETY: the handler calls this, outside of critical sections. Its own interrupt is
            // masked, so that only others come in.
            unsafe { riscv::interrupt::nested(f) };
            self.unmask();
        });
    }
}
