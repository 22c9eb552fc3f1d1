//! Which queues may have stale slots, for submitters that find no free slot.

use super::part;
use super::sync::{AtomicU32, Ordering, const_unless_loom};

/// The bits of all priorities.
pub(crate) const ANY_PRIORITY: u32 = DOUBT - 1;

/// A submitter has found no stale slot. It looks once more before it clears the priority's bit.
const DOUBT: u32 = 1 << 16;
/// One step of the version.
const ONE_CHANGE: u32 = DOUBT << 1;

/// One bit for each priority whose queue may have stale slots, then `DOUBT`, then a version that
/// wraps.
pub(crate) struct Stale(AtomicU32);

/// The word when a submitter set `DOUBT`.
pub(crate) struct Doubt(u32);

impl Stale {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Records that the queue of a priority may have stale slots. `priority` is the priority's bit.
    pub(crate) fn add(&self, priority: u32) {
        // Relaxed, as in all accesses of this word: the word is a hint, and the slot's state word
        // decides who owns the slot.
        let mut now = self.0.load(Ordering::Relaxed);
        // Mostly the bit is set already. Then the word is only read, which keeps its cache line
        // shared.
        while now & (priority | DOUBT) != priority {
            let new = ((now | priority) & !DOUBT).wrapping_add(ONE_CHANGE);
            match self.swap(now, new) {
                Ok(_) => return,
                Err(other) => now = other,
            }
        }
    }

    /// Begins a doubt: the caller has found no stale slot. Until `end_doubt` the priority's bit
    /// stays set.
    pub(crate) fn doubt(&self) -> Doubt {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let new = (now | DOUBT).wrapping_add(ONE_CHANGE);
            match self.swap(now, new) {
                Ok(_) => return Doubt(new),
                Err(other) => now = other,
            }
        }
    }

    /// Clears the priority's bit, if the word has not changed since the doubt began.
    pub(crate) fn end_doubt(&self, Doubt(doubt): Doubt, priority: u32) {
        let _ = self.swap(doubt, doubt & !(priority | DOUBT));
    }

    fn swap(&self, from: u32, to: u32) -> Result<u32, u32> {
        self.0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// Whether the queue of one of these priorities may have a stale slot.
    pub(crate) fn may_be_at(&self, priorities: u32) -> bool {
        self.0.load(Ordering::Relaxed) & priorities != 0 && part::OUT_OF_ORDER.is_used()
    }
}
