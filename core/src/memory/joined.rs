use crate::lockfree::sync::{AtomicU32, Ordering, const_unless_loom};

/// As what a context runs jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It is in its run loop until the pool ends.
    Worker,
    /// It blocks, or runs what is pending, and leaves when it likes.
    Guest,
}

/// One guest in the count.
const ONE_GUEST: u32 = 1 << 16;

/// Workers in their run loop; in the upper half, guests.
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

    /// How many workers and guests there are.
    pub(crate) fn count(&self) -> usize {
        // Acquire: pairs with the Release of `count_out`; what those did who left can be seen.
        let joined = self.0.load(Ordering::Acquire);
        (joined % ONE_GUEST + joined / ONE_GUEST) as usize
    }

    /// Whether there is no worker. Guests leave when they like, and so they do not count.
    pub(crate) fn has_no_worker(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_multiple_of(ONE_GUEST)
    }

    /// A worker or guest joins.
    pub(crate) fn count_in(&self, stay: Stay) {
        self.0.fetch_add(stay.one(), Ordering::Relaxed);
    }

    /// A worker or guest does not count any more.
    pub(crate) fn count_out(&self, stay: Stay) {
        // Release: pairs with the Acquire of `count`.
        self.0.fetch_sub(stay.one(), Ordering::Release);
    }
}
