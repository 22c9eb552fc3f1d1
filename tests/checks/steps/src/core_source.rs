//! The queue by itself: the core's own source, compiled once more, since a pool does not hand out
//! its queue.
#![allow(dead_code, reason = "the core uses more of it")]

#[path = "../../../../core/src/lockfree/queue.rs"]
mod queue;
#[path = "../../../../core/src/lockfree/tagged.rs"]
mod tagged;

use crate::sync;
use queue::{QueueCell, Lane, Queue};

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
