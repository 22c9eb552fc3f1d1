//! A pool's life: workers join and leave, the pool is shut down, or it breaks.

use core::{
    mem,
    task::{Poll, Waker},
    time::Duration,
};

use crate::{
    engine::block::{self, Awaited, Limit},
    engine::seats::Leave,
    engine::settle::Published,
    engine::waiters::Registration,
    engine::{end, guard, run, settle},
    error::{Blocked, BrokenReason, InitError, LossReason, RunError, ShutdownError},
    lockfree::defer::{Defer, each},
    lockfree::state::{BUSY, Loss, MAX_PRIORITIES, Outcome, SUSPENDED},
    lockfree::sync::{Ordering, fence},
    log::{trace, warning},
    machine::port::Port,
    machine::worker::{Guest, Sleepless, Worker, WorkerId},
    memory::joined::Stay,
    memory::phase::{CANCELLING, SHUT_DOWN},
    memory::pool::{Machine, Pool},
    memory::seat::{DependsOn, SLEEPLESS, SeatRef},
    memory::waiter::{LEAVING, SHARED},
};

/// The consequence of a lost worker for the rest of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnLoss {
    /// The other workers go on, and run the queued jobs. If there is no other worker, queued jobs
    /// wait for the next one: a caller that is blocked already does not begin to run them.
    Continue,
    /// The pool breaks: queued jobs fail, and later submits are refused.
    Break,
}

pub(crate) fn stay<W: Worker>(pool: Pool<'_>, worker: &W) -> Result<(), RunError> {
    let least = worker.least_priority().min(MAX_PRIORITIES - 1);
    stay_seated(pool, worker, least, |seat, least| {
        work(pool, worker, seat, least);
    })
}

/// Joins as a worker, and calls `work` with the worker's seat and `least`, the least priority of the jobs
/// that the worker takes. Returns when `work` does.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn stay_seated<'p, W: Worker>(
    pool: Pool<'p>,
    worker: &W,
    least: usize,
    work: impl FnOnce(SeatRef<'p>, usize),
) -> Result<(), RunError> {
    let urgency = worker.urgency();
    if let Some(reason) = pool.phase().broken_reason() {
        return Err(RunError::Broken(reason));
    }
    if pool.seats().current().is_some() {
        return Err(RunError::AlreadyWorker);
    }
    // SAFETY: `Leave` gives the seat back before `worker` goes away.
    let seat =
        unsafe { pool.seats().join(worker, Stay::Worker) }.ok_or(RunError::TooManyWorkers)?;
    if urgency > 0 || least > 0 {
        // SAFETY: joined just now, and `leave` is called later.
        unsafe { seat.state_rank(urgency, least) };
    }
    // A worker that panics outside of its jobs does not come back. If it was the last, the pool
    // breaks, so that no caller waits for another worker.
    let unwound = Defer(|| {
        if pool.joined().has_no_worker() {
            break_with(pool, BrokenReason::WorkerLost(LossReason::UNWOUND));
        } else if pool.queues().has_any() {
            // The worker may have been claimed for work that it has not done.
            pool.seats().wake_one();
        }
    });
    let leave = Leave(seat);
    let started = guard::catch(pool, || worker.on_start(seat.id()));
    let started = started.unwrap_or_else(|panic| {
        guard::report(pool, panic);
        Err(InitError::PANICKED)
    });
    if let Err(error) = started {
        let _broken = Defer(|| break_with(pool, BrokenReason::Initializer(error)));
        warning!("worker {} could not start: {}", seat.id().index(), error.0);
    }
    work(seat, least);
    let lost = seat.is_lost();
    drop(leave);
    unwound.disarm();
    if lost {
        return Err(RunError::DeclaredLost);
    }
    match pool.phase().broken_reason() {
        Some(reason) => Err(RunError::Broken(reason)),
        None => Ok(()),
    }
}

fn work<'p, W: Worker>(pool: Pool<'p>, worker: &W, seat: SeatRef<'p>, kept_for: usize) {
    let mut round = 0;
    // The worker was claimed for some work, and has not taken any since.
    let mut woken = false;
    loop {
        if !seat.is_lost()
            && let Some(index) = pool.queues().pop_from(least(pool, kept_for))
        {
            if mem::take(&mut woken) && pool.queues().has_any() {
                // The port may unwind, and the worker does not come back then. The index is queued
                // again, for another worker.
                let unwound = Defer(|| {
                    let priority = pool.slot(index).state.load().priority();
                    pool.queues().push(index, priority);
                });
                // The submitter of the next job may have been stopped before it woke another
                // worker.
                pool.seats().wake_one();
                unwound.disarm();
            }
            run::popped(pool, index, seat.runner(), Some(worker));
            round = 0;
            continue;
        }
        if kept_for > 0 && mem::take(&mut woken) {
            // The wake-up is for a job of a lower priority.
            pool.seats().hand_on();
        }
        if end::is_over(pool) || seat.is_lost() {
            break;
        }
        if !worker.stays() {
            // The look at the queue comes after the answer: it finds the jobs that were queued before
            // the worker was sent away.
            if pool.queues().has_any_from(least(pool, kept_for)) {
                continue;
            }
            break;
        }
        if worker.spin(round) {
            round = round.saturating_add(1);
            continue;
        }
        woken |= sleep(pool, worker, seat, kept_for);
    }
}

/// The least priority of the jobs that a worker takes now. `kept_for` is its own. A pool that is closed
/// gets no urgent job any more, and its last jobs need a worker.
#[inline(always)]
fn least(pool: Pool<'_>, kept_for: usize) -> usize {
    if kept_for > 0 && pool.phase().is_closed() {
        0
    } else {
        kept_for
    }
}

/// Sleeps, if nothing is left to do. True if the worker was claimed for some work meanwhile.
fn sleep<'p, W: Worker>(pool: Pool<'p>, worker: &W, seat: SeatRef<'p>, kept_for: usize) -> bool {
    seat.announce();
    // A blocked worker counts on the others to run what is queued, and this one does not.
    let _is_blocked = (kept_for > 0).then(|| {
        let blocked = seat.block(DependsOn::Others);
        pool.seats().leave_to_blocked(seat);
        blocked
    });
    // `stays` is asked again: `spin` may have slept, and used up the wake-up of the party that sends the
    // worker away.
    if !pool.queues().has_any_from(least(pool, kept_for)) && !end::is_over(pool) && worker.stays() {
        worker.park(None);
    }
    seat.retract()
}

#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn run_pending(pool: Pool<'_>, max: usize) -> usize {
    match pool.machine_in(pool.phase().bits()) {
        Some(machine) => machine.run_pending(pool, max),
        None => run::as_guest(pool, max),
    }
}

/// Ends every job that no party is at work on.
fn end_all(pool: Pool<'_>, outcome: Outcome) {
    // The caller reaps the indices even if a job's destructor or a callback unwinds.
    let _reaped = Defer(|| pool.slots().reap());
    each(pool.used_slots(), |index| {
        settle::cancel(pool, pool.slot(index), outcome);
    });
}

pub(crate) fn break_with(pool: Pool<'_>, reason: BrokenReason) {
    let _told = Defer(|| pool.seats().wake_all());
    if pool.phase().set_broken(reason) {
        let _ended = Defer(|| end_all(pool, Outcome::Broken));
        warning!("pool broken");
    }
}

/// Shuts the pool down. With `cancel_futures`, the caller ends every job that no party is at work
/// on.
pub(crate) fn begin_shutdown(pool: Pool<'_>, cancel_futures: bool) {
    pool.phase().enter(if cancel_futures {
        SHUT_DOWN | CANCELLING
    } else {
        SHUT_DOWN
    });
    let _told = Defer(|| pool.seats().wake_all());
    if cancel_futures {
        end_all(pool, Outcome::Cancelled);
    }
}

pub(crate) fn shutdown(
    pool: Pool<'_>,
    wait: bool,
    cancel_futures: bool,
    timeout: Option<Duration>,
) -> Result<(), ShutdownError> {
    let limit = Limit::after(pool, timeout).map_err(|_| ShutdownError::NoClock)?;
    begin_shutdown(pool, cancel_futures);
    if !wait {
        return Ok(());
    }
    if pool.seats().current().is_some() {
        return Err(ShutdownError::WouldDeadlock);
    }
    let mut wait = AwaitedEnd::new(pool);
    let waited = block::wait(pool, &mut wait, limit);
    if wait.refused {
        return Err(ShutdownError::TooManyWaiters);
    }
    match waited {
        Ok(()) => Ok(()),
        Err(Blocked::WouldDeadlock) => Err(ShutdownError::WouldDeadlock),
        Err(Blocked::TooManyWaiters) => Err(ShutdownError::TooManyWaiters),
        Err(Blocked::TimedOut | Blocked::NoClock) => Err(ShutdownError::StillRunning {
            jobs: pool.slots().count_unended(BUSY | SUSPENDED),
            workers: pool.joined().count(),
        }),
    }
}

pub(crate) fn worker_lost(pool: Pool<'_>, worker: WorkerId, on_loss: OnLoss) {
    let Some(seat) = pool.seat(worker.index()) else {
        return;
    };
    // The hold lasts until the last slot was looked at: a later worker with this number keeps its
    // jobs.
    let Some(_hold) = seat.lose(worker) else {
        return;
    };
    // Other workers may have stayed for a task of the lost worker.
    let _told = Defer(|| pool.seats().wake_all_at_the_end());
    // If a callback, the logger, or the port unwinds, the other jobs still end.
    let ended = Defer(|| {
        let _woken = Defer(|| {
            // A job whose outcome was shown to the holders of a shared future stays the worker's. The
            // worker may have stopped before it woke the holders.
            // Pairs with the fence of `SharedWait::poll` (`engine/shared.rs`): either the place is
            // seen here, or the waiter sees the outcome that `lose` has seen.
            // Unseen by loom, SeqCst: in a model, each worker comes to the point where it wakes the
            // holders itself. The fence counts if a worker has stopped for ever before that point.
            fence(Ordering::SeqCst);
            pool.waiters().tell(SHARED);
        });
        each(pool.used_slots(), |index| {
            let slot = pool.slot(index);
            match slot.state.lose(seat.runner()) {
                Loss::None => {}
                // SAFETY: `Shown` is a scoped job, so the worker never runs again (the promise of the
                // caller of `worker_lost`). It stays BUSY with the job, and never counts it out.
                Loss::Shown => unsafe { settle::leave_scope(pool, slot) },
                Loss::TakenOver => {
                    let outcome = Outcome::WorkerLost;
                    let _settled = Defer(|| {
                        // SAFETY: `lose` made the caller the completer, and keeps the slot occupied.
                        unsafe { settle::finish(pool, slot, outcome, Published::Yes) };
                    });
                    trace!("job {} ends: {:?}", slot.index(), outcome);
                }
            }
        });
    });
    // SAFETY: the caller has the guard of `lose`.
    unsafe { seat.tell_of_loss() };
    warning!("worker {} lost", worker.index());
    drop(ended);
    if on_loss == OnLoss::Break {
        break_with(pool, BrokenReason::WorkerLost(LossReason::DECLARED));
    } else if pool.queues().has_any() {
        // The lost worker may have been claimed for work that it does not do any more.
        pool.seats().wake_one();
    }
}

/// Ends all queued jobs, so that each is dropped: the pool's memory goes away. No other party has a
/// reference to the pool any more.
pub(crate) fn drop_jobs(pool: Pool<'_>) {
    pool.phase().enter(SHUT_DOWN | CANCELLING);
    end_all(pool, Outcome::Cancelled);
}

/// A wait until all work has ended and the last worker has left.
pub(crate) struct AwaitedEnd<'p> {
    pool: Pool<'p>,
    place: Option<Registration<'p>>,
    /// No place for a waiter was left.
    refused: bool,
}

impl<'p> AwaitedEnd<'p> {
    pub(crate) fn new(pool: Pool<'p>) -> Self {
        Self {
            pool,
            place: None,
            refused: false,
        }
    }

    pub(crate) fn pool(&self) -> Pool<'p> {
        self.pool
    }

    /// Leaves the waker until the pool is at its end.
    pub(crate) fn poll_end(&mut self, waker: &Waker) -> Poll<Result<(), ShutdownError>> {
        if !self.poll(Some(waker)) {
            return Poll::Pending;
        }
        Poll::Ready(if self.refused {
            Err(ShutdownError::TooManyWaiters)
        } else {
            Ok(())
        })
    }
}

impl<'p> Awaited<'p> for AwaitedEnd<'p> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        let pool = self.pool;
        if let Some(waker) = waker
            && self.place.as_ref().is_none_or(|place| !place.is_for(waker))
        {
            self.place = None;
            self.place = pool.waiters().register(waker, LEAVING);
        }
        // No worker may come to take out the indices of jobs that have ended in the queue, so this
        // caller reaps them. The fence pairs with that of `Seats::wake_all` (`engine/wakeups.rs`).
        // Either this caller sees that the jobs have ended, or the party that ended them sees this
        // caller's place.
        fence(Ordering::SeqCst);
        pool.slots().reap();
        let own_stay = usize::from(pool.seats().current().is_some());
        // The fence in `end::is_over` pairs with that of `Seats::tell_of_leaving`
        // (`engine/wakeups.rs`), too. Either the leaving worker sees the place, or this caller sees
        // that it has left. The caller looks at the queue before the count. The worker that popped
        // the last job had been counted in before its pop.
        let over = end::is_over(pool) && pool.joined().count() == own_stay;
        self.refused = waker.is_some() && !over && self.place.is_none();
        over || self.refused
    }
}

impl<P: Port> Machine for P {
    fn run_pending(&self, pool: Pool<'_>, max: usize) -> usize {
        run_pending_by(self, pool, max)
    }
}

fn run_pending_by(port: &dyn Port, pool: Pool<'_>, max: usize) -> usize {
    if let Some(seat) = pool.seats().current() {
        let count = run::some(pool, Some(seat), max);
        // The last task may have ended, and the worker stays.
        pool.seats().wake_all_at_the_end();
        return count;
    }
    let (mut count, mut has_parker) = (None, false);
    port.with_parker(&mut |parker| {
        has_parker = true;
        let caller = Guest(parker);
        // SAFETY: `Leave` gives the seat back at the end of this closure, before `caller` goes
        // away.
        count = unsafe { pool.seats().join(&caller, Stay::Guest) }.map(|seat| {
            let leave = Leave(seat);
            run::some(pool, Some(leave.0), max)
        });
    });
    if count.is_none() && !has_parker {
        // SAFETY: `Leave` gives the seat back at the end of this block, and `Sleepless` is a
        // constant.
        count = unsafe { pool.seats().join(&Sleepless, Stay::Guest) }.map(|seat| {
            let leave = Leave(seat);
            seat.set(SLEEPLESS);
            run::some(pool, Some(leave.0), max)
        });
    }
    // No seat may be left.
    count.unwrap_or_else(|| run::as_guest(pool, max))
}
