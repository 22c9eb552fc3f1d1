//! Whether a thread sleeps: one word that the thread shares with those that wake it.

use std::sync::atomic::{AtomicU8, Ordering};

/// The thread does not sleep, and nobody has woken it since its last sleep.
const AWAKE: u8 = 0;
/// The thread sleeps, or is about to.
const ASLEEP: u8 = 1;
/// A waker has woken the thread: its sleep ends, or its next one does not begin.
const WOKEN: u8 = 2;

/// Whether a thread sleeps. Only the thread itself makes it awake or asleep.
#[derive(Debug, Default)]
pub(crate) struct SleepState(AtomicU8);

impl SleepState {
    /// The thread is about to sleep. False if a waker has woken it since its last sleep: it must not sleep then.
    #[inline]
    pub(crate) fn begin(&self) -> bool {
        // Acquire: pairs with the Release in `set_woken`, if the thread was woken meanwhile. AcqRel: the next waker
        // sees what the thread has done before.
        let begun = self
            .0
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        begun.is_ok()
    }

    /// The thread uses up a wake-up. True if there was one.
    #[inline]
    pub(crate) fn take_wake_up(&self) -> bool {
        // Acquire: pairs with the Release in `set_woken`. AcqRel: the next waker sees what the thread has done before.
        let taken = self
            .0
            .compare_exchange(WOKEN, AWAKE, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok()
    }

    /// The thread sleeps no more, whether or not it was woken. A wake-up is used up.
    #[inline]
    pub(crate) fn end(&self) {
        // Acquire: as in `take_wake_up`.
        self.0.swap(AWAKE, Ordering::AcqRel);
    }

    /// A waker wakes the thread. True if the thread sleeps, so that the waker has to end its sleep. A thread that
    /// was woken before need not be woken twice.
    #[inline]
    pub(crate) fn set_woken(&self) -> bool {
        // Release: pairs with the Acquire of the others. The thread sees all that the waker did before.
        self.0.swap(WOKEN, Ordering::AcqRel) == ASLEEP
    }
}
