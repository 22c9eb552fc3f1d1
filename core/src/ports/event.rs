//! Arm: events between cores.

use core::{fmt, time::Duration};

use super::arch;
use crate::lockfree::sync::{AtomicUsize, Ordering};

/// The flag on which a core sleeps in `WFE`, to be woken by `SEV`. Each core has its own, in a
/// [`Cores`](super::Cores).
///
/// `SEV` wakes every core, so the flag says which core was meant. No wake-up is lost: the party that
/// wakes sets the flag, and then sends the event. If the core looks at the flag before that party sets
/// it, the event comes after the look. The core's event register keeps the event until `WFE` takes it.
///
/// The core looks by a plain load. A swap's exclusive access may set the event register, so a loop of
/// swap and `WFE` might never sleep.
///
/// On a core without compare-and-swap, each change of the flag is a critical section, as each step of
/// a pool is.
///
/// ```no_run
/// # #[cfg(feature = "cortex-m")]
/// # mod chip {
/// use corepool::ports::cortex_m::Event; // or of `aarch32`, or of `aarch64`
///
/// /// Core 1's.
/// static EVENT: Event = Event::new();
///
/// fn core_0() {
///     EVENT.send();
/// }
///
/// fn core_1() {
///     EVENT.wait(None, || None); // for ever: no deadline, and so no clock
/// }
/// # }
/// ```
pub struct Event(AtomicUsize);

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }
}

impl Event {
    /// An event that was not sent.
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Has the core's [`wait`](Self::wait) end: the current one, or the next.
    ///
    /// * **Context**: any, of any core.
    /// * **Cost**: O(1): a swap, a barrier and `SEV`. Every core that is in `WFE` looks at its flag.
    pub fn send(&self) {
        // A swap and not a store: the swap of `wait` may be a critical section, which would overwrite a
        // store.
        // Release: pairs with the Acquire in `wait`.
        self.0.swap(1, Ordering::Release);
        // The other core can see the flag before the event.
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
        while self.0.load(Ordering::Relaxed) == 0 {
            if let Some(deadline) = deadline
                && now().is_none_or(|now| now >= deadline)
            {
                return;
            }
            arch::event::wait();
        }
        // A swap and not a store, so that it reads the latest `send`. Acquire: pairs with the Release
        // in `send`.
        self.0.swap(0, Ordering::Acquire);
    }
}
