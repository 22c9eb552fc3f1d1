//! The host's thread pool.

use std::{
    fmt,
    future::Future,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use corepool::{
    CancelToken, Executor, InitError, JobError, JobFuture, Map, MapError, MapOptions, PoolConfig,
    PoolRef, Promise, Scope, ShutdownError, SubmitAsync, SubmitError, WorkerId,
};

use crate::{
    crew::Crew,
    host_pool::{Boxed, Coming, HostPool, SLOT_BYTES, ThreadMain, Threads},
    panic::{discard, start_by},
    port::{SPINS, now},
    workers::{Hooked, ThreadWorker},
};

/// Why a thread pool could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// `max_workers` must be 1 to 1,000.
    MaxWorkers(usize),
    /// `capacity` must be 1 to 65,000.
    Capacity(usize),
    /// `priorities` must be 1 to 16.
    Priorities(usize),
    /// `thread_name_prefix` has a NUL in it, which no thread's name may have.
    ThreadName(String),
    /// `stack_size` must be 1 to [`MAX_STACK_SIZE`].
    StackSize(usize),
}

/// The largest stack that a thread can be asked to have. The system has room for less.
pub const MAX_STACK_SIZE: usize = isize::MAX as usize / 2;

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxWorkers(n) => write!(f, "max_workers must be 1 to 1,000, not {n}"),
            Self::Capacity(n) => write!(f, "capacity must be 1 to 65,000, not {n}"),
            Self::Priorities(n) => write!(f, "priorities must be 1 to 16, not {n}"),
            Self::ThreadName(prefix) => write!(
                f,
                "thread_name_prefix must have no NUL, as {prefix:?} has: leave it out"
            ),
            Self::StackSize(n) => {
                write!(f, "stack_size must be 1 to {MAX_STACK_SIZE} bytes, not {n}")
            }
        }
    }
}

impl std::error::Error for BuildError {}

/// What the builder's initializer is.
type Initializer = Arc<dyn Fn() -> Result<(), InitError> + Send + Sync>;

/// Options of a [`ThreadPool`].
///
/// ```
/// use corepool_std::ThreadPool;
///
/// let pool = ThreadPool::builder()
///     .max_workers(2)
///     .thread_name_prefix("reader")
///     .capacity(100)
///     .build()
///     .unwrap();
/// let name = pool.submit(|| std::thread::current().name().map(String::from)).unwrap();
/// assert_eq!(name.result().unwrap().as_deref(), Some("reader-0"));
/// ```
#[derive(Clone)]
pub struct ThreadPoolBuilder {
    max_workers: usize,
    thread_name_prefix: Option<String>,
    stack_size: Option<usize>,
    initializer: Option<Initializer>,
    capacity: usize,
    priorities: usize,
    waiters: usize,
    spins: u32,
}

impl ThreadPoolBuilder {
    /// How many threads at most: 1 to 1,000. By default, the number of cores plus 4, at most 32.
    pub fn max_workers(mut self, max_workers: usize) -> Self {
        self.max_workers = max_workers;
        self
    }

    /// The beginning of the threads' names; `-` and a number follow. By default `ThreadPool-` and a
    /// number that no other pool of the process has, as in `ThreadPool-0-1`.
    pub fn thread_name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.thread_name_prefix = Some(prefix.into());
        self
    }

    /// How many bytes of stack each thread has, 1 to [`MAX_STACK_SIZE`]; the system rounds up to what it can
    /// do. By default as many as [`std::thread`] gives, 2 MiB unless `RUST_MIN_STACK` says otherwise. A job
    /// runs on its thread's stack, and a job that it waits for may run on top of it.
    ///
    /// If the system has no room for such a stack, it refuses the thread: the submit that wanted it fails.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// A function that each thread calls before its first job. If it fails or panics, the pool is
    /// broken: what is queued, and every later submit, fails with its error.
    pub fn initializer(
        mut self,
        initializer: impl Fn() -> Result<(), InitError> + Send + Sync + 'static,
    ) -> Self {
        self.initializer = Some(Arc::new(initializer));
        self
    }

    /// How many jobs can be in flight, queued, running, or done with the result not taken: 1 to
    /// 65,000. By default 1,024.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// How many levels of urgency there are: 1, the default, to 16.
    pub fn priorities(mut self, priorities: usize) -> Self {
        self.priorities = priorities;
        self
    }

    /// How often an idle worker looks for a job again before its thread parks. More looks begin the
    /// next job sooner; fewer save power.
    ///
    /// By default 1,050 looks, which take two to six tenths of a millisecond; with 0 the thread
    /// parks at once. A blocked caller looks as often for its result, but 128 times at most.
    pub fn spins(mut self, spins: u32) -> Self {
        self.spins = spins;
        self
    }

    /// Builds the pool. No thread starts before the first job.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity × priorities + max_workers): all memory of the pool, in one piece of
    ///   the heap.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says which option is out of bounds.
    pub fn build(self) -> Result<ThreadPool, BuildError> {
        if !(1..=1_000).contains(&self.max_workers) {
            return Err(BuildError::MaxWorkers(self.max_workers));
        }
        if !(1..=65_000).contains(&self.capacity) {
            return Err(BuildError::Capacity(self.capacity));
        }
        if !(1..=16).contains(&self.priorities) {
            return Err(BuildError::Priorities(self.priorities));
        }
        if let Some(prefix) = &self.thread_name_prefix
            && prefix.contains('\0')
        {
            return Err(BuildError::ThreadName(prefix.clone()));
        }
        if let Some(bytes) = self.stack_size
            && !(1..=MAX_STACK_SIZE).contains(&bytes)
        {
            return Err(BuildError::StackSize(bytes));
        }
        Ok(ThreadPool::from_builder(self))
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("thread_name_prefix", &self.thread_name_prefix)
            .field("stack_size", &self.stack_size)
            .field("capacity", &self.capacity)
            .field("priorities", &self.priorities)
            .field("spins", &self.spins)
            .finish_non_exhaustive()
    }
}

/// An executor on OS threads: Python's `ThreadPoolExecutor`.
///
/// It is a pool of the core with memory of its own. Threads start on demand, up to `max_workers`;
/// an idle one is used before another starts. Jobs and results that do not fit a slot are boxed, so
/// size never fails. The number of jobs in flight is bounded by `capacity`. A submit to a full pool
/// is an error that gives the job back, and [`submit_blocking`](Self::submit_blocking) waits.
///
/// Dropping it waits for all work, like `shutdown(true, false)`.
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
    inner: Arc<HostPool<Jobs>>,
}

/// How many workers a pool has on a machine with so many cores, if nobody says.
fn default_workers(cores: usize) -> usize {
    cores.saturating_add(4).min(32)
}

/// What the names of a pool's threads begin with, if nobody says. Each pool has another.
fn default_prefix() -> String {
    static POOLS: AtomicUsize = AtomicUsize::new(0);
    format!("ThreadPool-{}", POOLS.fetch_add(1, Ordering::Relaxed))
}

/// What the pool's threads do: jobs, after the initializer.
struct Jobs {
    initializer: Option<Initializer>,
    crew: Option<Arc<Crew>>,
}

impl ThreadMain for Jobs {
    fn threads_wanted(pool: &HostPool<Self>) -> usize {
        pool.handle().workers_wanted()
    }

    fn run(pool: &HostPool<Self>, _number: usize, coming: Coming<Self>) {
        let coming = std::cell::Cell::new(Some(coming));
        let on_start = |_: WorkerId| {
            // It has joined.
            drop(coming.take());
            pool.main.initialize()
        };
        let worker = Hooked {
            worker: ThreadWorker::new(pool.options().spins).in_crew(pool.main.crew.clone()),
            on_start: &on_start,
        };
        // A broken pool says so to those who submit to it.
        let _ = pool.handle().run(&worker);
    }
}

impl Jobs {
    fn initialize(&self) -> Result<(), InitError> {
        let Some(initializer) = &self.initializer else {
            return Ok(());
        };
        start_by("the initializer", || initializer())
    }
}

impl Drop for Jobs {
    /// The initializer is foreign, and so is its destructor.
    fn drop(&mut self) {
        discard(self.initializer.take());
    }
}

impl ThreadPool {
    /// A pool with default options.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`ThreadPoolBuilder::build`].
    pub fn new() -> Self {
        Self::from_builder(Self::builder())
    }

    /// Options for a pool.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), and a call of the system for the number of cores.
    pub fn builder() -> ThreadPoolBuilder {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        ThreadPoolBuilder {
            max_workers: default_workers(cores),
            thread_name_prefix: None,
            stack_size: None,
            initializer: None,
            capacity: 1_024,
            priorities: 1,
            waiters: 32,
            spins: SPINS,
        }
    }

    /// The builder's options were checked.
    fn from_builder(builder: ThreadPoolBuilder) -> Self {
        let config = PoolConfig {
            slots: builder.capacity,
            priorities: builder.priorities,
            workers: builder.max_workers,
            waiters: builder.waiters,
        };
        let threads = Threads {
            max: builder.max_workers,
            name_prefix: builder.thread_name_prefix.unwrap_or_else(default_prefix),
            stack_size: builder.stack_size,
            spins: builder.spins,
        };
        let jobs = Jobs {
            initializer: builder.initializer,
            crew: Crew::of(builder.max_workers),
        };
        let inner = HostPool::new(config, threads, jobs);
        Self { inner }
    }

    /// A copyable view of the pool, for functions that take any pool.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    #[inline]
    pub fn handle(&self) -> PoolRef<'_, SLOT_BYTES, Boxed> {
        self.inner.handle()
    }

    /// A view that submits at `priority`. See [`StaticPool::at`](corepool::StaticPool::at).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn at(&self, priority: usize) -> PoolRef<'_, SLOT_BYTES, Boxed> {
        self.handle().at(priority)
    }

    /// How many threads have been started. They stay until the pool is shut down.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1): one atomic load.
    pub fn threads_started(&self) -> usize {
        self.inner.threads_started()
    }

    /// How many threads there can be.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn max_workers(&self) -> usize {
        self.inner.options().max
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
        self.handle().submit(job)
    }

    /// Queues a closure whose outcome nobody waits for. If it panics, that is reported on standard
    /// error.
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
        self.handle().submit_detached(job)
    }

    /// Queues a closure that is given a [`CancelToken`].
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
        self.handle().submit_cancellable(job)
    }

    /// [`submit`](Self::submit), but waits for room if the pool is full. See
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
        self.handle().submit_blocking(job)
    }

    /// [`submit_blocking`](Self::submit_blocking), for no longer than `timeout`. A job that the
    /// caller runs meanwhile is not broken off.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit_blocking`](Self::submit_blocking). The caller waits for
    ///   `timeout` at most.
    ///
    /// # Errors
    ///
    /// As for [`submit_blocking`](Self::submit_blocking); [`SubmitError::Full`] if the time was
    /// over.
    pub fn submit_timeout<F, T>(
        &self,
        job: F,
        timeout: Duration,
    ) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle().submit_timeout(job, timeout)
    }

    /// A future that submits a closure when there is room.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1): nothing is submitted before the first poll.
    /// * **Cancel safety**: as for [`SubmitAsync`]: dropped before it is ready, it drops the
    ///   closure.
    pub fn submit_async<F, T>(&self, job: F) -> SubmitAsync<'_, F, T, SLOT_BYTES, Boxed>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle().submit_async(job)
    }

    /// Queues an async task. For a pool that lives for ever only, such as one in a `static
    /// LazyLock`: the task's waker refers to the pool without counting.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit`](Self::submit); so is each wake of the task.
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
        self.handle().spawn(task)
    }

    /// A future whose result is set by hand.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1). No thread is started for it.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`] and [`SubmitError::Broken`], as for
    /// [`submit`](Self::submit).
    pub fn promise<T>(&self) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        self.handle().promise()
    }

    /// Calls `function` with each item, each call a job, and iterates over the results in the
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
        self.handle().map(items, function)
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
        self.handle().map_with(options, items, function)
    }

    /// Calls `f` with a [`Scope`], whose jobs may borrow from the caller; returns when all of them
    /// have ended, also if `f` panics.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(max_workers). The call waits for the scope's jobs. A job of this pool that
    ///   waits looks for those nobody has begun, at O(capacity) a look.
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
        self.handle().scope(f)
    }

    /// Ends the pool: no new work is taken. With `cancel_futures`, jobs that are queued are
    /// cancelled. Idempotent.
    ///
    /// With `wait`, returns when all work is done and all threads have ended, the destructors of
    /// their thread-locals included. Any number of callers may wait for that at the same time.
    ///
    /// * **Context**: any thread; with `wait`, none of the pool's own.
    /// * **Cost**: O(max_workers); with `cancel_futures` also O(capacity), the destructors of the
    ///   jobs and their callbacks. With `wait`, a lock, and the caller waits for all work.
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
    /// [`ShutdownError::StillRunning`] says what still runs: jobs, and threads that have not ended.
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

impl Default for ThreadPool {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ThreadPool {
    /// Waits for all work. Dropped in one of its own threads, as by a job, it does not wait: the threads end
    /// when the work is done.
    fn drop(&mut self) {
        let _ = self.shutdown(true, false);
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("max_workers", &self.max_workers())
            .field("threads_started", &self.threads_started())
            .field("capacity", &self.handle().capacity())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// CPython: `ThreadPoolExecutorTest.test_default_workers`, on any machine.
    #[test]
    fn there_are_four_workers_more_than_cores_and_32_at_most() {
        let workers = [1, 2, 27, 28, 29, usize::MAX].map(default_workers);
        assert_eq!(workers, [5, 6, 31, 32, 32, 32]);
    }
}
