//! The host's thread pool.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use corepool::{
    BrokenReason, CancelToken, Executor, JobError, JobFuture, Map, MapError, MapOptions, PoolRef,
    Promise, Scope, Shutdown, ShutdownError, SubmitAsync, SubmitError,
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
/// submit that finds an idle thread starts none. Jobs and results that do not fit a slot are boxed, so
/// they may be of any size.
///
/// At most `capacity` jobs are in flight. A submit to a full pool is an error that gives the job back;
/// [`submit_blocking`](Self::submit_blocking) waits for room.
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
pub struct ThreadPool {
    inner: Arc<HostPool<RunJobs>>,
}

impl ThreadPool {
    pub(super) fn of(inner: Arc<HostPool<RunJobs>>) -> Self {
        Self { inner }
    }

    /// A copyable view of the pool, for functions that take any pool.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    #[inline]
    pub fn pool_ref(&self) -> PoolRef<'_, SLOT_BYTES, Boxed> {
        self.inner.view()
    }

    /// A view that submits at `priority`. See [`StaticPool::at`](corepool::StaticPool::at).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn at(&self, priority: usize) -> PoolRef<'_, SLOT_BYTES, Boxed> {
        self.pool_ref().at(priority)
    }

    /// How many threads have started. They stay until the pool is shut down.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1): one atomic load.
    pub fn threads_started(&self) -> usize {
        self.inner.threads_started()
    }

    /// How many threads the pool has at most.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn max_workers(&self) -> usize {
        self.inner.options().max
    }

    /// How many jobs can be in flight.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn capacity(&self) -> usize {
        self.pool_ref().capacity()
    }

    /// How many more jobs could be submitted now. See [`StaticPool::free_slots`](corepool::StaticPool::free_slots).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity).
    pub fn free_slots(&self) -> usize {
        self.pool_ref().free_slots()
    }

    /// How many threads are at work or wait for work, with blocked callers that run jobs meanwhile.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn workers(&self) -> usize {
        self.pool_ref().workers()
    }

    /// How many threads sleep, or are about to.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(max_workers).
    pub fn idle_workers(&self) -> usize {
        self.pool_ref().idle_workers()
    }

    /// How many jobs are queued or running. Out of date at once if others use the pool.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity).
    pub fn unfinished(&self) -> usize {
        self.pool_ref().unfinished()
    }

    /// Why the pool is broken, if it is.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn broken_reason(&self) -> Option<BrokenReason> {
        self.pool_ref().broken_reason()
    }

    /// Whether the pool has been shut down.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn is_shut_down(&self) -> bool {
        self.pool_ref().is_shut_down()
    }

    /// [`shutdown`](Self::shutdown) with `wait`, for async callers. The future is ready when all jobs have
    /// ended and all threads have left the pool. Dropping the pool then waits only for the threads to exit.
    /// See [`StaticPool::shutdown_async`](corepool::StaticPool::shutdown_async).
    ///
    /// * **Context**: any thread. A task of the pool does not await it.
    /// * **Cost**: O(capacity + max_workers), and with `cancel_futures` the destructors of the jobs and their
    ///   callbacks.
    /// * **Cancel safety**: safe: the pool stays shut down.
    pub fn shutdown_async(&self, cancel_futures: bool) -> Shutdown<'_> {
        self.pool_ref().shutdown_async(cancel_futures)
    }

    /// Breaks the pool: each job that does not run yet, and each later submit, fails with this text. See
    /// [`StaticPool::break_pool`](corepool::StaticPool::break_pool).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity), the destructors of the queued jobs and their callbacks.
    pub fn break_pool(&self, reason: &'static str) {
        self.pool_ref().break_pool(reason);
    }

    /// Queues a closure and returns the future of its result.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), without heap and locks. Heap for a closure or result of more than
    ///   [`SLOT_BYTES`]. O(capacity) if no slot is free and jobs have ended in the queue. While
    ///   fewer than `max_workers` have started, a submit that finds no idle thread takes a lock and
    ///   counts at O(capacity) how many are wanted. It may start one.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`], [`SubmitError::Broken`];
    /// [`SubmitError::NoWorker`] with the system's reason, if there is no thread and the system
    /// refuses one. The closure is in the error.
    #[inline(always)]
    pub fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit(job)
    }

    /// Queues a closure whose outcome nobody waits for. A panic of the closure is reported on standard
    /// error, or, with the feature `log`, through the `log` facade.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_detached<F>(&self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.pool_ref().submit_detached(job)
    }

    /// Queues a closure that is called with a [`CancelToken`].
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_cancellable<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_cancellable(job)
    }

    /// [`submit`](Self::submit), but the caller waits for room if the pool is full. See
    /// [`StaticPool::submit_blocking`](corepool::StaticPool::submit_blocking).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit`](Self::submit) if there is room. Else the caller waits for
    ///   room, and each look for it is O(capacity + max_workers).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), except [`SubmitError::Full`].
    /// [`SubmitError::TooManyWaiters`] if 32 callers wait already.
    pub fn submit_blocking<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_blocking(job)
    }

    /// [`submit_blocking`](Self::submit_blocking), for no longer than `timeout`. If the caller runs a
    /// job meanwhile, it finishes that job first.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit_blocking`](Self::submit_blocking). The caller waits for
    ///   `timeout` at most.
    ///
    /// # Errors
    ///
    /// As for [`submit_blocking`](Self::submit_blocking); [`SubmitError::Full`] if there was no room
    /// in time.
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

    /// A future that submits a closure when there is room.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1): nothing is submitted before the first poll.
    /// * **Cancel safety**: as for [`SubmitAsync`]: if the future is dropped before it is ready, it drops
    ///   the closure.
    pub fn submit_async<F, T>(&self, job: F) -> SubmitAsync<'_, F, T, SLOT_BYTES, Boxed>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_async(job)
    }

    /// Queues an async task. The pool must live for ever, such as one in a `static LazyLock`: the task's
    /// waker refers to the pool and keeps no count.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit`](Self::submit). Each wake of the task costs the same.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
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

    /// A promise, and the future of the result that is set through it.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1). No thread starts for it.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`] and [`SubmitError::Broken`], as for
    /// [`submit`](Self::submit).
    pub fn promise<T>(&self) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        self.pool_ref().promise()
    }

    /// Calls `function` with each item, each call in a job of its own. Iterates over the results in the
    /// items' order. See [`StaticPool::map`](corepool::StaticPool::map).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: a [`submit`](Self::submit) for each job of the window, by the call and by each
    ///   `next`. `next` waits for its result, or for room.
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

    /// [`map`](Self::map) with a buffer size and a timeout.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`map`](Self::map), with `buffer_size` jobs in the window.
    ///
    /// # Errors
    ///
    /// [`MapError::ZeroBuffer`] and [`MapError::BufferTooLarge`] for a `buffer_size` that is not 1
    /// to WINDOW.
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

    /// Calls `f` with a [`Scope`], whose jobs may borrow from the caller. The call returns, or panics if
    /// `f` does, when all jobs of the scope have ended.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(max_workers). The call waits for the scope's jobs. If the caller is a job of this
    ///   pool, it runs those that nobody has begun, and looks for them at O(capacity) a look.
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

    /// Shuts the pool down: it takes no new work. With `cancel_futures`, it cancels the queued jobs.
    /// Idempotent.
    ///
    /// With `wait`, the call returns when all work is done and all threads have ended, the destructors
    /// of their thread-locals included. Any number of callers may wait for the threads at the same time.
    ///
    /// * **Context**: any thread; with `wait`, none of the pool's own.
    /// * **Cost**: O(max_workers). With `cancel_futures` also O(capacity), the destructors of the
    ///   jobs, and their callbacks. With `wait`, a lock, and the caller waits for all work.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a job of the pool, or any other code in one of its
    /// threads, calls it with `wait`. [`ShutdownError::TooManyWaiters`] if 32 callers wait already.
    /// The pool is shut down all the same.
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.inner.shutdown(wait, cancel_futures)
    }

    /// [`shutdown`](Self::shutdown) with `wait`, for no longer than `timeout`.
    ///
    /// * **Context**: any thread but the pool's own.
    /// * **Cost**: as for [`shutdown`](Self::shutdown). The caller waits for `timeout` at most.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] says how many jobs still run, and how many threads have not ended.
    /// [`ShutdownError::WouldDeadlock`] and [`ShutdownError::TooManyWaiters`] as for
    /// [`shutdown`](Self::shutdown). The pool is shut down all the same.
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
