//! The run queue: a lock-free FIFO of slot indices.
//!
//! A ring of cells, as many as the pool has slots. A slot is in the queue once at most, so the ring is
//! never full: when a pusher comes to a cell, what was pushed there a lap ago has been popped.
//!
//! ```text
//!                  head                        tail
//!                   ▼                           ▼
//!     ┌──────┬──────┬──────┬──────┬──────┬──────┬──────┐      each cell has the item that was
//!     │ lap 4│ lap 4│ lap 4│ lap 4│ lap 4│ lap 4│ lap 3│      pushed there last, and says in
//!     │(gone)│(gone)│ item │ item │ item │ item │(gone)│      which lap that was
//!     └──────┴──────┴──────┴──────┴──────┴──────┴──────┘
//!
//!     push   1. cells[tail]: (last lap, gone) → (this lap, item)   the item is in the queue now
//!            2. tail: to the next cell        by whoever comes first: a pusher that is stopped after
//!                                             1 delays nobody
//!     pop    1. read cells[head]              if it is of the last lap, the queue is empty
//!            2. head: to the next cell        the item is ours now; the cell stays as it is
//! ```
//!
//! A pusher or popper that is stopped for ever between any two of these steps makes nobody wait:
//! before its decisive step it has changed nothing that others see, after it others finish for it.
//! A ring whose pushers move the tail first and write the cell then (D. Vyukov's, `heapless::mpmc`)
//! has not got this: a peer stopped in mid-operation makes the others see it full or empty.
//!
//! That the swap of the cell decides, and that the tail follows, is from P. Tsigas and Y. Zhang ("A
//! Simple, Fast and Scalable Non-Blocking Concurrent FIFO Queue for Shared Memory Multiprocessor
//! Systems", SPAA 2001). Their poppers empty the cell; here its lap says whether it is empty.
//!
//! RAM: one word for each slot and priority.

use core::ptr;

use super::{
    sync::{AtomicUsize, Ordering, back_off, const_unless_loom, fetch_for_writing},
    tagged::Tagged,
};

/// A place in the ring: the item that was pushed last, and for a tag the lap after that, in which the
/// cell may be written again.
///
/// So a cell whose tag is the tail's is to be written next, and in memory of zeros nothing was ever
/// pushed.
#[repr(transparent)]
pub(crate) struct QueueCell(AtomicUsize);

impl QueueCell {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }
    }
}

/// How many cells are in a cache line of 64 bytes, which is what most processors have.
const CELLS_OF_A_LINE: usize = 64 / size_of::<QueueCell>();

/// The two ends of one queue, in memory: each is the index of a cell, with the lap for a tag.
#[repr(C)]
pub(crate) struct Lane {
    head: AtomicUsize,
    /// Workers write the head and submitters the tail: on one cache line they would wait for each
    /// other. 128 bytes, since some processors fetch two lines at a time. A chip that runs bare has
    /// no RAM to spare, and mostly no such cache.
    #[cfg(not(target_os = "none"))]
    apart: [u8; 128 - size_of::<AtomicUsize>()],
    tail: AtomicUsize,
    /// The next lane's head, or the first cells.
    #[cfg(not(target_os = "none"))]
    behind: [u8; 128 - size_of::<AtomicUsize>()],
}

impl Lane {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                head: AtomicUsize::new(0),
                #[cfg(not(target_os = "none"))]
                apart: [0; 128 - size_of::<AtomicUsize>()],
                tail: AtomicUsize::new(0),
                #[cfg(not(target_os = "none"))]
                behind: [0; 128 - size_of::<AtomicUsize>()],
            }
        }
    }
}

/// One lane with its cells.
#[derive(Clone, Copy)]
pub(crate) struct Queue<'p> {
    lane: &'p Lane,
    cells: &'p [QueueCell],
    tagged: Tagged,
}

impl<'p> Queue<'p> {
    /// How the words of a queue with so many cells are laid out.
    pub(crate) const fn words(cells: usize) -> Tagged {
        Tagged::for_indices_to(cells - 1)
    }

    /// `tagged` is what [`words`](Self::words) says for these cells.
    #[inline(always)]
    pub(crate) fn new(lane: &'p Lane, cells: &'p [QueueCell], tagged: Tagged) -> Self {
        Self {
            lane,
            cells,
            tagged,
        }
    }

    /// The cell at an end.
    #[inline(always)]
    fn cell(self, end: usize) -> &'p AtomicUsize {
        let index = self.tagged.index(end);
        debug_assert!(index < self.cells.len());
        // SAFETY: an end begins at cell 0, and `next` keeps it below `cells.len()`.
        unsafe { &self.cells.get_unchecked(index).0 }
    }

    /// Where an end goes from `end`.
    #[inline(always)]
    fn next(self, end: usize) -> usize {
        if self.tagged.index(end) + 1 < self.cells.len() {
            end + 1
        } else {
            self.tagged.successor(end, 0)
        }
    }

    /// Whether `cell`, which is at `end`, is still to be written in this lap. If not, it was written, and
    /// maybe in a later lap too: then `end` was out of date.
    #[inline(always)]
    fn is_unwritten(self, cell: usize, end: usize) -> bool {
        self.tagged.have_same_tag(cell, end)
    }

    /// Appends `item`.
    ///
    /// It is below the number of cells, and if it was in the queue before, its pop happened before
    /// this: that is why a cell is always free.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn push(self, item: u16) {
        let mut pushed = false;
        while !pushed {
            // Acquire: pairs with the Release below, of the tail.
            let tail = self.lane.tail.load(Ordering::Acquire);
            let cell = self.cell(tail);
            // Relaxed: after the load of the tail, this is no older than what those found in the cells who
            // moved it there.
            let now = cell.load(Ordering::Relaxed);
            if self.is_unwritten(now, tail) {
                // What was popped from the next line was read by workers.
                fetch_for_writing(ptr::from_ref(cell).wrapping_add(CELLS_OF_A_LINE));
                let new = self.tagged.successor(tail, usize::from(item));
                // Release: publishes the item's slot to the Acquire of `first`.
                pushed = cell
                    .compare_exchange_weak(now, new, Ordering::Release, Ordering::Relaxed)
                    .is_ok();
                if !pushed {
                    back_off();
                    continue;
                }
            } else {
                // Another pusher wrote the cell and has not moved the tail yet: do it for it. Or the tail
                // was out of date, and stays as it is.
                //
                // Acquire: pairs with the Release above; who moves the tail for another passes on what
                // that one knew.
                cell.load(Ordering::Acquire);
            }
            // If this fails, another does it, if only the next who comes here.
            //
            // Release: who finds the tail moved finds every cell before it written, in this lap and in
            // the last.
            let _ = self.lane.tail.compare_exchange_weak(
                tail,
                self.next(tail),
                Ordering::Release,
                Ordering::Relaxed,
            );
        }
    }

    /// The head, and the item there. They belong together if the head is still the same after; if there
    /// is none, the queue was empty.
    #[inline(always)]
    fn first(self) -> (usize, Option<u16>) {
        // Acquire: pairs with the Release of `pop_if`.
        let head = self.lane.head.load(Ordering::Acquire);
        // Acquire: pairs with the Release of `push`. Whoever wrote the cell in a later lap knew of the pop
        // that freed it, so that the head's check tells. And nobody pops what is not written: where that
        // is the cell at `head`, the head has not moved before this load.
        let cell = self.cell(head).load(Ordering::Acquire);
        let item = self.tagged.index(cell) as u16;
        (head, (!self.is_unwritten(cell, head)).then_some(item))
    }

    /// Whether the head has not moved.
    #[inline(always)]
    fn head_is(self, head: usize) -> bool {
        self.lane.head.load(Ordering::Relaxed) == head
    }

    /// Takes the oldest item if `wanted` says so of it. `wanted` may be asked about an item that
    /// another takes meanwhile; what it said counts only if the item is still the oldest.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn pop_if(self, wanted: impl Fn(u16) -> bool) -> Option<u16> {
        loop {
            let (head, first) = self.first();
            let item = first?;
            if wanted(item) {
                // Release: who finds the head moved finds in the cells what was pushed before, and does
                // not take the queue for empty.
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

    /// The item that was pushed first of those that are `wanted`, wherever it is in the queue.
    ///
    /// If others push and pop, `wanted` may be asked about items that are in the queue no more. O(cells).
    pub(crate) fn find(self, wanted: impl Fn(u16) -> bool) -> Option<u16> {
        // Relaxed: what is in the cells is a guess then, which `wanted` must hold against the item. The tail is not
        // asked: it may lag. The head may have moved; then all that was pushed later is written all the same.
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

    /// How many items are queued; while others push and pop, or if a tail lags, about how many.
    pub(crate) fn len(self) -> usize {
        // Relaxed: says nothing of the items.
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
            // What was pushed last is gone, and the tail has not been moved past it.
            0
        }
    }

    /// Whether nothing is queued, at one moment of the call.
    pub(crate) fn is_empty(self) -> bool {
        // What is written at the head was there, even if another takes it meanwhile.
        self.first().1.is_none()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    const CELLS: usize = 3;

    /// A queue of three cells.
    struct Fixture {
        lane: Lane,
        cells: [QueueCell; CELLS],
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                lane: Lane::new(),
                cells: [const { QueueCell::new() }; CELLS],
            }
        }

        /// One in which the last lap but one begins: tags are at their end after two.
        fn before_the_last_lap() -> Self {
            let fixture = Self::new();
            let words = Queue::words(CELLS);
            let last_index = words.index(usize::MAX);
            let lap = usize::MAX - 2 * last_index - 1;
            assert_eq!(words.successor(words.successor(lap, 0), 0), 0);
            for word in fixture.cells.iter().map(|cell| &cell.0) {
                word.store(lap, Ordering::Relaxed);
            }
            fixture.lane.head.store(lap, Ordering::Relaxed);
            fixture.lane.tail.store(lap, Ordering::Relaxed);
            fixture
        }

        fn queue(&self) -> Queue<'_> {
            Queue::new(&self.lane, &self.cells, Queue::words(CELLS))
        }
    }

    fn pop(queue: Queue<'_>) -> Option<u16> {
        queue.pop_if(|_| true)
    }

    fn pop_all(queue: Queue<'_>) -> Vec<u16> {
        std::iter::from_fn(|| pop(queue)).collect()
    }

    #[test]
    fn what_was_queued_first_comes_first() {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        assert_eq!(pop(queue), None);
        for item in [2, 0, 1] {
            queue.push(item);
        }
        assert_eq!(pop_all(queue), [2, 0, 1]);
    }

    #[test]
    fn lap_after_lap_is_in_order() {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        queue.push(0);
        for round in 0..10 * CELLS {
            queue.push(((round + 1) % CELLS) as u16);
            assert_eq!(pop(queue), Some((round % CELLS) as u16));
        }
    }

    #[test]
    fn after_the_last_lap_comes_the_first() {
        let fixture = Fixture::before_the_last_lap();
        let queue = fixture.queue();
        for _ in 0..3 * CELLS {
            queue.push(2);
            queue.push(1);
            assert_eq!(pop_all(queue), [2, 1]);
        }
    }

    #[test]
    fn a_queue_of_one_cell_works() {
        let (lane, cells) = (Lane::new(), [QueueCell::new()]);
        let queue = Queue::new(&lane, &cells, Queue::words(1));
        for _ in 0..3 {
            assert!(queue.is_empty());
            queue.push(0);
            assert!(!queue.is_empty());
            assert_eq!(pop_all(queue), [0]);
        }
    }

    #[test]
    fn an_unwanted_item_stays_first() {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        queue.push(0);
        queue.push(1);
        assert_eq!(queue.pop_if(|item| item == 1), None);
        assert_eq!(queue.pop_if(|item| item == 0), Some(0));
        assert_eq!(queue.pop_if(|item| item == 1), Some(1));
    }

    #[test]
    fn find_asks_about_each_item_in_order_across_the_laps_end() {
        for fixture in [Fixture::new(), Fixture::before_the_last_lap()] {
            let queue = fixture.queue();
            for _ in 0..3 * CELLS {
                queue.push(2);
                queue.push(0);
                let asked = std::cell::RefCell::new(Vec::new());
                let never = |item| {
                    asked.borrow_mut().push(item);
                    false
                };
                assert_eq!(queue.find(never), None);
                assert_eq!(asked.into_inner(), [2, 0]);
                assert_eq!(queue.find(|item| item == 0), Some(0));
                assert_eq!(pop_all(queue), [2, 0]);
            }
        }
    }

    #[test]
    fn find_sees_an_item_behind_a_tail_that_lags() {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        queue.push(0);
        let tail = fixture.lane.tail.load(Ordering::Relaxed);
        queue.push(1);
        fixture.lane.tail.store(tail, Ordering::Relaxed);
        assert_eq!(queue.find(|item| item == 1), Some(1));
    }

    #[test]
    fn find_sees_all_that_stays_while_the_head_moves() {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        for item in [0, 1, 2] {
            queue.push(item);
        }
        let popping = |item| item == 2 || pop(queue).is_none();
        assert_eq!(queue.find(popping), Some(2));
    }

    #[test]
    fn len_counts_what_is_queued_across_the_laps_end() {
        for fixture in [Fixture::new(), Fixture::before_the_last_lap()] {
            let queue = fixture.queue();
            for _ in 0..3 {
                assert_eq!(queue.len(), 0);
                for item in 0..3 {
                    queue.push(item);
                }
                assert_eq!(queue.len(), 3);
                for left in [2, 1] {
                    queue.pop_if(|_| true);
                    assert_eq!(queue.len(), left);
                }
                queue.push(0);
                assert_eq!(queue.len(), 2);
                for _ in 0..2 {
                    queue.pop_if(|_| true);
                }
            }
        }
    }

    #[test]
    fn a_queue_is_empty_when_all_items_left() {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        assert!(queue.is_empty());
        queue.push(0);
        queue.push(1);
        assert!(!queue.is_empty());
        pop(queue);
        assert!(!queue.is_empty());
        pop(queue);
        assert!(queue.is_empty());
    }

    /// A queue with items in it whose last pusher has stopped before it moved the tail.
    fn stopped_after(items: &[u16]) -> Fixture {
        let fixture = Fixture::new();
        let queue = fixture.queue();
        for &item in items {
            let before = fixture.lane.tail.load(Ordering::Relaxed);
            queue.push(item);
            if Some(&item) == items.last() {
                fixture.lane.tail.store(before, Ordering::Relaxed);
            }
        }
        fixture
    }

    #[test]
    fn a_popper_goes_past_a_pusher_that_stopped_before_it_moved_the_tail() {
        let fixture = stopped_after(&[0]);
        let queue = fixture.queue();
        assert!(!queue.is_empty());
        assert_eq!(pop_all(queue), [0]);
        queue.push(1);
        assert_eq!(pop_all(queue), [1]);
    }

    #[test]
    fn a_pusher_goes_past_a_pusher_that_stopped_before_it_moved_the_tail() {
        let fixture = stopped_after(&[2, 0]);
        let queue = fixture.queue();
        queue.push(1);
        assert_eq!(pop_all(queue), [2, 0, 1]);
    }

    #[test]
    fn a_pusher_goes_past_one_that_stopped_at_the_end_of_a_lap() {
        let fixture = stopped_after(&[2, 0, 1]);
        let queue = fixture.queue();
        assert_eq!(pop(queue), Some(2));
        queue.push(2);
        assert_eq!(pop_all(queue), [0, 1, 2]);
    }
}
