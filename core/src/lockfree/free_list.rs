//! The free slots: a lock-free stack of indices.
//!
//! The list is a Treiber stack over the slots' links. The slot that came back last goes out first.
//! So an application that never has more than five jobs in flight touches the memory of five slots
//! only. Slots that were never used are not on the stack: a counter hands them out when the stack
//! is empty. That makes the list's initial memory all zero.
//!
//! A submitter that waits for a slot leaves a mark in the word that it found empty. The party that
//! pushes the next slot swaps that same word, so it cannot miss the mark. That is why no fence is
//! needed.

use super::{
    contention::back_off,
    sync::{AtomicU16, AtomicUsize, Ordering, const_unless_loom},
    tagged::Tagged,
};

/// The head of the stack and the count of slots that have ever been used.
#[repr(C)]
pub(crate) struct FreeList {
    /// A tagged word: index 0 stands for an empty stack, index n + 1 for slot n. The highest bit of
    /// the index is the mark of a waiting submitter.
    head: AtomicUsize,
    fresh: AtomicU16,
}

/// The word of a free list at one moment.
pub(crate) struct Marked(usize);

/// How the words of a free list of `slots` slots are laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreeWords {
    tagged: Tagged,
    waiting: usize,
    slots: usize,
}

impl FreeWords {
    pub(crate) const fn for_slots(slots: usize) -> Self {
        let waiting = (slots + 1).next_power_of_two();
        Self {
            tagged: Tagged::for_indices_to(2 * waiting - 1),
            waiting,
            slots,
        }
    }

    /// The number of slots.
    #[inline(always)]
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }
}

impl FreeList {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                head: AtomicUsize::new(0),
                fresh: AtomicU16::new(0),
            }
        }
    }

    /// Takes a slot that was given back. It belongs to the caller from then on. `None` if the stack
    /// is empty.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn pop<'p>(
        &self,
        words: &FreeWords,
        link: impl Fn(u16) -> &'p AtomicU16,
    ) -> Option<u16> {
        loop {
            // Acquire: pairs with the Release of the `push` that put this slot there. It pairs with
            // earlier pushes too, since the word is only ever swapped. So each slot on the stack is
            // seen as its last owner left it.
            let head = self.head.load(Ordering::Acquire);
            let index = words.tagged.index(head);
            let slot = (index & !words.waiting).checked_sub(1)?;
            let below = usize::from(link(slot as u16).load(Ordering::Relaxed));
            let new = words
                .tagged
                .successor(head, below | (index & words.waiting));
            // Relaxed: the tag shows that the word is the one loaded above with Acquire. The swap
            // continues the release sequence of the pushes.
            if self
                .head
                .compare_exchange_weak(head, new, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            {
                return Some(slot as u16);
            }
            back_off();
        }
    }

    /// Takes a slot that was never used. `None` if all have been used.
    #[cold]
    pub(crate) fn pop_fresh(&self, words: &FreeWords) -> Option<u16> {
        // Relaxed: a slot that was never used has no history to see.
        let mut fresh = self.fresh.load(Ordering::Relaxed);
        while usize::from(fresh) < words.slots {
            match self.fresh.compare_exchange_weak(
                fresh,
                fresh + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(slot) => return Some(slot),
                Err(now) => fresh = now,
            }
        }
        None
    }

    /// Gives slot `slot` back. True if a submitter may be waiting for it: the caller looks for that
    /// submitter after [`marked`](Self::marked).
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn push(&self, words: &FreeWords, slot: u16, link: &AtomicU16) -> bool {
        loop {
            let head = self.head.load(Ordering::Relaxed);
            let index = words.tagged.index(head);
            link.store((index & !words.waiting) as u16, Ordering::Relaxed);
            let new = words
                .tagged
                .successor(head, (usize::from(slot) + 1) | (index & words.waiting));
            // Release: publishes the slot and its link to the Acquire of `pop`. A caller that gets
            // `true` goes on to `marked`, which acquires.
            match self
                .head
                .compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return index & words.waiting != 0,
                Err(_) => back_off(),
            }
        }
    }

    /// Whether there is no free slot.
    pub(crate) fn is_empty(&self, words: &FreeWords) -> bool {
        words.tagged.index(self.head.load(Ordering::Relaxed)) & !words.waiting == 0
            && self.used(words) == words.slots
    }

    /// Marks the list as waited for if it is empty. False if it is not empty.
    ///
    /// The mark stays until [`unmark_waiting`](Self::unmark_waiting), and every push meanwhile
    /// returns true. So a pusher that is stopped after its push withholds only the wake-up that is
    /// its own to give.
    pub(crate) fn mark_waiting(&self, words: &FreeWords) -> bool {
        loop {
            let head = self.head.load(Ordering::Relaxed);
            let index = words.tagged.index(head);
            if index & !words.waiting != 0 || self.used(words) < words.slots {
                return false;
            }
            let new = words.tagged.successor(head, words.waiting);
            // Release: pairs with the Acquire of `marked`. The submitter has put its waker in place
            // before.
            if self
                .head
                .compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed)
                .is_ok()
            {
                return true;
            }
        }
    }

    /// Whether the list has the mark.
    pub(crate) fn is_waited_for(&self, words: &FreeWords) -> bool {
        // Relaxed: a caller that goes on to look for the waiting submitter calls `marked` first.
        words.tagged.index(self.head.load(Ordering::Relaxed)) & words.waiting != 0
    }

    /// The list as it is now, for a later `unmark_waiting`, which does nothing if the list has
    /// changed.
    pub(crate) fn marked(&self) -> Marked {
        // Acquire: pairs with the Release of `mark_waiting`, since the word is only ever swapped in
        // between. From here on the caller sees the waker of the submitter that left the mark.
        Marked(self.head.load(Ordering::Acquire))
    }

    /// Takes the mark away, if the word is still the one that `marked` returned.
    pub(crate) fn unmark_waiting(&self, words: &FreeWords, Marked(head): Marked) {
        let index = words.tagged.index(head);
        if index & words.waiting != 0 {
            let new = words.tagged.successor(head, index & !words.waiting);
            // If the swap fails, the mark stays. That costs a needless look, and no wake-up.
            // Relaxed: nothing is handed over.
            let _ =
                self.head
                    .compare_exchange_weak(head, new, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The number of slots that were ever used. They are those with the lowest indices.
    pub(crate) fn used(&self, words: &FreeWords) -> usize {
        // Relaxed: the state words of the slots publish the slots' contents.
        usize::from(self.fresh.load(Ordering::Relaxed)).min(words.slots)
    }

    /// The number of free slots. While other parties take or give slots, it is approximate. It
    /// walks the list: O(slots).
    pub(crate) fn len<'p>(&self, words: &FreeWords, link: impl Fn(u16) -> &'p AtomicU16) -> usize {
        loop {
            // Acquire: pairs with the Release of `push`, which publishes the links.
            let head = self.head.load(Ordering::Acquire);
            let mut count = words.slots - self.used(words);
            let mut next = words.tagged.index(head) & !words.waiting;
            while let Some(slot) = next.checked_sub(1) {
                // A party that takes a slot meanwhile has its link name another slot, or none. The
                // head is another one then.
                if slot >= words.slots || count > words.slots {
                    break;
                }
                count += 1;
                next = usize::from(link(slot as u16).load(Ordering::Relaxed));
            }
            // The chain was the same during the whole walk. The count of used slots was right at
            // one moment of the walk.
            if self.head.load(Ordering::Relaxed) == head {
                return count;
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tags;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
