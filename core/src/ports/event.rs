//! Arm: events between cores.

use core::time::Duration;

use portable_atomic::{AtomicBool, Ordering};

use super::arch;

/// The flag on which a core sleeps in `WFE`, to be woken by `SEV`. Each core has its own, in a
/// [`Cores`](super::Cores).
///
/// `SEV` wakes every core, so the flag says which core was meant. No wake-up is lost: the party that
/// wakes sets the flag, and then sends the event. If the core looks at the flag before that party sets
/// it, the event comes after the look. The core's event register keeps the event until `WFE` takes it.
///
/// The core looks by a plain load. A swap's exclusive access may set the event register, so a loop of
/// swap and `WFE` might never sleep.
#[derive(Debug, Default)]
pub struct Event(AtomicBool);

impl Event {
    /// An event that was not sent.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Has the core's [`wait`](Self::wait) end: the current one, or the next.
    ///
    /// * **Context**: any, of any core.
    /// * **Cost**: O(1): a store, a barrier and `SEV`. Every core that is in `WFE` looks at its flag.
    pub fn send(&self) {
        // Release: pairs with the Acquire in `wait`.
        self.0.store(true, Ordering::Release);
        // The other core can see the store before the event.
        arch::event::send();
    }

    /// Waits for [`send`](Self::send), or until `now` has passed `deadline`.
    ///
    /// The core looks at the time when an interrupt or an event ends its `WFE`. So a core that waits
    /// with a deadline needs an interrupt of its own after it, such as a tick.
    ///
    /// * **Context**: the thread of the core whose event it is.
    /// * **Cost**: it waits.
    pub fn wait(&self, deadline: Option<Duration>, now: impl Fn() -> Option<Duration>) {
        // Relaxed: the swap below acquires.
        while !self.0.load(Ordering::Relaxed) {
            if let Some(deadline) = deadline
                && now().is_none_or(|now| now >= deadline)
            {
                return;
            }
            arch::event::wait();
        }
        // A swap and not a store, so that it reads the latest `send`. Acquire: pairs with the Release
        // in `send`.
        self.0.swap(false, Ordering::Acquire);
    }
}
