//! Submits to a [`StaticPool`]: a closure, a named job, an async task, or a promise.

use crate::{
    api::cancel_current_task::CancelCurrentTask, api::future::JobFuture, api::promise::Promise,
    api::static_pool::StaticPool, api::submit_async::SubmitAsync, error::SubmitError,
    jobs::token::CancelToken,
};
use core::{future::Future, time::Duration};

/// # Submit
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    /// Queues a closure and returns the future of its result.
    ///
    /// A closure or result that does not fit BYTES, or asks for more alignment than 8, is a build
    /// error.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1). If no slot is free and jobs have ended in the queue, O(SLOTS).
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`] if there is no slot for the job. [`SubmitError::ShutDown`] or
    /// [`SubmitError::Broken`] if the pool has ended. By a view of [`at`](Self::at) also
    /// [`SubmitError::NoSuchPriority`]. With a port that starts workers on demand also
    /// [`SubmitError::NoWorker`]. The closure is in the error.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<8, 32> = StaticPool::new();
    /// let text = String::from("moved in");
    /// let length = POOL.submit(move || text.len()).unwrap();
    /// assert_eq!(length.result().unwrap(), 8);
    /// ```
    ///
    /// ```compile_fail
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<8, 32> = StaticPool::new();
    /// let large = [0_u8; 100];
    /// let _ = POOL.submit(move || large.len()); // does not fit: raise BYTES
    /// ```
    #[cfg_attr(target_os = "none", inline)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit(job)
    }

    /// Queues a closure without a future. Its slot is free as soon as it has run.
    ///
    /// If it panics, the pool calls the port's
    /// [`unobserved_failure`](crate::Port::unobserved_failure).
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: as for [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<8, 32> = StaticPool::new();
    /// POOL.submit_detached(|| println!("somewhere, some time")).unwrap();
    /// assert_eq!(POOL.run_pending(9), 1);
    /// assert_eq!(POOL.free_slots(), POOL.capacity());
    /// ```
    pub fn submit_detached<F>(&self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.pool_ref().submit_detached(job)
    }

    /// Queues a closure that gets a [`CancelToken`], which it reads to stop early. See
    /// [`CancelToken`] for an example.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: as for [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let count = POOL.submit_cancellable(|token| {
    ///     (0..1_000).take_while(|_| !token.is_cancelled()).count()
    /// }).unwrap();
    /// assert_eq!(count.result().unwrap(), 1_000); // no party has cancelled it
    /// ```
    pub fn submit_cancellable<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_cancellable(job)
    }

    /// [`submit`](Self::submit) that waits for room if the pool is full.
    ///
    /// If a job of this pool calls it, its worker sleeps unless every other worker is blocked. The
    /// last worker to block runs the oldest queued job, so that slots come back. The caller waits
    /// for ever if no slot ever comes back, for instance because it holds all the futures itself.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`submit`](Self::submit) if there is room. Otherwise the caller waits for
    ///   room, and each look for it is O(SLOTS + WORKERS + WAITERS).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), except [`SubmitError::Full`].
    /// [`SubmitError::TooManyWaiters`] if the caller has to wait and finds no place among WAITERS.
    /// [`SubmitError::WouldDeadlock`] if it has to wait and its context may not block.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<1, 32> = StaticPool::new();
    /// POOL.submit_detached(|| ()).unwrap(); // full now
    /// let second = POOL.submit_blocking(|| 2).unwrap();
    /// assert_eq!(second.result().unwrap(), 2);
    /// ```
    pub fn submit_blocking<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_blocking(job)
    }

    /// [`submit_blocking`](Self::submit_blocking), for no longer than `timeout`.
    ///
    /// A job that the caller runs meanwhile runs to its end, even if that takes longer than
    /// `timeout`.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`submit_blocking`](Self::submit_blocking). The caller waits for
    ///   `timeout` at most.
    ///
    /// # Errors
    ///
    /// As for [`submit_blocking`](Self::submit_blocking). [`SubmitError::Full`] if the time was
    /// over. [`SubmitError::NoClock`] if the caller has to wait and the pool has no clock.
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError};
    /// # use core::time::Duration;
    /// # use corepool::{ContextId, Parker, Port, SpinWorker};
    /// # struct Chip;
    /// # // SAFETY: one thread alone uses the pool.
    /// # unsafe impl Port for Chip {
    /// #     fn context(&self) -> ContextId { ContextId::MIN }
    /// #     fn now(&self) -> Option<Duration> { Some(std::time::UNIX_EPOCH.elapsed().unwrap()) }
    /// #     fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) { f(&SpinWorker) }
    /// # }
    /// static POOL: StaticPool<1, 32> = StaticPool::new();
    /// POOL.install(&Chip); // a port with a clock
    /// let (promise, sample) = POOL.promise::<u32>().unwrap(); // it has the slot
    /// match POOL.submit_timeout(|| 2, Duration::from_millis(1)) {
    ///     Err(SubmitError::Full(job)) => assert_eq!(job(), 2), // no room in time: do it here
    ///     other => panic!("{other:?}"),
    /// }
    /// # drop((promise, sample));
    /// ```
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

    /// A future that submits a closure as soon as there is room. See [`SubmitAsync`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): nothing is submitted before the first poll.
    /// * **Cancel safety**: as for [`SubmitAsync`]: if it is dropped before it is ready, it drops
    ///   the closure.
    ///
    /// # Errors
    ///
    /// The future has those of [`submit`](Self::submit), except [`SubmitError::Full`].
    /// [`SubmitError::TooManyWaiters`] if it has to wait and finds no place among WAITERS.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<2, 32> = StaticPool::new();
    /// # fn run<T>(f: impl std::future::Future<Output = T>) -> T { let mut f = Box::pin(f); loop {
    /// #   let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// #   if let std::task::Poll::Ready(t) = f.as_mut().poll(&mut cx) { return t; } POOL.run_pending(1); } }
    /// # run(async {
    /// let job = POOL.submit_async(|| 1).await.unwrap();
    /// assert_eq!(job.await.unwrap(), 1);
    /// # });
    /// ```
    pub fn submit_async<F, T>(&self, job: F) -> SubmitAsync<'_, F, T, BYTES>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool_ref().submit_async(job)
    }

    /// Queues an async task: a future that the pool's workers poll until it is ready.
    ///
    /// The pool must live for ever, as a `static` does, since the task's waker refers to it without
    /// a count. A future that does not fit BYTES is a build error.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: as for [`submit`](Self::submit). A wake-up of the task needs no slot, and is
    ///   O(1).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 64> = StaticPool::new();
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

    /// Ends the task that awaits this, as cancelled. The code after the await does not run. It is
    /// Python's `raise CancelledError`.
    ///
    /// The task must be one of this pool. If it polls the future beside others, as a `select` does,
    /// it ends at its next suspension. A closure cannot end like this: write it as a task without other
    /// awaits.
    ///
    /// Anywhere else the await returns [`NotInTask`](crate::NotInTask), and the code after it runs. That
    /// goes for a task of another pool or runtime, and for a combinator that polls with a waker of its
    /// own.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1). See [`CancelCurrentTask`] for a poll.
    /// * **Cancel safety**: as for [`CancelCurrentTask`].
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 64> = StaticPool::new();
    ///
    /// fn battery_is_low() -> bool {
    ///     true
    /// }
    ///
    /// let sample = POOL.spawn(async {
    ///     if battery_is_low() {
    ///         POOL.cancel_current_task().await; // the task ends here
    ///     }
    ///     1023
    /// }).unwrap();
    /// POOL.run_pending(1); // a worker does this elsewhere
    /// assert!(sample.cancelled());
    /// ```
    pub fn cancel_current_task(&self) -> CancelCurrentTask<'_> {
        self.pool_ref().cancel_current_task()
    }

    /// A future whose result is set by hand, and the [`Promise`] to set it with.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1).
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`], [`SubmitError::Broken`] and
    /// [`SubmitError::NoSuchPriority`], as for [`submit`](Self::submit). A promise needs a free
    /// slot. It is in no queue, so it cannot take over a slot there.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (promise, sample) = POOL.promise::<u16>().unwrap();
    /// // the handler at the end of a transfer has the promise
    /// promise.set_result(1023).unwrap();
    /// assert_eq!(sample.result().unwrap(), 1023);
    /// ```
    pub fn promise<T>(&self) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        self.pool_ref().promise()
    }
}

/// # Submit jobs that have a name
#[cfg(feature = "remote")]
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    /// Queues a job that can run in another address space. Any worker may take it: a
    /// [`RemoteWorker`](crate::remote::RemoteWorker) sends it, and any other worker runs it itself.
    ///
    /// While the job is on the other side its state is `Running`. There
    /// [`cancel`](JobFuture::cancel) takes back a job that has not begun, and sets the cancel flag
    /// in the context of a job that has.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: as for [`submit`](Self::submit). The worker encodes the job, not the submitter.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    ///
    /// ```
    /// # use corepool::{StaticPool, remote::{JobContext, RemoteJob}};
    /// use postcard_schema::Schema;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Schema)]
    /// struct Square(u32);
    ///
    /// impl RemoteJob for Square {
    ///     type Output = u32;
    ///     const NAME: &'static str = "square";
    ///     fn run(self, _context: &mut JobContext<'_>) -> u32 {
    ///         self.0 * self.0
    ///     }
    /// }
    ///
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let square = POOL.submit_remote(Square(12)).unwrap();
    /// assert_eq!(square.result().unwrap(), 144); // no worker is here, so it runs in the caller
    /// ```
    pub fn submit_remote<J>(&self, job: J) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.pool_ref().submit_remote(job)
    }

    /// [`submit_remote`](Self::submit_remote) that waits for room if the pool is full, as
    /// [`submit_blocking`](Self::submit_blocking) does.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`submit_blocking`](Self::submit_blocking).
    ///
    /// # Errors
    ///
    /// As for [`submit_blocking`](Self::submit_blocking).
    ///
    /// ```
    /// # use corepool::{StaticPool, remote::{JobContext, RemoteJob}};
    /// # use postcard_schema::Schema;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Schema)]
    /// # struct Square(u32);
    /// # impl RemoteJob for Square {
    /// #     type Output = u32;
    /// #     const NAME: &'static str = "square";
    /// #     fn run(self, _context: &mut JobContext<'_>) -> u32 {
    /// #         self.0 * self.0
    /// #     }
    /// # }
    /// static POOL: StaticPool<1, 32> = StaticPool::new();
    /// POOL.submit_detached(|| ()).unwrap(); // full now
    /// let square = POOL.submit_remote_blocking(Square(12)).unwrap();
    /// assert_eq!(square.result().unwrap(), 144);
    /// ```
    pub fn submit_remote_blocking<J>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.pool_ref().submit_remote_blocking(job)
    }

    /// [`submit_remote_blocking`](Self::submit_remote_blocking), for no longer than `timeout`.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`submit_timeout`](Self::submit_timeout).
    ///
    /// # Errors
    ///
    /// As for [`submit_timeout`](Self::submit_timeout).
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError, remote::{JobContext, RemoteJob}};
    /// # use core::time::Duration;
    /// # use corepool::{ContextId, Parker, Port, SpinWorker};
    /// # struct Chip;
    /// # // SAFETY: one thread alone uses the pool.
    /// # unsafe impl Port for Chip {
    /// #     fn context(&self) -> ContextId { ContextId::MIN }
    /// #     fn now(&self) -> Option<Duration> { Some(std::time::UNIX_EPOCH.elapsed().unwrap()) }
    /// #     fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) { f(&SpinWorker) }
    /// # }
    /// # use postcard_schema::Schema;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Schema)]
    /// # struct Square(u32);
    /// # impl RemoteJob for Square {
    /// #     type Output = u32;
    /// #     const NAME: &'static str = "square";
    /// #     fn run(self, _context: &mut JobContext<'_>) -> u32 {
    /// #         self.0 * self.0
    /// #     }
    /// # }
    /// static POOL: StaticPool<1, 32> = StaticPool::new();
    /// POOL.install(&Chip); // a port with a clock
    /// let (promise, sample) = POOL.promise::<u32>().unwrap(); // it has the slot
    /// let told = POOL.submit_remote_timeout(Square(12), Duration::from_millis(1));
    /// assert!(matches!(told, Err(SubmitError::Full(Square(12)))));
    /// # drop((promise, sample));
    /// ```
    pub fn submit_remote_timeout<J>(
        &self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.pool_ref().submit_remote_timeout(job, timeout)
    }

    /// A future that submits a remote job as soon as there is room.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): nothing is submitted before the first poll.
    /// * **Cancel safety**: if it is dropped before it is ready, it drops the job.
    ///
    /// # Errors
    ///
    /// The future has those of [`submit_async`](Self::submit_async).
    ///
    /// ```
    /// # use corepool::{StaticPool, remote::{JobContext, RemoteJob}};
    /// # use postcard_schema::Schema;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Schema)]
    /// # struct Square(u32);
    /// # impl RemoteJob for Square {
    /// #     type Output = u32;
    /// #     const NAME: &'static str = "square";
    /// #     fn run(self, _context: &mut JobContext<'_>) -> u32 {
    /// #         self.0 * self.0
    /// #     }
    /// # }
    /// # fn poll<T>(f: impl Future<Output = T>) -> Option<T> {
    /// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     match std::pin::pin!(f).poll(&mut cx) { std::task::Poll::Ready(t) => Some(t), _ => None }
    /// # }
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let square = async { POOL.submit_remote_async(Square(12)).await.unwrap() };
    /// # let square = poll(square).unwrap();
    /// # assert_eq!(square.result().unwrap(), 144);
    /// ```
    pub fn submit_remote_async<J>(
        &self,
        job: J,
    ) -> crate::api::submit_remote::SubmitRemoteAsync<'_, J, BYTES>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.pool_ref().submit_remote_async(job)
    }
}
