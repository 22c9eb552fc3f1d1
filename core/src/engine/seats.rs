//! Idle workers: who sleeps, and whom to wake.
//!
//! A worker announces that it is going to sleep, looks at the queue once more, and sleeps. A
//! submitter queues its job and then looks for idle workers. Between the two steps each side has a
//! SeqCst fence, so at least one of them sees the other: no wake-up is lost.
//!
//! ```text
//!     worker                                submitter
//!     idle bit := 1                         push the index
//!     fence(SeqCst)                         fence(SeqCst)
//!     queue empty? no ──► clear, go on      idle bit without claim? ──► claim it, ring
//!     sleep                                 all claimed? ──► ring them again
//!     clear idle bit and claim
//! ```
//!
//! The claim makes each submitter wake another worker: as many wake as there are jobs. It is a hint
//! and not a lock: a submitter may be stopped for ever between its claim and its ring, so the next
//! one that finds every idle worker claimed rings them all again. A worker that was claimed and
//! leaves without taking work hands the wake-up on.
//!
//! Each word has room for the idle bits and the claims of half as many workers as it has bits. A
//! pool with more workers has more words; finding a worker takes one look per word.

use core::{cell::Cell, num::NonZeroUsize, ptr::NonNull, task::Waker};

use crate::{
    engine::block::DependsOn,
    error::NoWorker,
    lockfree::{
        defer::{Defer, each},
        state::{BUSY, DONE, PROMISED, QUEUED, RUNNER_BITS},
        sync::{AtomicUsize, Ordering, fence},
    },
    machine::worker::{Worker, WorkerId},
    memory::pool::{
        BROKEN, GENERATION, GUEST, HAS_BLOCKED, LEAVING, LOST, ONE_GENERATION, ONE_SCOPE,
        OPEN_SCOPES, Pool, ROOM, SHUT_DOWN, SLEEPLESS, Seat,
    },
};

/// How many workers share a word.
const GROUP: usize = usize::BITS as usize / 2;
/// The idle bits; the claims are in the other half.
const IDLE: usize = (1 << GROUP) - 1;

/// A worker's place, while it is taken.
#[derive(Clone, Copy)]
pub(crate) struct SeatRef<'p> {
    pool: Pool<'p>,
    seat: &'p Seat,
    /// The word of its group.
    word: &'p AtomicUsize,
    number: u16,
}

impl<'p> Pool<'p> {
    /// The groups of seats, each with its word.
    fn groups(self) -> impl Iterator<Item = (&'p AtomicUsize, &'p [Seat])> {
        self.seats()
            .chunks(GROUP)
            .filter_map(|group| Some((&group.first()?.idle, group)))
    }

    /// The place with this number.
    pub(crate) fn seat_at(self, number: usize) -> Option<SeatRef<'p>> {
        let seats = self.seats();
        Some(SeatRef {
            pool: self,
            seat: seats.get(number)?,
            word: &seats.get(number - number % GROUP)?.idle,
            number: number as u16,
        })
    }

    /// Wakes a worker for work that was just queued, which stays queued if there is none. Returns the phase, as it
    /// is after that.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn wake_worker(self) -> u32 {
        self.call_worker().unwrap_or_else(|_| self.phase())
    }

    /// Wakes a worker for work that was just queued, or has the port start one. Returns the phase, as it is after
    /// that; or why there is no worker and none to come.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn call_worker(self) -> Result<u32, NoWorker> {
        // Pairs with the fences of `SeatRef::announce` and of `enter_phase`.
        fence(Ordering::SeqCst);
        let phase = self.phase();
        let someone_is_idle = self
            .groups()
            .any(|(word, _)| word.load(Ordering::Relaxed) & IDLE != 0);
        if !(someone_is_idle && self.wake_idle_worker())
            && let Some(port) = self.port_in(phase)
        {
            port.no_idle_worker()?;
            return Ok(self.phase());
        }
        Ok(phase)
    }

    /// How many workers have something to do: see [`PoolRef::workers_wanted`](crate::PoolRef::workers_wanted).
    pub(crate) fn workers_wanted(self) -> usize {
        // A bit for each worker that is at work, by its number.
        let mut at_work = [0_u32; 1 << (RUNNER_BITS - 5)];
        let mut queued = 0;
        for index in self.used_slots() {
            let state = self.slot(index).state.load();
            if state.has(DONE | PROMISED) {
                continue;
            }
            if state.has(BUSY) {
                let Some(number) = state.runner().checked_sub(1).map(usize::from) else {
                    continue;
                };
                // Relaxed: a count, which is out of date at once.
                let lent = self
                    .seats()
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

    /// Wakes an idle worker that nobody has claimed. False if there is none.
    #[cold]
    fn wake_idle_worker(self) -> bool {
        for (word, group) in self.groups() {
            let mut now = word.load(Ordering::Relaxed);
            loop {
                let unclaimed = now & IDLE & !(now >> GROUP);
                if unclaimed == 0 {
                    break;
                }
                let bit = unclaimed & unclaimed.wrapping_neg();
                // Relaxed: the fence of `wake_worker`, which comes before, pairs with the Acquire of
                // `retract`, so that the claimed worker finds the job.
                match word.compare_exchange_weak(
                    now,
                    now | (bit << GROUP),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        self.ring_lowest(group, bit);
                        return true;
                    }
                    Err(other) => now = other,
                }
            }
        }
        self.ring_claimed();
        false
    }

    /// Rings every idle worker: they are all claimed, but a claimer may have been stopped.
    fn ring_claimed(self) {
        for (word, group) in self.groups() {
            let mut idle = word.load(Ordering::Relaxed) & IDLE;
            while idle != 0 {
                self.ring_lowest(group, idle);
                idle &= idle - 1;
            }
        }
    }

    /// Rings the worker of the lowest idle bit.
    fn ring_lowest(self, group: &[Seat], idle: usize) {
        if let Some(seat) = group.get(idle.trailing_zeros() as usize) {
            self.ring(seat);
        }
    }

    /// Wakes every worker, and all who wait for the workers' end or for room, to look at the phase.
    #[cold]
    pub(crate) fn wake_all_workers(self) {
        // Pairs with the fences of `announce` and of those who begin to wait: either they see what the
        // caller has just ended, or they are seen here.
        fence(Ordering::SeqCst);
        let _waiters = Defer(|| {
            self.ring_waiters(LEAVING | ROOM);
        });
        each(self.seats().iter(), |seat| self.ring(seat));
    }

    /// Wakes the worker in a seat, whatever it does. A waker that panics is reported.
    pub(crate) fn ring(self, seat: &Seat) {
        let is_free = Cell::new(true);
        // Even if the port unwinds.
        let _told = Defer(|| {
            if is_free.get() {
                // Its place could not be taken when it left. Pairs with the fences of those who begin to wait for
                // `LEAVING`: either they find the place free, or they are seen here.
                fence(Ordering::SeqCst);
                self.ring_waiters(LEAVING);
            }
        });
        self.guarded(&mut || is_free.set(seat.bell.ring()));
    }

    /// Wakes the workers that are blocked.
    #[cold]
    pub(crate) fn rouse_blocked(self) {
        let blocked = self.seats().iter().filter(|seat| seat.is_blocked());
        each(blocked, |seat| self.ring(seat));
    }

    /// How many workers sleep or are about to.
    pub(crate) fn idle_workers(self) -> usize {
        self.groups()
            .map(|(word, _)| (word.load(Ordering::Relaxed) & IDLE).count_ones() as usize)
            .sum()
    }

    /// Takes a place for a worker, or for a caller that is `lent` while it blocks. `None` if there
    /// is none left.
    ///
    /// # Safety
    ///
    /// The caller calls [`SeatRef::leave`] before `worker` goes away, from the same context.
    pub(crate) unsafe fn join(self, worker: &dyn Worker, lent: bool) -> Option<SeatRef<'p>> {
        // The port's and the worker's code may unwind: it is called before anything is taken.
        let context = self
            .port()
            .map_or(0, |port| NonZeroUsize::get(port.context()));
        let waker = worker.waker();
        let number = self.seats().iter().position(|seat| seat.bell.take())?;
        let seat_at = self.seat_at(number)?;
        let seat = seat_at.seat;
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
        let flags = if lent {
            generation | GUEST
        } else {
            generation.wrapping_add(ONE_GENERATION) & GENERATION
        };
        seat.flags.store(flags, Ordering::Relaxed);
        // Relaxed: only this context finds itself by it. The bell, next, publishes the others.
        seat.context.store(context, Ordering::Relaxed);
        // SAFETY: taken just now.
        unsafe { seat.bell.open(waker) };
        self.count_in(lent);
        Some(seat_at)
    }

    /// A worker has left, or is declared lost; those who wait for that are told, and those who are blocked. At
    /// the pool's end that is everybody: the last task may have ended with this worker.
    pub(crate) fn tell_of_leaving(self) {
        // Pairs with the fence of `enter_phase`, as in `wake_all_at_the_end`, with the fences of those who begin to
        // wait for `LEAVING`, and with that of `block_worker`: either it is seen there that a worker is gone, or
        // here that another is blocked.
        fence(Ordering::SeqCst);
        let phase = self.phase();
        if phase & (SHUT_DOWN | BROKEN) != 0 {
            return self.wake_all_workers();
        }
        if phase & HAS_BLOCKED != 0 {
            // They may be all that there are, and nobody else takes what is queued.
            self.rouse_blocked();
        }
        self.ring_waiters(LEAVING);
    }

    /// Something has ended that kept the pool from its end: if it is shut down or broken, all look
    /// again.
    pub(crate) fn wake_all_at_the_end(self) {
        // Pairs with the fence of `enter_phase`: either the phase is seen here, or whoever looks
        // whether the pool is over sees what has ended.
        fence(Ordering::SeqCst);
        if self.is_closed() {
            self.wake_all_workers();
        }
    }

    /// A waker for the context that calls. `None` if the context may not block.
    pub(crate) fn own_waker(self) -> Option<Waker> {
        if let Some(seat) = self.current_worker() {
            // SAFETY: the port says that this is the context of that worker.
            if let Some(worker) = unsafe { seat.worker() } {
                return (!seat.is(SLEEPLESS)).then(|| worker.waker());
            }
        }
        let Some(port) = self.port() else {
            // The caller spins.
            return Some(Waker::noop().clone());
        };
        let mut waker = None;
        port.with_parker(&mut |parker| waker = Some(parker.waker()));
        waker
    }

    /// The place of the worker in whose context this is called, if there is one and the port tells.
    pub(crate) fn current_worker(self) -> Option<SeatRef<'p>> {
        let context = self.port()?.context().get();
        let number = self
            .seats()
            .iter()
            .position(|seat| seat.context.load(Ordering::Relaxed) == context)?;
        self.seat_at(number)
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

/// A worker is blocked while this is there.
pub(crate) struct IsBlocked<'p>(&'p Seat);

impl Drop for IsBlocked<'_> {
    fn drop(&mut self) {
        let blocked = &self.0.blocked;
        // Relaxed: only this context writes the word; who sees something that the worker writes as it goes on sees this.
        let times = blocked.load(Ordering::Relaxed) & !KIND;
        blocked.store(times, Ordering::Relaxed);
    }
}

/// A worker has a scope open while this is there.
pub(crate) struct OpenScope<'p>(Option<&'p Seat>);

impl Drop for OpenScope<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.0 {
            // Relaxed: as in `SeatRef::open_scope`.
            seat.flags.fetch_sub(ONE_SCOPE, Ordering::Relaxed);
        }
    }
}

/// Whether no other scope's jobs have this tag: it is a worker's, and does not lie too deep.
fn is_of_one_scope(tag: u16) -> bool {
    tag != 0 && tag & OPEN_SCOPES != OPEN_SCOPES
}

/// The bits of [`Seat::blocked`] that say on what the worker depends; 0 if it is not blocked. The others count.
const KIND: u32 = 7;

impl Seat {
    /// Whether the worker is blocked, with or without a time limit.
    pub(crate) fn is_blocked(&self) -> bool {
        // Relaxed: who must see it has come by a fence.
        self.blocked.load(Ordering::Relaxed) & KIND != 0
    }

    /// On what the worker depends, if it is blocked without a time limit; and how often it has been blocked.
    pub(crate) fn depends_on(&self) -> (Option<DependsOn>, u32) {
        // Acquire: pairs with the Release of `SeatRef::block`; what it waits for is there.
        let word = self.blocked.load(Ordering::Acquire);
        // Acquire: pairs with the Release of `SeatRef::block`. If it is what the worker waits for after that, who goes
        // on to look at `blocked` sees that this has changed.
        let waits_for = self.waits_for.load(Ordering::Acquire);
        let depends_on = match word & KIND {
            2 => Some(DependsOn::Job(waits_for)),
            3 => Some(DependsOn::AllOf(waits_for)),
            4 => Some(DependsOn::AnyOf(waits_for)),
            5 if is_of_one_scope(waits_for) => Some(DependsOn::Scope(waits_for)),
            _ => None,
        };
        (depends_on, word / (KIND + 1))
    }
}

impl<'p> SeatRef<'p> {
    pub(crate) fn id(self) -> WorkerId {
        // Relaxed: it is the same for as long as the worker stays.
        self.id_in(self.seat.flags.load(Ordering::Relaxed))
    }

    fn id_in(self, flags: u16) -> WorkerId {
        WorkerId {
            number: self.number,
            generation: ((flags & GENERATION) / ONE_GENERATION) as u8,
        }
    }

    /// The worker's name in a job's state.
    pub(crate) fn runner(self) -> u16 {
        self.number + 1
    }

    pub(crate) fn seat(self) -> &'p Seat {
        self.seat
    }

    fn bit(self) -> usize {
        1 << (usize::from(self.number) % GROUP)
    }

    /// The worker itself.
    ///
    /// # Safety
    ///
    /// The caller is in the worker's context, inside its run loop.
    pub(crate) unsafe fn worker(self) -> Option<&'p dyn Worker> {
        self.seat().worker.with(|cell| {
            // SAFETY: the worker outlives its stay in the seat (promise of `join`), and the
            // caller's frame is inside that stay. Only this context writes the cell meanwhile.
            unsafe { (*cell).map(|worker| worker.as_ref()) }
        })
    }

    /// Says that the worker blocks, until what is returned is dropped.
    pub(crate) fn block(self, depends_on: DependsOn) -> IsBlocked<'p> {
        let (kind, waits_for) = match depends_on {
            DependsOn::Others => (1, 0),
            DependsOn::Job(slot) => (2, slot),
            DependsOn::AllOf(place) => (3, place),
            DependsOn::AnyOf(place) => (4, place),
            DependsOn::Scope(tag) => (5, tag),
        };
        self.pool.set_has_blocked();
        let blocked = &self.seat.blocked;
        // Release: pairs with the Acquire of `Seat::depends_on`; the worker has gone on since it was blocked before.
        self.seat.waits_for.store(waits_for, Ordering::Release);
        // Relaxed: only this context writes the word.
        let times = blocked.load(Ordering::Relaxed).wrapping_add(KIND + 1) & !KIND;
        // Release: pairs with the Acquire of `Seat::depends_on`.
        blocked.store(times | kind, Ordering::Release);
        IsBlocked(self.seat)
    }

    /// The worker opens a scope, until what is returned is dropped. With it the tag of the scope's jobs: the worker's
    /// number plus one, and how many scopes of its are open around this one. All that lie too deep have the same.
    pub(crate) fn open_scope(self) -> (OpenScope<'p>, u16) {
        let flags = &self.seat.flags;
        // Relaxed: only this context counts them.
        let open = flags.load(Ordering::Relaxed) & OPEN_SCOPES;
        let counted = open != OPEN_SCOPES;
        if counted {
            flags.fetch_add(ONE_SCOPE, Ordering::Relaxed);
        }
        let tag = open | self.runner();
        (OpenScope(counted.then_some(self.seat)), tag)
    }

    /// Says that the worker is going to sleep. The caller looks at the queue after this.
    pub(crate) fn announce(self) {
        self.word.fetch_or(self.bit(), Ordering::Relaxed);
        // Pairs with the fence of `wake_worker`: either the submitter sees the bit, and the open
        // bell with it, or the caller sees the job.
        fence(Ordering::SeqCst);
    }

    /// Says that the worker is up. True if it had been claimed for some work.
    pub(crate) fn retract(self) -> bool {
        let both = self.bit() | (self.bit() << GROUP);
        // Acquire: pairs with the fence of `wake_worker`; the job for which it was claimed is in the
        // queue.
        self.word.fetch_and(!both, Ordering::Acquire) & (self.bit() << GROUP) != 0
    }

    /// The worker goes.
    ///
    /// # Safety
    ///
    /// Called once, by the one who joined.
    pub(crate) unsafe fn leave(self) {
        let (pool, seat) = (self.pool, self.seat());
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
            pool.count_out(flags & GUEST != 0);
        }
        // Even if the waker unwinds as it is dropped. One that was lost may still have had a task, and may have
        // been woken for work, once more, since; and its place is free from now on.
        let _told = Defer(|| pool.tell_of_leaving());
        let _handed_on = Defer(|| {
            if (was_claimed || flags & LOST != 0) && pool.has_queued() {
                pool.wake_worker();
            }
        });
        // SAFETY: opened in `join`.
        unsafe { seat.bell.close() };
    }

    /// Declares the worker lost; `None` if it was before, or has left, whoever has its seat by now. The seat is
    /// given to no other worker before what is returned is dropped.
    pub(crate) fn lose(self, worker: WorkerId) -> Option<Defer<impl FnMut()>> {
        let seat = self.seat();
        if !seat.bell.try_hold() {
            return None;
        }
        let pool = self.pool;
        let hold = Defer(move || {
            if seat.bell.release() {
                // Its place could not be taken when it left.
                pool.tell_of_leaving();
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
        self.pool.count_out(false);
        Some(hold)
    }

    /// Tells the worker itself, and those who wait for its leaving, that it was declared lost.
    ///
    /// # Safety
    ///
    /// The caller has what `lose` returned.
    pub(crate) unsafe fn tell_of_loss(self) {
        // Even if the waker unwinds.
        let _told = Defer(|| self.pool.tell_of_leaving());
        self.pool.guarded(&mut || {
            // It may be asleep and well: one with jobs elsewhere that do not come back.
            // SAFETY: held (the caller's promise), and open when it was.
            unsafe { self.seat.bell.wake_held() };
        });
    }

    /// Says that the worker is of this kind. Before it takes any job.
    pub(crate) fn set(self, flag: u16) {
        // Relaxed: who finds a job with this worker has seen it begin, by way of the job's state.
        self.seat().flags.fetch_or(flag, Ordering::Relaxed);
    }

    /// Whether the worker is of this kind.
    pub(crate) fn is(self, flag: u16) -> bool {
        self.seat().flags.load(Ordering::Relaxed) & flag != 0
    }

    /// Wakes the worker, whatever it does.
    #[cfg(feature = "remote")]
    pub(crate) fn ring(self) {
        self.pool.ring(self.seat());
    }

    /// Whether the worker was declared lost.
    pub(crate) fn is_lost(self) -> bool {
        self.is(LOST)
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use core::{
        num::NonZeroUsize,
        sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        task::Waker,
        time::Duration,
    };
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
    };

    use super::*;
    use crate::{
        Parker, Port, StaticPool, api::wait::Registration, engine::seats::Leave,
        lockfree::bell::tests::Rings,
    };

    /// Enough for a second group.
    const WORKERS: usize = GROUP + 2;
    type Pool = StaticPool<2, 16, 1, WORKERS, 1>;

    /// Says that it sleeps when the test says so, and counts how often it is woken.
    #[derive(Default)]
    struct Sleeper(Arc<Rings>);

    impl Parker for Sleeper {
        fn waker(&self) -> Waker {
            self.0.clone().into()
        }

        fn park(&self, _deadline: Option<Duration>) {}
    }

    impl Worker for Sleeper {}

    fn sleepers() -> [Sleeper; WORKERS] {
        core::array::from_fn(|_| Sleeper::default())
    }

    /// Gives the workers the places of their numbers.
    fn join<'p>(pool: &'p Pool, workers: &'p [Sleeper]) -> Vec<Leave<'p>> {
        let raw = pool.handle().raw;
        // SAFETY: `Leave` leaves, and does not outlive the workers.
        let join = |worker: &'p Sleeper| Leave(unsafe { raw.join(worker, false) }.unwrap());
        workers.iter().map(join).collect()
    }

    /// How often each was woken, by number; those who were not are left out.
    fn woken(workers: &[Sleeper]) -> Vec<(usize, usize)> {
        let counts = workers.iter().map(|worker| worker.0.count()).enumerate();
        counts.filter(|&(_, count)| count > 0).collect()
    }

    #[test]
    fn each_job_wakes_another_idle_worker() {
        let (pool, workers) = (Pool::new(), sleepers());
        let seats = join(&pool, &workers);
        for number in [1, 3, GROUP - 1, GROUP + 1] {
            seats[number].0.announce();
        }
        let wake = || pool.handle().raw.wake_worker();
        wake();
        assert_eq!(woken(&workers), [(1, 1)]);
        wake();
        assert_eq!(woken(&workers), [(1, 1), (3, 1)]);
        wake();
        wake();
        assert_eq!(
            woken(&workers),
            [(1, 1), (3, 1), (GROUP - 1, 1), (GROUP + 1, 1)]
        );
    }

    #[test]
    fn workers_that_were_woken_and_have_not_come_are_woken_again() {
        let (pool, workers) = (Pool::new(), sleepers());
        let seats = join(&pool, &workers);
        for number in [0, 2, GROUP] {
            seats[number].0.announce();
        }
        for _ in 0..3 {
            pool.handle().raw.wake_worker();
        }
        assert_eq!(woken(&workers), [(0, 1), (2, 1), (GROUP, 1)]);
        pool.handle().raw.wake_worker();
        assert_eq!(woken(&workers), [(0, 2), (2, 2), (GROUP, 2)]);
    }

    #[test]
    fn a_group_that_is_all_idle_is_seen() {
        let (pool, workers) = (StaticPool::<2, 16, 1, GROUP, 1>::new(), sleepers());
        let raw = pool.handle().raw;
        // SAFETY: `Leave` leaves, and does not outlive the workers.
        let join = |worker: &Sleeper| Leave(unsafe { raw.join(worker, false) }.unwrap());
        let seats: Vec<_> = workers[..GROUP].iter().map(join).collect();
        seats.iter().for_each(|seat| seat.0.announce());
        raw.wake_worker();
        assert_eq!(woken(&workers), [(0, 1)]);
    }

    #[test]
    fn a_worker_that_is_up_is_not_woken() {
        let (pool, workers) = (Pool::new(), sleepers());
        let seats = join(&pool, &workers);
        seats[0].0.announce();
        seats[GROUP].0.announce();
        assert_eq!(pool.idle_workers(), 2);
        assert!(!seats[0].0.retract());
        assert_eq!(pool.idle_workers(), 1);
        assert!(!seats[GROUP].0.retract());
        assert_eq!(pool.idle_workers(), 0);
        pool.handle().raw.wake_worker();
        assert_eq!(woken(&workers), []);
    }

    #[test]
    fn a_worker_learns_once_that_it_was_woken_for_work() {
        let (pool, workers) = (Pool::new(), sleepers());
        let seats = join(&pool, &workers);
        for number in [1, 2, GROUP + 1] {
            seats[number].0.announce();
        }
        pool.handle().raw.wake_worker();
        assert!(seats[1].0.retract());
        assert!(!seats[2].0.retract());
        pool.handle().raw.wake_worker();
        assert!(seats[GROUP + 1].0.retract());
        for number in [1, GROUP + 1] {
            seats[number].0.announce();
            assert!(!seats[number].0.retract());
        }
    }

    #[test]
    fn a_worker_has_the_place_of_its_number() {
        let (pool, workers) = (Pool::new(), sleepers());
        let raw = pool.handle().raw;
        for (number, seat) in join(&pool, &workers).iter().enumerate() {
            assert_eq!(seat.0.id().index(), number);
            let found = raw.seat_at(number).unwrap();
            assert!(core::ptr::eq(found.seat(), &raw.seats()[number]));
        }
        assert!(raw.seat_at(WORKERS).is_none());
    }

    #[test]
    fn there_is_one_place_for_each_worker() {
        let (pool, workers) = (Pool::new(), sleepers());
        let mut seats = join(&pool, &workers);
        let late = Sleeper::default();
        // SAFETY: it does not get in.
        assert!(unsafe { pool.handle().raw.join(&late, false) }.is_none());
        assert_eq!(pool.workers(), WORKERS);
        seats.pop();
        assert_eq!(pool.workers(), WORKERS - 1);
        // SAFETY: `Leave` leaves, and does not outlive the worker.
        let seat = Leave(unsafe { pool.handle().raw.join(&late, true) }.unwrap());
        assert_eq!(seat.0.id().index(), WORKERS - 1);
        assert_eq!(pool.workers(), WORKERS);
    }

    /// A worker that has no waker.
    struct NoWaker;

    impl Parker for NoWaker {
        fn waker(&self) -> Waker {
            panic!("as asked for");
        }

        fn park(&self, _deadline: Option<Duration>) {}
    }

    impl Worker for NoWaker {}

    #[test]
    fn a_worker_whose_waker_panics_takes_no_place() {
        static ALONE: Alone = Alone;
        let pool = StaticPool::<2, 16, 1, 1, 1>::new();
        assert!(pool.install(&ALONE));
        let joined = catch_unwind(AssertUnwindSafe(|| pool.run(&NoWaker)));
        assert!(joined.is_err());
        let raw = pool.handle().raw;
        assert!(raw.current_worker().is_none());
        assert_eq!(pool.workers(), 0);
        // SAFETY: `Leave` leaves, and does not outlive the worker.
        let seat = unsafe { raw.join(&crate::SpinWorker, false) }.map(Leave);
        assert!(seat.is_some(), "the only place is free");
    }

    /// A port of one context.
    struct Alone;

    // SAFETY: there is one context, and it catches no panic.
    unsafe impl Port for Alone {
        fn context(&self) -> NonZeroUsize {
            NonZeroUsize::MIN
        }

        fn now(&self) -> Option<Duration> {
            None
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            f(&crate::SpinWorker);
        }
    }

    #[test]
    fn a_worker_is_lost_once() {
        let (pool, workers) = (Pool::new(), sleepers());
        let mut seats = join(&pool, &workers);
        let lost = seats[GROUP].0;
        lost.announce();
        assert!(!lost.is_lost());
        let hold = lost.lose(lost.id());
        assert!(hold.is_some());
        // SAFETY: held.
        unsafe { lost.tell_of_loss() };
        drop(hold);
        assert_eq!(woken(&workers), [(GROUP, 1)], "it may be asleep and well");
        assert!(lost.is_lost());
        assert!(lost.lose(lost.id()).is_none());
        assert_eq!((pool.workers(), pool.idle_workers()), (WORKERS - 1, 0));
        // That it leaves after all changes nothing.
        drop(seats.remove(GROUP));
        assert_eq!(pool.workers(), WORKERS - 1);
        assert!(lost.lose(lost.id()).is_none(), "it is gone");
    }

    /// The lost worker comes back, and leaves, while its jobs are ended.
    #[test]
    fn a_lost_workers_place_is_given_to_no_other_before_all_its_jobs_have_ended() {
        static POOL: StaticPool<2, 32, 1, 1, 1> = StaticPool::new();
        static JOINED: AtomicUsize = AtomicUsize::new(0);
        let raw = POOL.handle().raw;
        let join = || {
            // SAFETY: a `SpinWorker` that is a constant lives for ever.
            unsafe { POOL.handle().raw.join(&crate::SpinWorker, false) }
        };
        let lost = join().unwrap();
        let mut job = POOL.submit(|| ()).unwrap();
        let begun = raw.dequeue().map(|index| raw.slot(index)).unwrap();
        assert!(raw.take_up(begun, lost.runner()).is_some());
        job.add_done_callback(move |_| {
            let lost = POOL.handle().raw.seat_at(0).unwrap();
            // SAFETY: joined above.
            unsafe { lost.leave() };
            JOINED.fetch_add(usize::from(join().is_some()), Relaxed);
        })
        .unwrap();
        // SAFETY: no scopes here.
        unsafe { POOL.worker_lost(WorkerId::FIRST, crate::OnLoss::Continue) };
        assert!(job.done());
        assert_eq!(JOINED.load(Relaxed), 0);
        assert!(join().is_some());
    }

    /// There is no port, so nobody catches it.
    #[test]
    fn a_lost_workers_jobs_all_end_even_if_a_callback_unwinds() {
        static POOL: StaticPool<3, 32, 1, 1, 1> = StaticPool::new();
        let raw = POOL.handle().raw;
        // SAFETY: left below.
        let lost = unsafe { raw.join(&crate::SpinWorker, false) }.unwrap();
        let mut first = POOL.submit(|| ()).unwrap();
        let second = POOL.submit(|| ()).unwrap();
        while let Some(index) = raw.dequeue() {
            let begun = raw.take_up(raw.slot(index), lost.runner());
            assert!(begun.is_some());
        }
        first.add_done_callback(|_| panic!("as asked for")).unwrap();
        // SAFETY: no scopes here.
        let declared = catch_unwind(|| unsafe {
            POOL.worker_lost(WorkerId::FIRST, crate::OnLoss::Continue);
        });
        assert!(declared.is_err());
        assert!(first.done() && second.done());
        // SAFETY: joined above.
        unsafe { lost.leave() };
    }

    /// There is no port, so nobody catches it.
    #[test]
    fn a_lost_workers_jobs_end_even_if_its_waker_unwinds() {
        let pool = StaticPool::<1, 32, 1, 1, 1>::new();
        let worker = Rung(|| panic!("as asked for"));
        let raw = pool.handle().raw;
        // SAFETY: `Leave` leaves, and does not outlive the worker.
        let lost = Leave(unsafe { raw.join(&worker, false) }.unwrap());
        let job = pool.submit(|| ()).unwrap();
        let begun = raw.dequeue().map(|index| raw.slot(index)).unwrap();
        assert!(raw.take_up(begun, lost.0.runner()).is_some());
        // SAFETY: no scopes here.
        let declared = catch_unwind(AssertUnwindSafe(|| unsafe {
            pool.worker_lost(lost.0.id(), crate::OnLoss::Continue);
        }));
        assert!(declared.is_err());
        assert!(job.done());
    }

    #[test]
    fn who_waits_for_a_seat_is_told_that_it_is_free_even_if_the_waker_unwinds() {
        static POOL: StaticPool<1, 32, 1, 1, 1> = StaticPool::new();
        /// It leaves as it is rung, and its place cannot be taken before the ringer has let go.
        static WORKER: Rung = Rung(|| {
            let seat = POOL.handle().raw.seat_at(0).unwrap();
            // SAFETY: joined below, and left once.
            unsafe { seat.leave() };
            panic!("as asked for");
        });
        let raw = POOL.handle().raw;
        // SAFETY: left above.
        let seat = unsafe { raw.join(&WORKER, false) }.unwrap();
        let rings = Arc::new(Rings::default());
        let waiting = Registration::begin(raw, &rings.clone().into(), LEAVING);
        assert!(waiting.is_some());
        assert!(catch_unwind(AssertUnwindSafe(|| raw.ring(seat.seat()))).is_err());
        assert_eq!(
            rings.count(),
            2,
            "that it has left, and that the seat is free"
        );
    }

    /// A worker whose waker does this, and which never sleeps.
    struct Rung(fn());

    impl Parker for Rung {
        fn waker(&self) -> Waker {
            struct Calls(fn());
            impl std::task::Wake for Calls {
                fn wake(self: Arc<Self>) {
                    (self.0)();
                }
            }
            Arc::new(Calls(self.0)).into()
        }

        fn park(&self, _deadline: Option<Duration>) {}
    }

    impl Worker for Rung {}

    #[test]
    fn shutdown_wakes_every_worker() {
        let (pool, workers) = (Pool::new(), sleepers());
        let _seats = join(&pool, &workers);
        pool.handle().raw.wake_all_workers();
        assert!(workers.iter().all(|worker| worker.0.count() == 1));
    }

    /// Counts what it is told of work for which nobody sleeps.
    struct Boss(AtomicUsize);

    // SAFETY: there is one context, and it catches no panic.
    unsafe impl Port for Boss {
        fn context(&self) -> NonZeroUsize {
            NonZeroUsize::MIN
        }

        fn now(&self) -> Option<Duration> {
            None
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            f(&crate::SpinWorker);
        }

        fn no_idle_worker(&self) -> Result<(), NoWorker> {
            self.0.fetch_add(1, Relaxed);
            Ok(())
        }
    }

    /// The other takes the second job, does it, and goes to sleep while the first job is in nobody's queue.
    #[test]
    fn a_worker_that_unwinds_with_a_job_in_hand_wakes_another_for_it() {
        static POOL: StaticPool<2, 32, 1, 2, 1> = StaticPool::new();
        static PORT: Unwinding = Unwinding {
            context: AtomicUsize::new(1),
            is_ready: AtomicBool::new(false),
            unwind: || {
                let raw = POOL.handle().raw;
                assert!(raw.run_one(None, None));
                raw.seat_at(0).unwrap().announce();
                panic!("as asked for");
            },
        };
        /// Two jobs are queued while it sleeps, and it hands its wake-up on when it has taken the first.
        struct First;
        impl Parker for First {
            fn waker(&self) -> Waker {
                Waker::noop().clone()
            }
            fn park(&self, _deadline: Option<Duration>) {
                for _ in 0..2 {
                    POOL.submit_detached(|| ()).unwrap();
                }
                PORT.is_ready.store(true, Relaxed);
            }
        }
        impl Worker for First {}
        assert!(POOL.install(&PORT));
        let other = Sleeper::default();
        // SAFETY: `Leave` leaves, and does not outlive the worker.
        let _seat = Leave(unsafe { POOL.handle().raw.join(&other, false) }.unwrap());
        PORT.context.store(2, Relaxed);
        assert!(catch_unwind(|| POOL.run(&First)).is_err());
        assert_eq!((POOL.handle().unfinished(), other.0.count()), (1, 1));
    }

    /// A port that starts no worker, and unwinds instead when it is ready.
    struct Unwinding {
        context: AtomicUsize,
        is_ready: AtomicBool,
        unwind: fn(),
    }

    // SAFETY: the contexts of the test have different names, and it catches no panic.
    unsafe impl Port for Unwinding {
        fn context(&self) -> NonZeroUsize {
            NonZeroUsize::new(self.context.load(Relaxed)).unwrap()
        }

        fn now(&self) -> Option<Duration> {
            None
        }

        fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
            f(&crate::SpinWorker);
        }

        fn no_idle_worker(&self) -> Result<(), NoWorker> {
            if self.is_ready.swap(false, Relaxed) {
                (self.unwind)();
            }
            Ok(())
        }
    }

    #[test]
    fn the_port_is_told_of_work_for_which_no_unclaimed_worker_sleeps() {
        static BOSS: Boss = Boss(AtomicUsize::new(0));
        let (pool, workers) = (Pool::new(), sleepers());
        assert!(pool.install(&BOSS));
        let told = || BOSS.0.load(Relaxed);
        pool.handle().raw.wake_worker();
        assert_eq!(told(), 1);
        let seats = join(&pool, &workers[..1]);
        pool.handle().raw.wake_worker();
        assert_eq!(told(), 2);
        seats[0].0.announce();
        pool.handle().raw.wake_worker();
        assert_eq!(told(), 2);
        pool.handle().raw.wake_worker();
        assert_eq!(told(), 3);
    }
}
