//! The pool of processes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use corepool::{
    BrokenReason, JobFuture, Promise, ShutdownError, SubmitError,
    remote::{RemoteExecutor, RemoteJob},
};
use rustix::process::Signal;

use super::parent::children::Children;
use crate::{
    clock::now,
    threads::host_pool::{HostPool, View},
};

/// An executor on child processes: Python's `ProcessPoolExecutor`. The [module](crate::process) has an
/// example, and says how children end.
///
/// At most `capacity` jobs are in flight. Dropping the pool waits for all work, like
/// `shutdown(true, false)`.
///
/// # Submit
///
/// ```no_run
/// # use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
/// # use postcard_schema::Schema;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize, Schema)]
/// # struct Square(u64);
/// # impl RemoteJob for Square {
/// #     type Output = u64;
/// #     const NAME: &'static str = "square";
/// #     fn run(self, _context: &mut JobContext<'_>) -> u64 {
/// #         self.0 * self.0
/// #     }
/// # }
/// use std::time::Duration;
/// use corepool_std::process::{Chunk, ChunkOptions, ProcessPool, run_worker_if_asked};
///
/// static JOBS: JobTable = JobTable::new(&[JobEntry::of::<Square>(), JobEntry::of::<Chunk<Square>>()]);
///
/// # futures_lite::future::block_on(async {
/// run_worker_if_asked(&JOBS); // a child stays in here
/// let pool = ProcessPool::builder(&JOBS).max_workers(2).priorities(2).build().unwrap();
///
/// let squares = [
///     pool.submit(Square(2)).unwrap(), // an error if the pool is full
///     pool.submit_at(1, Square(3)).unwrap(), // before the others that are queued
///     pool.submit_blocking(Square(4)).unwrap(), // waits for room
///     pool.submit_timeout(Square(5), Duration::from_secs(1)).unwrap(), // for a second at most
///     pool.submit_async(Square(6)).await.unwrap(), // awaits room
/// ];
/// for square in squares {
///     println!("{}", square.result().unwrap());
/// }
///
/// // Many short jobs travel together.
/// let sum: u64 = pool.map((1..1_000).map(Square), 100).unwrap().map(Result::unwrap).sum();
/// let options = ChunkOptions { chunk_size: 100, timeout: Some(Duration::from_secs(9)), ..Default::default() };
/// for square in pool.map_with(options, (1..1_000).map(Square)).unwrap() {
///     println!("{square:?} of {sum}");
/// }
/// # });
/// ```
///
/// # Look, and end
///
/// ```no_run
/// # use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
/// # use postcard_schema::Schema;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize, Schema)]
/// # struct Square(u64);
/// # impl RemoteJob for Square {
/// #     type Output = u64;
/// #     const NAME: &'static str = "square";
/// #     fn run(self, _context: &mut JobContext<'_>) -> u64 {
/// #         self.0 * self.0
/// #     }
/// # }
/// # static JOBS: JobTable = JobTable::new(&[JobEntry::of::<Square>()]);
/// use std::time::Duration;
/// use corepool_std::process::ProcessPool;
///
/// let pool = ProcessPool::new(&JOBS);
/// let (promise, confirmed) = pool.promise::<bool>().unwrap(); // this process keeps it
/// promise.set_result(true).unwrap();
/// println!("children {:?}, confirmed: {}", pool.worker_ids(), confirmed.result().unwrap());
/// if let Some(reason) = pool.broken_reason() {
///     println!("a child was lost: {reason}");
/// }
///
/// if let Err(error) = pool.shutdown_timeout(Duration::from_secs(5), false) {
///     println!("{error}"); // how many jobs still run
///     pool.terminate_workers(); // SIGTERM
///     if pool.shutdown_timeout(Duration::from_secs(1), true).is_err() {
///         pool.kill_workers(); // SIGKILL
///     }
/// }
/// pool.shutdown(true, true).unwrap(); // waits for the end of the children
/// ```
pub struct ProcessPool {
    inner: Arc<HostPool<Children>>,
    /// Whether `terminate_workers` or `kill_workers` has ended the children.
    ended_by_call: AtomicBool,
}

impl ProcessPool {
    pub(super) fn of(inner: Arc<HostPool<Children>>) -> Self {
        Self {
            inner,
            ended_by_call: AtomicBool::new(false),
        }
    }

    fn view(&self) -> View<'_> {
        self.inner.view()
    }

    /// How many children the pool has at most.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn max_workers(&self) -> usize {
        self.inner.options().max
    }

    /// The process numbers of the children that run now.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(max_workers), with heap, under a lock.
    pub fn worker_ids(&self) -> Vec<u32> {
        self.inner.main.ids()
    }

    /// Queues a job and returns the future of its result. The call does not wait for a child, even if all
    /// are slow to read their jobs.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), without heap and locks. Heap for a job or result of more than
    ///   [`SLOT_BYTES`](crate::SLOT_BYTES). O(capacity) if no slot is free and jobs have ended in
    ///   the queue. A submit that finds no idle child may start the thread that starts one, while
    ///   there are fewer than `max_workers`. Then it takes a lock, and counts at O(capacity) how
    ///   many are wanted.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`], [`SubmitError::Broken`];
    /// [`SubmitError::NoWorker`] with the system's reason, if there is no thread to look after a
    /// child and the system refuses one. The job is in the error.
    pub fn submit<J: RemoteJob>(&self, job: J) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.view().submit_remote(job);
        submitted.map_err(|refused| self.refused(refused))
    }

    /// [`submit`](Self::submit), but the caller waits for room if the pool is full.
    ///
    /// * **Context**: any thread. In a callback on a thread of the pool, the call fails where it would
    ///   wait.
    /// * **Cost**: as for [`submit`](Self::submit) if there is room. Else the caller waits for
    ///   room, and each look for it is O(capacity + max_workers).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), except [`SubmitError::Full`].
    /// [`SubmitError::TooManyWaiters`] if 32 callers wait already; [`SubmitError::WouldDeadlock`]
    /// if a callback on a thread of the pool would wait.
    pub fn submit_blocking<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.view().submit_remote_blocking(job);
        submitted.map_err(|refused| self.refused(refused))
    }

    /// [`submit_blocking`](Self::submit_blocking), for no longer than `timeout`.
    ///
    /// * **Context**: as for [`submit_blocking`](Self::submit_blocking).
    /// * **Cost**: as for [`submit_blocking`](Self::submit_blocking). The caller waits for
    ///   `timeout` at most.
    ///
    /// # Errors
    ///
    /// As for [`submit_blocking`](Self::submit_blocking); [`SubmitError::Full`] if there was no room
    /// in time.
    pub fn submit_timeout<J: RemoteJob>(
        &self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.view().submit_remote_timeout(job, timeout);
        submitted.map_err(|refused| self.refused(refused))
    }

    /// [`submit`](Self::submit) that awaits room if the pool is full.
    ///
    /// * **Context**: any thread may poll it.
    /// * **Cost**: a poll costs a [`submit`](Self::submit). In a full pool it is O(capacity).
    /// * **Cancel safety**: if it is dropped before it is ready, it has submitted nothing, and drops
    ///   the job.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), except [`SubmitError::Full`].
    /// [`SubmitError::TooManyWaiters`] if 32 callers wait already.
    pub async fn submit_async<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.view().submit_remote_async(job).await;
        submitted.map_err(|refused| self.refused(refused))
    }

    /// A promise, and the future of the result that is set through it. It can be waited for together
    /// with the pool's jobs.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1). No child starts for it.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`] and [`SubmitError::Broken`], as for
    /// [`submit`](Self::submit).
    pub fn promise<T>(&self) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        let promised = self.view().promise();
        promised.map_err(|refused| self.refused(refused))
    }

    /// Why the pool is broken, if it is. A pool whose children were ended by
    /// [`terminate_workers`](Self::terminate_workers) or [`kill_workers`](Self::kill_workers) is shut
    /// down, and not broken.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn broken_reason(&self) -> Option<BrokenReason> {
        let reason = self.view().broken_reason();
        reason.filter(|_| !self.ended_by_call())
    }

    /// [`submit`](Self::submit) at a priority. See [`StaticPool::at`](corepool::StaticPool::at).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), and [`SubmitError::NoSuchPriority`].
    pub fn submit_at<J: RemoteJob>(
        &self,
        priority: usize,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.view().at(priority).submit_remote(job);
        submitted.map_err(|refused| self.refused(refused))
    }

    /// If a call has ended the children, the pool is shut down, and their end has not broken it.
    fn refused<J>(&self, refused: SubmitError<J>) -> SubmitError<J> {
        match refused {
            SubmitError::Broken(job, _) if self.ended_by_call() => SubmitError::ShutDown(job),
            refused => refused,
        }
    }

    fn ended_by_call(&self) -> bool {
        // Acquire: pairs with the store in `signal_workers`, before which the pool was shut down.
        self.ended_by_call.load(Ordering::Acquire)
    }

    /// Shuts the pool down: it takes no new work. With `cancel_futures`, it cancels the queued jobs. With
    /// `wait`, the call returns when all work is done and all children have exited. Idempotent.
    ///
    /// * **Context**: any thread; with `wait`, none of the pool's own, on which its callbacks run.
    /// * **Cost**: O(max_workers). With `cancel_futures` also O(capacity), the destructors of the
    ///   jobs, and their callbacks. With `wait`, a lock, and the caller waits for all work and for
    ///   the children's exit.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a callback of the pool calls it with `wait`;
    /// [`ShutdownError::TooManyWaiters`] if 32 callers wait already. The pool is shut down all the
    /// same.
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.inner.shutdown(wait, cancel_futures)
    }

    /// [`shutdown`](Self::shutdown) with `wait`. The call waits for work until `timeout` is over, and then
    /// for the children's exit. The pool kills a child that has no work and does not exit within a second.
    ///
    /// * **Context**: any thread but the pool's own.
    /// * **Cost**: as for [`shutdown`](Self::shutdown). The caller waits for `timeout` at most
    ///   while there is work, and then for the children's exit.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] says how many jobs and workers still run;
    /// [`kill_workers`](Self::kill_workers) ends them. [`ShutdownError::WouldDeadlock`] and
    /// [`ShutdownError::TooManyWaiters`] as for [`shutdown`](Self::shutdown). The pool is shut down
    /// all the same.
    pub fn shutdown_timeout(
        &self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        self.inner.finish_work(Some(timeout), cancel_futures)?;
        // The wait is short: a child that does not exit is killed.
        self.inner.wait_for_threads(None)
    }

    /// Shuts the pool down like `shutdown(false, true)`, and sends each child `SIGTERM`, which asks it to
    /// end. Jobs that run end with [`WorkerLost`](corepool::JobError::WorkerLost).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity + max_workers), the destructors of the queued jobs and their
    ///   callbacks. The children get their signals under a lock. The call does not wait for their
    ///   end.
    pub fn terminate_workers(&self) {
        self.signal_workers(Signal::TERM);
    }

    /// Shuts the pool down like `shutdown(false, true)`, and ends each child by `SIGKILL`. Jobs that
    /// run end with [`WorkerLost`](corepool::JobError::WorkerLost).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`terminate_workers`](Self::terminate_workers).
    pub fn kill_workers(&self) {
        self.signal_workers(Signal::KILL);
    }

    fn signal_workers(&self, signal: Signal) {
        // Without `wait`, it does not fail.
        let _ = self.shutdown(false, true);
        if self.view().broken_reason().is_none() {
            // Release: pairs with the load in `ended_by_call`.
            self.ended_by_call.store(true, Ordering::Release);
        }
        self.inner.main.signal(signal);
    }
}

impl Drop for ProcessPool {
    /// Waits for all work. A drop by one of the pool's own callbacks does not wait: the threads end when the work is
    /// done.
    fn drop(&mut self) {
        let _ = self.shutdown(true, false);
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool")
            .field("max_workers", &self.max_workers())
            .field("workers", &self.worker_ids())
            .field("capacity", &self.view().capacity())
            .finish()
    }
}

impl RemoteExecutor for ProcessPool {
    fn submit_remote<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.submit(job)
    }

    fn submit_remote_blocking<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.submit_blocking(job)
    }

    fn submit_remote_timeout<J: RemoteJob>(
        &self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.submit_timeout(job, timeout)
    }

    fn submit_remote_async<J: RemoteJob>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<JobFuture<'_, J::Output>, SubmitError<J>>> + Send {
        self.submit_async(job)
    }

    fn promise<T: Send + 'static>(
        &self,
    ) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>> {
        self.promise()
    }

    fn broken_reason(&self) -> Option<BrokenReason> {
        self.broken_reason()
    }

    fn now(&self) -> Option<Duration> {
        Some(now())
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.shutdown(wait, cancel_futures)
    }
}
