//! The run queue: a FIFO of slot indices, whose changes are critical sections.
//!
//! The queue is a ring of cells, as many as the pool has slots. A slot is in the queue once at
//! most, so the ring has a cell for each item.
//!
//! RAM: one word for each slot and priority, as without critical sections.

use super::{
    section::locked,
    sync::{AtomicUsize, Ordering},
};

/// The layout of the words of a queue. They have no tags.
#[derive(Clone, Copy)]
pub(crate) struct Words;

/// A place in the ring. It has the item that was pushed there last.
#[repr(transparent)]
pub(crate) struct QueueCell(AtomicUsize);

impl QueueCell {
    super::sync::const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }
}

/// The oldest item's cell, and the number of items.
#[repr(C)]
pub(crate) struct Lane {
    head: AtomicUsize,
    count: AtomicUsize,
}

impl Lane {
    super::sync::const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                head: AtomicUsize::new(0),
                count: AtomicUsize::new(0),
            }
        }
    }
}

/// One lane with its cells.
#[derive(Clone, Copy)]
pub(crate) struct Queue<'p> {
    lane: &'p Lane,
    cells: &'p [QueueCell],
}

// Relaxed, where no other reason is given: the critical section orders the accesses of its words.
impl<'p> Queue<'p> {
    /// The layout of the words of a queue of any number of cells.
    pub(crate) const fn words(_: usize) -> Words {
        Words
    }

    /// A view of one queue.
    #[inline(always)]
    pub(crate) fn new(lane: &'p Lane, cells: &'p [QueueCell], _: Words) -> Self {
        Self { lane, cells }
    }

    /// The cell at a place of the ring.
    #[inline(always)]
    fn cell(self, place: usize) -> &'p AtomicUsize {
        debug_assert!(place < self.cells.len());
        // SAFETY: the head begins at 0, and `in_ring` keeps each place below `cells.len()`.
        unsafe { &self.cells.get_unchecked(place).0 }
    }

    /// The place that is `place` counted around the ring. `place` is less than two rounds.
    #[inline(always)]
    fn in_ring(self, place: usize) -> usize {
        place.checked_sub(self.cells.len()).unwrap_or(place)
    }

    /// Appends `item`.
    ///
    /// `item` is below the number of cells. If it was in the queue before, its pop happened before
    /// this call. So no item is in the queue twice, and the ring has a cell for this one.
    pub(crate) fn push(self, item: u16) {
        locked(|| {
            let count = self.lane.count.load(Ordering::Relaxed);
            let tail = self.in_ring(self.lane.head.load(Ordering::Relaxed) + count);
            self.cell(tail).store(usize::from(item), Ordering::Relaxed);
            self.lane.count.store(count + 1, Ordering::Relaxed);
        });
    }

    /// Takes the oldest item if `wanted` accepts it. `wanted` is called in the critical section.
    pub(crate) fn pop_if(self, wanted: impl Fn(u16) -> bool) -> Option<u16> {
        // A worker that finds the queue empty goes on without a section.
        if self.lane.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        locked(|| {
            let left = self.lane.count.load(Ordering::Relaxed).checked_sub(1)?;
            let head = self.lane.head.load(Ordering::Relaxed);
            let item = self.cell(head).load(Ordering::Relaxed) as u16;
            wanted(item).then(|| {
                self.lane
                    .head
                    .store(self.in_ring(head + 1), Ordering::Relaxed);
                // Release: pairs with the Acquire of `is_empty`.
                self.lane.count.store(left, Ordering::Release);
                item
            })
        })
    }

    /// The oldest of the items that `wanted` accepts, wherever it is in the queue.
    ///
    /// While others push and pop, `wanted` may be called with items that have left the queue.
    /// O(cells).
    pub(crate) fn find(self, wanted: impl Fn(u16) -> bool) -> Option<u16> {
        let (mut place, count) = locked(|| {
            let head = self.lane.head.load(Ordering::Relaxed);
            (head, self.lane.count.load(Ordering::Relaxed))
        });
        for _ in 0..count {
            // The cell may have another item by now. `wanted` checks the item by its slot's state.
            // Poppers move the head and no items: an item that is still queued is in its cell.
            let item = self.cell(place).load(Ordering::Relaxed) as u16;
            if wanted(item) {
                return Some(item);
            }
            place = self.in_ring(place + 1);
        }
        None
    }

    /// The number of queued items.
    pub(crate) fn len(self) -> usize {
        // Relaxed: the number does not publish the items.
        self.lane.count.load(Ordering::Relaxed)
    }

    /// Whether the queue was empty at one moment of the call.
    pub(crate) fn is_empty(self) -> bool {
        // Acquire: pairs with the Release of `pop_if`. A caller that finds the queue empty sees what
        // its poppers did before.
        self.lane.count.load(Ordering::Acquire) == 0
    }
}

#[cfg(test)]
#[cfg(not(loom))]
#[path = "../lockfree/queue/tests.rs"]
mod tests;
