//! A pool's life: workers come and go, the pool is shut down, or breaks.

use core::{mem, task::Waker, time::Duration};

use crate::{
    Parker,
    api::{pool_ref::PoolRef, wait::Registration},
    engine::{
        block::Awaited,
        seats::{Leave, SeatRef},
    },
    error::{Blocked, BrokenReason, InitError, LossReason, RunError, ShutdownError},
    lockfree::{
        defer::{Defer, each},
        state::{BUSY, Outcome, QUEUED, SUSPENDED},
        sync::{Ordering, fence},
    },
    log::{trace, warning},
    machine::worker::{Guest, Sleepless, Worker, WorkerId},
    memory::{
        payload::{PAYLOAD_ALIGN, Spill},
        pool::{CANCELLING, LEAVING, Pool, SHUT_DOWN, SLEEPLESS},
        scoped::ScopeState,
    },
};

/// The consequence of a lost worker for the rest of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnLoss {
    /// The other workers go on, and do what is queued. If there is none, that is for the next worker: a
    /// caller that blocks already does not lend itself.
    Continue,
    /// The pool is broken: what is queued fails, and later submits are refused.
    Break,
}

impl<'p> Pool<'p> {
    fn run<W: Worker>(self, worker: &W) -> Result<(), RunError> {
        self.run_seated(worker, |seat| self.work(worker, seat))
    }

    /// Calls `work` with a worker's seat; returns when that does.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn run_seated<W: Worker>(
        self,
        worker: &W,
        work: impl FnOnce(SeatRef<'p>),
    ) -> Result<(), RunError> {
        if let Some(reason) = self.broken_reason() {
            return Err(RunError::Broken(reason));
        }
        if self.current_worker().is_some() {
            return Err(RunError::AlreadyWorker);
        }
        // SAFETY: `Leave` leaves before `worker` goes away.
        let seat = unsafe { self.join(worker, false) }.ok_or(RunError::TooManyWorkers)?;
        // One that panics outside of its jobs does not come back. If it was the last, nobody is to wait for another.
        let unwound = Defer(|| {
            if self.has_no_worker() {
                self.break_with(BrokenReason::WorkerLost(LossReason::UNWOUND));
            } else if self.has_queued() {
                // It may have been woken for work that it has not done.
                self.wake_worker();
            }
        });
        let leave = Leave(seat);
        let started = self.catch_panic(|| worker.on_start(seat.id()));
        let started = started.unwrap_or_else(|panic| {
            self.report(panic);
            Err(InitError::PANICKED)
        });
        if let Err(error) = started {
            let _broken = Defer(|| self.break_with(BrokenReason::Initializer(error)));
            warning!("worker {} could not start: {}", seat.id().index(), error.0);
        }
        work(seat);
        let lost = seat.is_lost();
        drop(leave);
        unwound.disarm();
        if lost {
            return Err(RunError::DeclaredLost);
        }
        match self.broken_reason() {
            Some(reason) => Err(RunError::Broken(reason)),
            None => Ok(()),
        }
    }

    fn work<W: Worker>(self, worker: &W, seat: SeatRef<'p>) {
        let mut round = 0;
        // For work, and has not taken any since.
        let mut woken = false;
        loop {
            if !seat.is_lost()
                && let Some(index) = self.dequeue()
            {
                if mem::take(&mut woken) && self.has_queued() {
                    // The port may unwind. The worker does not come back then, and another is to find the job.
                    let unwound = Defer(|| {
                        let priority = self.slot(index).state.load().priority();
                        self.enqueue(index, priority);
                    });
                    // Who queued that may have been stopped before it woke another.
                    self.wake_worker();
                    unwound.disarm();
                }
                self.run_popped(index, Some(seat), Some(worker));
                round = 0;
                continue;
            }
            if self.is_over() || seat.is_lost() {
                break;
            }
            if worker.spin(round) {
                round = round.saturating_add(1);
                continue;
            }
            seat.announce();
            if !self.has_queued() && !self.is_over() {
                worker.park(None);
            }
            if seat.retract() {
                woken = true;
            }
        }
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn run_pending(self, max: usize) -> usize {
        match self.port() {
            Some(port) => port.run_pending(Pending { pool: self, max }),
            None => self.run_as_guest(max),
        }
    }

    /// Ends every job that nobody is at work on.
    fn end_all(self, outcome: Outcome) {
        // Even if a job or a callback unwinds.
        let _reaped = Defer(|| self.reap());
        each(self.used_slots(), |index| {
            self.cancel(self.slot(index), outcome);
        });
    }

    pub(crate) fn break_with(self, reason: BrokenReason) {
        let _told = Defer(|| self.wake_all_workers());
        if self.set_broken(reason) {
            let _ended = Defer(|| self.end_all(Outcome::Broken));
            warning!("pool broken");
        }
    }

    fn shutdown(
        self,
        wait: bool,
        cancel_futures: bool,
        timeout: Option<Duration>,
    ) -> Result<(), ShutdownError> {
        let deadline = self
            .deadline_in(timeout)
            .map_err(|_| ShutdownError::NoClock)?;
        self.enter_phase(if cancel_futures {
            SHUT_DOWN | CANCELLING
        } else {
            SHUT_DOWN
        });
        let told = Defer(|| self.wake_all_workers());
        if cancel_futures {
            self.end_all(Outcome::Cancelled);
        }
        drop(told);
        if !wait {
            return Ok(());
        }
        if self.current_worker().is_some() {
            return Err(ShutdownError::WouldDeadlock);
        }
        let mut wait = AwaitedEnd {
            pool: self,
            place: None,
            refused: false,
        };
        let waited = self.block_on(&mut wait, deadline);
        if wait.refused {
            return Err(ShutdownError::TooManyWaiters);
        }
        match waited {
            Ok(()) => Ok(()),
            Err(Blocked::WouldDeadlock) => Err(ShutdownError::WouldDeadlock),
            Err(Blocked::TooManyWaiters) => Err(ShutdownError::TooManyWaiters),
            Err(Blocked::TimedOut | Blocked::NoClock) => Err(ShutdownError::StillRunning {
                jobs: self.count_unended(BUSY | SUSPENDED),
                workers: self.joined(),
            }),
        }
    }

    fn worker_lost(self, worker: WorkerId, on_loss: OnLoss) {
        let Some(seat) = self.seat_at(worker.index()) else {
            return;
        };
        // Until the last slot was looked at: the jobs of another worker with this number are not lost.
        let Some(_hold) = seat.lose(worker) else {
            return;
        };
        // Others may have stayed for a task of its.
        let _told = Defer(|| self.wake_all_at_the_end());
        // If a callback, the logger, or the port unwinds, the other jobs still end.
        let ended = Defer(|| {
            each(self.used_slots(), |index| {
                let slot = self.slot(index);
                if slot.state.lose(seat.runner()) {
                    let outcome = Outcome::WorkerLost;
                    let _settled = Defer(|| {
                        // SAFETY: `lose` made the caller the completer, and keeps the slot occupied.
                        unsafe { self.settle(slot, outcome, true) };
                    });
                    trace!("job {} ends: {:?}", slot.index(), outcome);
                }
            });
        });
        // SAFETY: held.
        unsafe { seat.tell_of_loss() };
        warning!("worker {} lost", worker.index());
        drop(ended);
        if on_loss == OnLoss::Break {
            self.break_with(BrokenReason::WorkerLost(LossReason::DECLARED));
        } else if self.has_queued() {
            // It may have been woken for work that it will not do.
            self.wake_worker();
        }
    }

    /// The pool's memory goes away: ends what is queued, so that each job is dropped. Nobody else
    /// has a reference to the pool any more.
    pub(crate) fn drop_jobs(self) {
        self.enter_phase(SHUT_DOWN | CANCELLING);
        self.end_all(Outcome::Cancelled);
    }
}

/// A wait for the end of all work, and of the workers' stay.
struct AwaitedEnd<'p> {
    pool: Pool<'p>,
    place: Option<Registration<'p>>,
    /// There was no place.
    refused: bool,
}

impl<'p> Awaited<'p> for AwaitedEnd<'p> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        let pool = self.pool;
        if let Some(waker) = waker
            && self.place.as_ref().is_none_or(|place| !place.is_for(waker))
        {
            self.place = None;
            self.place = Registration::begin(pool, waker, LEAVING);
        }
        // Jobs that have ended in the queue keep nobody, and no worker may come to take them out. The
        // fence pairs with that of `wake_all_workers`: either their end is seen here, or the place there.
        fence(Ordering::SeqCst);
        pool.reap();
        let lent = usize::from(pool.current_worker().is_some());
        // The fence in `is_over` pairs with that of `tell_of_leaving`, too: either the place is seen
        // there, or here that the worker has left. In this order: whoever took the last job off
        // the queue was counted in before, and is seen to be by who finds the queue empty.
        let over = pool.is_over() && pool.joined() == lent;
        self.refused = waker.is_some() && !over && self.place.is_none();
        over || self.refused
    }
}

/// A call of `run_pending` of a pool that has a port.
#[derive(Clone, Copy)]
pub struct Pending<'p> {
    pool: Pool<'p>,
    max: usize,
}

impl Pending<'_> {
    /// Runs the jobs in a worker's seat: that of the caller, or one that it takes meanwhile.
    pub(crate) fn run(self, with_parker: impl FnOnce(&mut dyn FnMut(&dyn Parker))) -> usize {
        let Self { pool, max } = self;
        if let Some(seat) = pool.current_worker() {
            let count = pool.run_some(Some(seat), max);
            // The last task may have ended, and the worker stays.
            pool.wake_all_at_the_end();
            return count;
        }
        let (mut count, mut has_parker) = (None, false);
        with_parker(&mut |parker| {
            has_parker = true;
            let caller = Guest(parker);
            // SAFETY: left at the end of this closure, before `caller` goes away.
            count = unsafe { pool.join(&caller, true) }.map(|seat| {
                let leave = Leave(seat);
                pool.run_some(Some(leave.0), max)
            });
        });
        if count.is_none() && !has_parker {
            // SAFETY: left at the end of this block, and `Sleepless` is a constant.
            count = unsafe { pool.join(&Sleepless, true) }.map(|seat| {
                let leave = Leave(seat);
                seat.set(SLEEPLESS);
                pool.run_some(Some(leave.0), max)
            });
        }
        // There may be no place left.
        count.unwrap_or_else(|| pool.run_as_guest(max))
    }
}

const _: () = assert!(PAYLOAD_ALIGN >= size_of::<*const ScopeState>());

impl<'p, const BYTES: usize, S: Spill> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::run`](crate::StaticPool::run).
    pub fn run<W: Worker>(self, worker: &W) -> Result<(), RunError> {
        self.raw.run(worker)
    }

    /// See [`StaticPool::run_pending`](crate::StaticPool::run_pending).
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn run_pending(self, max: usize) -> usize {
        self.raw.run_pending(max)
    }

    /// See [`StaticPool::shutdown`](crate::StaticPool::shutdown).
    pub fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.raw.shutdown(wait, cancel_futures, None)
    }

    /// See [`StaticPool::shutdown_timeout`](crate::StaticPool::shutdown_timeout).
    pub fn shutdown_timeout(
        self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        self.raw.shutdown(true, cancel_futures, Some(timeout))
    }

    /// See [`StaticPool::break_pool`](crate::StaticPool::break_pool).
    pub fn break_pool(self, reason: &'static str) {
        self.raw.break_with(BrokenReason::Application(reason));
    }

    /// See [`StaticPool::worker_lost`](crate::StaticPool::worker_lost).
    ///
    /// # Safety
    ///
    /// As there.
    pub unsafe fn worker_lost(self, worker: WorkerId, on_loss: OnLoss) {
        self.raw.worker_lost(worker, on_loss);
    }

    /// See [`StaticPool::install`](crate::StaticPool::install).
    pub fn install(self, port: &'static dyn crate::Port) -> bool {
        self.raw.install(port)
    }

    /// See [`StaticPool::capacity`](crate::StaticPool::capacity).
    pub fn capacity(self) -> usize {
        self.raw.geometry().slots()
    }

    /// See [`StaticPool::free_slots`](crate::StaticPool::free_slots).
    pub fn free_slots(self) -> usize {
        self.raw.free_slots()
    }

    /// See [`StaticPool::workers`](crate::StaticPool::workers).
    pub fn workers(self) -> usize {
        self.raw.joined()
    }

    /// How many workers can be in their run loop at a time: WORKERS.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn max_workers(self) -> usize {
        self.raw.geometry().workers
    }

    /// How many jobs are queued or running. Out of date at once if others use the pool.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS).
    pub fn unfinished(self) -> usize {
        self.raw.count_unended(QUEUED | BUSY)
    }

    /// See [`StaticPool::idle_workers`](crate::StaticPool::idle_workers).
    pub fn idle_workers(self) -> usize {
        self.raw.idle_workers()
    }

    /// See [`StaticPool::broken_reason`](crate::StaticPool::broken_reason).
    pub fn broken_reason(self) -> Option<BrokenReason> {
        self.raw.broken_reason()
    }

    /// See [`StaticPool::is_shut_down`](crate::StaticPool::is_shut_down).
    pub fn is_shut_down(self) -> bool {
        self.raw.phase() & SHUT_DOWN != 0
    }
}
