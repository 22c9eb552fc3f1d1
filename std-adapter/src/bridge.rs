//! Bridges from async event loops: blocking work runs in a pool, the event loop awaits it.
//!
//! A [`JobFuture`](corepool::JobFuture) can be awaited as it is. What these functions add is what
//! event loops expect of such a call: giving up the await gives up the work.

use corepool::{CancelOnDrop, Executor, JobError, PoolRef, Spill, SubmitError};

/// Runs blocking work in an executor, now, and returns a future to await in any event loop.
///
/// Python's `loop.run_in_executor`. The work is submitted by this call, not by the await.
///
/// * **Context**: any that may submit to the executor.
/// * **Cost**: as for [`Executor::submit`]; O(1) a poll.
/// * **Cancel safety**: a drop cancels the work, on purpose: work that has not begun never runs.
///   Work that runs completes, and its result is dropped.
///
/// # Errors
///
/// As for [`Executor::submit`]: a pool that is full or shut down fails at the call.
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

/// Runs blocking work in a pool, beginning with the first poll. Python's `asyncio.to_thread`.
///
/// If the pool is full, the await waits for room.
///
/// * **Context**: any may poll it.
/// * **Cost**: a poll costs a submit until the work is submitted, in a full pool O(SLOTS +
///   WAITERS). O(1) a poll from then on.
/// * **Cancel safety**: a drop cancels the work, on purpose, and drops a closure that was not
///   submitted yet. Work that runs completes, and its result is dropped.
///
/// # Errors
///
/// How the job ended, if not with a result; [`JobError::ShutDown`], [`JobError::Broken`] or
/// [`JobError::NoWorker`] if the pool did not take it.
///
/// ```
/// use corepool_std::{ThreadPool, to_thread};
///
/// let pool = ThreadPool::new();
/// let size = futures_lite::future::block_on(to_thread(pool.handle(), || {
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
