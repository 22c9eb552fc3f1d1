//! The free slots: how a job gets a slot, and which party gives it back.
//!
//! A submitter looks for a slot in this order:
//!
//! ```text
//!     a slot that was given back          the free list
//!     else one that was never used        its counter
//!     else the head of a queue's          if its job has ended: its index is taken out of the queue
//!     else a stale one                    the oldest in the queue of the new job's priority, with its place there
//! ```
//!
//! The party that leaves a slot last frees it:
//!
//! * the handle, in most cases: it has taken the result, or is dropped after the job's end;
//! * the completer, if the job has no handle;
//! * for a stale slot, whose job has ended in the queue: the worker that pops the index
//!   ([`run`](crate::engine::run)), or a party that reaps it ([`Slots::reap`]). A submitter that finds
//!   no free slot reaps, and so do a caller that waits for room and any party at the pool's end;
//! * a worker that was declared lost, if it comes back;
//! * for the slot of a callback: the party that runs the callback.
//!
//! [`Slots::leave`] takes a party's bit away, and frees the slot if no other party has one: see
//! [`state`](crate::lockfree::state).

use core::{cell::Cell, ptr};

use crate::{
    lockfree::part,
    lockfree::stale::ANY_PRIORITY,
    lockfree::state::{BUSY, DONE, LeftTo, PROMISED},
    lockfree::sync::{Ordering, fence},
    log::trace,
    memory::pool::Pool,
    memory::slot::SlotRef,
    memory::waiter::ROOM,
};

/// A submitter takes at most this many ended jobs off the queue heads, so its cost is bounded. Later
/// submitters take the rest.
const A_FEW: usize = 8;

/// A slot that a submitter has taken.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) index: u16,
    /// The slot was taken over, with its place in the queue.
    pub(crate) is_queued: bool,
}

impl Claim {
    /// A slot in no queue.
    #[inline(always)]
    fn apart(index: u16) -> Self {
        Self {
            index,
            is_queued: false,
        }
    }
}

/// A view of a pool's slots.
#[derive(Clone, Copy)]
pub(crate) struct Slots<'p>(Pool<'p>);

impl<'p> Pool<'p> {
    /// Its slots.
    #[inline(always)]
    pub(crate) fn slots(self) -> Slots<'p> {
        Slots(self)
    }
}

impl<'p> Slots<'p> {
    /// Takes a free slot, or else the slot of an ended job at the head of a queue.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn claim(self) -> Option<u16> {
        if let Some(index) = self.claim_free() {
            return Some(index);
        }
        if self.0.shared().stale.may_be_at(ANY_PRIORITY)
            && let Some(slot) = self.reap_one(A_FEW)
        {
            return Some(slot.index());
        }
        trace!("pool full");
        None
    }

    /// Takes a slot for a job that is to be queued at `priority`. If none is free, takes over the
    /// slot of an ended job that is queued there, with its place.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn claim_to_queue(self, priority: usize) -> Option<Claim> {
        match self.claim_returned() {
            Some(index) => Some(Claim::apart(index)),
            None => self.claim_other(priority),
        }
    }

    /// Takes a slot that was given back, or else one that was never used.
    #[inline(always)]
    fn claim_free(self) -> Option<u16> {
        self.claim_returned().or_else(|| self.claim_fresh())
    }

    /// Takes a slot that was given back.
    #[inline(always)]
    fn claim_returned(self) -> Option<u16> {
        let free = &self.0.shared().free;
        free.pop(&self.0.geometry().free_words, |index| {
            self.0.slot(index).link()
        })
    }

    /// Takes a slot that was never used.
    #[inline(always)]
    fn claim_fresh(self) -> Option<u16> {
        let index = self
            .0
            .shared()
            .free
            .pop_fresh(&self.0.geometry().free_words)?;
        // Relaxed: a party that has a slot of this pool got it here, or from a party that did.
        let geometry = ptr::from_ref(self.0.geometry()).cast_mut();
        self.0.shared().geometry.store(geometry, Ordering::Relaxed);
        self.0.slot(index).use_first(index);
        Some(index)
    }

    /// Takes a slot that was never used, or else that of an ended job.
    #[cfg_attr(target_os = "none", inline(always))]
    #[cfg_attr(not(target_os = "none"), cold, inline(never))]
    fn claim_other(self, priority: usize) -> Option<Claim> {
        match self.claim_fresh() {
            Some(index) => Some(Claim::apart(index)),
            None => self.claim_ended(priority),
        }
    }

    /// Takes the slot of an ended job. Mostly there is none: the pool is full.
    #[cold]
    fn claim_ended(self, priority: usize) -> Option<Claim> {
        if self.0.shared().stale.may_be_at(ANY_PRIORITY)
            && let Some(claim) = self.claim_stale(priority)
        {
            return Some(claim);
        }
        trace!("pool full");
        None
    }

    #[cfg_attr(not(target_os = "none"), inline(never))]
    fn claim_stale(self, priority: usize) -> Option<Claim> {
        let reaped = self.reap_one(A_FEW).map(|slot| Claim::apart(slot.index()));
        reaped.or_else(|| {
            self.take_over_stale(priority).map(|index| Claim {
                index,
                is_queued: true,
            })
        })
    }

    /// Takes over the oldest stale slot that is queued at `priority`. O(slots).
    fn take_over_stale(self, priority: usize) -> Option<u16> {
        let stale = &self.0.shared().stale;
        let queued = 1 << priority;
        let is_any_left = Cell::new(false);
        let take_over = |index| {
            let state = &self.0.slot(index).state;
            // A slot that another party is reaping is left, too. If that party stops for ever, a
            // later submitter has to reap the slot.
            is_any_left.set(is_any_left.get() || state.load().is_left_to_queue());
            state.take_over(priority)
        };
        let mut doubt = None;
        while stale.may_be_at(queued) {
            is_any_left.set(false);
            let taken = self.0.queue(priority).find(take_over);
            if taken.is_some() || is_any_left.get() {
                return taken;
            }
            if let Some(doubt) = doubt {
                stale.end_doubt(doubt, queued);
                return None;
            }
            doubt = Some(stale.doubt());
            // Pairs with the fence of `Slots::leave_stale`: either the next look sees the stale
            // slot, or `leave_stale` sees the doubt, and ends it.
            fence(Ordering::SeqCst);
        }
        None
    }

    /// The submitter gives back a slot that it does not fill.
    #[cold]
    pub(crate) fn unclaim(self, claim: Claim) {
        let slot = self.0.slot(claim.index);
        if claim.is_queued {
            self.leave(slot, BUSY);
        } else {
            self.free(slot);
        }
    }

    /// Gives back a slot that no party needs.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn free(self, slot: SlotRef<'p>) {
        let free = &self.0.shared().free;
        if free.push(&self.0.geometry().free_words, slot.index(), slot.link())
            && part::WAITERS.is_used()
        {
            self.tell_of_room();
        }
    }

    /// Wakes the waiters for room. If there is none, takes the free list's mark away.
    #[cold]
    pub(crate) fn tell_of_room(self) {
        let free = &self.0.shared().free;
        let marked = free.marked();
        if !self.0.waiters().tell(ROOM) {
            free.unmark_waiting(&self.0.geometry().free_words, marked);
        }
    }

    /// Whether a job that is to be queued at `priority` can have a slot: a free one, or that of an
    /// ended job.
    pub(crate) fn has_room(self, priority: usize) -> bool {
        let free = &self.0.shared().free;
        let is_any_free = || !free.is_empty(&self.0.geometry().free_words);
        if is_any_free() {
            return true;
        }
        self.reap();
        let is_stale = |index| self.0.slot(index).state.load().is_stale_at(priority);
        let has_stale = self.0.queue(priority).find(is_stale).is_some();
        if has_stale {
            // The party that left the slot may have been stopped before it called `Stale::add`, and
            // the submit that follows reads that word.
            self.0.shared().stale.add(1 << priority);
        }
        has_stale || is_any_free()
    }

    /// Marks the free list as waited for. False if a slot is free.
    pub(crate) fn mark_room_wanted(self) -> bool {
        self.0
            .shared()
            .free
            .mark_waiting(&self.0.geometry().free_words)
    }

    /// Whether a submitter may be waiting for room.
    pub(crate) fn is_waited_for(self) -> bool {
        self.0
            .shared()
            .free
            .is_waited_for(&self.0.geometry().free_words)
    }

    /// The number of free slots. O(slots).
    pub(crate) fn count_free(self) -> usize {
        self.0
            .shared()
            .free
            .len(&self.0.geometry().free_words, |index| {
                self.0.slot(index).link()
            })
    }

    /// Takes indices that stand for no job off the heads of the queues, and frees the slots that no
    /// other party keeps.
    pub(crate) fn reap(self) {
        if !part::OUT_OF_ORDER.is_used() {
            return;
        }
        while let Some(slot) = self.reap_one(usize::MAX) {
            self.free(slot);
        }
    }

    /// Takes up to `most` indices that stand for no job off the heads of the queues. Returns the
    /// first slot that no other party keeps: it is the caller's.
    #[cold]
    fn reap_one(self, most: usize) -> Option<SlotRef<'p>> {
        let mut left = most;
        for priority in 0..self.0.geometry().priorities {
            let in_vain = |index| self.0.slot(index).state.reap();
            while left > 0
                && let Some(index) = self.0.queue(priority).pop_if(in_vain)
            {
                left -= 1;
                let slot = self.0.slot(index);
                if slot.state.leave_queue() {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// A party leaves the slot of an ended job, and frees it if it was the last. See
    /// [`State::leave`](crate::lockfree::state::State::leave).
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn leave(self, slot: SlotRef<'p>, party: u32) {
        match slot.state.leave(party) {
            LeftTo::Others => {}
            LeftTo::Queue(priority) => self.leave_stale(priority),
            LeftTo::Nobody => self.free(slot),
        }
    }

    /// Announces a slot that is stale from now on.
    #[cold]
    fn leave_stale(self, priority: usize) {
        let free = &self.0.shared().free;
        // Pairs with the fence of `RoomWaiter::poll` (`engine/room.rs`): either the free list's
        // mark is seen here, or that waiter sees the stale slot. Pairs with the fence of
        // `Slots::take_over_stale`, too.
        fence(Ordering::SeqCst);
        self.0.shared().stale.add(1 << priority);
        if free.is_waited_for(&self.0.geometry().free_words) {
            self.tell_of_room();
        }
    }

    /// The number of jobs that have not ended and have one of these bits, promises aside. O(slots).
    pub(crate) fn count_unended(self, bits: u32) -> usize {
        self.0
            .used_slots()
            .filter(|&index| {
                let state = self.0.slot(index).state.load();
                state.has(bits) && state.lacks(DONE | PROMISED)
            })
            .count()
    }
}
