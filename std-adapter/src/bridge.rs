//! Bridges from async event loops: blocking work runs in a pool, the event loop awaits it.
//!
//! An event loop can await a [`JobFuture`](corepool::JobFuture) as it is. These functions add what event
//! loops expect: to give up the await is to give up the work.

use std::sync::{LazyLock, Mutex, PoisonError};

#[cfg(all(unix, feature = "process"))]
use corepool::remote::RemoteJob;
use corepool::{CancelOnDrop, Executor, JobError, JobFuture, Policy, PoolRef, SubmitError};

#[cfg(all(unix, feature = "process"))]
use crate::process::ProcessPool;
use crate::threads::{
    boxed::{Boxed, SLOT_BYTES},
    thread_pool::ThreadPool,
};

/// Submits blocking work to an executor, and returns a future that any event loop can await.
///
/// Python's `loop.run_in_executor`. The call itself submits the work, before the await. An [`Executor`] takes a
/// closure, and a process pool takes a job with a name.
///
/// * **Context**: any that may submit to the executor.
/// * **Cost**: as for [`Executor::submit`]; O(1) a poll.
/// * **Cancel safety**: a drop of the future cancels the work, on purpose. Work that has not begun never
///   runs. Work that runs completes, and its result is dropped.
///
/// # Errors
///
/// As for the executor's own `submit`: the call fails if the pool is full or shut down.
///
/// ```
/// use corepool_std::{ThreadPool, run_in_executor};
///
/// let pool = ThreadPool::new();
/// let answer = futures_lite::future::block_on(async {
///     run_in_executor(&pool, || 6 * 7).unwrap().await
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
pub fn run_in_executor<E, J>(
    executor: &E,
    job: J,
) -> Result<CancelOnDrop<'_, E::Output>, SubmitError<J>>
where
    E: Runs<J> + ?Sized,
{
    Ok(executor.submit_job(job)?.cancel_on_drop())
}

/// An executor that runs jobs of type `J`: any [`Executor`] runs closures, and a process pool runs the jobs that have
/// a name. So [`run_in_executor`] takes both.
pub trait Runs<J> {
    /// The result of the job.
    type Output;

    /// Queues a job and returns the future of its result.
    ///
    /// * **Context**: any that may submit to the executor.
    /// * **Cost**: as for the executor's own `submit`.
    ///
    /// # Errors
    ///
    /// As for the executor's own `submit`. The job is in the error.
    ///
    /// ```
    /// use corepool::JobFuture;
    /// use corepool_std::{Runs, ThreadPool};
    ///
    /// /// Runs a closure in a thread pool, or a named job in a process pool.
    /// fn start<'e, E: Runs<J>, J>(executor: &'e E, job: J) -> JobFuture<'e, E::Output> {
    ///     executor.submit_job(job).expect("there is room")
    /// }
    ///
    /// let pool = ThreadPool::new();
    /// assert_eq!(start(&pool, || 6 * 7).result().unwrap(), 42);
    /// ```
    fn submit_job(&self, job: J) -> Result<JobFuture<'_, Self::Output>, SubmitError<J>>;
}

impl<E, F, T> Runs<F> for E
where
    E: Executor + ?Sized,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn submit_job(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>> {
        self.submit(job)
    }
}

#[cfg(all(unix, feature = "process"))]
impl<J: RemoteJob> Runs<J> for ProcessPool {
    type Output = J::Output;

    fn submit_job(&self, job: J) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.submit(job)
    }
}

/// A view of a pool that can be the default executor: one that lives for ever, with slots of [`SLOT_BYTES`],
/// which boxes larger jobs.
type DefaultExecutor = PoolRef<'static, SLOT_BYTES, Boxed>;

/// The default executor that the application has set.
static CHOSEN: Mutex<Option<DefaultExecutor>> = Mutex::new(None);

/// Sets the pool that [`to_thread`] runs its work in, for the whole process. Python's
/// `loop.set_default_executor`.
///
/// Work that the former default executor has taken stays there. The pool lives for ever: a [`ThreadPool`] in
/// a `static LazyLock`, or a [`StaticPool`](corepool::StaticPool) by
/// `POOL.pool_ref().spill_to::<Boxed>()`.
///
/// * **Context**: any thread.
/// * **Cost**: O(1), under a lock.
///
/// ```
/// use std::sync::LazyLock;
/// use corepool_std::{ThreadPool, set_default_executor, to_thread};
///
/// static POOL: LazyLock<ThreadPool> = LazyLock::new(|| {
///     ThreadPool::builder().thread_name_prefix("blocking").build().unwrap()
/// });
///
/// set_default_executor(POOL.pool_ref());
/// let name = || std::thread::current().name().map(String::from);
/// let name = futures_lite::future::block_on(to_thread(name));
/// assert_eq!(name.unwrap().as_deref(), Some("blocking-0"));
/// ```
pub fn set_default_executor(pool: PoolRef<'static, SLOT_BYTES, Boxed>) {
    // A copy of a view: no code that may panic runs under this lock.
    let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    *chosen = Some(pool);
}

/// The pool that [`to_thread`] runs its work in: that of [`set_default_executor`], or else a [`ThreadPool`] with
/// default options, which the first call builds.
///
/// * **Context**: any thread.
/// * **Cost**: O(1), under a lock. The first call may build a pool: as for [`ThreadPool::new`].
///
/// ```
/// use corepool_std::default_executor;
///
/// let job = default_executor().submit(|| 6 * 7).unwrap(); // beside the work of `to_thread`
/// assert_eq!(job.result().unwrap(), 42);
/// ```
pub fn default_executor() -> PoolRef<'static, SLOT_BYTES, Boxed> {
    static POOL: LazyLock<ThreadPool> = LazyLock::new(ThreadPool::new);
    let chosen = *CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    chosen.unwrap_or_else(|| POOL.pool_ref())
}

/// Runs blocking work in the [`default_executor`]. Python's `asyncio.to_thread`.
///
/// The first poll submits the work. If the pool is full, the await waits for room.
///
/// * **Context**: any thread may poll it.
/// * **Cost**: as for [`to_thread_in`]. The first poll asks for the [`default_executor`].
/// * **Cancel safety**: as for [`to_thread_in`].
///
/// # Errors
///
/// As for [`to_thread_in`].
///
/// ```
/// use corepool_std::to_thread;
///
/// let size = futures_lite::future::block_on(to_thread(|| {
///     std::fs::metadata("Cargo.toml").map(|data| data.len())
/// }));
/// assert!(size.unwrap().unwrap() > 0);
/// ```
pub async fn to_thread<F, T>(job: F) -> Result<T, JobError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    to_thread_in(default_executor(), job).await
}

/// [`to_thread`] in a pool of the caller's choice, which need not live for ever. A view by
/// [`carrying`](ThreadPool::carrying) takes an ambient value along, such as the current tracing span.
///
/// The first poll submits the work. If the pool is full, the await waits for room.
///
/// * **Context**: any may poll it.
/// * **Cost**: until the work is submitted, a poll costs a submit: in a full pool O(SLOTS + WAITERS).
///   From then on, O(1) a poll.
/// * **Cancel safety**: a drop of the future cancels the work, on purpose. A closure that was not
///   submitted yet is dropped. Work that runs completes, and its result is dropped.
///
/// # Errors
///
/// The error says how the job ended, if it has no result. With [`JobError::ShutDown`], [`JobError::Broken`],
/// [`JobError::NoWorker`], [`JobError::NoSuchPriority`] or [`JobError::TooManyWaiters`], the pool did not take the job.
///
/// ```
/// use corepool_std::{ThreadPool, to_thread_in};
///
/// let pool = ThreadPool::new();
/// let size = futures_lite::future::block_on(to_thread_in(pool.pool_ref(), || {
///     std::fs::metadata("Cargo.toml").map(|data| data.len())
/// }));
/// assert!(size.unwrap().unwrap() > 0);
/// ```
pub async fn to_thread_in<const BYTES: usize, S, F, T>(
    pool: PoolRef<'_, BYTES, S>,
    job: F,
) -> Result<T, JobError>
where
    S: Policy,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match pool.submit_async(job).await {
        Ok(future) => future.cancel_on_drop().await,
        Err(SubmitError::Broken(_, reason)) => Err(JobError::Broken(reason)),
        Err(SubmitError::NoWorker(_, reason)) => Err(JobError::NoWorker(reason)),
        Err(SubmitError::NoSuchPriority(_)) => Err(JobError::NoSuchPriority),
        Err(SubmitError::TooManyWaiters(_)) => Err(JobError::TooManyWaiters),
        Err(_) => Err(JobError::ShutDown),
    }
}
