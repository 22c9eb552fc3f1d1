//! Waiters: contexts that wait for room, for a worker to leave, or for the futures of a set.

use core::task::Waker;

use crate::{
    engine::guard,
    lockfree::defer::{Defer, each},
    lockfree::part,
    lockfree::sync::Ordering,
    memory::listener::{Member, Membership},
    memory::pool::Pool,
    memory::waiter::Waiter,
};

/// A view of the places for waiters.
#[derive(Clone, Copy)]
pub(crate) struct Waiters<'p>(Pool<'p>);

impl<'p> Pool<'p> {
    /// Its places for waiters.
    #[inline(always)]
    pub(crate) fn waiters(self) -> Waiters<'p> {
        Waiters(self)
    }
}

impl<'p> Waiters<'p> {
    /// Wakes the waiters that are interested in `what`. False if there is none.
    #[cold]
    pub(crate) fn tell(self, what: u16) -> bool {
        if !part::WAITERS.is_used() {
            return false;
        }
        let mut is_any = false;
        // Relaxed: the caller has seen the waiter by the free list's mark, or by a fence. The
        // shared waker guards its waker itself.
        let waiters = self.0.all_waiters().iter();
        let interested =
            waiters.filter(|waiter| waiter.interest.load(Ordering::Relaxed) & what != 0);
        each(interested, |waiter| {
            is_any = true;
            guard::call(self.0, &mut || {
                waiter.waker.wake_owner();
            });
        });
        is_any
    }

    /// Takes a place and puts the waker there. `None` if no place is left.
    pub(crate) fn register(self, waker: &Waker, interest: u16) -> Option<Registration<'p>> {
        Registration::begin(self.0, waker, interest)
    }
}

/// One of the pool's places for waiters, while it is taken.
pub(crate) struct Registration<'p> {
    pool: Pool<'p>,
    place: &'p Waiter,
    number: u16,
    waker: Waker,
}

impl<'p> Registration<'p> {
    /// Takes a place and puts the waker there. `None` if no place is left.
    fn begin(pool: Pool<'p>, waker: &Waker, interest: u16) -> Option<Self> {
        part::WAITERS.mark();
        // The waker's code may unwind, so it is called before a place is taken.
        let (shared, own) = (waker.clone(), waker.clone());
        let mut places = pool.all_waiters().iter().enumerate();
        let (number, place) = places.find(|(_, place)| place.waker.take())?;
        // Release: as in `take_completed`. A party that sees the 0 sees that the place's former
        // owner has gone on.
        place.completed.store(0, Ordering::Release);
        // Relaxed: see `Waiters::tell`.
        place.interest.store(interest, Ordering::Relaxed);
        // SAFETY: the place was taken just now.
        unsafe { place.waker.open(shared) };
        Some(Self {
            pool,
            place,
            number: number as u16,
            waker: own,
        })
    }

    /// Whether the place has this waker.
    pub(crate) fn is_for(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker)
    }

    /// The number of the place.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// The pool that the place is in.
    pub(crate) fn pool(&self) -> Pool<'p> {
        self.pool
    }

    /// Whether the place is in this pool.
    pub(crate) fn is_in(&self, pool: Pool<'_>) -> bool {
        self.pool.is(pool)
    }

    /// The member that a future leaves for its completer. It holds the place's shared waker until
    /// the completer has woken it.
    pub(crate) fn member(&self, position: u16) -> (Member, &'static Membership) {
        // SAFETY: this value is a holder itself.
        unsafe { self.place.waker.hold() };
        let member = Member {
            waiter: self.number,
            position,
        };
        (member, &Self::MEMBERSHIP)
    }

    /// The functions by which the completer reports to the set and wakes its waiter.
    const MEMBERSHIP: Membership = Membership {
        report: push_completed,
        tell: |pool, member| {
            if let Some(place) = pool.all_waiters().get(usize::from(member.waiter)) {
                // The hold is released even if the waker unwinds.
                let _release = Defer(|| {
                    place.waker.release();
                });
                // SAFETY: each member of a set holds the set's shared waker, which has been opened.
                guard::call(pool, &mut || unsafe { place.waker.wake_held() });
            }
        },
        forget: |pool, member| {
            if let Some(place) = pool.all_waiters().get(usize::from(member.waiter)) {
                // Each member holds the set's shared waker.
                place.waker.release();
            }
        },
    };

    /// Takes the completions since the last call, oldest first: slots plus one, chained by their
    /// links.
    pub(crate) fn take_completed(&self) -> u16 {
        // Acquire: pairs with the Release of `push_completed`. Release: pairs with the Acquire of
        // `is_told` (`engine/circle.rs`). A worker that finds the list empty there sees that the
        // caller has gone on.
        let newest = self.place.completed.swap(0, Ordering::AcqRel);
        self.pool.reverse_chain(newest)
    }
}

/// Adds an ended job's slot to its set's list of completions.
fn push_completed(pool: Pool<'_>, member: Member, slot: u16) {
    let Some(place) = pool.all_waiters().get(usize::from(member.waiter)) else {
        return;
    };
    let link = pool.slot(slot).link();
    // The handle left the number of the place there, with the listener.
    let mut known = member.waiter + 1;
    let mut last = place.completed.load(Ordering::Relaxed);
    loop {
        // Release: pairs with the Acquire of `SlotRef::reports_to` (`memory/slot.rs`). It publishes
        // that the job has ended.
        let chained = link.compare_exchange(known, last, Ordering::Release, Ordering::Relaxed);
        if chained.is_err() {
            // The set is gone, and the handle is shared: the link counts its holders.
            return;
        }
        known = last;
        // Release: pairs with the Acquire of `take_completed`. It publishes the link.
        match place.completed.compare_exchange_weak(
            last,
            slot + 1,
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            Ok(_) => return,
            Err(now) => last = now,
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        // The destructor of the waker, which may unwind, runs after this.
        self.place.interest.store(0, Ordering::Relaxed);
        // SAFETY: `begin` opened it, and it is closed once.
        unsafe { self.place.waker.close() };
    }
}
