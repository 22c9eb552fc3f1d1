//! The run queue: a lock-free FIFO of slot indices.
//!
//! This is the queue of M. M. Michael and M. L. Scott ("Simple, Fast, and Practical Non-Blocking
//! and Blocking Concurrent Queue Algorithms", PODC 1996), over indices with tags instead of
//! pointers with counters, and without an allocator: as many nodes exist as slots, plus one per
//! lane, and each slot that is not queued owns one.
//!
//! ```text
//!   head ──► node ──► node ──► node ◄── tail        each node but the first holds an item;
//!           (dummy)   item     item                 the first held the item that left last
//!
//!   push   1. node.item = slot, node.next = nil     by the slot's owner, alone
//!          2. last.next: nil → node                 the item is in the queue from here on
//!          3. tail: last → node                     by whoever comes first: a pusher that is
//!                                                   stopped after 2 delays nobody
//!   pop    1. read head.next and its item
//!          2. head: dummy → next                    the item is ours from here on, and so is the
//!                                                   old dummy, which the slot owns from now on
//! ```
//!
//! A pusher or popper that is stopped for ever between any two of these steps makes nobody wait:
//! before its decisive step it has changed nothing that others see, after it others finish for it.
//! A ring buffer with a sequence number per cell (D. Vyukov's, `heapless::mpmc`) has not got this:
//! a peer stopped in mid-operation makes the others see it full or empty.
//!
//! RAM: two words a node on 64-bit, 8 bytes on 32-bit targets. The lanes of a pool share the nodes.

use crate::{
    sync::{AtomicU16, AtomicUsize, Ordering, const_unless_loom},
    tagged::Tagged,
};

/// One link of a queue.
#[repr(C)]
pub(crate) struct Node {
    /// Tagged; index 0 is nil, index n + 1 is node n.
    next: AtomicUsize,
    item: AtomicU16,
}

impl Node {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                next: AtomicUsize::new(0),
                item: AtomicU16::new(0),
            }
        }
    }
}

/// The two ends of one queue, in memory.
///
/// Both words hold the node's index exclusive-ored with the lane's number. So lane n of a pool
/// starts on node n although all of its memory is zero, and a pool in a `static` needs no flash for
/// its initial value.
#[repr(C)]
pub(crate) struct Lane {
    head: AtomicUsize,
    tail: AtomicUsize,
}

impl Lane {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                head: AtomicUsize::new(0),
                tail: AtomicUsize::new(0),
            }
        }
    }
}

/// An item that was popped, and the node that came free with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Popped {
    pub(crate) item: u16,
    pub(crate) node: u16,
}

/// One lane with the nodes that it shares with the others.
#[derive(Clone, Copy)]
pub(crate) struct Queue<'p> {
    lane: &'p Lane,
    number: usize,
    nodes: &'p [Node],
    tagged: Tagged,
}

impl<'p> Queue<'p> {
    /// `number` is the lane's own; the first nodes are the lanes' initial dummies.
    ///
    /// `tagged` must be able to hold `nodes.len()`.
    #[inline(always)]
    pub(crate) fn new(lane: &'p Lane, number: usize, nodes: &'p [Node], tagged: Tagged) -> Self {
        Self {
            lane,
            number,
            nodes,
            tagged,
        }
    }

    /// The node that an end's word names.
    #[inline(always)]
    fn end(self, word: usize) -> usize {
        self.tagged.index(word) ^ self.number
    }

    /// Moves an end from `word` to `node`; false if another was there before.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn advance(end: &AtomicUsize, queue: Self, word: usize, node: usize) -> bool {
        let new = queue.tagged.successor(word, node ^ queue.number);
        // Release: hands the node behind the end, and what is in it, to the next reader of the end
        // (its Acquire load in `push` or `pop`).
        end.compare_exchange(word, new, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Node `index`.
    #[inline(always)]
    fn node(self, index: usize) -> &'p Node {
        debug_assert!(index < self.nodes.len());
        // SAFETY: an index is in a lane's word or a node's `next` only if `push` put it there, or
        // if it is the lane's number; both are below `nodes.len()` (invariant of `Queue::new` and
        // of `push`).
        unsafe { self.nodes.get_unchecked(index) }
    }

    /// Appends `item`, in `node`. The caller owns the node, and gives it away here.
    ///
    /// # Safety
    ///
    /// `node` is an index into the nodes that no queue holds and that nobody else pushes.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) unsafe fn push(self, item: u16, node: u16) {
        let new = usize::from(node);
        let link = self.node(new);
        link.item.store(item, Ordering::Relaxed);
        // The tag goes on from the node's last use, so that a pusher that read this word then, and
        // slept since, fails.
        let old = link.next.load(Ordering::Relaxed);
        // Release: a peer that reads this in a node that it still takes for an end of the queue
        // (Acquire) also sees that the end has moved on, and starts again.
        link.next
            .store(self.tagged.successor(old, 0), Ordering::Release);
        let tail = loop {
            // Acquire: pairs with the Release of `advance`; the node's words are the ones it had
            // when it became the last.
            let tail = self.lane.tail.load(Ordering::Acquire);
            let last = self.end(tail);
            let last_link = self.node(last);
            // Acquire: pairs with both Releases above and below; the check of the tail comes after.
            let next = last_link.next.load(Ordering::Acquire);
            if self.lane.tail.load(Ordering::Relaxed) != tail {
                continue;
            }
            match self.tagged.index(next) {
                0 => {
                    let linked = self.tagged.successor(next, new + 1);
                    // Release: publishes the item and the slot behind it to the popper's Acquire
                    // load of `next`.
                    if last_link
                        .next
                        .compare_exchange(next, linked, Ordering::Release, Ordering::Relaxed)
                        .is_ok()
                    {
                        break tail;
                    }
                }
                after => {
                    // Another pusher linked its node and has not moved the tail yet: do it for it.
                    Self::advance(&self.lane.tail, self, tail, after - 1);
                }
            }
        };
        // If this fails, another has done it.
        Self::advance(&self.lane.tail, self, tail, new);
    }

    /// Takes the oldest item if `wanted` says so of it. `wanted` may be asked about an item that
    /// another takes meanwhile; what it said counts only if the item is still the oldest.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn pop_if(self, wanted: impl Fn(u16) -> bool) -> Option<Popped> {
        loop {
            // Acquire: pairs with the Release of `advance`.
            let head = self.lane.head.load(Ordering::Acquire);
            let dummy = self.end(head);
            // Acquire: pairs with the Release of `push`; the item and its slot are visible.
            let next = self.node(dummy).next.load(Ordering::Acquire);
            // Acquire: pairs with the Release of `advance`; if the dummy is the last node because it
            // has been in use again, the check of the head says so.
            let tail = self.lane.tail.load(Ordering::Acquire);
            // The first node's successor counts only while it is the first.
            if self.lane.head.load(Ordering::Relaxed) != head {
                continue;
            }
            let first = self.tagged.index(next).checked_sub(1)?;
            if self.end(tail) == dummy {
                // The tail must not fall behind the head: help the pusher first.
                Self::advance(&self.lane.tail, self, tail, first);
                continue;
            }
            let item = self.node(first).item.load(Ordering::Relaxed);
            if !wanted(item) {
                if self.lane.head.load(Ordering::Relaxed) == head {
                    return None;
                }
                continue;
            }
            if Self::advance(&self.lane.head, self, head, first) {
                return Some(Popped {
                    item,
                    node: dummy as u16,
                });
            }
        }
    }

    /// Whether nothing is queued, at the moment of the call.
    pub(crate) fn is_empty(self) -> bool {
        loop {
            // Relaxed: an item that the caller knows of comes after every node that it can find here,
            // and whoever pushed it knew of the links up to it.
            let head = self.lane.head.load(Ordering::Relaxed);
            // Acquire: pairs with the Release of `push`; if the node is in use again, the check of
            // the head says so.
            let next = self.node(self.end(head)).next.load(Ordering::Acquire);
            if self.lane.head.load(Ordering::Relaxed) == head {
                return self.tagged.index(next) == 0;
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    const LANES: usize = 3;
    const SLOTS: usize = 5;

    /// The queues of a pool of five slots and three priorities.
    struct Queues {
        lanes: [Lane; LANES],
        nodes: [Node; LANES + SLOTS],
    }

    impl Queues {
        fn new() -> Self {
            Self {
                lanes: [const { Lane::new() }; LANES],
                nodes: [const { Node::new() }; LANES + SLOTS],
            }
        }

        fn lane(&self, number: usize) -> Queue<'_> {
            let tagged = Tagged::for_indices_to(self.nodes.len());
            Queue::new(&self.lanes[number], number, &self.nodes, tagged)
        }
    }

    /// Appends an item in a node that no queue has.
    fn push(queue: Queue<'_>, item: u16, node: u16) {
        // SAFETY: the tests push each node once, or after it was popped.
        unsafe { queue.push(item, node) };
    }

    fn pop(queue: Queue<'_>) -> Option<Popped> {
        queue.pop_if(|_| true)
    }

    #[test]
    fn what_was_queued_first_comes_first() {
        let queues = Queues::new();
        let queue = queues.lane(0);
        assert_eq!(pop(queue), None);
        for (item, node) in [(4, 3), (0, 4), (2, 5)] {
            push(queue, item, node);
        }
        let items = [pop(queue), pop(queue), pop(queue)].map(|popped| popped.map(|p| p.item));
        assert_eq!(items, [Some(4), Some(0), Some(2)]);
        assert_eq!(pop(queue), None);
    }

    #[test]
    fn with_an_item_comes_the_node_before_it() {
        let queues = Queues::new();
        let queue = queues.lane(2);
        push(queue, 1, 6);
        push(queue, 3, 4);
        assert_eq!(pop(queue), Some(Popped { item: 1, node: 2 }));
        assert_eq!(pop(queue), Some(Popped { item: 3, node: 6 }));
        push(queue, 0, 2);
        assert_eq!(pop(queue), Some(Popped { item: 0, node: 4 }));
    }

    #[test]
    fn lanes_that_share_nodes_keep_their_items_apart() {
        let queues = Queues::new();
        for (number, item, node) in [(0, 10, 3), (1, 11, 4), (2, 12, 5), (0, 20, 6), (1, 21, 7)] {
            push(queues.lane(number), item, node);
        }
        for (number, items) in [
            (1, [Some(11), Some(21), None]),
            (0, [Some(10), Some(20), None]),
            (2, [Some(12), None, None]),
        ] {
            let queue = queues.lane(number);
            assert_eq!(
                [pop(queue), pop(queue), pop(queue)].map(|popped| popped.map(|p| p.item)),
                items
            );
        }
    }

    #[test]
    fn an_unwanted_item_stays_first() {
        let queues = Queues::new();
        let queue = queues.lane(1);
        push(queue, 0, 3);
        push(queue, 1, 4);
        assert_eq!(queue.pop_if(|item| item == 1), None);
        assert_eq!(
            queue.pop_if(|item| item == 0).map(|popped| popped.item),
            Some(0)
        );
        assert_eq!(
            queue.pop_if(|item| item == 1).map(|popped| popped.item),
            Some(1)
        );
    }

    #[test]
    fn a_queue_is_empty_when_all_items_left() {
        let queues = Queues::new();
        let queue = queues.lane(1);
        assert!(queue.is_empty());
        push(queue, 0, 3);
        push(queue, 1, 4);
        assert!(!queue.is_empty());
        assert!(queues.lane(0).is_empty());
        pop(queue);
        assert!(!queue.is_empty());
        pop(queue);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_popper_goes_past_a_pusher_that_stopped_before_it_moved_the_tail() {
        let queues = Queues::new();
        let queue = queues.lane(1);
        let before = queue.lane.tail.load(Ordering::Relaxed);
        push(queue, 0, 3);
        queue.lane.tail.store(before, Ordering::Relaxed);
        assert!(!queue.is_empty());
        assert_eq!(pop(queue), Some(Popped { item: 0, node: 1 }));
        push(queue, 1, 4);
        assert_eq!(pop(queue), Some(Popped { item: 1, node: 3 }));
    }

    #[test]
    fn a_pusher_goes_past_a_pusher_that_stopped_before_it_moved_the_tail() {
        let queues = Queues::new();
        let queue = queues.lane(1);
        let before = queue.lane.tail.load(Ordering::Relaxed);
        push(queue, 0, 3);
        queue.lane.tail.store(before, Ordering::Relaxed);
        push(queue, 1, 4);
        assert_eq!(pop(queue), Some(Popped { item: 0, node: 1 }));
        assert_eq!(pop(queue), Some(Popped { item: 1, node: 3 }));
    }
}
