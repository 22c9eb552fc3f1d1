//! The count of the contexts that run a pool's jobs.

use crate::lockfree::sync::{AtomicU32, Ordering, const_unless_loom};

/// The kind of stay of a context that runs jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// The context is a worker, in its run loop until the pool ends.
    Worker,
    /// The context is a guest: it blocks, or runs pending jobs, and may leave at any time.
    Guest,
}

/// One guest, in the upper half of the count.
const ONE_GUEST: u32 = 1 << 16;

/// The number of workers in their run loop, and in the upper half the number of guests.
pub(crate) struct Joined(AtomicU32);

impl Stay {
    fn one(self) -> u32 {
        match self {
            Self::Worker => 1,
            Self::Guest => ONE_GUEST,
        }
    }
}

impl Joined {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// The number of workers and guests.
    pub(crate) fn count(&self) -> usize {
        // Acquire: pairs with the Release of `count_out`. The caller sees what those that left have
        // done.
        let joined = self.0.load(Ordering::Acquire);
        (joined % ONE_GUEST + joined / ONE_GUEST) as usize
    }

    /// Whether the pool has no worker. Guests do not count, since they may leave at any time.
    pub(crate) fn has_no_worker(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_multiple_of(ONE_GUEST)
    }

    /// Counts a worker or guest that joins.
    pub(crate) fn count_in(&self, stay: Stay) {
        self.0.fetch_add(stay.one(), Ordering::Relaxed);
    }

    /// Counts a worker or guest that leaves or is lost.
    pub(crate) fn count_out(&self, stay: Stay) {
        // Release: pairs with the Acquire of `count`.
        self.0.fetch_sub(stay.one(), Ordering::Release);
    }
}
