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
    /// Takes a seat for a worker or guest. `None` if no seat is left.
    ///
    /// # Safety
    ///
    /// The caller calls [`SeatRef::leave`] before `worker` goes away, from the same context.
    pub(crate) unsafe fn join(self, worker: &dyn Worker, stay: Stay) -> Option<SeatRef<'p>> {
        // The port's and the worker's code may unwind, so it is called before a seat is taken.
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
        // SAFETY: only the lifetime changes. `worker` is used only until `leave`, and it lives at
        // least as long (the caller's promise).
        let erased: NonNull<dyn Worker> = unsafe { core::mem::transmute(erased) };
        seat.worker.with_mut(|cell| {
            // SAFETY: the seat was taken just now. Another context looks at the cell only if it
            // finds its own name below.
            unsafe { *cell = Some(erased) };
        });
        // Relaxed: taking the shared waker has acquired what the seat's former worker left.
        let generation = seat.flags.load(Ordering::Relaxed) & GENERATION;
        let flags = if stay == Stay::Guest {
            generation | GUEST
        } else {
            generation.wrapping_add(ONE_GENERATION) & GENERATION
        };
        seat.flags.store(flags, Ordering::Relaxed);
        // Relaxed: only this context finds its name here. The opening of the shared waker, below,
        // publishes the other fields.
        seat.context.store(context, Ordering::Relaxed);
        // SAFETY: the seat was taken just now.
        unsafe { seat.waker.open(waker) };
        self.0.joined().count_in(stay);
        Some(taken)
    }

    /// A waker for the calling context. `None` if the context may not block.
    pub(crate) fn own_waker(self) -> Option<Waker> {
        if let Some(seat) = self.current() {
            // SAFETY: `current` returned the seat, so this is the context of its worker.
            if let Some(worker) = unsafe { seat.worker() } {
                return (!seat.is(SLEEPLESS)).then(|| worker.waker());
            }
        }
        let Some(port) = self.0.port() else {
            // Without a port the caller spins.
            return Some(Waker::noop().clone());
        };
        let mut waker = None;
        port.with_parker(&mut |parker| waker = Some(parker.waker()));
        waker
    }

    /// A waker for the place of a set that the caller only looks at. If the caller sleeps later,
    /// the place is good for that too. There may be no second place while a completer still holds
    /// the first.
    pub(crate) fn waker_for_looks(self) -> Waker {
        self.own_waker().unwrap_or(Waker::noop().clone())
    }

    /// The seat of the worker in whose context this is called. `None` if there is none, or no port.
    pub(crate) fn current(self) -> Option<SeatRef<'p>> {
        let context = self.0.port()?.context().get();
        let number = self
            .0
            .all_seats()
            .iter()
            .position(|seat| seat.context.load(Ordering::Relaxed) == context)?;
        self.0.seat(number)
    }

    /// The number of workers that have something to do: see
    /// [`PoolRef::workers_wanted`](crate::PoolRef::workers_wanted).
    pub(crate) fn wanted(self) -> usize {
        // One bit for each worker that is at work, by its number.
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
                // Relaxed: the count is out of date at once.
                let is_guest = self
                    .0
                    .all_seats()
                    .get(number)
                    .is_none_or(|seat| seat.flags.load(Ordering::Relaxed) & GUEST != 0);
                if let Some(word) = at_work.get_mut(number / 32)
                    && !is_guest
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

    /// Whether every worker is blocked, so that none would take a queued job.
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
        // SAFETY: this guard was made by the context that joined, and is dropped once.
        unsafe { self.0.leave() };
    }
}

/// The kind of stay in a seat with these flags.
fn stay_in(flags: u16) -> Stay {
    if flags & GUEST == 0 {
        Stay::Worker
    } else {
        Stay::Guest
    }
}

impl SeatRef<'_> {
    /// Gives the seat back.
    ///
    /// # Safety
    ///
    /// The call is made once, by the context that joined.
    pub(crate) unsafe fn leave(self) {
        let (pool, seat) = (self.pool(), self.seat());
        // The worker may have unwound while it slept.
        let was_claimed = self.retract();
        // Relaxed: it decides which party counts the worker out. The closing of the shared waker
        // publishes the seat's content.
        let flags = seat.flags.fetch_or(LOST, Ordering::Relaxed);
        seat.context.store(0, Ordering::Relaxed);
        seat.worker.with_mut(|cell| {
            // SAFETY: only this context looks at the cell until the shared waker is closed.
            unsafe { *cell = None };
        });
        if flags & LOST == 0 {
            pool.joined().count_out(stay_in(flags));
        }
        // Both guards run even if the waker's destructor unwinds. A worker that was declared lost
        // may still have polled a task until now, and may have been claimed for work again. Its
        // seat is free from now on.
        let _told = Defer(|| pool.seats().tell_of_leaving());
        let _handed_on = Defer(|| {
            if (was_claimed || flags & LOST != 0) && pool.queues().has_any() {
                pool.seats().wake_one();
            }
        });
        // SAFETY: `join` opened it.
        unsafe { seat.waker.close() };
    }

    /// Declares the worker lost. `None` if it was declared lost before, or has left. The seat goes
    /// to no other worker before the returned guard is dropped.
    pub(crate) fn lose(self, worker: WorkerId) -> Option<Defer<impl FnMut()>> {
        let seat = self.seat();
        if !seat.waker.try_hold() {
            return None;
        }
        let pool = self.pool();
        let hold = Defer(move || {
            if seat.waker.release() {
                // The worker has left, and its seat could not be taken until now.
                pool.seats().tell_of_leaving();
            }
        });
        // Relaxed: the caller holds the shared waker, so no other worker takes the seat, and the
        // hold has acquired the flags. A guest has no `WorkerId`.
        let flags = seat.flags.load(Ordering::Relaxed);
        if flags & GUEST != 0 || self.id_in(flags) != worker {
            return None;
        }
        // Relaxed: as in `leave`.
        if seat.flags.fetch_or(LOST, Ordering::Relaxed) & LOST != 0 {
            return None;
        }
        // `current` finds no worker in this seat from now on.
        seat.context.store(0, Ordering::Relaxed);
        self.retract();
        self.pool().joined().count_out(Stay::Worker);
        Some(hold)
    }

    /// Wakes the worker that was declared lost, and the waiters for its leaving.
    ///
    /// # Safety
    ///
    /// The caller has the guard that `lose` returned.
    pub(crate) unsafe fn tell_of_loss(self) {
        // The waiters are woken even if the worker's waker unwinds.
        let _told = Defer(|| self.pool().seats().tell_of_leaving());
        guard::call(self.pool(), &mut || {
            // The worker may be asleep and well, if its jobs are in another address space and do
            // not come back.
            // SAFETY: the caller's guard is a hold, made when the waker was open.
            unsafe { self.seat().waker.wake_held() };
        });
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
