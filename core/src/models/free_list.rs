//! The free list: a slot has one owner, and a thread that waits for a slot is woken for the next
//! one.

use loom::{cell::UnsafeCell, sync::Arc};

use super::{explore, spawn};
use crate::lockfree::{
    free_list::{FreeList, FreeWords},
    sync::AtomicU16,
};

struct Fixture<const N: usize> {
    list: FreeList,
    links: [AtomicU16; N],
    /// Accessed by the slot's owner only.
    slots: [UnsafeCell<()>; N],
}

// SAFETY: the models check the accesses of these cells.
unsafe impl<const N: usize> Sync for Fixture<N> {}

impl<const N: usize> Fixture<N> {
    const WORDS: FreeWords = FreeWords::for_slots(N);

    fn new() -> Arc<Self> {
        Arc::new(Self {
            list: FreeList::new(),
            links: std::array::from_fn(|_| AtomicU16::new(0)),
            slots: std::array::from_fn(|_| UnsafeCell::new(())),
        })
    }

    fn link(&self, slot: u16) -> &AtomicU16 {
        &self.links[usize::from(slot)]
    }

    fn pop(&self) -> Option<u16> {
        let slot = self
            .list
            .pop(&Self::WORDS, |slot| self.link(slot))
            .or_else(|| self.list.pop_fresh(&Self::WORDS))?;
        self.slots[usize::from(slot)].with_mut(|_| ());
        Some(slot)
    }

    fn push(&self, slot: u16) -> bool {
        self.slots[usize::from(slot)].with_mut(|_| ());
        self.list.push(&Self::WORDS, slot, self.link(slot))
    }

    fn len(&self) -> usize {
        self.list.len(&Self::WORDS, |slot| self.link(slot))
    }
}

#[test]
fn a_slot_has_one_owner() {
    explore("free list: claim and free", Some(2), || {
        let free = Fixture::<2>::new();
        let again = || {
            let free = free.clone();
            move || {
                if let Some(slot) = free.pop() {
                    free.push(slot);
                }
            }
        };
        let others = [spawn(again()), spawn(again())];
        again()();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(free.len(), 2);
    });
}

/// The stack's top comes back while a thread is about to take it.
#[test]
fn the_same_top_again() {
    explore("free list: the same top again", Some(4), || {
        let free = Fixture::<2>::new();
        let (first, second) = (free.pop().unwrap(), free.pop().unwrap());
        free.push(second);
        free.push(first);
        let other = {
            let free = free.clone();
            spawn(move || {
                let (a, b) = (free.pop(), free.pop());
                if let Some(a) = a {
                    free.push(a);
                }
                b
            })
        };
        let mine = free.pop();
        let theirs = other.join().unwrap();
        let held = mine.into_iter().chain(theirs).count();
        assert!(mine.is_none() || mine != theirs);
        assert_eq!(free.len(), 2 - held);
    });
}

#[test]
fn who_waits_is_told() {
    explore("free list: waiting", None, || {
        let free = Fixture::<1>::new();
        let slot = free.pop().unwrap();
        let waiter = {
            let free = free.clone();
            spawn(move || {
                let got = free.pop();
                (
                    got,
                    got.is_none() && free.list.mark_waiting(&Fixture::<1>::WORDS),
                )
            })
        };
        let told = free.push(slot);
        let (got, marked) = waiter.join().unwrap();
        assert!(got.is_some() || !marked || told, "nobody was told");
    });
}

/// A thread that takes the mark away does not take that of a waiter that comes at the same time.
#[test]
fn a_new_mark_is_not_taken_away() {
    explore("free list: unmarking", None, || {
        let free = Fixture::<1>::new();
        let waits = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let slot = free.pop().unwrap();
        assert!(free.list.mark_waiting(&Fixture::<1>::WORDS));
        let waiter = {
            let (free, waits) = (free.clone(), waits.clone());
            spawn(move || {
                waits.store(true, loom::sync::atomic::Ordering::Release);
                free.list.mark_waiting(&Fixture::<1>::WORDS)
            })
        };
        let marked = free.list.marked();
        if !waits.load(loom::sync::atomic::Ordering::Acquire) {
            free.list.unmark_waiting(&Fixture::<1>::WORDS, marked);
        }
        assert!(waiter.join().unwrap());
        assert!(free.push(slot), "the waiter's mark is gone");
    });
}

/// A thread that counts the slots follows no link from a slot's former stay on the list.
#[test]
fn counted_meanwhile() {
    explore("free list: count, claim, free", None, || {
        let free = Fixture::<3>::new();
        let [first, second, third] = [(); 3].map(|()| free.pop().unwrap());
        for slot in [third, second, first] {
            free.push(slot);
        }
        // The third slot is left, and the first still has its link to the second.
        assert_eq!((free.pop(), free.pop()), (Some(first), Some(second)));
        let other = {
            let free = free.clone();
            spawn(move || {
                free.pop();
                free.push(first);
            })
        };
        assert!(free.len() <= 1);
        other.join().unwrap();
    });
}
