//! RISC-V, machine mode, one hart: the CLINT's software interrupt can be pended. No register tells
//! which handler is under way, so handlers say so themselves.

use core::{marker::PhantomData, num::NonZeroUsize};

use corepool::ContextId;
use portable_atomic::{AtomicUsize, Ordering};
use riscv::register::mie;
use riscv_peripheral::aclint::{CLINT, Clint};

use super::SoftwareInterrupt;

/// The context that is under way: one of the constants below.
static CONTEXT: AtomicUsize = AtomicUsize::new(THREAD_CONTEXT as usize);

/// What [`context`] says in the thread.
pub const THREAD_CONTEXT: u8 = 1;
/// What it says in the software interrupt's handler.
const SOFTWARE_CONTEXT: u8 = 2;
/// What it says in the timer's handler.
const TIMER_CONTEXT: u8 = 3;

/// The context that calls.
pub fn context() -> ContextId {
    NonZeroUsize::MIN.saturating_add(CONTEXT.load(Ordering::Relaxed) - 1)
}

/// Whether no handler is under way.
pub fn in_thread() -> bool {
    CONTEXT.load(Ordering::Relaxed) == usize::from(THREAD_CONTEXT)
}

/// Calls `f` in a context of its own. On one hart, handlers that interrupt each other end in the
/// opposite order, so each restores what it found.
fn as_context(context: u8, f: impl FnOnce()) {
    let interrupted = CONTEXT.swap(context.into(), Ordering::Relaxed);
    f();
    CONTEXT.store(interrupted, Ordering::Relaxed);
}

/// What the timer's handler calls, with its body.
pub fn in_timer_handler(f: impl FnOnce()) {
    as_context(TIMER_CONTEXT, f);
}

/// Waits for an interrupt, unless `woken` says that there is no need to.
///
/// With interrupts masked, none can come between the look and the `WFI`; one that is pending ends
/// the `WFI` all the same, and is served when they are unmasked.
pub fn sleep_unless(woken: impl FnOnce() -> bool) {
    riscv::interrupt::free(|| {
        if !woken() {
            riscv::asm::wfi();
        }
    });
}

/// The software interrupt of the hart that calls, by the CLINT at `C`.
pub struct SoftwareInterruptOf<C>(PhantomData<fn() -> C>);

impl<C> SoftwareInterruptOf<C> {
    /// There is one for each hart.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for SoftwareInterruptOf<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clint> SoftwareInterrupt for SoftwareInterruptOf<C> {
    fn pend(&self) {
        CLINT::<C>::new().mswi().msip_mhartid().pend();
    }

    fn unmask(&self) {
        // SAFETY: no critical section is made of this mask.
        unsafe { mie::set_msoft() };
    }

    fn mask(&self) {
        // SAFETY: as above.
        unsafe { mie::clear_msoft() };
    }

    fn serve(&self, f: &mut dyn FnMut()) {
        as_context(SOFTWARE_CONTEXT, || {
            // Before the queue is looked at: a job that is queued later pends it again.
            CLINT::<C>::new().mswi().msip_mhartid().unpend();
            self.mask();
            // SAFETY: called in the handler, outside of critical sections; its own interrupt is
            // masked, so that only others come in.
            unsafe { riscv::interrupt::nested(f) };
            self.unmask();
        });
    }
}
