//! Cortex-M: contexts are told apart by the exception number, and any interrupt can be pended.

use core::{arch::asm, cell::Cell, num::NonZeroUsize};

use corepool::ContextId;
use cortex_m::{interrupt::InterruptNumber, peripheral::NVIC};
use critical_section::Mutex;

use crate::BoardPool;

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

/// An interrupt as a worker: it runs whatever is queued, then is gone until it is pended again.
///
/// Takes any interrupt that the application does not use, at a priority below those of the handlers
/// that submit. [`OneCore::pend`](super::OneCore::pend) must pend it.
pub struct Pended<I> {
    interrupt: I,
    pool: Mutex<Cell<Option<BoardPool>>>,
}

impl<I: InterruptNumber> Pended<I> {
    /// A worker of no pool yet.
    pub const fn new(interrupt: I) -> Self {
        Self {
            interrupt,
            pool: Mutex::new(Cell::new(None)),
        }
    }

    /// Has the handler called as soon as nothing more urgent is going on.
    pub fn pend(&self) {
        NVIC::pend(self.interrupt);
    }

    /// Works for `pool` from now on.
    pub fn lend(&self, pool: BoardPool) {
        critical_section::with(|cs| self.pool.borrow(cs).set(Some(pool)));
        self.unmask();
        self.pend();
    }

    /// Works for no pool any more.
    pub fn take_back(&self) {
        critical_section::with(|cs| self.pool.borrow(cs).set(None));
    }

    /// The body of the interrupt's handler.
    pub fn on_interrupt(&self) {
        // A job that is queued from here on pends the interrupt again.
        if let Some(pool) = critical_section::with(|cs| self.pool.borrow(cs).get()) {
            pool.run_pending(usize::MAX);
        }
    }

    /// Lets the handler be called.
    pub fn unmask(&self) {
        // SAFETY: nothing relies on the interrupt being masked, but the boards' `hold`.
        unsafe { NVIC::unmask(self.interrupt) };
    }

    /// Calls `f` while the handler is not called.
    pub fn masked(&self, f: &mut dyn FnMut()) {
        NVIC::mask(self.interrupt);
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
        f();
        self.unmask();
    }
}
