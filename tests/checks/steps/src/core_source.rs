//! The queue by itself: the core's own source, compiled once more, since a pool does not hand out
//! its queue.

#[path = "../../../../core/src/lockfree/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the core uses more of it")]
#[rustfmt::skip] // It would look for the modules' tests beside them.
mod lockfree;

use lockfree::queue::{Lane, Queue, QueueCell};

/// A queue with its memory.
pub struct FixedQueue {
    lane: Lane,
    cells: Vec<QueueCell>,
}

impl FixedQueue {
    /// For the items below `cells`, each of which is in it once at most.
    pub fn new(cells: usize) -> Self {
        Self {
            lane: Lane::new(),
            cells: (0..cells).map(|_| QueueCell::new()).collect(),
        }
    }

    /// The queue.
    pub(crate) fn queue(&self) -> Queue<'_> {
        Queue::new(&self.lane, &self.cells, Queue::words(self.cells.len()))
    }
}
