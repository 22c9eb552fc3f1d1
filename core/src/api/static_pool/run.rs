//! Workers of a [`StaticPool`], its port, and its end.

use crate::{
    api::static_pool::StaticPool,
    engine::life::OnLoss,
    error::{RunError, ShutdownError},
    machine::port::Port,
    machine::worker::{Worker, WorkerId},
};
use core::time::Duration;

impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    /// Lends `worker` to the pool: takes jobs and runs them, in the context that calls. It returns
    /// when the pool is shut down and no job is left for it. This is the whole life of a worker
    /// core.
    ///
    /// Any number of workers up to WORKERS may be in here, come and go.
    ///
    /// * **Context**: any in which `worker` may sleep, and no job or task of this pool. Without a
    ///   port nobody refuses a task that calls it: the worker then stays for that task's end, for
    ///   ever.
    /// * **Cost**: O(WORKERS + WAITERS) to join and leave, and O(1) for each job. The worker waits
    ///   for jobs until the pool's end; from then on each look for the last job is O(SLOTS). A task
    ///   that is suspended while other workers are blocked may cost a look for a circle of waits,
    ///   which grows with SLOTS.
    ///
    /// # Errors
    ///
    /// [`RunError::TooManyWorkers`] if no place is left. [`RunError::AlreadyWorker`] if a job of
    /// the pool calls, and a port tells. [`RunError::Broken`] if the pool is broken, before or
    /// meanwhile. [`RunError::DeclaredLost`] if the worker was declared lost.
    ///
    /// ```
    /// # use corepool::{SpinWorker, StaticPool};
    /// # static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// POOL.shutdown(false, false).unwrap();
    /// POOL.run(&SpinWorker).unwrap(); // runs what is queued, and returns
    /// assert_eq!(queued.result().unwrap(), 1);
    /// ```
    pub fn run<W: Worker>(&self, worker: &W) -> Result<(), RunError> {
        self.handle().run(worker)
    }

    /// Takes at most `max` work items out of the queue and runs them, in the context that calls;
    /// returns how many it took. For main loops that have other things to do as well.
    ///
    /// It takes fewer than `max` if the queue is empty, or if the worker that calls is declared
    /// lost meanwhile. An item whose job was cancelled is not run, and counts.
    ///
    /// The caller takes one of the WORKERS places meanwhile. If none is left it runs jobs all the
    /// same, and counts as no worker. A job of it that blocks does not run the job that it waits
    /// for.
    ///
    /// * **Context**: any. Where the context may not block, says a port, a job that would block
    ///   gets an error.
    /// * **Cost**: as for [`run`](Self::run), without a wait. Without a port it takes no place:
    ///   O(1) for each item.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// # static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let jobs = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
    /// assert_eq!(POOL.run_pending(9), 2);
    /// assert!(jobs.iter().all(|job| job.done()));
    /// ```
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn run_pending(&self, max: usize) -> usize {
        self.handle().run_pending(max)
    }

    /// Ends the pool: no new work is taken. Idempotent: called again, it may wait, or cancel, what
    /// the first call did not.
    ///
    /// With `cancel_futures`, jobs that are queued are cancelled here, and so are tasks between two
    /// polls; callers that wait for them are told at once. Without, they still run. Jobs that run
    /// are left to end; their cancel tokens say nothing.
    ///
    /// With `wait`, returns when all jobs have ended and all workers have left.
    ///
    /// * **Context**: any without `wait`. With `wait`, any that may block, and no job or callback
    ///   of the pool.
    /// * **Cost**: O(WORKERS + WAITERS); with `cancel_futures` also O(SLOTS), the destructors of
    ///   the jobs and their callbacks. With `wait`, the caller waits for all jobs and workers. In a
    ///   pool without a worker it runs the queue meanwhile, if the port lends its callers.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a job or callback of the pool calls it with `wait`, or a
    /// context that may not block. [`ShutdownError::TooManyWaiters`] if the caller finds no place
    /// to wait. The pool is shut down all the same.
    ///
    /// Without a [`Port`] the pool cannot tell that a job calls; nor can it where
    /// [`run_pending`](Self::run_pending) has found no place. Then the job waits for itself, for
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
        self.handle().shutdown(wait, cancel_futures)
    }

    /// [`shutdown`](Self::shutdown) with `wait`, for no longer than `timeout`.
    ///
    /// A job that the caller runs meanwhile is not broken off: if that takes longer than `timeout`,
    /// so does the call.
    ///
    /// * **Context**: any that may block, and no job or callback of the pool.
    /// * **Cost**: as for [`shutdown`](Self::shutdown). The caller waits for `timeout` at most.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] says what still runs when the time is over.
    /// [`ShutdownError::NoClock`] if the pool has no clock; then nothing was done.
    /// [`ShutdownError::WouldDeadlock`] and [`ShutdownError::TooManyWaiters`] as for
    /// [`shutdown`](Self::shutdown).
    pub fn shutdown_timeout(
        &self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        self.handle().shutdown_timeout(timeout, cancel_futures)
    }

    /// Breaks the pool: every job that does not run yet, and every later submit, fails with
    /// [`BrokenReason::Application`](crate::BrokenReason::Application) and this text. Jobs that run are left to end. A pool that is
    /// broken already keeps its reason.
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
        self.handle().break_pool(reason);
    }

    /// Declares a worker lost: its core has crashed, or a watchdog found it hung.
    ///
    /// The jobs that the worker was at work on, callbacks included, end with
    /// [`JobError::WorkerLost`](crate::JobError::WorkerLost). Their slots are not used again, and
    /// the callbacks that the worker had not come to are not called, unless it comes back. Queued
    /// jobs are left to the other workers, or fail, as `on_loss` says.
    ///
    /// If the worker has left, nothing happens, although another may have its number by now. For
    /// how long the two are told apart, see [`WorkerId`].
    ///
    /// A worker may have stopped between taking a job off the queue and marking it as its own,
    /// which is a few instructions. That job stays queued for ever;
    /// [`cancel`](crate::JobFuture::cancel) ends it.
    ///
    /// A worker may have stopped while it was waking a caller, or in a callback that was added to a
    /// job that had ended already. It takes that wake-up with it. The result is there for a caller
    /// that looks, such as one with a timeout.
    ///
    /// A worker that comes back ends its job into the void and leaves its run loop with
    /// [`RunError::DeclaredLost`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS + WORKERS + WAITERS), and the callbacks of the lost jobs. With
    ///   [`OnLoss::Break`] also as for [`break_pool`](Self::break_pool).
    ///
    /// # Safety
    ///
    /// The worker does not run a job of a [`scope`](Self::scope), or will never run again. The
    /// scope ends without that job, and with it the values that the job borrows.
    pub unsafe fn worker_lost(&self, worker: WorkerId, on_loss: OnLoss) {
        // SAFETY: the caller's promise.
        unsafe { self.handle().worker_lost(worker, on_loss) };
    }

    /// Installs the services of the machine: clock, sleep, identity. To be called once, before
    /// workers join.
    ///
    /// False if there is a port already, which then stays. False, too, while a worker is there: the
    /// pool would not know that worker's context.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn install<P: Port>(&self, port: &'static P) -> bool {
        self.handle().install(port)
    }
}
