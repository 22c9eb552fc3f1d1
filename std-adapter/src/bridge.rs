//! Bridges from async event loops: blocking work runs in a pool, the event loop awaits it.
//!
//! An event loop can await a [`JobFuture`](corepool::JobFuture) as it is. These functions add what event
//! loops expect: to give up the await is to give up the work.

use corepool::{CancelOnDrop, Executor, JobError, PoolRef, Spill, SubmitError};

/// Submits blocking work to an executor, and returns a future that any event loop can await.
///
/// Python's `loop.run_in_executor`. The call itself submits the work, before the await.
///
/// * **Context**: any that may submit to the executor.
/// * **Cost**: as for [`Executor::submit`]; O(1) a poll.
/// * **Cancel safety**: a drop of the future cancels the work, on purpose. Work that has not begun never
///   runs. Work that runs completes, and its result is dropped.
///
/// # Errors
///
/// As for [`Executor::submit`]: the call fails if the pool is full or shut down.
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
pub fn run_in_executor<E, F, T>(executor: &E, job: F) -> Result<CancelOnDrop<'_, T>, SubmitError<F>>
where
    E: Executor,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Ok(executor.submit(job)?.cancel_on_drop())
}

/// Runs blocking work in a pool. Python's `asyncio.to_thread`.
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
/// The error says how the job ended, if it has no result. [`JobError::ShutDown`], [`JobError::Broken`] or
/// [`JobError::NoWorker`]: the pool did not take it.
///
/// ```
/// use corepool_std::{ThreadPool, to_thread};
///
/// let pool = ThreadPool::new();
/// let size = futures_lite::future::block_on(to_thread(pool.pool_ref(), || {
///     std::fs::metadata("Cargo.toml").map(|data| data.len())
/// }));
/// assert!(size.unwrap().unwrap() > 0);
/// ```
pub async fn to_thread<const BYTES: usize, S, F, T>(
    pool: PoolRef<'_, BYTES, S>,
    job: F,
) -> Result<T, JobError>
where
    S: Spill,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match pool.submit_async(job).await {
        Ok(future) => future.cancel_on_drop().await,
        Err(SubmitError::Broken(_, reason)) => Err(JobError::Broken(reason)),
        Err(SubmitError::NoWorker(_, reason)) => Err(JobError::NoWorker(reason)),
        Err(_) => Err(JobError::ShutDown),
    }
}
