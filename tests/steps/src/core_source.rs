//! The queue by itself: the core's own source, compiled once more, since a pool does not hand out
//! its queue.
#![allow(dead_code, reason = "the core uses more of it")]

#[path = "../../../core/src/queue.rs"]
mod queue;

use queue::{Lane, Node};
pub(crate) use queue::{Popped, Queue};

use crate::tagged::Tagged;

/// A queue with its memory.
pub struct FixedQueue {
    lane: Lane,
    nodes: Vec<Node>,
}

impl FixedQueue {
    /// With so many nodes; the first is the queue's to begin with.
    pub fn new(nodes: usize) -> Self {
        Self {
            lane: Lane::new(),
            nodes: (0..nodes).map(|_| Node::new()).collect(),
        }
    }

    /// The queue.
    pub(crate) fn queue(&self) -> Queue<'_> {
        Queue::new(
            &self.lane,
            0,
            &self.nodes,
            Tagged::for_indices_to(self.nodes.len()),
        )
    }
}
