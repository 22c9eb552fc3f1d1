//! A handle that several parties share.
//!
//! Each party is a holder. The holders together are the job's one handle. The slot's link counts them:
//! no list needs the link of a job whose handle is shared. The holder that leaves last is the handle
//! alone.
//!
//! A holder that waits takes one of the pool's WAITERS places. The job's listener has the form of a
//! set's member, and belongs to no set. By its functions the completer wakes all places that wait for
//! shared futures. Each waiter looks at its own job then. So a job that is not shared has no cost.
//!
//! ```text
//!     waiter                              completer
//!     take a place, open its waker        show the outcome: DONE
//!     fence                               fence
//!     look at the slot                    look at the places, wake those of shared futures
//! ```
//!
//! Either the waiter finds the outcome, or the completer finds the place.
//!
//! # Before the callbacks
//!
//! Holders and callbacks look at the outcome by reference. So the holders have it as soon as it is
//! published, and a callback delays none of them. The completer wakes them before it runs the
//! callbacks. The last holder may leave meanwhile, and the completer drops the result then.
//!
//! A worker may be declared lost in such a callback. Its job keeps the outcome, since the holders may
//! be looking at it.

use core::{
    iter,
    task::{Poll, Waker},
};

use crate::{
    engine::block::{self, Awaited, Limit},
    engine::handle,
    engine::waiters::Registration,
    error::Blocked,
    lockfree::state::Snapshot,
    lockfree::sync::{Ordering, fence},
    memory::listener::{Listener, Member, Membership},
    memory::pool::Pool,
    memory::seat::DependsOn,
    memory::slot::SlotRef,
    memory::waiter::SHARED,
};

/// The part of the link that counts the holders. A count that reaches `MOST` stays there, and the slot
/// is never free again. Only an application that leaks holders by the thousand gets there.
const MOST: u16 = OTHER - 1;

/// Differs in the link of a shared job from the link before. The completer of a job that is ready may be
/// about to add the slot to the list of a set that is gone. It swaps the link that it knows, and no
/// count of holders is equal to that.
const OTHER: u16 = 1 << 14;

/// Set in the link of each shared job. With it, the link is the number of no waiter's place.
const MARK: u16 = 1 << 15;

/// The listener of a shared job.
const MEMBERSHIP: Membership = Membership {
    report: |_pool, _member, _slot| (),
    tell: |pool, _member| {
        // Pairs with the fence of `Places::leave`: either the place is seen here, or the waiter
        // sees the outcome.
        fence(Ordering::SeqCst);
        pool.waiters().tell(SHARED);
    },
    forget: |_pool, _member| (),
};

/// Makes the handle one that can be shared, with one holder.
///
/// # Safety
///
/// The caller is the handle.
pub(crate) unsafe fn share<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    if handle::delist(pool, slot) {
        // The listener's link is the mark and a count of one.
        let member = Member {
            waiter: MARK,
            position: 0,
        };
        // SAFETY: `delist` has returned true, so the cell is empty, and this handle's.
        unsafe { slot.put_listener(Listener::Set(member, &MEMBERSHIP)) };
    }
    let link = slot.link();
    // Relaxed: the application hands the holder on to another context with an ordering of its own.
    let mut now = link.load(Ordering::Relaxed);
    // A swap and no store, since a completer may change the link meanwhile: see `OTHER`.
    while let Err(other) = link.compare_exchange_weak(
        now,
        MARK | (!now & OTHER) | 1,
        Ordering::Relaxed,
        Ordering::Relaxed,
    ) {
        now = other;
    }
    // If the job is ready, the listener stays unused in the cell. It owns nothing.
    slot.state.share();
}

/// Counts another holder in. The caller is a holder.
pub(crate) fn hold(slot: SlotRef<'_>) {
    let link = slot.link();
    let mut now = link.load(Ordering::Relaxed);
    while now & MOST != MOST {
        // Relaxed: the caller is a holder. The application hands the new holder on with an ordering of
        // its own.
        match link.compare_exchange_weak(now, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(other) => now = other,
        }
    }
}

/// A holder leaves. True if it was the last: the caller is the handle.
pub(crate) fn release(slot: SlotRef<'_>) -> bool {
    let link = slot.link();
    // Acquire, here and on failure: pairs with the Release of the holders that left before. They have
    // looked at the result by then, and the last holder may drop it.
    let mut now = link.load(Ordering::Acquire);
    loop {
        match now & MOST {
            MOST => return false,
            1 => return true,
            _ => {}
        }
        // Release: pairs with the Acquire of the last holder.
        match link.compare_exchange_weak(now, now - 1, Ordering::Release, Ordering::Acquire) {
            Ok(_) => return false,
            Err(other) => now = other,
        }
    }
}

/// The places of a waiter: one in each pool that has jobs it waits for.
pub(crate) struct Places<'p, const POOLS: usize>([Option<Registration<'p>>; POOLS]);

impl<'p, const POOLS: usize> Places<'p, POOLS> {
    pub(crate) const NONE: Self = Self([const { None }; POOLS]);

    /// Leaves the waker in each of these pools, which are at most `POOLS`. False if one of them has no
    /// place left. The caller looks at its jobs after this.
    pub(crate) fn leave(
        &mut self,
        waker: &Waker,
        mut pools: impl Iterator<Item = Pool<'p>>,
    ) -> bool {
        let is_other = |place: &mut Registration<'p>| !place.is_for(waker);
        for place in &mut self.0 {
            drop(place.take_if(is_other));
        }
        let has_all = pools.all(|pool| {
            let is_here = |place: &Registration<'p>| place.is_in(pool);
            if self.0.iter().flatten().any(is_here) {
                return true;
            }
            let Some(place) = self.0.iter_mut().find(|place| place.is_none()) else {
                return false;
            };
            *place = pool.waiters().register(waker, SHARED);
            place.is_some()
        });
        // Pairs with the fence of `MEMBERSHIP`: either this waiter sees the outcome, or the job's
        // completer sees the place.
        fence(Ordering::SeqCst);
        has_all
    }
}

/// A holder's wait for the job.
pub(crate) struct SharedWait<'p> {
    pool: Pool<'p>,
    /// The caller is one of its holders.
    slot: SlotRef<'p>,
    places: Places<'p, 1>,
    /// No place for a waiter was left.
    refused: bool,
}

impl<'p> SharedWait<'p> {
    pub(crate) fn new(pool: Pool<'p>, slot: SlotRef<'p>) -> Self {
        Self {
            pool,
            slot,
            places: Places::NONE,
            refused: false,
        }
    }

    /// Waits for the job to end.
    pub(crate) fn block(&mut self, limit: Limit) -> Result<(), Blocked> {
        block::wait(self.pool, self, limit)?;
        self.outcome()
    }

    /// Leaves the waker until the job is ready.
    pub(crate) fn poll_ready(&mut self, waker: &Waker) -> Poll<Result<(), Blocked>> {
        if self.poll(Some(waker)) {
            self.places = Places::NONE;
            Poll::Ready(self.outcome())
        } else {
            Poll::Pending
        }
    }

    fn outcome(&self) -> Result<(), Blocked> {
        if self.refused {
            Err(Blocked::TooManyWaiters)
        } else {
            Ok(())
        }
    }
}

impl<'p> Awaited<'p> for SharedWait<'p> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        self.refused = false;
        if self.slot.state.load().is_shown() {
            return true;
        }
        let Some(waker) = waker else {
            return false;
        };
        let has_place = self.places.leave(waker, iter::once(self.pool));
        let is_shown = self.slot.state.load().is_shown();
        self.refused = !is_shown && !has_place;
        is_shown || self.refused
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Job(self.slot.index())
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        let begun = self.slot.state.begin_in_queue(runner)?;
        Some((self.slot, begun))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
