//! The trait that pools of this crate and thread pools of a host have in common.

use crate::{
    api::future::JobFuture,
    api::pool_ref::PoolRef,
    error::{ShutdownError, SubmitError},
    jobs::ambient::Policy,
};

/// An executor: it takes closures, and returns futures. It is Python's
/// `concurrent.futures.Executor`.
///
/// Code that is generic over it runs on a [`StaticPool`](crate::StaticPool) as well as on a thread
/// pool of the host.
///
/// ```
/// use corepool::{Executor, JobError, StaticPool};
///
/// fn add_up(executor: &impl Executor) -> Result<u32, JobError> {
///     let parts = executor.map(0..4_u32, |n| n * 10);
///     parts.sum()
/// }
///
/// static POOL: StaticPool<8, 64> = StaticPool::new();
/// assert_eq!(add_up(&POOL).unwrap(), 60);
/// ```
pub trait Executor {
    /// Queues a closure and returns the future of its result.
    ///
    /// * **Context**: any on a pool of this crate; any thread on a pool of the host.
    /// * **Cost**: as for [`StaticPool::submit`](crate::StaticPool::submit), and never a wait.
    ///
    /// # Errors
    ///
    /// As for [`SubmitError`]. The closure is in the error.
    ///
    /// ```
    /// use corepool::{Executor, StaticPool};
    ///
    /// fn answer(executor: &impl Executor) -> u32 {
    ///     let job = executor.submit(|| 6 * 7).expect("there is room");
    ///     job.result().expect("the job does not panic")
    /// }
    ///
    /// static POOL: StaticPool<8, 64> = StaticPool::new();
    /// assert_eq!(answer(&POOL), 42);
    /// ```
    fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// Calls `function` with each item, each call as a job. The iterator has the results in the
    /// items' order.
    ///
    /// * **Context**: as for [`submit`](Self::submit), for the call; any that may block for `next`.
    /// * **Cost**: as for [`StaticPool::map`](crate::StaticPool::map).
    ///
    /// # Errors
    ///
    /// A job that failed gives its [`JobError`](crate::JobError) in its place, and the iteration
    /// goes on.
    fn map<I, F, T>(
        &self,
        items: I,
        function: F,
    ) -> impl Iterator<Item = Result<T, crate::JobError>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static;

    /// Ends the executor: it takes no new work. See
    /// [`StaticPool::shutdown`](crate::StaticPool::shutdown).
    ///
    /// * **Context**: with `wait`, any that may block, and no job of the executor. Without, as for
    ///   [`submit`](Self::submit).
    /// * **Cost**: as for [`StaticPool::shutdown`](crate::StaticPool::shutdown). With `wait`, the
    ///   caller waits for all work.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a job of the executor calls it with `wait`. See
    /// [`ShutdownError`] for the others.
    ///
    /// ```
    /// use corepool::{Executor, StaticPool};
    ///
    /// fn finish(executor: &impl Executor) {
    ///     executor.shutdown(true, false).expect("no job calls this");
    /// }
    ///
    /// static POOL: StaticPool<8, 64> = StaticPool::new();
    /// finish(&POOL);
    /// assert!(POOL.is_shut_down());
    /// ```
    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError>;
}

impl<const BYTES: usize, S: Policy> Executor for PoolRef<'_, BYTES, S> {
    fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        PoolRef::submit(*self, job)
    }

    fn map<I, F, T>(
        &self,
        items: I,
        function: F,
    ) -> impl Iterator<Item = Result<T, crate::JobError>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        PoolRef::map(*self, items, function)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        PoolRef::shutdown(*self, wait, cancel_futures)
    }
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Executor
    for crate::StaticPool<S, B, P, W, V>
{
    fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit(job)
    }

    fn map<I, F, T>(
        &self,
        items: I,
        function: F,
    ) -> impl Iterator<Item = Result<T, crate::JobError>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().map(items, function)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.pool_ref().shutdown(wait, cancel_futures)
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use crate::StaticPool;

    #[test]
    fn a_static_pool_is_an_executor_like_its_view() {
        fn shut_down(executor: &impl Executor) {
            executor.shutdown(true, false).unwrap();
        }
        let pools = [const { StaticPool::<2, 16>::new() }; 2];
        shut_down(&pools[0]);
        shut_down(&pools[1].pool_ref());
        assert!(pools.iter().all(StaticPool::is_shut_down));
    }
}
