//! Submits of several jobs to a [`StaticPool`]: a map, or jobs that borrow.

use crate::{
    api::map::{Map, MapError, MapOptions},
    api::pool_ref::PoolRef,
    api::scope::Scope,
    api::static_pool::StaticPool,
};

/// # Submit many
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    /// Calls `function` with each item, each call as a job. The iterator has the results in the
    /// items' order.
    ///
    /// The call submits the first jobs. Each [`next`](Iterator::next) submits further jobs ahead of
    /// its result: [`DEFAULT_WINDOW`](crate::DEFAULT_WINDOW) at most, and fewer if the pool is
    /// full. See [`Map`]. For several iterators, `zip` them.
    ///
    /// * **Context**: any for the call; any that may block for `next`.
    /// * **Cost**: a [`submit`](Self::submit) for each job of the window. Each `next` waits as
    ///   [`JobFuture::result`](crate::JobFuture::result) does, or for room as
    ///   [`submit_blocking`](Self::submit_blocking) does.
    ///
    /// # Errors
    ///
    /// A job that fails, or whose wait fails, gives a [`JobError`](crate::JobError) in its place, and
    /// the iteration goes on. A job that the pool refuses gives [`Broken`](crate::JobError::Broken),
    /// [`NoWorker`](crate::JobError::NoWorker) or [`ShutDown`](crate::JobError::ShutDown) in the
    /// same way. A wait for room that fails ends the iteration, with
    /// [`TooManyWaiters`](crate::JobError::TooManyWaiters) or
    /// [`WouldDeadlock`](crate::JobError::WouldDeadlock).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let squares = POOL.map(1.., |n: u32| n * n).map(Result::unwrap);
    /// assert_eq!(squares.take(3).collect::<Vec<_>>(), [1, 4, 9]);
    /// ```
    pub fn map<I, F, T>(
        &self,
        items: I,
        function: F,
    ) -> Map<'_, I::IntoIter, F, T, PoolRef<'_, BYTES>>
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
    /// * **Context**: as for [`map`](Self::map).
    /// * **Cost**: as for [`map`](Self::map), with `buffer_size` jobs in the window.
    ///
    /// # Errors
    ///
    /// [`MapError::ZeroBuffer`] or [`MapError::BufferTooLarge`] if `buffer_size` is not 1 to
    /// WINDOW. [`MapError::NoClock`] for a timeout in a pool without a clock. The results have the
    /// errors of [`map`](Self::map). [`TimedOut`](crate::JobError::TimedOut) ends the iteration.
    ///
    /// ```
    /// # use corepool::{MapError, MapOptions, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let options = MapOptions::<16> { buffer_size: 0, timeout: None };
    /// let error = POOL.map_with(options, 0..9, |n: u32| n).unwrap_err();
    /// assert_eq!(error, MapError::ZeroBuffer);
    /// ```
    pub fn map_with<I, F, T, const WINDOW: usize>(
        &self,
        options: MapOptions<WINDOW>,
        items: I,
        function: F,
    ) -> Result<Map<'_, I::IntoIter, F, T, PoolRef<'_, BYTES>, WINDOW>, MapError>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().map_with(options, items, function)
    }

    /// Calls `f` with a [`Scope`], whose jobs may borrow from the caller. Returns when all of them
    /// have ended, even if `f` panics.
    ///
    /// A job of this pool that calls it runs those of the scope's jobs that no party has begun, and
    /// no others, as [`JobFuture::result`](crate::JobFuture::result) does.
    ///
    /// The pool keeps 8 bytes of each scoped job's slot. BYTES of 32 suffice, or 24 on a 32-bit
    /// target. If BYTES are too few, the build fails.
    ///
    /// * **Context**: any that may block. In a context without a parker the scope takes no jobs:
    ///   [`SubmitError::WouldDeadlock`](crate::SubmitError::WouldDeadlock).
    /// * **Cost**: O(WORKERS). The call waits for the scope's jobs. A job of this pool that waits
    ///   looks for jobs that no party has begun, at O(SLOTS) a look.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    ///
    /// let numbers = [1, 2, 3, 4];
    /// let (left, right) = numbers.split_at(2);
    /// let sum = POOL.scope(|scope| {
    ///     let left = scope.submit(|| left.iter().sum::<i32>()).unwrap();
    ///     let right = scope.submit(|| right.iter().sum::<i32>()).unwrap();
    ///     left.result().unwrap() + right.result().unwrap()
    /// });
    /// assert_eq!(sum, 10);
    /// ```
    pub fn scope<'env, F, R>(&self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env, BYTES>) -> R,
    {
        self.pool_ref().scope(f)
    }
}
