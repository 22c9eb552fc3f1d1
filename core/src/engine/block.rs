//! Blocking: one engine for every call that waits.
//!
//! A caller waits for an [`Awaited`]. Its `poll` leaves the given waker where the wait's end wakes
//! it, and returns whether the wait is over. Without a waker, `poll` only looks. A caller that spins
//! looks some hundreds of times before it sleeps. A look is cheap, except in a wait for room, which
//! searches the queue.
//!
//! The engine decides what the caller does meanwhile:
//!
//! | caller | meanwhile |
//! |---|---|
//! | a job on a worker of this pool | runs the job that it waits for, if no party has begun it; sleeps unless every other worker is blocked; if so, runs the oldest queued job |
//! | any other context | sleeps; if the pool has no worker and the port agrees, runs queued jobs in order, as a guest in a worker's seat |
//! | a context without a parker, which may not block | gets `WouldDeadlock` |
//! | any context, if there is no port | spins; runs the job that it waits for, and queued jobs if the pool has no worker |
//!
//! So a job that waits runs only jobs on its stack that it waits for. A lock or borrow that it
//! holds does not block an unrelated job. Its stack is only as deep as its dependencies. (.NET's
//! `Task.Wait` runs its own task, and no other, in the same way.)
//!
//! One exception keeps the pool going. If *every* worker is blocked and no further worker can be
//! started, the last one to block runs the oldest queued job. A task may need that job, or it may
//! keep a promise.
//!
//! A wait without a time limit that could never end returns `WouldDeadlock`: see [`circle`].

use core::{task::Waker, time::Duration};

#[cfg(feature = "remote")]
use crate::memory::seat::REMOTE;
use crate::{
    engine::seats::Leave,
    engine::{circle, end, run},
    error::Blocked,
    lockfree::state::{Snapshot, TASK},
    lockfree::sync::{Ordering, fence, spin_loop},
    machine::port::{Parker, Port},
    machine::worker::{Guest, Worker},
    memory::joined::Stay,
    memory::pool::Pool,
    memory::seat::{DependsOn, SLEEPLESS, SeatRef},
    memory::slot::SlotRef,
    memory::waiter::LEAVING,
};

/// The condition that a blocked caller waits for.
pub(crate) trait Awaited<'p> {
    /// Leaves the waker, if one is given. Returns whether the wait is over.
    fn poll(&mut self, waker: Option<&Waker>) -> bool;

    /// The jobs that the end of the wait depends on.
    fn depends_on(&self) -> DependsOn {
        DependsOn::Others
    }

    /// Begins a job that the wait is for, and that no party has begun. `runner` is as for
    /// [`State::begin`](crate::lockfree::state::State::begin).
    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        let _ = runner;
        None
    }
}

/// The limit of a wait.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// The time, by the port's clock.
    At(Duration),
    /// None. The wait has the code that only such a wait needs.
    Never(&'static Endless),
}

/// The functions that only a wait without a limit calls. A program in which each wait has a limit has no
/// code for them.
pub(crate) struct Endless {
    is_in_circle: for<'p> fn(Pool<'p>, SeatRef<'p>, DependsOn) -> bool,
    count_queued: for<'p> fn(Pool<'p>) -> usize,
    wait_unknown: for<'p> fn(Pool<'p>, &mut dyn Awaited<'p>),
}

impl Limit {
    pub(crate) const NEVER: Self = Self::Never(&Endless {
        is_in_circle: circle::is_in,
        count_queued: |pool| pool.queues().len(),
        wait_unknown,
    });

    /// The limit that is `timeout` from now, at most at the end of the clock's range.
    pub(crate) fn after(pool: Pool<'_>, timeout: Option<Duration>) -> Result<Self, Blocked> {
        let Some(timeout) = timeout else {
            return Ok(Self::NEVER);
        };
        let now = pool.port().and_then(Port::now).ok_or(Blocked::NoClock)?;
        Ok(Self::At(now.saturating_add(timeout)))
    }
}

/// Waits, until the limit at most.
pub(crate) fn wait<'p>(
    pool: Pool<'p>,
    wait: &mut dyn Awaited<'p>,
    limit: Limit,
) -> Result<(), Blocked> {
    if wait.poll(None) {
        return Ok(());
    }
    let Some(port) = pool.port() else {
        let Limit::Never(endless) = limit else {
            return Err(Blocked::NoClock);
        };
        (endless.wait_unknown)(pool, wait);
        return Ok(());
    };
    let mut blocking = Blocking {
        pool,
        port,
        wait,
        limit,
    };
    if let Some(seat) = pool.seats().current() {
        // SAFETY: `current` returned the seat, so this is the context of its worker. A worker's
        // context runs other code than the worker's own only inside its run loop.
        let worker = unsafe { seat.worker() };
        if let Some(worker) = worker
            && let InSeat::Over(result) = blocking.as_worker(seat, worker)
        {
            return result;
        }
    }
    let mut blocking = Some(&mut blocking);
    // The port calls the closure only if it has a parker for this context.
    let mut result = Err(Blocked::WouldDeadlock);
    port.with_parker(&mut |parker| {
        if let Some(blocking) = blocking.take() {
            result = blocking.outside(parker);
        }
    });
    result
}

fn wait_unknown<'p>(pool: Pool<'p>, wait: &mut dyn Awaited<'p>) {
    while !wait.poll(None) {
        let ran = if pool.joined().has_no_worker() {
            pool.queues().has_any() && run::as_guest(pool, 1) > 0
        } else {
            run_awaited(pool, wait, None, None)
        };
        if !ran {
            spin_loop();
        }
    }
}

/// How a wait in a seat was left.
enum InSeat {
    /// The wait is over, or is refused.
    Over(Result<(), Blocked>),
    /// The seat is of no more use. The caller goes on to wait without one.
    WaitOn,
}

/// A caller that is blocked.
struct Blocking<'a, 'p> {
    pool: Pool<'p>,
    port: &'a dyn Port,
    wait: &'a mut dyn Awaited<'p>,
    limit: Limit,
}

impl<'p> Blocking<'_, 'p> {
    /// Leaves the waker, if one is given. Returns the wait's result if it is over, by its end or by its
    /// limit.
    #[cfg_attr(target_os = "none", inline(never))]
    fn poll(&mut self, waker: Option<&Waker>) -> Option<Result<(), Blocked>> {
        if self.wait.poll(waker) {
            Some(Ok(()))
        } else if self.has_passed() {
            Some(Err(Blocked::TimedOut))
        } else {
            None
        }
    }

    /// Whether the limit is over.
    #[cfg_attr(target_os = "none", inline(never))]
    fn has_passed(&self) -> bool {
        let Limit::At(deadline) = self.limit else {
            return false;
        };
        self.port.now().is_some_and(|now| now >= deadline)
    }

    /// Sleeps until a wake-up, or until the limit is over.
    #[cfg_attr(target_os = "none", inline(never))]
    fn sleep(&self, parker: &dyn Parker) {
        parker.park(match self.limit {
            Limit::At(deadline) => Some(deadline),
            Limit::Never(_) => None,
        });
    }

    fn outside(&mut self, parker: &dyn Parker) -> Result<(), Blocked> {
        let (pool, port) = (self.pool, self.port);
        let waker = parker.waker();
        let mut round = 0;
        let limit = self.limit;
        let queued = || match limit {
            Limit::At(_) => 0,
            Limit::Never(endless) => (endless.count_queued)(pool),
        };
        while port.spin(round, &queued) {
            if let Some(result) = self.poll(None) {
                return result;
            }
            round = round.saturating_add(1);
        }
        let mut turn = None;
        loop {
            if let Some(result) = self.poll(Some(&waker)) {
                return result;
            }
            if pool.joined().has_no_worker()
                && port.blocked_callers_run_jobs()
                && !end::is_over(pool)
            {
                let caller = Guest(parker);
                // SAFETY: left below, in this same context, while `caller` is alive.
                if let Some(seat) = unsafe { pool.seats().join(&caller, Stay::Guest) } {
                    let leave = Leave(seat);
                    let result = self.as_guest(seat, &caller);
                    drop(leave);
                    match result {
                        InSeat::Over(result) => return result,
                        InSeat::WaitOn => continue,
                    }
                }
                // Every seat is taken, by guests like this one. They may leave without running the
                // job that this caller waits for. So this caller waits for a seat.
                if turn.is_none() {
                    turn = pool.waiters().register(&waker, LEAVING);
                    // Pairs with the fence of `Seats::tell_of_leaving` (`engine/wakeups.rs`).
                    fence(Ordering::SeqCst);
                    if turn.is_none() {
                        return Err(Blocked::TooManyWaiters);
                    }
                    // A guest that leaves from now on wakes this caller.
                    continue;
                }
            }
            self.sleep(parker);
        }
    }

    /// Waits as a guest: runs queued jobs in order until the wait is over, or until
    /// [`end::is_over`].
    fn as_guest(&mut self, seat: SeatRef<'p>, worker: &dyn Worker) -> InSeat {
        let pool = self.pool;
        let waker = worker.waker();
        // The guest was claimed for some work, and has not taken any since.
        let mut owes_work = false;
        let result = loop {
            if let Some(result) = self.poll(None) {
                break InSeat::Over(result);
            }
            // Other contexts may wait for the pool's end, which comes only when all guests have left.
            if end::is_over(pool) {
                break InSeat::WaitOn;
            }
            if run::one(pool, seat.runner(), Some(worker)) {
                owes_work = false;
                tell_of_a_last_task(pool);
                continue;
            }
            seat.announce();
            if !pool.queues().has_any() && !self.wait.poll(Some(&waker)) && !end::is_over(pool) {
                self.sleep(worker);
            }
            owes_work |= retract(seat);
        };
        if owes_work && pool.queues().has_any() {
            pool.seats().wake_one();
        }
        result
    }

    /// Waits as the worker in `seat`, for a job that runs there, until the wait is over or the worker
    /// is declared lost.
    fn as_worker(&mut self, seat: SeatRef<'p>, worker: &dyn Worker) -> InSeat {
        let (pool, port) = (self.pool, self.port);
        // Mostly this suffices: no party has begun the job that the caller waits for.
        if !seat.is_lost()
            && !leaves_to_others(seat, self.wait)
            && !self.has_passed()
            && run_awaited(pool, self.wait, Some(seat), Some(worker))
            && self.wait.poll(None)
        {
            return InSeat::Over(Ok(()));
        }
        let waker = worker.waker();
        let mut round = 0;
        // The wake-up is handed on even if a job or the worker unwinds.
        let mut owed = Owed {
            pool,
            seat,
            work: false,
        };
        loop {
            if let Some(result) = self.poll(None) {
                return InSeat::Over(result);
            }
            if seat.is_lost() {
                return InSeat::WaitOn;
            }
            if leaves_to_others(seat, self.wait) {
                return InSeat::Over(Err(Blocked::WouldDeadlock));
            }
            if run_awaited(pool, self.wait, Some(seat), Some(worker)) {
                round = 0;
                continue;
            }
            if seat.is(SLEEPLESS) {
                return InSeat::Over(Err(Blocked::WouldDeadlock));
            }
            let spins = worker.spin(round);
            if spins {
                round = round.wrapping_add(1);
                if !round.is_multiple_of(LOOK_AFTER) {
                    continue;
                }
            }
            // A set's members refer to the set only after this poll has left the waker. Other workers
            // can see them from then on.
            if self.wait.poll(Some(&waker)) {
                return InSeat::Over(Ok(()));
            }
            let depends_on = match self.limit {
                Limit::Never(_) => self.wait.depends_on(),
                Limit::At(_) => DependsOn::Others,
            };
            let blocked = seat.block(depends_on);
            // Pairs with the same fence in another worker that blocks: one of the two sees that the
            // other is blocked.
            fence(Ordering::SeqCst);
            if let Limit::Never(endless) = self.limit
                && (endless.is_in_circle)(pool, seat, depends_on)
            {
                return InSeat::Over(Err(Blocked::WouldDeadlock));
            }
            if pool.queues().has_any() {
                // The port's answer does not matter: the job that waits goes on in either case.
                let _ = port.no_idle_worker();
            }
            let is_last = !port.worker_is_coming() && pool.seats().all_are_blocked();
            if is_last {
                seat.announce();
                if pool.queues().has_any() {
                    owed.work |= retract(seat);
                    drop(blocked);
                    owed.work &= !run::one(pool, seat.runner(), Some(worker));
                    round = 0;
                    tell_of_a_last_task(pool);
                    continue;
                }
            } else if owed.work && pool.queues().has_any() {
                owed.work = false;
                pool.seats().wake_one();
            }
            // A worker that spins shows itself as blocked for as long as another worker may need to
            // look.
            let mut sleeps = !spins;
            for round in 0..if spins { LOOK_AFTER } else { 0 } {
                sleeps = !worker.spin(round);
                if sleeps || self.wait.poll(None) {
                    break;
                }
            }
            if sleeps {
                self.sleep(worker);
            }
            if is_last {
                owed.work |= retract(seat);
            }
        }
    }
}

/// Runs a job that `wait` is for and that no party has begun. False if there is none.
fn run_awaited<'p>(
    pool: Pool<'p>,
    wait: &mut dyn Awaited<'p>,
    seat: Option<SeatRef<'p>>,
    worker: Option<&dyn Worker>,
) -> bool {
    let runner = seat.map_or(0, SeatRef::runner);
    let Some((slot, begun)) = wait.begin(runner) else {
        return false;
    };
    let _counted = seat.is_none().then(|| run::count_guest(pool));
    run::step_or_end(pool, slot, begun, worker);
    if begun.has(TASK) {
        tell_of_a_last_task(pool);
    }
    true
}

/// Wakes the parties that wait for the pool's end, if it has come. The caller has run a job, which may
/// have been the last task, and stays.
#[cfg_attr(target_os = "none", inline(never))]
fn tell_of_a_last_task(pool: Pool<'_>) {
    pool.seats().wake_all_at_the_end();
}

/// Takes the announcement of a sleep back. One copy of the code serves all waits on a chip.
#[cfg_attr(target_os = "none", inline(never))]
fn retract(seat: SeatRef<'_>) -> bool {
    seat.retract()
}

/// Whether the worker in this seat may neither wait like this nor run the job that it waits for.
fn leaves_to_others<'p>(seat: SeatRef<'p>, wait: &dyn Awaited<'p>) -> bool {
    // While a remote worker waits, no context serves its link, so it waits for its scopes only. The
    // jobs that it has to send are not to be run on this side.
    #[cfg(feature = "remote")]
    return seat.is(REMOTE) && !matches!(wait.depends_on(), DependsOn::Scope(_));
    #[cfg(not(feature = "remote"))]
    {
        let _ = (seat, wait);
        false
    }
}

/// The rounds after which a worker that spins and does not sleep looks for a circle.
const LOOK_AFTER: u32 = 1_024;

/// A wake-up for work that a blocked worker was claimed for, and has to hand on if it takes none.
struct Owed<'p> {
    pool: Pool<'p>,
    seat: SeatRef<'p>,
    work: bool,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        // If the worker has unwound while it slept, its idle bit is still set.
        self.work |= retract(self.seat);
        if self.work && self.pool.queues().has_any() {
            self.pool.seats().wake_one();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
