//! The life of a [`StaticPool`]: workers run its jobs, and it ends.

use crate::{
    api::shutdown::Shutdown,
    api::static_pool::StaticPool,
    engine::life::OnLoss,
    error::{RunError, ShutdownError},
    machine::worker::{Worker, WorkerId},
};
use core::time::Duration;

/// # Run jobs
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    /// Runs the pool's jobs in the calling context, as `worker`. It returns when the pool is shut
    /// down and no job is left for the worker, or when [`Worker::stays`] sends the worker away. A
    /// worker core spends its whole life in this call.
    ///
    /// Up to WORKERS workers may be in this call at a time. Each may join and leave at any time.
    ///
    /// * **Context**: any in which `worker` may sleep, and no job or task of this pool. Without a
    ///   port the pool does not refuse a task that calls it: that worker then waits for its own
    ///   task's end, for ever.
    /// * **Cost**: O(WORKERS + WAITERS) to join and leave, and O(1) for each job. The worker waits
    ///   for jobs until the pool's end. After the pool's end the worker looks for the last job, at
    ///   O(SLOTS) a look. A worker whose task suspends may look for a circle of waits, which grows
    ///   with SLOTS.
    ///
    /// # Errors
    ///
    /// [`RunError::TooManyWorkers`] if no seat is left. [`RunError::AlreadyWorker`] if the caller
    /// is a job of the pool, and there is a port. [`RunError::Broken`] if the pool is broken,
    /// before or meanwhile. [`RunError::DeclaredLost`] if the worker was declared lost.
    ///
    /// ```
    /// # use corepool::{SpinWorker, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// POOL.shutdown(false, false).unwrap();
    /// POOL.run(&SpinWorker).unwrap(); // runs what is queued, and returns
    /// assert_eq!(queued.result().unwrap(), 1);
    /// ```
    pub fn run<W: Worker>(&self, worker: &W) -> Result<(), RunError> {
        self.pool_ref().run(worker)
    }

    /// Runs up to `max` queued jobs in the calling context, and returns how many it took from the
    /// queue. It suits a main loop that has other things to do as well.
    ///
    /// It takes fewer than `max` if the queue is empty, or if the calling worker is declared lost
    /// meanwhile. A cancelled job counts, although it does not run.
    ///
    /// The caller takes one of the WORKERS seats meanwhile, as a guest. If no seat is left, it runs
    /// jobs without one. With a port, a job that blocks there sleeps, and does not run the job that
    /// it waits for.
    ///
    /// * **Context**: any. In a context without a parker, a job that would block gets an error.
    /// * **Cost**: as for [`run`](Self::run), without a wait. Without a port it takes no seat: O(1)
    ///   for each job.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let jobs = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
    /// assert_eq!(POOL.run_pending(9), 2);
    /// assert!(jobs.iter().all(|job| job.done()));
    /// ```
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn run_pending(&self, max: usize) -> usize {
        self.pool_ref().run_pending(max)
    }
}

/// # End the pool
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    /// Ends the pool: it takes no new work. The call may be repeated, to wait or to cancel if an
    /// earlier call did not.
    ///
    /// With `cancel_futures`, queued jobs are cancelled here, and so are tasks between two polls.
    /// The caller runs their callbacks and wakes their waiters. A running closure runs to its end,
    /// and its cancel token is not set. A task ends at its next suspension. A promise that was not
    /// started ends at once. Without `cancel_futures`, all of them go on.
    ///
    /// With `wait`, the call returns when all jobs have ended and all workers have left. It does not
    /// wait for promises.
    ///
    /// * **Context**: any without `wait`. With `wait`, any that may block, and no job or callback
    ///   of the pool.
    /// * **Cost**: O(WORKERS + WAITERS); with `cancel_futures` also O(SLOTS), the destructors of
    ///   the jobs and their callbacks. With `wait`, the caller waits for all jobs and workers. In a
    ///   pool without a worker it runs queued jobs meanwhile, if the port allows it.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a job or callback of the pool calls it with `wait`, or a
    /// context that may not block. [`ShutdownError::TooManyWaiters`] if all WAITERS places are
    /// taken. The pool is shut down all the same.
    ///
    /// The pool cannot detect such a job without a [`Port`](crate::Port), or if
    /// [`run_pending`](Self::run_pending) runs it without a seat. The job then waits for itself for
    /// ever.
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// POOL.shutdown(true, false).unwrap();
    /// assert_eq!(queued.result().unwrap(), 1);
    /// assert!(matches!(POOL.submit(|| 2), Err(SubmitError::ShutDown(_))));
    /// ```
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.pool_ref().shutdown(wait, cancel_futures)
    }

    /// [`shutdown`](Self::shutdown) with `wait`, for no longer than `timeout`.
    ///
    /// A job that the caller runs meanwhile runs to its end, even if that takes longer than
    /// `timeout`.
    ///
    /// * **Context**: any that may block, and no job or callback of the pool.
    /// * **Cost**: as for [`shutdown`](Self::shutdown). The caller waits for `timeout` at most.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] if the time is over, with the number of jobs and workers
    /// that still run. [`ShutdownError::NoClock`] if the pool has no clock; then nothing was done.
    /// [`ShutdownError::WouldDeadlock`] and [`ShutdownError::TooManyWaiters`] as for
    /// [`shutdown`](Self::shutdown).
    ///
    /// ```
    /// # use corepool::{ShutdownError, StaticPool};
    /// # use core::time::Duration;
    /// # use corepool::{ContextId, Parker, Port, SpinWorker};
    /// # struct Chip;
    /// # // SAFETY: one thread alone uses the pool.
    /// # unsafe impl Port for Chip {
    /// #     fn context(&self) -> ContextId { ContextId::MIN }
    /// #     fn now(&self) -> Option<Duration> { Some(std::time::UNIX_EPOCH.elapsed().unwrap()) }
    /// #     fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) { f(&SpinWorker) }
    /// # }
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// POOL.install(&Chip); // a port with a clock
    /// let queued = POOL.submit(|| 1).unwrap();
    /// match POOL.shutdown_timeout(Duration::from_millis(100), true) {
    ///     Ok(()) => assert!(queued.cancelled()),
    ///     Err(ShutdownError::StillRunning { .. }) => {} // switch off all the same
    ///     Err(error) => panic!("{error}"),
    /// }
    /// ```
    pub fn shutdown_timeout(
        &self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        self.pool_ref().shutdown_timeout(timeout, cancel_futures)
    }

    /// [`shutdown`](Self::shutdown) with `wait`, for async callers. The call shuts the pool down, and the
    /// future that it returns awaits the end.
    ///
    /// For a time limit, give it to a timer of the async runtime: `timeout` of tokio, `with_timeout` of
    /// embassy-time. See [`Shutdown`].
    ///
    /// An async caller runs no jobs meanwhile. So a pool with queued jobs needs a worker.
    ///
    /// * **Context**: any. No job, task or callback of the pool may poll the future.
    /// * **Cost**: O(WORKERS + WAITERS); with `cancel_futures` also O(SLOTS), the destructors of the jobs
    ///   and their callbacks.
    /// * **Cancel safety**: as for [`Shutdown`]: safe.
    ///
    /// # Errors
    ///
    /// The future has them. [`ShutdownError::TooManyWaiters`] if all WAITERS places are taken.
    /// [`ShutdownError::WouldDeadlock`] if a job, task or callback of the pool polls it. Without a
    /// [`Port`](crate::Port) the pool does not detect that, and the task waits for itself for ever.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// # use core::{future::Future as _, pin::pin, task::{Context, Poll, Waker}};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// let end = async {
    ///     POOL.shutdown_async(true).await.unwrap();
    ///     assert!(queued.cancelled());
    /// };
    /// # let polled = pin!(end).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert_eq!(polled, Poll::Ready(()));
    /// ```
    pub fn shutdown_async(&self, cancel_futures: bool) -> Shutdown<'_> {
        self.pool_ref().shutdown_async(cancel_futures)
    }

    /// Breaks the pool: every job that has not begun, and every later submit, fails with
    /// [`BrokenReason::Application`](crate::BrokenReason::Application) and this text. A running
    /// closure runs to its end. A task ends at its next suspension. A promise that was not started
    /// ends at once. A pool that is broken already keeps its reason.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS + WORKERS + WAITERS), the destructors of the queued jobs and their
    ///   callbacks.
    ///
    /// ```
    /// # use corepool::{JobError, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// POOL.break_pool("no supply voltage");
    /// assert!(matches!(queued.result(), Err(JobError::Broken(_))));
    /// ```
    pub fn break_pool(&self, reason: &'static str) {
        self.pool_ref().break_pool(reason);
    }

    /// Declares a worker lost: its core has crashed, or a watchdog found it hung.
    ///
    /// The jobs that the worker was at work on end with
    /// [`JobError::WorkerLost`](crate::JobError::WorkerLost), even if it was running their
    /// callbacks. Unless the worker comes back, their slots are not used again, and the rest of
    /// those callbacks is not called. The holders of a [`SharedFuture`](crate::SharedFuture) keep the
    /// outcome of a job that was lost in its callbacks. `on_loss` decides whether the other workers run
    /// the queued jobs, or these fail.
    ///
    /// If the worker has left, nothing happens, even if another worker has its number by now.
    /// [`WorkerId`] has the limit of that distinction.
    ///
    /// The worker may have stopped between popping a job and marking it as its own, which is a few
    /// instructions. That job stays queued for ever. [`cancel`](crate::JobFuture::cancel) ends it.
    ///
    /// The worker may have stopped while it was waking a caller. Then that caller is not woken. It finds
    /// the result if it looks, as a caller with a timeout does.
    ///
    /// A job of the worker may have been ending another job: it had cancelled that job, or set its
    /// promise. That other job stays [`Running`](crate::JobState::Running), unless the worker comes back.
    ///
    /// If the worker comes back, the result of its job is dropped, and it leaves its run loop with
    /// [`RunError::DeclaredLost`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS + WORKERS + WAITERS), and the callbacks of the lost jobs. With
    ///   [`OnLoss::Break`] also as for [`break_pool`](Self::break_pool).
    ///
    /// # Safety
    ///
    /// The worker does not run a job of a [`scope`](Self::scope), or will never run again. The
    /// scope ends without that job, and the values that the job borrows end with it.
    ///
    /// ```
    /// # use corepool::{InitError, OnLoss, Parker, SpinWorker, StaticPool, Worker, WorkerId};
    /// # use core::{task::Waker, time::Duration};
    /// # use std::sync::OnceLock;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// static CORE_1: OnceLock<WorkerId> = OnceLock::new();
    ///
    /// struct Core1;
    ///
    /// impl Worker for Core1 {
    ///     fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
    ///         let _ = CORE_1.set(worker);
    ///         Ok(())
    ///     }
    /// }
    /// # impl Parker for Core1 {
    /// #     fn waker(&self) -> Waker { SpinWorker.waker() }
    /// #     fn park(&self, deadline: Option<Duration>) { SpinWorker.park(deadline) }
    /// # }
    ///
    /// /// The fault handler of core 1, which never goes on.
    /// fn core_1_fault() {
    ///     if let Some(&worker) = CORE_1.get() {
    ///         // SAFETY: the core never runs again.
    ///         unsafe { POOL.worker_lost(worker, OnLoss::Continue) };
    ///     }
    /// }
    /// # POOL.shutdown(false, false).unwrap();
    /// # POOL.run(&Core1).unwrap();
    /// # core_1_fault();
    /// ```
    pub unsafe fn worker_lost(&self, worker: WorkerId, on_loss: OnLoss) {
        // SAFETY: the caller's promise.
        unsafe { self.pool_ref().worker_lost(worker, on_loss) };
    }
}
