//! The geometry of a pool: where each of its arrays begins.

use crate::{lockfree::free_list::FreeWords, lockfree::queue::Words};

/// The most slots of a pool.
pub(crate) const MAX_SLOTS: usize = 65_000;

/// The most workers, and the most waiters, of a pool.
pub(crate) const MAX_CONTEXTS: usize = 1_000;

/// The sizes of a pool's arrays, and their offsets in bytes from the pool's address.
pub(crate) struct Geometry {
    /// The size of each payload: its [`capacity`](super::payload::capacity).
    pub(crate) bytes: usize,
    pub(crate) priorities: usize,
    pub(crate) workers: usize,
    pub(crate) waiters: usize,
    pub(crate) slot_size: usize,
    pub(crate) slots_at: usize,
    pub(crate) lanes_at: usize,
    pub(crate) cells_at: usize,
    pub(crate) seats_at: usize,
    pub(crate) waiters_at: usize,
    pub(crate) cell_words: Words,
    pub(crate) free_words: FreeWords,
}

impl Geometry {
    /// The number of slots.
    #[inline(always)]
    pub(crate) fn slots(&self) -> usize {
        self.free_words.slots()
    }
}
