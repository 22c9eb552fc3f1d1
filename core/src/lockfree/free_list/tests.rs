//! The tests of both variants of the free list.

use super::*;

const SLOTS: usize = 4;

/// A list of four slots.
pub(super) struct Slots {
    pub(super) free: FreeList,
    words: FreeWords,
    links: [AtomicU16; SLOTS],
}

impl Slots {
    fn new() -> Self {
        Self {
            free: FreeList::new(),
            words: FreeWords::for_slots(SLOTS),
            links: [const { AtomicU16::new(0) }; SLOTS],
        }
    }

    /// A list from which all slots were taken, and to which the slots in `back` were given
    /// back, in this order.
    pub(super) fn with(back: &[u16]) -> Self {
        let slots = Self::new();
        while slots.pop().is_some() {}
        for &slot in back {
            assert!(!slots.push(slot));
        }
        slots
    }

    fn pop(&self) -> Option<u16> {
        self.free
            .pop(&self.words, |slot| &self.links[usize::from(slot)])
            .or_else(|| self.free.pop_fresh(&self.words))
    }

    fn push(&self, slot: u16) -> bool {
        self.free
            .push(&self.words, slot, &self.links[usize::from(slot)])
    }

    fn len(&self) -> usize {
        self.free
            .len(&self.words, |slot| &self.links[usize::from(slot)])
    }

    fn is_empty(&self) -> bool {
        self.free.is_empty(&self.words)
    }

    fn mark(&self) -> bool {
        self.free.mark_waiting(&self.words)
    }

    pub(super) fn unmark(&self, nobody_waits: bool) {
        let marked = self.free.marked();
        if nobody_waits {
            self.free.unmark_waiting(&self.words, marked);
        }
    }

    fn used(&self) -> usize {
        self.free.used(&self.words)
    }
}

#[test]
fn a_slot_that_is_taken_and_shared_during_the_count_leads_it_to_no_other_slot() {
    let slots = Slots::with(&[0, 1, 2]);
    let taken = core::cell::Cell::new(0);
    let count = slots.free.len(&slots.words, |slot| {
        if taken.get() == 0 {
            assert_eq!(slots.pop(), Some(slot));
            // As a shared future has it.
            slots.links[usize::from(slot)].store(1 << 15 | 1, Ordering::Relaxed);
            taken.set(1);
        }
        &slots.links[usize::from(slot)]
    });
    assert_eq!(count + taken.get(), 3);
}

#[test]
fn slots_that_were_never_used_come_in_their_order() {
    let slots = Slots::new();
    for slot in 0..4 {
        assert!(!slots.is_empty());
        assert_eq!(slots.used(), usize::from(slot));
        assert_eq!(slots.pop(), Some(slot));
    }
    assert!(slots.is_empty());
    assert_eq!(slots.pop(), None);
    assert_eq!(slots.used(), 4);
}

#[test]
fn the_slot_that_came_back_last_goes_out_first() {
    let slots = Slots::with(&[2, 0, 3, 1]);
    for slot in [1, 3, 0, 2] {
        assert!(!slots.is_empty());
        assert_eq!(slots.pop(), Some(slot));
    }
    assert!(slots.is_empty());
    assert_eq!(slots.pop(), None);
}

#[test]
fn a_slot_that_came_back_goes_out_before_one_that_was_never_used() {
    let slots = Slots::new();
    assert_eq!([slots.pop(), slots.pop()], [Some(0), Some(1)]);
    assert!(!slots.push(0));
    assert_eq!(
        [slots.pop(), slots.pop(), slots.pop()],
        [Some(0), Some(2), Some(3)]
    );
}

#[test]
fn len_counts_both_kinds() {
    let slots = Slots::new();
    assert_eq!(slots.len(), 4);
    slots.pop();
    slots.pop();
    assert_eq!(slots.len(), 2);
    slots.push(1);
    assert_eq!(slots.len(), 3);
    slots.push(0);
    assert_eq!(slots.len(), 4);
    let slots = Slots::with(&[]);
    assert_eq!(slots.len(), 0);
    for (count, slot) in [3, 0, 2, 1].into_iter().enumerate() {
        assert_eq!(slots.len(), count);
        slots.push(slot);
    }
    assert_eq!(slots.len(), 4);
}

#[test]
fn only_an_empty_list_is_waited_for() {
    assert!(!Slots::new().mark());
    assert!(!Slots::with(&[2]).mark());
    let slots = Slots::with(&[]);
    assert!(slots.mark());
    assert!(slots.mark(), "and by more than one");
    assert!(slots.is_empty());
    assert_eq!(slots.len(), 0);
    assert_eq!(slots.pop(), None);
}

#[test]
fn a_waiter_is_told_of_every_slot_until_it_takes_the_mark_away() {
    let slots = Slots::with(&[]);
    assert!(slots.mark());
    assert!(slots.push(3));
    assert!(slots.push(0));
    assert_eq!(slots.len(), 2);
    assert!(!slots.is_empty());
    assert!(!slots.mark(), "slots are free");
    assert_eq!(slots.pop(), Some(0));
    assert!(slots.push(1));
    assert_eq!(
        [slots.pop(), slots.pop(), slots.pop()],
        [Some(1), Some(3), None]
    );
    assert!(slots.push(2));
    slots.unmark(true);
    assert!(!slots.push(0));
    assert_eq!(
        [slots.pop(), slots.pop(), slots.pop()],
        [Some(0), Some(2), None]
    );
}

#[test]
fn the_mark_stays_while_somebody_waits() {
    let slots = Slots::with(&[]);
    assert!(slots.mark());
    slots.unmark(false);
    assert!(slots.push(0));
}
