//! Blocking: one engine for every call that waits.
//!
//! A caller waits for an [`Awaited`]: it leaves the given waker where it will be woken and says
//! whether it is over. Without a waker it only looks, some hundreds of times before a caller
//! goes to sleep. That is cheap, but for a wait for room, which looks through the queue. The engine decides what the caller does meanwhile.
//!
//! | caller | meanwhile |
//! |---|---|
//! | a job on a worker of this pool | runs the job that it waits for, if nobody has begun it; sleeps while another worker is not blocked; else runs the oldest queued job |
//! | anybody else | sleeps; runs the queue in order, in a worker's seat, if the pool has no worker and the port agrees |
//! | in a context that may not block, says the port | gets `WouldDeadlock` |
//! | unknown, since there is no port | spins; runs the job that it waits for, and the queue if the pool has no worker |
//!
//! So a job that waits runs nothing on its stack that it does not wait for: what it holds, a lock or a
//! borrow, is not in the way of an unrelated job, and the depth of its stack is that of its dependencies.
//! The one exception keeps the pool going: where *every* worker is blocked and no further one can be
//! started, the last one runs the oldest queued job. It may be what a task needs, or who keeps a promise.
//! (.NET's `Task.Wait` runs its own task, and nothing else, in the same way.)
//!
//! A wait without a time limit that could never end gets `WouldDeadlock`: see [`circle`].

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

/// What a blocked caller waits for.
pub(crate) trait Awaited<'p> {
    /// Leaves the waker, if one is given, and says whether the wait is over.
    fn poll(&mut self, waker: Option<&Waker>) -> bool;

    /// On which jobs it depends whether the wait ever ends.
    fn depends_on(&self) -> DependsOn {
        DependsOn::Others
    }

    /// Begins a job that the wait is for, and that nobody has begun. `runner` as for
    /// [`State::begin`](crate::lockfree::state::State::begin).
    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        let _ = runner;
        None
    }
}

/// The moment `timeout` from now, for a deadline.
pub(crate) fn deadline_in(
    pool: Pool<'_>,
    timeout: Option<Duration>,
) -> Result<Option<Duration>, Blocked> {
    let Some(timeout) = timeout else {
        return Ok(None);
    };
    let now = pool.port().and_then(Port::now).ok_or(Blocked::NoClock)?;
    // A deadline past the clock's end is none.
    Ok(now.checked_add(timeout))
}

/// Waits, until `deadline` at most, by the port's clock. `None` is without limit.
pub(crate) fn wait<'p>(
    pool: Pool<'p>,
    wait: &mut dyn Awaited<'p>,
    deadline: Option<Duration>,
) -> Result<(), Blocked> {
    if wait.poll(None) {
        return Ok(());
    }
    let Some(port) = pool.port() else {
        wait_unknown(pool, wait);
        return Ok(());
    };
    if let Some(seat) = pool.seats().current() {
        // SAFETY: the port says that this is the context of that worker, and a worker's context
        // runs other code than the worker's only inside the run loop.
        let worker = unsafe { seat.worker() };
        if let Some(worker) = worker
            && let Some(result) = wait_as_worker(pool, port, wait, deadline, seat, worker)
        {
            return result;
        }
    }
    let mut wait = Some(wait);
    // A port that has no parker for this context does not call.
    let mut result = Err(Blocked::WouldDeadlock);
    port.with_parker(&mut |parker| {
        if let Some(wait) = wait.take() {
            result = wait_outside(pool, port, wait, deadline, parker);
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

fn wait_outside<'p>(
    pool: Pool<'p>,
    port: &dyn Port,
    wait: &mut dyn Awaited<'p>,
    deadline: Option<Duration>,
    parker: &dyn Parker,
) -> Result<(), Blocked> {
    let waker = parker.waker();
    let mut round = 0;
    let queued = || deadline.map_or_else(|| pool.queues().len(), |_| 0);
    while port.spin(round, &queued) {
        if wait.poll(None) {
            return Ok(());
        }
        if is_over(port, deadline) {
            return Err(Blocked::TimedOut);
        }
        round = round.saturating_add(1);
    }
    let mut turn = None;
    loop {
        if wait.poll(Some(&waker)) {
            return Ok(());
        }
        if is_over(port, deadline) {
            return Err(Blocked::TimedOut);
        }
        if pool.joined().has_no_worker() && port.lends_blocked_callers() && !end::is_over(pool) {
            let caller = Guest(parker);
            // SAFETY: left below, in this same context, while `caller` is alive.
            if let Some(seat) = unsafe { pool.seats().join(&caller, Stay::Guest) } {
                let leave = Leave(seat);
                let result = wait_as_guest(pool, port, wait, deadline, seat, &caller);
                drop(leave);
                match result {
                    Some(result) => return result,
                    None => continue,
                }
            }
            // Every seat is taken by a caller like this one. It will not run this caller's job
            // if it leaves before, so this one takes its seat then.
            if turn.is_none() {
                turn = pool.waiters().register(&waker, LEAVING);
                // Pairs with the fence of `Seats::tell_of_leaving`.
                fence(Ordering::SeqCst);
                if turn.is_none() {
                    return Err(Blocked::TooManyWaiters);
                }
                // Who leaves from now on tells.
                continue;
            }
        }
        parker.park(deadline);
    }
}

/// A caller that lends itself, since the pool has no worker, runs the queue in order until its wait is
/// over. `None`: there is no other job any more; it waits on like anybody else.
fn wait_as_guest<'p>(
    pool: Pool<'p>,
    port: &dyn Port,
    wait: &mut dyn Awaited<'p>,
    deadline: Option<Duration>,
    seat: SeatRef<'p>,
    worker: &dyn Worker,
) -> Option<Result<(), Blocked>> {
    let waker = worker.waker();
    // Woken for some work and has not taken any since.
    let mut owes_work = false;
    let result = loop {
        if wait.poll(None) {
            break Some(Ok(()));
        }
        // Others may wait for the pool's end, and that is when all have gone.
        if end::is_over(pool) {
            break None;
        }
        if is_over(port, deadline) {
            break Some(Err(Blocked::TimedOut));
        }
        if run::one(pool, Some(seat), Some(worker)) {
            owes_work = false;
            // It may have been the last task, and the caller stays.
            pool.seats().wake_all_at_the_end();
            continue;
        }
        seat.announce();
        if !pool.queues().has_any() && !wait.poll(Some(&waker)) && !end::is_over(pool) {
            worker.park(deadline);
        }
        owes_work |= seat.retract();
    };
    if owes_work && pool.queues().has_any() {
        pool.seats().wake_one();
    }
    result
}

/// Waits as the worker in `seat`, on which a job waits. `None`: it was declared lost; it waits on like
/// anybody else.
fn wait_as_worker<'p>(
    pool: Pool<'p>,
    port: &dyn Port,
    wait: &mut dyn Awaited<'p>,
    deadline: Option<Duration>,
    seat: SeatRef<'p>,
    worker: &dyn Worker,
) -> Option<Result<(), Blocked>> {
    // Most often this is all: nobody has begun the job.
    if !seat.is_lost()
        && !leaves_to_others(seat, wait)
        && !is_over(port, deadline)
        && run_awaited(pool, wait, Some(seat), Some(worker))
        && wait.poll(None)
    {
        return Some(Ok(()));
    }
    let waker = worker.waker();
    let mut round = 0;
    // Woken for some work and has not taken any since. Handed on even if a job or the worker unwinds.
    let mut owed = Owed {
        pool,
        seat,
        work: false,
    };
    loop {
        if wait.poll(None) {
            return Some(Ok(()));
        }
        if seat.is_lost() {
            return None;
        }
        if is_over(port, deadline) {
            return Some(Err(Blocked::TimedOut));
        }
        if leaves_to_others(seat, wait) {
            return Some(Err(Blocked::WouldDeadlock));
        }
        if run_awaited(pool, wait, Some(seat), Some(worker)) {
            round = 0;
            continue;
        }
        if seat.is(SLEEPLESS) {
            return Some(Err(Blocked::WouldDeadlock));
        }
        let spins = worker.spin(round);
        if spins {
            round = round.wrapping_add(1);
            if !round.is_multiple_of(LOOK_AFTER) {
                continue;
            }
        }
        // With the waker left, a set's members can be seen by all.
        if wait.poll(Some(&waker)) {
            return Some(Ok(()));
        }
        let depends_on = match deadline {
            None => wait.depends_on(),
            Some(_) => DependsOn::Others,
        };
        let blocked = seat.block(depends_on);
        // Pairs with itself, in another worker that blocks: one of two sees that the other is blocked.
        fence(Ordering::SeqCst);
        if circle::is_in(pool, seat, depends_on) {
            return Some(Err(Blocked::WouldDeadlock));
        }
        if pool.queues().has_any() {
            // Whether or not it can: nobody is to be told, since the job that waits goes on.
            let _ = port.no_idle_worker();
        }
        let is_last = !port.worker_is_coming() && pool.seats().all_are_blocked();
        if is_last {
            seat.announce();
            if pool.queues().has_any() {
                owed.work |= seat.retract();
                drop(blocked);
                owed.work &= !run::one(pool, Some(seat), Some(worker));
                round = 0;
                // It may have been the last task, and the caller stays.
                pool.seats().wake_all_at_the_end();
                continue;
            }
        } else if owed.work && pool.queues().has_any() {
            owed.work = false;
            pool.seats().wake_one();
        }
        // A worker that spins is seen to be blocked for as long as another may take to look.
        let mut sleeps = !spins;
        for round in 0..if spins { LOOK_AFTER } else { 0 } {
            sleeps = !worker.spin(round);
            if sleeps || wait.poll(None) {
                break;
            }
        }
        if sleeps {
            worker.park(deadline);
        }
        if is_last {
            owed.work |= seat.retract();
        }
    }
}

/// Runs a job that `wait` is for and that nobody has begun. False if there is none.
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
        // It may have been the last, and the caller stays.
        pool.seats().wake_all_at_the_end();
    }
    true
}

/// Whether a wait like this is not for the worker in this seat, nor the job that it waits for.
fn leaves_to_others<'p>(seat: SeatRef<'p>, wait: &dyn Awaited<'p>) -> bool {
    // While a remote worker waits, nobody looks after its link: it waits for its scopes only. And
    // what travels is not for this side to run.
    #[cfg(feature = "remote")]
    return seat.is(REMOTE) && !matches!(wait.depends_on(), DependsOn::Scope(_));
    #[cfg(not(feature = "remote"))]
    {
        let _ = (seat, wait);
        false
    }
}

/// A worker that spins and does not sleep looks for a circle once in so many rounds.
const LOOK_AFTER: u32 = 1_024;

/// A wake-up for work that a blocked worker has got.
struct Owed<'p> {
    pool: Pool<'p>,
    seat: SeatRef<'p>,
    work: bool,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        // If the worker has unwound while it slept, it is still announced.
        self.work |= self.seat.retract();
        if self.work && self.pool.queues().has_any() {
            self.pool.seats().wake_one();
        }
    }
}

fn is_over(port: &dyn Port, deadline: Option<Duration>) -> bool {
    match (deadline, deadline.and_then(|_| port.now())) {
        (Some(deadline), Some(now)) => now >= deadline,
        _ => false,
    }
}
