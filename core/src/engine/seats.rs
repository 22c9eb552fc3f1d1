//! Workers take their seats, leave them, and are declared lost.

use core::{num::NonZeroUsize, ptr::NonNull, task::Waker};

use crate::{
    engine::guard,
    engine::wakeups::Seats,
    lockfree::defer::Defer,
    lockfree::state::{BUSY, DONE, PROMISED, QUEUED, RUNNER_BITS},
    lockfree::sync::Ordering,
    machine::worker::{Worker, WorkerId},
    memory::joined::Stay,
    memory::seat::{GENERATION, GUEST, LOST, ONE_GENERATION, SLEEPLESS, SeatRef},
};

impl<'p> Seats<'p> {
    /// Takes a place for a worker, or for a caller that is `lent` while it blocks. `None` if there
    /// is none left.
    ///
    /// # Safety
    ///
    /// The caller calls [`SeatRef::leave`] before `worker` goes away, from the same context.
    pub(crate) unsafe fn join(self, worker: &dyn Worker, stay: Stay) -> Option<SeatRef<'p>> {
        // The port's and the worker's code may unwind: it is called before anything is taken.
        let context = self
            .0
            .port()
            .map_or(0, |port| NonZeroUsize::get(port.context()));
        let waker = worker.waker();
        let number = self
            .0
            .all_seats()
            .iter()
            .position(|seat| seat.waker.take())?;
        let taken = self.0.seat(number)?;
        let seat = taken.seat();
        let erased = NonNull::from(worker);
        // SAFETY: only the lifetime changes, and `worker` is used only until `leave`, before which
        // it does not go away (the caller's promise).
        let erased: NonNull<dyn Worker> = unsafe { core::mem::transmute(erased) };
        seat.worker.with_mut(|cell| {
            // SAFETY: the place was taken just now; others find it only by the context below.
            unsafe { *cell = Some(erased) };
        });
        // Relaxed: what the worker before has left came by way of the bell.
        let generation = seat.flags.load(Ordering::Relaxed) & GENERATION;
        let flags = if stay == Stay::Guest {
            generation | GUEST
        } else {
            generation.wrapping_add(ONE_GENERATION) & GENERATION
        };
        seat.flags.store(flags, Ordering::Relaxed);
        // Relaxed: only this context finds itself by it. The bell, next, publishes the others.
        seat.context.store(context, Ordering::Relaxed);
        // SAFETY: taken just now.
        unsafe { seat.waker.open(waker) };
        self.0.joined().count_in(stay);
        Some(taken)
    }

    /// A waker for the context that calls. `None` if the context may not block.
    pub(crate) fn own_waker(self) -> Option<Waker> {
        if let Some(seat) = self.current() {
            // SAFETY: the port says that this is the context of that worker.
            if let Some(worker) = unsafe { seat.worker() } {
                return (!seat.is(SLEEPLESS)).then(|| worker.waker());
            }
        }
        let Some(port) = self.0.port() else {
            // The caller spins.
            return Some(Waker::noop().clone());
        };
        let mut waker = None;
        port.with_parker(&mut |parker| waker = Some(parker.waker()));
        waker
    }

    /// For the place of a set that the caller only looks at. If it goes to sleep after, it needs no other place: there
    /// may be none while a completer still holds the first.
    pub(crate) fn waker_for_looks(self) -> Waker {
        self.own_waker().unwrap_or(Waker::noop().clone())
    }

    /// The place of the worker in whose context this is called, if there is one and the port tells.
    pub(crate) fn current(self) -> Option<SeatRef<'p>> {
        let context = self.0.port()?.context().get();
        let number = self
            .0
            .all_seats()
            .iter()
            .position(|seat| seat.context.load(Ordering::Relaxed) == context)?;
        self.0.seat(number)
    }

    /// How many workers have something to do: see [`PoolRef::workers_wanted`](crate::PoolRef::workers_wanted).
    pub(crate) fn wanted(self) -> usize {
        // A bit for each worker that is at work, by its number.
        let mut at_work = [0_u32; 1 << (RUNNER_BITS - 5)];
        let mut queued = 0;
        for index in self.0.used_slots() {
            let state = self.0.slot(index).state.load();
            if state.has(DONE | PROMISED) {
                continue;
            }
            if state.has(BUSY) {
                let Some(number) = state.runner().checked_sub(1).map(usize::from) else {
                    continue;
                };
                // Relaxed: a count, which is out of date at once.
                let lent = self
                    .0
                    .all_seats()
                    .get(number)
                    .is_none_or(|seat| seat.flags.load(Ordering::Relaxed) & GUEST != 0);
                if let Some(word) = at_work.get_mut(number / 32)
                    && !lent
                {
                    *word |= 1 << (number % 32);
                }
            } else if state.has(QUEUED) {
                queued += 1;
            }
        }
        queued
            + at_work
                .iter()
                .map(|word| word.count_ones() as usize)
                .sum::<usize>()
    }

    /// Whether every worker is blocked, so that nobody would run what is queued.
    pub(crate) fn all_are_blocked(self) -> bool {
        let mut seats = self.0.all_seats().iter();
        seats.all(|seat| {
            !seat.waker.is_open()
                || seat.flags.load(Ordering::Relaxed) & LOST != 0
                || seat.is_blocked()
        })
    }
}

/// Leaves the seat when dropped.
pub(crate) struct Leave<'p>(pub(crate) SeatRef<'p>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // SAFETY: made where the seat was joined, dropped once.
        unsafe { self.0.leave() };
    }
}

/// As what the one in a seat with these flags stays.
fn stay_in(flags: u16) -> Stay {
    if flags & GUEST == 0 {
        Stay::Worker
    } else {
        Stay::Guest
    }
}

impl SeatRef<'_> {
    /// The worker goes.
    ///
    /// # Safety
    ///
    /// Called once, by the one who joined.
    pub(crate) unsafe fn leave(self) {
        let (pool, seat) = (self.pool(), self.seat());
        // It may have unwound while it slept.
        let was_claimed = self.retract();
        // Relaxed: decides who counts the worker out. What the seat holds goes by way of the bell.
        let flags = seat.flags.fetch_or(LOST, Ordering::Relaxed);
        seat.context.store(0, Ordering::Relaxed);
        seat.worker.with_mut(|cell| {
            // SAFETY: only this context looks at the cell until the bell is closed.
            unsafe { *cell = None };
        });
        if flags & LOST == 0 {
            pool.joined().count_out(stay_in(flags));
        }
        // Even if the waker unwinds as it is dropped. One that was lost may still have had a task, and may have
        // been woken for work, once more, since; and its place is free from now on.
        let _told = Defer(|| pool.seats().tell_of_leaving());
        let _handed_on = Defer(|| {
            if (was_claimed || flags & LOST != 0) && pool.queues().has_any() {
                pool.seats().wake_one();
            }
        });
        // SAFETY: opened in `join`.
        unsafe { seat.waker.close() };
    }

    /// Declares the worker lost; `None` if it was before, or has left, whoever has its seat by now. The seat is
    /// given to no other worker before what is returned is dropped.
    pub(crate) fn lose(self, worker: WorkerId) -> Option<Defer<impl FnMut()>> {
        let seat = self.seat();
        if !seat.waker.try_hold() {
            return None;
        }
        let pool = self.pool();
        let hold = Defer(move || {
            if seat.waker.release() {
                // Its place could not be taken when it left.
                pool.seats().tell_of_leaving();
            }
        });
        // Relaxed: the bell is held, so nobody else takes the seat, and it has shown who has it. A caller that
        // lends itself has no name.
        let flags = seat.flags.load(Ordering::Relaxed);
        if flags & GUEST != 0 || self.id_in(flags) != worker {
            return None;
        }
        // Relaxed: as in `leave`.
        if seat.flags.fetch_or(LOST, Ordering::Relaxed) & LOST != 0 {
            return None;
        }
        // Nobody is to be found here any more.
        seat.context.store(0, Ordering::Relaxed);
        self.retract();
        self.pool().joined().count_out(Stay::Worker);
        Some(hold)
    }

    /// Tells the worker itself, and those who wait for its leaving, that it was declared lost.
    ///
    /// # Safety
    ///
    /// The caller has what `lose` returned.
    pub(crate) unsafe fn tell_of_loss(self) {
        // Even if the waker unwinds.
        let _told = Defer(|| self.pool().seats().tell_of_leaving());
        guard::call(self.pool(), &mut || {
            // It may be asleep and well: one with jobs elsewhere that do not come back.
            // SAFETY: held (the caller's promise), and open when it was.
            unsafe { self.seat().waker.wake_held() };
        });
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
