//! The object-safe face of the executors.

use crate::{
    api::executor::Executor,
    api::future::JobFuture,
    api::lent_pool::LentPool,
    api::pool_ref::PoolRef,
    api::static_pool::StaticPool,
    error::{JobError, ShutdownError, SubmitError},
    memory::payload::{NoSpill, Spill},
};

/// An executor of any type: the object-safe face of [`Executor`], which `dyn DynExecutor` implements.
///
/// A library that takes a `&dyn DynExecutor` has no type parameter for the executor. It submits
/// closures and gets typed futures, without a heap. A closure or result of more than BYTES bytes is
/// a build error in the library. A pool with smaller slots is a build error in the application.
///
/// The default of 64 BYTES is that of a host's thread pool. With fewer, the library runs on pools
/// with smaller slots: `&dyn DynExecutor<32>`. Beyond `submit`, `map` and `shutdown`, the library
/// has all methods of a pool by [`dyn_ref`](Self::dyn_ref).
///
/// A view by [`carrying`](StaticPool::carrying) is no `DynExecutor`. The slots of its jobs have room
/// for the carried value, and a library compiled without the value's type cannot make that room. A
/// library whose jobs are to carry one takes an `&impl Executor`, or calls
/// [`carrying`](PoolRef::carrying) on the [`dyn_ref`](Self::dyn_ref).
///
/// ```
/// use corepool::{DynExecutor, Executor, JobError, StaticPool};
///
/// struct Adder<'p> {
///     executor: &'p dyn DynExecutor,
/// }
///
/// impl Adder<'_> {
///     fn add_up(&self) -> Result<u32, JobError> {
///         let parts = self.executor.map(0..4_u32, |n| n * 10);
///         parts.sum()
///     }
/// }
///
/// static POOL: StaticPool<8, 64> = StaticPool::new();
/// assert_eq!(Adder { executor: &POOL }.add_up().unwrap(), 60);
/// ```
pub trait DynExecutor<const BYTES: usize = 64>: Send + Sync {
    /// The executor as a pool of BYTES bytes a slot.
    ///
    /// * **Context**: any on a pool of this crate; any thread on a pool of the host.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::{DynExecutor, StaticPool};
    ///
    /// fn count(executor: &dyn DynExecutor) -> u32 {
    ///     let job = executor.dyn_ref().submit_blocking(|| 3).expect("the pool is in order");
    ///     job.result().expect("the job does not panic")
    /// }
    ///
    /// static POOL: StaticPool<4, 64> = StaticPool::new();
    /// assert_eq!(count(&POOL), 3);
    /// ```
    fn dyn_ref(&self) -> PoolRef<'_, BYTES>;
}

impl<const BYTES: usize> Executor for dyn DynExecutor<BYTES> + '_ {
    fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.dyn_ref().submit(job)
    }

    fn map<I, F, T>(&self, items: I, function: F) -> impl Iterator<Item = Result<T, JobError>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.dyn_ref().map(items, function)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.dyn_ref().shutdown(wait, cancel_futures)
    }
}

impl<const LESS: usize, const BYTES: usize, S: Spill> DynExecutor<LESS> for PoolRef<'_, BYTES, S> {
    fn dyn_ref(&self) -> PoolRef<'_, LESS> {
        self.spill_to::<NoSpill>().limit_to()
    }
}

impl<const LESS: usize, const BYTES: usize> DynExecutor<LESS> for LentPool<'_, BYTES> {
    fn dyn_ref(&self) -> PoolRef<'_, LESS> {
        self.pool_ref().limit_to()
    }
}

impl<
    const LESS: usize,
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> DynExecutor<LESS> for StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    fn dyn_ref(&self) -> PoolRef<'_, LESS> {
        self.pool_ref().limit_to()
    }
}
