//! The free slots: a stack of indices, whose changes are critical sections.
//!
//! The stack is a chain of the slots' links. The slot that came back last goes out first. Slots that
//! were never used are not on the stack: a counter hands them out when the stack is empty. That
//! makes the list's initial memory all zero.
//!
//! A submitter that waits for a slot leaves a mark, in the section that finds the stack empty. The
//! party that pushes the next slot finds the mark in its own section, so it cannot miss the mark.

use super::{
    section::locked,
    sync::{AtomicU16, Ordering},
};

/// The head of the stack and the count of slots that have ever been used.
#[repr(C)]
pub(crate) struct FreeList {
    /// 0 for an empty stack, n + 1 for slot n.
    head: AtomicU16,
    /// The number of slots on the stack.
    back: AtomicU16,
    fresh: AtomicU16,
    /// `WAITING`, and a version of the mark, which wraps.
    marks: AtomicU16,
}

/// A submitter waits for a slot.
const WAITING: u16 = 1;
/// One step of the version in `marks`.
const ONE_MARK: u16 = 2;

/// The mark of a free list at one moment.
pub(crate) struct Marked(u16);

/// The number of slots of a free list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreeWords {
    slots: usize,
}

impl FreeWords {
    pub(crate) const fn for_slots(slots: usize) -> Self {
        Self { slots }
    }

    /// The number of slots.
    #[inline(always)]
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }
}

// Relaxed, where no other reason is given: the critical section orders the accesses of its words.
impl FreeList {
    super::sync::const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                head: AtomicU16::new(0),
                back: AtomicU16::new(0),
                fresh: AtomicU16::new(0),
                marks: AtomicU16::new(0),
            }
        }
    }

    /// Takes a slot that was given back. The slot belongs to the caller from then on. `None` if the
    /// stack is empty.
    pub(crate) fn pop<'p>(
        &self,
        _: &FreeWords,
        link: impl Fn(u16) -> &'p AtomicU16,
    ) -> Option<u16> {
        // A submitter that finds the stack empty goes on without a section.
        if self.head.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let head = locked(|| {
            let head = self.head.load(Ordering::Relaxed);
            if let Some(slot) = head.checked_sub(1) {
                let below = link(slot).load(Ordering::Relaxed);
                self.head.store(below, Ordering::Relaxed);
                let back = self.back.load(Ordering::Relaxed);
                self.back.store(back - 1, Ordering::Relaxed);
            }
            head
        });
        head.checked_sub(1)
    }

    /// Takes a slot that was never used. `None` if all have been used.
    #[cold]
    pub(crate) fn pop_fresh(&self, words: &FreeWords) -> Option<u16> {
        locked(|| {
            let fresh = self.fresh.load(Ordering::Relaxed);
            (usize::from(fresh) < words.slots).then(|| {
                self.fresh.store(fresh + 1, Ordering::Relaxed);
                fresh
            })
        })
    }

    /// Gives slot `slot` back. True if a submitter may be waiting for it: the caller looks for that
    /// submitter after [`marked`](Self::marked).
    pub(crate) fn push(&self, _: &FreeWords, slot: u16, link: &AtomicU16) -> bool {
        locked(|| {
            link.store(self.head.load(Ordering::Relaxed), Ordering::Relaxed);
            self.head.store(slot + 1, Ordering::Relaxed);
            let back = self.back.load(Ordering::Relaxed);
            self.back.store(back + 1, Ordering::Relaxed);
            self.marks.load(Ordering::Relaxed) & WAITING != 0
        })
    }

    /// Whether there is no free slot.
    pub(crate) fn is_empty(&self, words: &FreeWords) -> bool {
        self.head.load(Ordering::Relaxed) == 0 && self.used(words) == words.slots
    }

    /// Marks the list as waited for if it is empty. False if it is not empty.
    ///
    /// The mark stays until [`unmark_waiting`](Self::unmark_waiting), and every push meanwhile
    /// returns true. So a pusher that stops after its push withholds one wake-up: that for its own
    /// slot.
    pub(crate) fn mark_waiting(&self, words: &FreeWords) -> bool {
        locked(|| {
            let is_empty = self.is_empty(words);
            if is_empty {
                let now = self.marks.load(Ordering::Relaxed);
                // Release: pairs with the Acquire of `marked`. It publishes the submitter's waker,
                // which is in its place by now.
                self.marks
                    .store((now | WAITING).wrapping_add(ONE_MARK), Ordering::Release);
            }
            is_empty
        })
    }

    /// Whether the list has the mark.
    pub(crate) fn is_waited_for(&self, _: &FreeWords) -> bool {
        // Relaxed: a caller that goes on to look for the waiting submitter calls `marked` first.
        self.marks.load(Ordering::Relaxed) & WAITING != 0
    }

    /// The mark as it is now, for a later `unmark_waiting`, which does nothing if a submitter has
    /// left the mark anew.
    pub(crate) fn marked(&self) -> Marked {
        // Acquire: pairs with the Release of `mark_waiting`. From here on the caller sees the waker
        // of the submitter that left the mark.
        Marked(self.marks.load(Ordering::Acquire))
    }

    /// Takes the mark away, if it is still the one that `marked` returned.
    pub(crate) fn unmark_waiting(&self, _: &FreeWords, Marked(marks): Marked) {
        locked(|| {
            if self.marks.load(Ordering::Relaxed) == marks {
                // Release: as in `mark_waiting`. The version stays.
                self.marks.store(marks & !WAITING, Ordering::Release);
            }
        });
    }

    /// The number of slots that were ever used. They are those with the lowest indices.
    pub(crate) fn used(&self, words: &FreeWords) -> usize {
        // Relaxed: the state words of the slots publish the slots' contents.
        usize::from(self.fresh.load(Ordering::Relaxed)).min(words.slots)
    }

    /// The number of free slots.
    pub(crate) fn len<'p>(&self, words: &FreeWords, _: impl Fn(u16) -> &'p AtomicU16) -> usize {
        locked(|| {
            let back = usize::from(self.back.load(Ordering::Relaxed));
            words.slots - self.used(words) + back
        })
    }
}

#[cfg(test)]
#[cfg(not(loom))]
#[path = "../lockfree/free_list/tests.rs"]
mod tests;
