//! The host's thread pool.

use std::{fmt, future::Future, sync::Arc, time::Duration};

#[cfg(feature = "remote")]
use corepool::remote::{RemoteExecutor, RemoteJob};
use corepool::{
    Ambient, BrokenReason, CancelCurrentTask, CancelToken, Carrying, DynExecutor, Executor,
    JobError, JobFuture, Map, MapError, MapOptions, NoSpill, PoolRef, Promise, Scope, Shutdown,
    ShutdownError, SubmitAsync, SubmitError,
};

use super::{
    boxed::{Boxed, SLOT_BYTES},
    host_pool::HostPool,
    run_jobs::RunJobs,
};
use crate::clock::now;

/// An executor on OS threads: Python's `ThreadPoolExecutor`.
///
/// It is a pool of the core with memory of its own. Threads start on demand, up to `max_workers`: a
/// submit that finds an idle thread starts none. At most `capacity` jobs are in flight.
///
/// Dropping the pool waits for all work, like `shutdown(true, false)`.
///
/// ```
/// use corepool_std::ThreadPool;
///
/// let pool = ThreadPool::new();
/// let words = ["to", "be", "or", "not"];
/// let lengths: Vec<usize> = pool.map(words, str::len).map(Result::unwrap).collect();
/// assert_eq!(lengths, [2, 2, 2, 3]);
/// ```
///
/// # Its methods
///
/// Most methods refer to the documentation of [`StaticPool`](corepool::StaticPool). It holds here, with these
/// differences:
///
/// * **Context**: *any thread* in place of *any*, and of *any that may block*. A signal handler may call no method.
/// * **Cost**: SLOTS is `capacity`, WORKERS is `max_workers`, and WAITERS is 32. Each submit costs what
///   [`submit`](Self::submit) says.
/// * **Errors**: no call fails with `NoClock`. A submit may fail with [`SubmitError::NoWorker`].
/// * **Size**: a job or result that does not fit a slot of [`SLOT_BYTES`] goes to the heap, and is no build error.
/// * **Panics**: the pool reports a panic that no party looks at, as [`HostPort`](crate::HostPort) does.
pub struct ThreadPool {
    inner: Arc<HostPool<RunJobs>>,
}

impl ThreadPool {
    pub(super) fn of(inner: Arc<HostPool<RunJobs>>) -> Self {
        Self { inner }
    }

    /// See [`StaticPool::pool_ref`](corepool::StaticPool::pool_ref).
    #[inline]
    pub fn pool_ref(&self) -> PoolRef<'_, SLOT_BYTES, Boxed> {
        self.inner.view()
    }

    /// See [`StaticPool::at`](corepool::StaticPool::at).
    pub fn at(&self, priority: usize) -> PoolRef<'_, SLOT_BYTES, Boxed> {
        self.pool_ref().at(priority)
    }

    /// See [`StaticPool::carrying`](corepool::StaticPool::carrying).
    pub fn carrying<A: Ambient>(&self) -> PoolRef<'_, SLOT_BYTES, Carrying<A, Boxed>> {
        self.pool_ref().carrying()
    }

    /// The number of threads that have started. They stay until the pool is shut down.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1): one atomic load.
    ///
    /// ```
    /// use corepool_std::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// assert_eq!(pool.threads_started(), 0);
    /// pool.submit(|| ()).unwrap().result().unwrap();
    /// assert_eq!(pool.threads_started(), 1);
    /// ```
    pub fn threads_started(&self) -> usize {
        self.inner.threads_started()
    }

    /// See [`StaticPool::max_workers`](corepool::StaticPool::max_workers).
    pub fn max_workers(&self) -> usize {
        self.inner.options().max
    }

    /// See [`StaticPool::capacity`](corepool::StaticPool::capacity).
    pub fn capacity(&self) -> usize {
        self.pool_ref().capacity()
    }

    /// See [`StaticPool::free_slots`](corepool::StaticPool::free_slots).
    pub fn free_slots(&self) -> usize {
        self.pool_ref().free_slots()
    }

    /// See [`StaticPool::workers`](corepool::StaticPool::workers).
    pub fn workers(&self) -> usize {
        self.pool_ref().workers()
    }

    /// See [`StaticPool::idle_workers`](corepool::StaticPool::idle_workers).
    pub fn idle_workers(&self) -> usize {
        self.pool_ref().idle_workers()
    }

    /// See [`StaticPool::unfinished`](corepool::StaticPool::unfinished).
    pub fn unfinished(&self) -> usize {
        self.pool_ref().unfinished()
    }

    /// See [`StaticPool::broken_reason`](corepool::StaticPool::broken_reason).
    pub fn broken_reason(&self) -> Option<BrokenReason> {
        self.pool_ref().broken_reason()
    }

    /// See [`StaticPool::is_shut_down`](corepool::StaticPool::is_shut_down).
    pub fn is_shut_down(&self) -> bool {
        self.pool_ref().is_shut_down()
    }

    /// See [`StaticPool::shutdown_async`](corepool::StaticPool::shutdown_async). After the future is ready, a drop of
    /// the pool waits only for the threads to exit.
    pub fn shutdown_async(&self, cancel_futures: bool) -> Shutdown<'_> {
        self.pool_ref().shutdown_async(cancel_futures)
    }

    /// See [`StaticPool::break_pool`](corepool::StaticPool::break_pool).
    pub fn break_pool(&self, reason: &'static str) {
        self.pool_ref().break_pool(reason);
    }

    /// Queues a closure and returns the future of its result: see [`StaticPool::submit`](corepool::StaticPool::submit).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), without heap and locks. Heap for a closure or result that does not fit [`SLOT_BYTES`].
    ///   O(capacity) if no slot is free and jobs have ended in the queue. A submit that finds no idle thread may
    ///   start one, while fewer than `max_workers` have started. Then it takes a lock, and counts at O(capacity)
    ///   how many are wanted.
    ///
    /// # Errors
    ///
    /// As for [`StaticPool::submit`](corepool::StaticPool::submit). [`SubmitError::NoWorker`] has the system's
    /// reason, if there is no thread and the system refuses one.
    ///
    /// ```
    /// use corepool_std::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// let text = String::from("moved in");
    /// let length = pool.submit(move || text.len()).unwrap();
    /// assert_eq!(length.result().unwrap(), 8);
    /// ```
    #[inline(always)]
    pub fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit(job)
    }

    /// See [`StaticPool::submit_detached`](corepool::StaticPool::submit_detached).
    pub fn submit_detached<F>(&self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.pool_ref().submit_detached(job)
    }

    /// See [`StaticPool::submit_cancellable`](corepool::StaticPool::submit_cancellable).
    pub fn submit_cancellable<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_cancellable(job)
    }

    /// See [`StaticPool::submit_blocking`](corepool::StaticPool::submit_blocking).
    pub fn submit_blocking<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_blocking(job)
    }

    /// See [`StaticPool::submit_timeout`](corepool::StaticPool::submit_timeout).
    pub fn submit_timeout<F, T>(
        &self,
        job: F,
        timeout: Duration,
    ) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_timeout(job, timeout)
    }

    /// See [`StaticPool::submit_async`](corepool::StaticPool::submit_async).
    pub fn submit_async<F, T>(&self, job: F) -> SubmitAsync<'_, F, T, SLOT_BYTES, Boxed>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_async(job)
    }

    /// See [`StaticPool::spawn`](corepool::StaticPool::spawn). A pool in a `static LazyLock` lives for ever.
    ///
    /// ```
    /// use std::sync::LazyLock;
    /// use corepool_std::ThreadPool;
    ///
    /// static POOL: LazyLock<ThreadPool> = LazyLock::new(ThreadPool::new);
    ///
    /// let first = POOL.submit(|| 20).unwrap();
    /// let task = POOL.spawn(async { first.await.unwrap() + 1 }).unwrap();
    /// assert_eq!(task.result().unwrap(), 21);
    /// ```
    pub fn spawn<Fut>(
        &'static self,
        task: Fut,
    ) -> Result<JobFuture<'static, Fut::Output>, SubmitError<Fut>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        self.pool_ref().spawn(task)
    }

    /// See [`StaticPool::cancel_current_task`](corepool::StaticPool::cancel_current_task).
    pub fn cancel_current_task(&self) -> CancelCurrentTask<'_> {
        self.pool_ref().cancel_current_task()
    }

    /// See [`StaticPool::promise`](corepool::StaticPool::promise). No thread starts for it.
    pub fn promise<T>(&self) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        self.pool_ref().promise()
    }

    /// See [`StaticPool::map`](corepool::StaticPool::map).
    pub fn map<I, F, T>(
        &self,
        items: I,
        function: F,
    ) -> Map<'_, I::IntoIter, F, T, PoolRef<'_, SLOT_BYTES, Boxed>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().map(items, function)
    }

    /// See [`StaticPool::map_with`](corepool::StaticPool::map_with).
    #[allow(clippy::type_complexity)]
    pub fn map_with<I, F, T, const WINDOW: usize>(
        &self,
        options: MapOptions<WINDOW>,
        items: I,
        function: F,
    ) -> Result<Map<'_, I::IntoIter, F, T, PoolRef<'_, SLOT_BYTES, Boxed>, WINDOW>, MapError>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().map_with(options, items, function)
    }

    /// See [`StaticPool::scope`](corepool::StaticPool::scope).
    ///
    /// ```
    /// let pool = corepool_std::ThreadPool::new();
    /// let text = String::from("borrowed, not moved");
    /// let length = pool.scope(|scope| scope.submit(|| text.len()).unwrap().result());
    /// assert_eq!(length.unwrap(), text.len());
    /// ```
    pub fn scope<'env, F, R>(&self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env, SLOT_BYTES, Boxed>) -> R,
    {
        self.pool_ref().scope(f)
    }

    /// Ends the pool: see [`StaticPool::shutdown`](corepool::StaticPool::shutdown). With `wait`, the call returns
    /// when all work is done and all threads have ended, the destructors of their thread-locals included. Any
    /// number of callers may wait for the threads at the same time.
    ///
    /// * **Context**: any thread; with `wait`, none of the pool's own.
    /// * **Cost**: as for [`StaticPool::shutdown`](corepool::StaticPool::shutdown). With `wait`, a lock as well, and
    ///   the caller also waits for the end of the threads.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a job of the pool, or any other code in one of its threads, calls it with
    /// `wait`. [`ShutdownError::TooManyWaiters`] if 32 callers wait already. The pool is shut down all the same.
    ///
    /// ```
    /// use corepool_std::ThreadPool;
    ///
    /// let pool = ThreadPool::new();
    /// let job = pool.submit(|| 6 * 7).unwrap();
    /// pool.shutdown(true, false).unwrap(); // when the job has run and the threads have ended
    /// assert!(job.done() && pool.submit(|| 1).is_err());
    /// ```
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.inner.shutdown(wait, cancel_futures)
    }

    /// See [`StaticPool::shutdown_timeout`](corepool::StaticPool::shutdown_timeout). The call also waits for the
    /// threads, as [`shutdown`](Self::shutdown) does.
    ///
    /// * **Context**: any thread but the pool's own.
    /// * **Cost**: as for [`shutdown`](Self::shutdown). The caller waits for `timeout` at most.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] has the number of jobs that still run, and of threads that have not ended. The
    /// others are as for [`shutdown`](Self::shutdown).
    pub fn shutdown_timeout(
        &self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        let deadline = now().saturating_add(timeout);
        self.inner.finish_work(Some(timeout), cancel_futures)?;
        self.inner.wait_for_threads(Some(deadline))
    }
}

impl Drop for ThreadPool {
    /// Waits for all work. A drop on one of the pool's own threads, as by a job, does not wait: the threads end when
    /// the work is done.
    fn drop(&mut self) {
        let _ = self.shutdown(true, false);
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("max_workers", &self.max_workers())
            .field("threads_started", &self.threads_started())
            .field("capacity", &self.pool_ref().capacity())
            .finish()
    }
}

impl Executor for ThreadPool {
    fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit(job)
    }

    fn map<I, F, T>(&self, items: I, function: F) -> impl Iterator<Item = Result<T, JobError>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.map(items, function)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.shutdown(wait, cancel_futures)
    }
}

/// A job or result of more than BYTES is a build error there: no job of a `dyn DynExecutor` is boxed.
impl<const BYTES: usize> DynExecutor<BYTES> for ThreadPool {
    fn dyn_ref(&self) -> PoolRef<'_, BYTES> {
        self.pool_ref().spill_to::<NoSpill>().limit_to()
    }
}

#[cfg(feature = "remote")]
impl RemoteExecutor for ThreadPool {
    fn submit_remote<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.pool_ref().submit_remote(job)
    }

    fn submit_remote_blocking<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.pool_ref().submit_remote_blocking(job)
    }

    fn submit_remote_timeout<J: RemoteJob>(
        &self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.pool_ref().submit_remote_timeout(job, timeout)
    }

    fn submit_remote_async<J: RemoteJob>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<JobFuture<'_, J::Output>, SubmitError<J>>> + Send {
        self.pool_ref().submit_remote_async(job)
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
