//! Cortex-M: contexts are told apart by the exception number, and any interrupt can be pended.

use core::{arch::asm, num::NonZeroUsize};

use corepool::ContextId;
use cortex_m::{interrupt::InterruptNumber, peripheral::NVIC};

use super::SoftwareInterrupt;
#[cfg(feature = "several-cores")]
use {crate::tick, core::time::Duration, portable_atomic::Ordering};

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

/// More than there are contexts on a core.
#[cfg(feature = "several-cores")]
pub(super) const CONTEXTS: usize = 512;

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

/// Masks all interrupts of this core; whether they were enabled.
#[cfg(feature = "several-cores")]
pub(super) fn mask_interrupts() -> bool {
    let enabled = cortex_m::register::primask::read().is_active();
    cortex_m::interrupt::disable();
    enabled
}

/// Ends what [`mask_interrupts`] began.
///
/// # Safety
///
/// They were enabled before, and no critical section is under way on this core.
#[cfg(feature = "several-cores")]
pub(super) unsafe fn unmask_interrupts() {
    // SAFETY: the caller's promise.
    unsafe { cortex_m::interrupt::enable() };
}

/// Calls `f` while there is no tick, with which a sleep could end that nothing else ends.
#[cfg(feature = "several-cores")]
pub fn without_tick(f: impl FnOnce()) {
    // SAFETY: the system timer is the tick's, and only its interrupt's mask changes.
    let timer = unsafe { &*cortex_m::peripheral::SYST::PTR };
    const INTERRUPT: u32 = 1 << 1;
    // SAFETY: as above.
    unsafe { timer.csr.modify(|control| control & !INTERRUPT) };
    f();
    // SAFETY: as above.
    unsafe { timer.csr.modify(|control| control | INTERRUPT) };
}

/// The flag on which a core sleeps in `WFE`, to be woken by `SEV`.
///
/// `SEV` wakes every core, so a flag says which one was meant. No wake-up is lost: whoever wakes
/// sets the flag and then sends the event. If the core has looked at the flag before that, the
/// event comes after the look, and the core's event register keeps it until `WFE` takes it.
///
/// The look is a plain load. An exclusive access, as in a swap, may set the event register, and then
/// a loop of swap and `WFE` never sleeps.
#[cfg(feature = "several-cores")]
#[derive(Debug)]
pub struct Event(portable_atomic::AtomicBool);

#[cfg(feature = "several-cores")]
impl Event {
    /// Not sent.
    pub const fn new() -> Self {
        Self(portable_atomic::AtomicBool::new(false))
    }

    /// Has the core's wait end. From any context of any core.
    pub fn send(&self) {
        // Release: pairs with the Acquire in `wait`.
        self.0.store(true, Ordering::Release);
        // The store is there for the other core before the event is.
        cortex_m::asm::dsb();
        cortex_m::asm::sev();
    }

    /// Waits for [`send`](Self::send), or until the tick passes `deadline`, which wakes only the
    /// core that has the tick. One core waits.
    pub fn wait(&self, deadline: Option<Duration>) {
        while !self.0.load(Ordering::Relaxed) {
            if deadline.is_some_and(|deadline| tick::now() >= deadline) {
                return;
            }
            cortex_m::asm::wfe();
        }
        // A swap and not a store, so that what is seen is who sent it last. Acquire: pairs with the
        // Release in `send`.
        self.0.swap(false, Ordering::Acquire);
    }
}

#[cfg(feature = "several-cores")]
impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
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
