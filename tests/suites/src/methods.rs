//! The methods that the pools under test have in common, each the executor's own.

use std::time::Duration;

use corepool::{
    Ambient, BrokenReason, CancelCurrentTask, CancelToken, Carrying, DynExecutor, Executor,
    JobFuture, Map, MapError, MapOptions, PoolRef, Promise, Scope, Shutdown, ShutdownError, Spill,
    StaticPool, SubmitAsync, SubmitError,
};
use corepool_std::{Boxed, ThreadPool};

use crate::{BYTES, fixture::PLACES};

/// The view of a pool under test.
pub type View<S> = PoolRef<'static, BYTES, S>;

/// A pool under test, as its users have it.
///
/// Each method calls the one of that name of the executor's own type, so that a test of the generic
/// suite tests what users call. A method that the type lacks is its view's.
pub trait Methods: Copy + Send + Sync + 'static {
    /// How the pool stores what does not fit.
    type Spill: Spill + 'static;

    /// The pool's view.
    fn view(self) -> View<Self::Spill>;

    /// The pool as what all executors are.
    fn executor(&self) -> &impl Executor;

    /// The pool as an executor of no known type.
    fn dyn_executor(&self) -> &dyn DynExecutor;

    /// As of [`StaticPool`].
    fn at(self, priority: usize) -> View<Self::Spill>;

    /// As of [`StaticPool`].
    fn carrying<A: Ambient>(self) -> View<Carrying<A, Self::Spill>>;

    /// As of [`StaticPool`].
    fn submit<F, T>(self, job: F) -> Result<JobFuture<'static, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// As of [`StaticPool`].
    fn submit_detached<F>(self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static;

    /// As of [`StaticPool`].
    fn submit_cancellable<F, T>(self, job: F) -> Result<JobFuture<'static, T>, SubmitError<F>>
    where
        F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
        T: Send + 'static;

    /// As of [`StaticPool`].
    fn submit_blocking<F, T>(self, job: F) -> Result<JobFuture<'static, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// As of [`StaticPool`].
    fn submit_timeout<F, T>(
        self,
        job: F,
        timeout: Duration,
    ) -> Result<JobFuture<'static, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// As of [`StaticPool`].
    fn submit_async<F, T>(self, job: F) -> SubmitAsync<'static, F, T, BYTES, Self::Spill>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// As of [`StaticPool`].
    fn spawn<Fut>(self, task: Fut) -> Result<JobFuture<'static, Fut::Output>, SubmitError<Fut>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static;

    /// As of [`StaticPool`].
    fn cancel_current_task(self) -> CancelCurrentTask<'static>;

    /// As of [`StaticPool`].
    #[allow(clippy::type_complexity)]
    fn promise<T>(self) -> Result<(Promise<'static, T>, JobFuture<'static, T>), SubmitError<()>>
    where
        T: Send + 'static;

    /// As of [`StaticPool`].
    fn map<I, F, T>(
        self,
        items: I,
        function: F,
    ) -> Map<'static, I::IntoIter, F, T, View<Self::Spill>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static;

    /// As of [`StaticPool`].
    #[allow(clippy::type_complexity)]
    fn map_with<I, F, T, const WINDOW: usize>(
        self,
        options: MapOptions<WINDOW>,
        items: I,
        function: F,
    ) -> Result<Map<'static, I::IntoIter, F, T, View<Self::Spill>, WINDOW>, MapError>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static;

    /// As of [`StaticPool`].
    fn scope<'env, F, R>(self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env, BYTES, Self::Spill>) -> R;

    /// As of [`StaticPool`].
    fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError>;

    /// As of [`StaticPool`].
    fn shutdown_timeout(self, timeout: Duration, cancel_futures: bool)
    -> Result<(), ShutdownError>;

    /// As of [`StaticPool`].
    fn shutdown_async(self, cancel_futures: bool) -> Shutdown<'static>;

    /// As of [`StaticPool`].
    fn break_pool(self, reason: &'static str);

    /// As of [`StaticPool`].
    fn run_pending(self, max: usize) -> usize;

    /// As of [`StaticPool`].
    fn capacity(self) -> usize;

    /// As of [`StaticPool`].
    fn free_slots(self) -> usize;

    /// As of [`StaticPool`].
    fn workers(self) -> usize;

    /// As of [`StaticPool`].
    fn idle_workers(self) -> usize;

    /// As of [`StaticPool`].
    fn broken_reason(self) -> Option<BrokenReason>;

    /// As of [`StaticPool`].
    fn is_shut_down(self) -> bool;

    /// As of [`StaticPool`].
    fn unfinished(self) -> usize;
}

/// The methods that all three types of pools have.
macro_rules! own {
    ($own:ident) => {
        fn at(self, priority: usize) -> View<Self::Spill> {
            $own::at(self, priority)
        }

        fn carrying<A: Ambient>(self) -> View<Carrying<A, Self::Spill>> {
            $own::carrying(self)
        }

        fn submit<F, T>(self, job: F) -> Result<JobFuture<'static, T>, SubmitError<F>>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            $own::submit(self, job)
        }

        fn submit_detached<F>(self, job: F) -> Result<(), SubmitError<F>>
        where
            F: FnOnce() + Send + 'static,
        {
            $own::submit_detached(self, job)
        }

        fn submit_cancellable<F, T>(self, job: F) -> Result<JobFuture<'static, T>, SubmitError<F>>
        where
            F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
            T: Send + 'static,
        {
            $own::submit_cancellable(self, job)
        }

        fn submit_blocking<F, T>(self, job: F) -> Result<JobFuture<'static, T>, SubmitError<F>>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            $own::submit_blocking(self, job)
        }

        fn submit_timeout<F, T>(
            self,
            job: F,
            timeout: Duration,
        ) -> Result<JobFuture<'static, T>, SubmitError<F>>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            $own::submit_timeout(self, job, timeout)
        }

        fn submit_async<F, T>(self, job: F) -> SubmitAsync<'static, F, T, BYTES, Self::Spill>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            $own::submit_async(self, job)
        }

        fn spawn<Fut>(self, task: Fut) -> Result<JobFuture<'static, Fut::Output>, SubmitError<Fut>>
        where
            Fut: Future + Send + 'static,
            Fut::Output: Send + 'static,
        {
            $own::spawn(self, task)
        }

        fn cancel_current_task(self) -> CancelCurrentTask<'static> {
            $own::cancel_current_task(self)
        }

        fn promise<T>(self) -> Result<(Promise<'static, T>, JobFuture<'static, T>), SubmitError<()>>
        where
            T: Send + 'static,
        {
            $own::promise(self)
        }

        fn map<I, F, T>(
            self,
            items: I,
            function: F,
        ) -> Map<'static, I::IntoIter, F, T, View<Self::Spill>>
        where
            I: IntoIterator,
            I::Item: Send + 'static,
            F: Fn(I::Item) -> T + Clone + Send + 'static,
            T: Send + 'static,
        {
            $own::map(self, items, function)
        }

        fn map_with<I, F, T, const WINDOW: usize>(
            self,
            options: MapOptions<WINDOW>,
            items: I,
            function: F,
        ) -> Result<Map<'static, I::IntoIter, F, T, View<Self::Spill>, WINDOW>, MapError>
        where
            I: IntoIterator,
            I::Item: Send + 'static,
            F: Fn(I::Item) -> T + Clone + Send + 'static,
            T: Send + 'static,
        {
            $own::map_with(self, options, items, function)
        }

        fn scope<'env, F, R>(self, f: F) -> R
        where
            F: for<'scope> FnOnce(&'scope Scope<'scope, 'env, BYTES, Self::Spill>) -> R,
        {
            $own::scope(self, f)
        }

        fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
            $own::shutdown(self, wait, cancel_futures)
        }

        fn shutdown_timeout(
            self,
            timeout: Duration,
            cancel_futures: bool,
        ) -> Result<(), ShutdownError> {
            $own::shutdown_timeout(self, timeout, cancel_futures)
        }

        fn shutdown_async(self, cancel_futures: bool) -> Shutdown<'static> {
            $own::shutdown_async(self, cancel_futures)
        }

        fn break_pool(self, reason: &'static str) {
            $own::break_pool(self, reason);
        }

        fn capacity(self) -> usize {
            $own::capacity(self)
        }

        fn free_slots(self) -> usize {
            $own::free_slots(self)
        }

        fn workers(self) -> usize {
            $own::workers(self)
        }

        fn idle_workers(self) -> usize {
            $own::idle_workers(self)
        }

        fn broken_reason(self) -> Option<BrokenReason> {
            $own::broken_reason(self)
        }

        fn is_shut_down(self) -> bool {
            $own::is_shut_down(self)
        }

        fn unfinished(self) -> usize {
            $own::unfinished(self)
        }
    };
}

impl<S: Spill + 'static> Methods for View<S> {
    type Spill = S;

    fn view(self) -> View<S> {
        self
    }

    fn executor(&self) -> &impl Executor {
        self
    }

    fn dyn_executor(&self) -> &dyn DynExecutor {
        self
    }

    own!(PoolRef);

    fn run_pending(self, max: usize) -> usize {
        PoolRef::run_pending(self, max)
    }
}

impl<const N: usize> Methods for &'static StaticPool<N, BYTES, 2, PLACES, PLACES> {
    type Spill = corepool::NoSpill;

    fn view(self) -> View<Self::Spill> {
        self.pool_ref()
    }

    fn executor(&self) -> &impl Executor {
        *self
    }

    fn dyn_executor(&self) -> &dyn DynExecutor {
        *self
    }

    own!(StaticPool);

    fn run_pending(self, max: usize) -> usize {
        StaticPool::run_pending(self, max)
    }
}

impl Methods for &'static ThreadPool {
    type Spill = Boxed;

    fn view(self) -> View<Boxed> {
        self.pool_ref()
    }

    fn executor(&self) -> &impl Executor {
        *self
    }

    fn dyn_executor(&self) -> &dyn DynExecutor {
        *self
    }

    own!(ThreadPool);

    fn run_pending(self, max: usize) -> usize {
        self.view().run_pending(max)
    }
}
