//! The copyable view of a pool. The other pools' methods call its methods.

use core::{fmt, future::Future, marker::PhantomData, task::RawWakerVTable, time::Duration};

use crate::{
    api::future::JobFuture,
    api::promise::Promise,
    engine::block::Limit,
    engine::life::OnLoss,
    engine::{life, room},
    error::{Blocked, BrokenReason, RunError, ShutdownError, SubmitError},
    jobs::ambient::{Ambient, Carrying, Policy},
    jobs::job::Job,
    jobs::kinds::{Cancellable, Closure, Promised, Task},
    jobs::submit,
    jobs::token::CancelToken,
    jobs::vtable::VTableOf,
    lockfree::state::{BUSY, HANDLE, PROMISED, QUEUED},
    lockfree::sync::{call, looks},
    machine::port::Port,
    machine::worker::{Worker, WorkerId},
    memory::payload::{NoSpill, Spill, capacity},
    memory::phase::SHUT_DOWN,
    memory::pool::Pool,
};

/// A view of a pool of any size, with a priority for submits. The methods of the pools call its
/// methods.
///
/// Copy it, pass it by value, store it. Its type has the pool's `BYTES`, so that a job that does
/// not fit is a build error, and no other parameter of the pool. [`StaticPool`](crate::StaticPool)
/// has the same methods, and their documentation.
pub struct PoolRef<'p, const BYTES: usize, S = NoSpill> {
    pub(crate) erased: Pool<'p>,
    pub(crate) priority: usize,
    /// The table for the wakers of this pool's tasks, which find the pool from a slot's address.
    task_wakers: &'static RawWakerVTable,
    policy: PhantomData<fn() -> S>,
}

impl<const BYTES: usize, S> Clone for PoolRef<'_, BYTES, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const BYTES: usize, S> Copy for PoolRef<'_, BYTES, S> {}

impl<const BYTES: usize, S> fmt::Debug for PoolRef<'_, BYTES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolRef")
            .field("capacity", &self.erased.geometry().slots())
            .field("bytes", &BYTES)
            .field("workers", &self.erased.joined().count())
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<const BYTES: usize, S> defmt::Format for PoolRef<'_, BYTES, S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "PoolRef({=usize} slots, {=usize} bytes)",
            self.erased.geometry().slots(),
            BYTES
        );
    }
}

impl<'p, const BYTES: usize, S: Spill> PoolRef<'p, BYTES, S> {
    /// The same pool, which stores a job or result that does not fit a slot by `Other`.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1). Each job or result that does not fit costs a [`Spill::store`].
    ///
    /// ```
    /// # use core::{mem::MaybeUninit, ptr::NonNull};
    /// # use corepool::{Spill, StaticPool};
    /// # struct Heap;
    /// # // SAFETY: a box stays where it is until `release`, which frees it and drops no value.
    /// # unsafe impl Spill for Heap {
    /// #     const CAN_SPILL: bool = true;
    /// #     fn store<V>(value: V) -> NonNull<V> { NonNull::from(Box::leak(Box::new(value))) }
    /// #     unsafe fn release<V>(place: NonNull<V>) {
    /// #         // SAFETY: the place is that of a box, whose value is gone.
    /// #         drop(unsafe { Box::<MaybeUninit<V>>::from_raw(place.as_ptr().cast()) });
    /// #     }
    /// # }
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let large = [1_u8; 100];
    /// let pool = POOL.pool_ref().spill_to::<Heap>(); // `Heap` is the example of `Spill`
    /// let length = pool.submit(move || large.len()).unwrap();
    /// assert_eq!(length.result().unwrap(), 100);
    /// ```
    pub fn spill_to<Other: Spill>(self) -> PoolRef<'p, BYTES, Other> {
        self.with_policy()
    }
}

impl<'p, const BYTES: usize, S: Policy> PoolRef<'p, BYTES, S> {
    pub(crate) fn new(erased: Pool<'p>, task_wakers: &'static RawWakerVTable) -> Self {
        Self {
            erased,
            priority: 0,
            task_wakers,
            policy: PhantomData,
        }
    }

    /// The same pool, which takes jobs and results of up to LESS bytes. A LESS beyond BYTES is a
    /// build error.
    ///
    /// A function that takes a `PoolRef<'_, 64>` can be called with any pool whose BYTES are 64 or
    /// more. [`DynExecutor`](crate::DynExecutor) does so.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::{PoolRef, StaticPool};
    ///
    /// fn start(pool: PoolRef<'static, 32>) {
    ///     pool.submit_detached(|| println!("started")).unwrap();
    /// }
    ///
    /// static LARGE: StaticPool<4, 128> = StaticPool::new();
    /// start(LARGE.pool_ref().limit_to());
    /// # LARGE.run_pending(1);
    /// ```
    pub fn limit_to<const LESS: usize>(self) -> PoolRef<'p, LESS, S> {
        const {
            assert!(
                capacity(LESS) <= capacity(BYTES),
                "the pool's slots are smaller than the limit: raise the pool's BYTES"
            );
        }
        PoolRef {
            erased: self.erased,
            priority: self.priority,
            task_wakers: self.task_wakers,
            policy: PhantomData,
        }
    }

    /// See [`StaticPool::carrying`](crate::StaticPool::carrying). The view carries `A` instead of
    /// what this one carries.
    pub fn carrying<A: Ambient>(self) -> PoolRef<'p, BYTES, Carrying<A, S::Spill>> {
        self.with_policy()
    }

    /// The same pool, whose jobs carry nothing. A job that may leave the address space cannot take an
    /// ambient value along.
    #[cfg(feature = "remote")]
    pub(crate) fn plain(self) -> PoolRef<'p, BYTES, S::Spill> {
        self.with_policy()
    }

    fn with_policy<Other>(self) -> PoolRef<'p, BYTES, Other> {
        PoolRef {
            erased: self.erased,
            priority: self.priority,
            task_wakers: self.task_wakers,
            policy: PhantomData,
        }
    }

    /// See [`StaticPool::at`](crate::StaticPool::at).
    pub fn at(self, priority: usize) -> Self {
        Self { priority, ..self }
    }

    /// The number of workers that have something to do, for a [`Port`] that starts workers on
    /// demand. Each queued job counts as one. Each worker that is at work counts as one, however
    /// many jobs wait on its stack. The number is out of date at once if other contexts use the
    /// pool.
    ///
    /// Promises do not count. Neither do guests: callers that run jobs while they block or in
    /// [`run_pending`](Self::run_pending).
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let jobs = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
    /// if POOL.pool_ref().workers_wanted() > POOL.workers() {
    ///     // a port starts a thread here
    /// }
    /// # assert_eq!(POOL.pool_ref().workers_wanted(), 2);
    /// # drop(jobs);
    /// ```
    pub fn workers_wanted(self) -> usize {
        looks("workers_wanted");
        self.erased.seats().wanted()
    }

    /// Whether the caller runs on one of the pool's workers or guests: it is a job, a callback or a
    /// hook. There a wait for the pool's end fails with
    /// [`WouldDeadlock`](ShutdownError::WouldDeadlock). Without a port, always false.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(WORKERS).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    ///
    /// /// Waits for the end, except in a job, where the wait would fail.
    /// fn end() {
    ///     let waits = !POOL.pool_ref().runs_caller();
    ///     POOL.shutdown(waits, false).unwrap();
    /// }
    /// # end();
    /// ```
    pub fn runs_caller(self) -> bool {
        self.erased.seats().current().is_some()
    }

    /// See [`StaticPool::submit`](crate::StaticPool::submit).
    #[cfg_attr(target_os = "none", inline)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn submit<F, T>(self, job: F) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_job(Closure(job))
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_cancellable`](crate::StaticPool::submit_cancellable).
    pub fn submit_cancellable<F, T>(self, job: F) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_job(Cancellable(job))
            .map_err(|error| error.map(|job| job.0))
    }

    #[cfg_attr(target_os = "none", inline)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn submit_job<J>(self, job: J) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: Job + Send + 'static,
        J::Output: Send + 'static,
    {
        self.submit_carried::<J>(S::carry(job))
            .map_err(|error| error.map(S::uncarry))
    }

    #[cfg_attr(target_os = "none", inline)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn submit_carried<J>(
        self,
        carried: S::Carried<J>,
    ) -> Result<JobFuture<'p, J::Output>, SubmitError<S::Carried<J>>>
    where
        J: Job + Send + 'static,
        J::Output: Send + 'static,
    {
        call("submit");
        // SAFETY: the job, the value that it carries, and its result are `Send` and `'static`.
        let slot = unsafe {
            submit::put::<_, S::Spill, BYTES, 0>(self.erased, self.priority, |_| (), carried)?
        };
        // SAFETY: `put` set HANDLE for this future.
        Ok(unsafe { JobFuture::new(self.erased, slot) })
    }

    /// See [`StaticPool::submit_remote`](crate::StaticPool::submit_remote).
    #[cfg(feature = "remote")]
    pub fn submit_remote<J>(self, job: J) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.plain()
            .submit_job(crate::jobs::remote_job::Travelling(job))
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_remote_blocking`](crate::StaticPool::submit_remote_blocking).
    #[cfg(feature = "remote")]
    pub fn submit_remote_blocking<J>(
        self,
        job: J,
    ) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.plain()
            .submit_waiting(crate::jobs::remote_job::Travelling(job), None)
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_detached`](crate::StaticPool::submit_detached).
    pub fn submit_detached<F>(self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit(job).map(drop)
    }

    /// See [`StaticPool::submit_blocking`](crate::StaticPool::submit_blocking).
    pub fn submit_blocking<F, T>(self, job: F) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_waiting(Closure(job), None)
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_timeout`](crate::StaticPool::submit_timeout).
    pub fn submit_timeout<F, T>(
        self,
        job: F,
        timeout: Duration,
    ) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_waiting(Closure(job), Some(timeout))
            .map_err(|error| error.map(|job| job.0))
    }

    pub(crate) fn submit_waiting<J>(
        self,
        job: J,
        timeout: Option<Duration>,
    ) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: Job + Send + 'static,
        J::Output: Send + 'static,
    {
        let limit = Limit::after(self.erased, timeout);
        let mut job = S::carry(job);
        let refused = loop {
            job = match self.submit_carried::<J>(job) {
                Ok(future) => return Ok(future),
                Err(SubmitError::Full(job)) => job,
                Err(refused) => break refused,
            };
            call("submit_blocking");
            let room = limit.and_then(|limit| room::wait(self.erased, self.priority, limit));
            match room {
                Ok(()) => {}
                Err(Blocked::NoClock) => break SubmitError::NoClock(job),
                Err(Blocked::WouldDeadlock) => break SubmitError::WouldDeadlock(job),
                Err(Blocked::TooManyWaiters) => break SubmitError::TooManyWaiters(job),
                Err(Blocked::TimedOut) => break SubmitError::Full(job),
            }
        };
        Err(refused.map(S::uncarry))
    }

    /// See [`StaticPool::promise`](crate::StaticPool::promise).
    pub fn promise<T>(self) -> Result<(Promise<'p, T>, JobFuture<'p, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        call("promise");
        const { VTableOf::<Promised<T>, S::Spill, BYTES, 0>::FITS };
        // A promise has no place in a queue, so it takes over no stale slot.
        let admitted = submit::admits(self.erased, self.priority);
        let Some(index) = admitted.then(|| self.erased.slots().claim()).flatten() else {
            return Err(submit::refusal(self.erased, self.priority));
        };
        let slot = self.erased.slot(index);
        // SAFETY: the slot was claimed just now, and `FITS` was checked.
        unsafe { submit::fill::<Promised<T>, S::Spill, BYTES, 0>(slot, Promised(PhantomData)) };
        slot.state.occupy(self.priority, QUEUED | PROMISED | HANDLE);
        // SAFETY: QUEUED and HANDLE stand for the promise and the future.
        Ok(unsafe {
            (
                Promise::new::<S::Spill, BYTES>(self.erased, slot),
                JobFuture::new(self.erased, slot),
            )
        })
    }
}

impl<const BYTES: usize, S: Policy> PoolRef<'static, BYTES, S> {
    /// See [`StaticPool::spawn`](crate::StaticPool::spawn).
    pub fn spawn<Fut>(self, task: Fut) -> Result<JobFuture<'static, Fut::Output>, SubmitError<Fut>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        self.erased.set_task_wakers(self.task_wakers);
        self.submit_job(Task(task))
            .map_err(|error| error.map(|task| task.0))
    }
}

impl<'p, const BYTES: usize, S: Policy> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::run`](crate::StaticPool::run).
    pub fn run<W: Worker>(self, worker: &W) -> Result<(), RunError> {
        call("run");
        life::stay(self.erased, worker)
    }

    /// See [`StaticPool::run_pending`](crate::StaticPool::run_pending).
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn run_pending(self, max: usize) -> usize {
        call("run_pending");
        life::run_pending(self.erased, max)
    }

    /// See [`StaticPool::shutdown`](crate::StaticPool::shutdown).
    pub fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        call("shutdown");
        life::shutdown(self.erased, wait, cancel_futures, None)
    }

    /// See [`StaticPool::shutdown_timeout`](crate::StaticPool::shutdown_timeout).
    pub fn shutdown_timeout(
        self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        call("shutdown_timeout");
        life::shutdown(self.erased, true, cancel_futures, Some(timeout))
    }

    /// See [`StaticPool::break_pool`](crate::StaticPool::break_pool).
    pub fn break_pool(self, reason: &'static str) {
        call("break_pool");
        life::break_with(self.erased, BrokenReason::Application(reason));
    }

    /// See [`StaticPool::worker_lost`](crate::StaticPool::worker_lost).
    ///
    /// # Safety
    ///
    /// As for [`StaticPool::worker_lost`](crate::StaticPool::worker_lost).
    pub unsafe fn worker_lost(self, worker: WorkerId, on_loss: OnLoss) {
        call("worker_lost");
        life::worker_lost(self.erased, worker, on_loss);
    }

    /// See [`StaticPool::install`](crate::StaticPool::install).
    pub fn install<P: Port>(self, port: &'static P) -> bool {
        self.erased.install(port)
    }

    /// See [`StaticPool::capacity`](crate::StaticPool::capacity).
    pub fn capacity(self) -> usize {
        self.erased.geometry().slots()
    }

    /// See [`StaticPool::free_slots`](crate::StaticPool::free_slots).
    pub fn free_slots(self) -> usize {
        looks("free_slots");
        self.erased.slots().count_free()
    }

    /// See [`StaticPool::workers`](crate::StaticPool::workers).
    pub fn workers(self) -> usize {
        looks("workers");
        self.erased.joined().count()
    }

    /// See [`StaticPool::max_workers`](crate::StaticPool::max_workers).
    pub fn max_workers(self) -> usize {
        self.erased.geometry().workers
    }

    /// See [`StaticPool::unfinished`](crate::StaticPool::unfinished).
    pub fn unfinished(self) -> usize {
        looks("unfinished");
        self.erased.slots().count_unended(QUEUED | BUSY)
    }

    /// See [`StaticPool::idle_workers`](crate::StaticPool::idle_workers).
    pub fn idle_workers(self) -> usize {
        looks("idle_workers");
        self.erased.seats().count_idle()
    }

    /// See [`StaticPool::broken_reason`](crate::StaticPool::broken_reason).
    pub fn broken_reason(self) -> Option<BrokenReason> {
        looks("broken_reason");
        self.erased.phase().broken_reason()
    }

    /// See [`StaticPool::is_shut_down`](crate::StaticPool::is_shut_down).
    pub fn is_shut_down(self) -> bool {
        looks("is_shut_down");
        self.erased.phase().bits() & SHUT_DOWN != 0
    }
}
