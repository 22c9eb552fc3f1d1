//! The run queue: a lock-free FIFO of slot indices.
//!
//! The queue is a ring of cells, as many as the pool has slots. A slot is in the queue once at
//! most, so the ring is never full. When a pusher comes to a cell, the item that was pushed there a
//! lap ago has been popped.
//!
//! ```text
//!                  head                        tail
//!                   ▼                           ▼
//!     ┌──────┬──────┬──────┬──────┬──────┬──────┬──────┐      both ends are in lap 4; each cell
//!     │ lap 5│ lap 5│ lap 5│ lap 5│ lap 5│ lap 5│ lap 4│      has the item that was pushed there
//!     │(gone)│(gone)│ item │ item │ item │ item │(gone)│      last, and the lap after that push
//!     └──────┴──────┴──────┴──────┴──────┴──────┴──────┘
//!
//!     push   1. cells[tail]: (this lap, gone) → (next lap, item)   the item is in the queue now
//!            2. tail: to the next cell        by this pusher or the next one: a pusher that is
//!                                             stopped after 1 delays no other
//!     pop    1. read cells[head]              if it has the head's lap, the queue is empty
//!            2. head: to the next cell        the popper owns the item now; the cell stays as it is
//! ```
//!
//! A pusher or popper that is stopped for ever between any two of these steps makes no other party
//! wait. Before its decisive step it has changed nothing that others see. After that step the
//! others finish for it. In other rings the pusher moves the tail first and then writes the cell
//! (D. Vyukov's ring, `heapless::mpmc`). There a party that stops in between makes the others see
//! the ring full or empty.
//!
//! The idea that the swap of the cell decides, and that the tail follows, is from P. Tsigas and Y.
//! Zhang ("A Simple, Fast and Scalable Non-Blocking Concurrent FIFO Queue for Shared Memory
//! Multiprocessor Systems", SPAA 2001). Their poppers empty the cell. Here the lap in the cell
//! shows whether it is empty.
//!
//! RAM: one word for each slot and priority.

use core::ptr;

use super::{
    contention::{back_off, fetch_for_writing},
    padding::APART,
    sync::{AtomicUsize, Ordering, const_unless_loom},
    tagged::Tagged,
};

/// The layout of the words of a queue.
pub(crate) type Words = Tagged;

/// A place in the ring. It has the item that was pushed there last. Its tag is the next lap, in
/// which the cell may be written again.
///
/// So a cell whose tag equals the tail's is unwritten in the tail's lap. In memory of zeros nothing
/// was ever pushed.
#[repr(transparent)]
pub(crate) struct QueueCell(AtomicUsize);

impl QueueCell {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }
}

/// The number of cells in a cache line of 64 bytes, which is the size that most processors have.
const CELLS_OF_A_LINE: usize = 64 / size_of::<QueueCell>();

/// The number of bytes between a word and the next one that is to be on another line.
const BESIDE_A_WORD: usize = APART.saturating_sub(size_of::<AtomicUsize>());

/// The two ends of one queue. Each is the index of a cell, with the lap as its tag.
#[repr(C)]
pub(crate) struct Lane {
    head: AtomicUsize,
    /// Avoids false sharing: workers write the head and submitters the tail.
    apart: [u8; BESIDE_A_WORD],
    tail: AtomicUsize,
    /// Keeps the next lane's head, or the first cells, off the tail's line.
    behind: [u8; BESIDE_A_WORD],
}

impl Lane {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                head: AtomicUsize::new(0),
                apart: [0; BESIDE_A_WORD],
                tail: AtomicUsize::new(0),
                behind: [0; BESIDE_A_WORD],
            }
        }
    }
}

/// One lane with its cells.
#[derive(Clone, Copy)]
pub(crate) struct Queue<'p> {
    lane: &'p Lane,
    cells: &'p [QueueCell],
    tagged: Words,
}

impl<'p> Queue<'p> {
    /// The layout of the words of a queue of `cells` cells.
    pub(crate) const fn words(cells: usize) -> Words {
        Tagged::for_indices_to(cells - 1)
    }

    /// A view of one queue. `tagged` is the layout that [`words`](Self::words) returns for these
    /// cells.
    #[inline(always)]
    pub(crate) fn new(lane: &'p Lane, cells: &'p [QueueCell], tagged: Words) -> Self {
        Self {
            lane,
            cells,
            tagged,
        }
    }

    /// The cell that the end `end` points to.
    #[inline(always)]
    fn cell(self, end: usize) -> &'p AtomicUsize {
        let index = self.tagged.index(end);
        debug_assert!(index < self.cells.len());
        // SAFETY: an end begins at cell 0, and `next` keeps it below `cells.len()`.
        unsafe { &self.cells.get_unchecked(index).0 }
    }

    /// The end after `end`.
    #[inline(always)]
    fn next(self, end: usize) -> usize {
        if self.tagged.index(end) + 1 < self.cells.len() {
            end + 1
        } else {
            self.tagged.successor(end, 0)
        }
    }

    /// Whether no pusher has written this cell in the lap of `end`. A write of a later lap means that
    /// `end` is out of date. `cell` is the content of the cell at `end`.
    #[inline(always)]
    fn is_unwritten(self, cell: usize, end: usize) -> bool {
        self.tagged.have_same_tag(cell, end)
    }

    /// Appends `item`.
    ///
    /// `item` is below the number of cells. If it was in the queue before, its pop happened before
    /// this call. That is why the ring has a cell for it.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn push(self, item: u16) {
        let mut pushed = false;
        while !pushed {
            // Acquire: pairs with the Release of the swap of the tail, below, in the pusher that
            // moved the tail here.
            let tail = self.lane.tail.load(Ordering::Acquire);
            let cell = self.cell(tail);
            // Relaxed: the load of the tail has acquired from each pusher that moved the tail. One
            // of them moved it past this cell a lap ago. That pusher had seen the cell written in
            // the last lap. So this load reads that write or a later one.
            let now = cell.load(Ordering::Relaxed);
            if self.is_unwritten(now, tail) {
                // Workers have read the cells of the next line when they popped there.
                fetch_for_writing(ptr::from_ref(cell).wrapping_add(CELLS_OF_A_LINE));
                let new = self.tagged.successor(tail, usize::from(item));
                // Release: publishes the item's slot to the Acquire load of the cell in `first`.
                pushed = cell
                    .compare_exchange_weak(now, new, Ordering::Release, Ordering::Relaxed)
                    .is_ok();
                if !pushed {
                    back_off();
                    continue;
                }
            } else {
                // Another pusher has written the cell, and has not moved the tail yet: the swap
                // below moves it for that pusher. Or this tail was out of date, and the swap below
                // fails.
                //
                // Acquire: pairs with the Release of the cell's swap above, in the pusher that
                // wrote the cell. So the Release below passes on what that pusher had seen.
                cell.load(Ordering::Acquire);
            }
            // A failed swap does no harm: another pusher has moved the tail, or the next pusher
            // moves it.
            //
            // Release: pairs with the Acquire load of the tail above. A pusher that reads the new
            // tail sees every cell before it written, in this lap and in the last.
            let _ = self.lane.tail.compare_exchange_weak(
                tail,
                self.next(tail),
                Ordering::Release,
                Ordering::Relaxed,
            );
        }
    }

    /// The head, and the item in its cell. The two belong together if the head is still the same
    /// after the call. If there is no item, the queue was empty.
    #[inline(always)]
    fn first(self) -> (usize, Option<u16>) {
        // Acquire: pairs with the Release of the head's swap in `pop_if`.
        let head = self.lane.head.load(Ordering::Acquire);
        // Acquire: pairs with the Release of the cell's swap in `push`. If the cell was written in
        // a later lap, its pusher had seen the pop that freed the cell. So the caller's check of
        // the head fails then. If the cell at `head` is unwritten, no popper has passed it, so the
        // head had not moved before this load.
        let cell = self.cell(head).load(Ordering::Acquire);
        let item = self.tagged.index(cell) as u16;
        (head, (!self.is_unwritten(cell, head)).then_some(item))
    }

    /// Whether the head has not moved.
    #[inline(always)]
    fn head_is(self, head: usize) -> bool {
        self.lane.head.load(Ordering::Relaxed) == head
    }

    /// Takes the oldest item if `wanted` accepts it. `wanted` may be called with an item that
    /// another popper takes meanwhile. Its answer counts only if the item is still the oldest.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn pop_if(self, wanted: impl Fn(u16) -> bool) -> Option<u16> {
        loop {
            let (head, first) = self.first();
            let item = first?;
            if wanted(item) {
                // Release: pairs with the Acquire load of the head in `first`. A popper that reads
                // the new head finds in the cells the items pushed before, and does not take the
                // queue for empty.
                let moved = self.lane.head.compare_exchange_weak(
                    head,
                    self.next(head),
                    Ordering::Release,
                    Ordering::Relaxed,
                );
                if moved.is_ok() {
                    return Some(item);
                }
            } else if self.head_is(head) {
                return None;
            }
        }
    }

    /// The oldest of the items that `wanted` accepts, wherever it is in the queue.
    ///
    /// While others push and pop, `wanted` may be called with items that have left the queue.
    /// O(cells).
    pub(crate) fn find(self, wanted: impl Fn(u16) -> bool) -> Option<u16> {
        // Relaxed: an item read here is a guess, which `wanted` checks against the item itself. The
        // tail is not read, since it may lag. If the head moves meanwhile, the items behind it are
        // still found: their cells are written.
        let mut place = self.lane.head.load(Ordering::Relaxed);
        for _ in 0..self.cells.len() {
            let cell = self.cell(place).load(Ordering::Relaxed);
            if self.is_unwritten(cell, place) {
                break;
            }
            let item = self.tagged.index(cell) as u16;
            if wanted(item) {
                return Some(item);
            }
            place = self.next(place);
        }
        None
    }

    /// The number of queued items. It is approximate while others push and pop, or if the tail
    /// lags.
    pub(crate) fn len(self) -> usize {
        // Relaxed: the number does not publish the items.
        let head = self.lane.head.load(Ordering::Relaxed);
        let tail = self.lane.tail.load(Ordering::Relaxed);
        let (first, end) = (self.tagged.index(head), self.tagged.index(tail));
        if self.tagged.have_same_tag(head, tail) {
            end.saturating_sub(first)
        } else if self
            .tagged
            .have_same_tag(self.tagged.successor(head, 0), tail)
        {
            // The tail is in the next lap.
            end + self.cells.len() - first
        } else {
            // The item that was pushed last has been popped, and the tail has not been moved past
            // it.
            0
        }
    }

    /// Whether the queue was empty at one moment of the call.
    pub(crate) fn is_empty(self) -> bool {
        // An item at the head was queued at the moment of the load, even if another popper takes it
        // now.
        self.first().1.is_none()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod laps;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
