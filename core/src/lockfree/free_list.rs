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
    sync::{AtomicU16, AtomicU32, AtomicUsize, Ordering, back_off, const_unless_loom},
    tagged::Tagged,
};

/// The head of the stack and the count of slots that have ever been used.
#[repr(C)]
pub(crate) struct FreeList {
    /// A tagged word: index 0 stands for an empty stack, index n + 1 for slot n. The highest bit of
    /// the index is the mark of a waiting submitter.
    head: AtomicUsize,
    fresh: AtomicU16,
    /// One bit for each priority whose queue may have stale slots, then `DOUBT`, then a version
    /// that wraps.
    stale: AtomicU32,
}

/// The bits of all priorities in `stale`.
pub(crate) const ANY_PRIORITY: u32 = DOUBT - 1;

/// A submitter has found no stale slot. It looks once more before it clears the priority's bit.
const DOUBT: u32 = 1 << 16;
/// One step of the version in `stale`.
const ONE_CHANGE: u32 = DOUBT << 1;

/// The value of `stale` when a submitter set `DOUBT`.
pub(crate) struct Doubt(u32);

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
                stale: AtomicU32::new(0),
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

    /// Records that the queue of a priority may have stale slots. `priority` is the priority's bit.
    pub(crate) fn add_stale(&self, priority: u32) {
        // Relaxed, as in all accesses of `stale`: the word is a hint, and the slot's state word
        // decides who owns the slot.
        let mut now = self.stale.load(Ordering::Relaxed);
        // Mostly the bit is set already. Then the word is only read, which keeps its cache line
        // shared.
        while now & (priority | DOUBT) != priority {
            let new = ((now | priority) & !DOUBT).wrapping_add(ONE_CHANGE);
            match self.swap_stale(now, new) {
                Ok(_) => return,
                Err(other) => now = other,
            }
        }
    }

    /// Begins a doubt: the caller has found no stale slot. Until `end_doubt` the priority's bit
    /// stays set.
    pub(crate) fn doubt_stale(&self) -> Doubt {
        let mut now = self.stale.load(Ordering::Relaxed);
        loop {
            let new = (now | DOUBT).wrapping_add(ONE_CHANGE);
            match self.swap_stale(now, new) {
                Ok(_) => return Doubt(new),
                Err(other) => now = other,
            }
        }
    }

    /// Clears the priority's bit, if the word has not changed since the doubt began.
    pub(crate) fn end_doubt(&self, Doubt(doubt): Doubt, priority: u32) {
        let _ = self.swap_stale(doubt, doubt & !(priority | DOUBT));
    }

    fn swap_stale(&self, from: u32, to: u32) -> Result<u32, u32> {
        self.stale
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// Whether the queue of one of these priorities may have a stale slot.
    pub(crate) fn may_have_stale(&self, priorities: u32) -> bool {
        self.stale.load(Ordering::Relaxed) & priorities != 0
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
                count += 1;
                next = usize::from(link(slot as u16).load(Ordering::Relaxed));
                if count > words.slots {
                    break;
                }
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
mod tests {
    use super::*;

    const SLOTS: usize = 4;

    /// A list of four slots.
    struct Slots {
        free: FreeList,
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
        fn with(back: &[u16]) -> Self {
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

        fn unmark(&self, nobody_waits: bool) {
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

    #[test]
    fn without_a_mark_there_is_nothing_to_take_away() {
        let slots = Slots::with(&[3]);
        let before = slots.free.head.load(Ordering::Relaxed);
        slots.unmark(true);
        assert_eq!(slots.free.head.load(Ordering::Relaxed), before);
    }

    /// The numbers of bits that the crate's documentation promises.
    #[test]
    fn tags_are_as_large_as_the_documentation_says() {
        let (_, section) = include_str!("../lib.rs").split_once("//! # Tags").unwrap();
        let (section, _) = section.split_once("//! # RAM").unwrap();
        let mut rows = 0;
        for line in section.lines().filter(|line| line.starts_with("//! | ")) {
            let cells: Vec<&str> = line.split('|').skip(1).map(str::trim).collect();
            let Ok(slots) = cells[0].replace(',', "").parse() else {
                continue;
            };
            let index_bits = |words: Tagged| words.index(usize::MAX).count_ones();
            let of_list = index_bits(FreeWords::for_slots(slots).tagged);
            let of_queue = index_bits(super::super::queue::Queue::words(slots));
            for (width, cells) in [16_u32, 32, 64].into_iter().zip(cells[1..7].chunks(2)) {
                let tag = |bits| width.checked_sub(bits).filter(|&tag| tag > 0);
                let said = |tag: Option<u32>| tag.map_or("-".into(), |tag| tag.to_string());
                let fits = tag(of_list).is_some();
                assert_eq!(cells[0], said(tag(of_list)), "{slots} slots, {width} bits");
                let of_queue = if fits { tag(of_queue) } else { None };
                assert_eq!(cells[1], said(of_queue), "{slots} slots, {width} bits");
            }
            rows += 1;
        }
        assert_eq!(rows, 7);
    }
}
