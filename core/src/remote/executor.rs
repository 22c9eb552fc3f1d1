//! The trait of the executors that take remote jobs.

use core::{fmt, future::Future, iter::Fuse, time::Duration};

use crate::{
    api::{
        future::JobFuture,
        map::{DEFAULT_WINDOW, MapError, MapOptions, cancel_all, error_of},
        pool_ref::PoolRef,
        promise::Promise,
        static_pool::StaticPool,
    },
    error::{BrokenReason, JobError, ShutdownError, SubmitError},
    jobs::ambient::Policy,
    jobs::remote_job::RemoteJob,
    machine::port::Port,
};

/// An executor that takes jobs with a name: a pool of this crate, or a thread pool or process pool
/// of the host.
///
/// It is to a [`RemoteJob`] what [`Executor`](crate::Executor) is to a closure. Code that is generic
/// over it does not know where its jobs run.
///
/// ```
/// use corepool::{JobError, StaticPool, remote::{JobContext, RemoteExecutor, RemoteJob}};
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
/// fn sum_of_squares(executor: &impl RemoteExecutor) -> Result<u32, JobError> {
///     executor.map_remote((1..4).map(Square)).sum()
/// }
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
/// assert_eq!(sum_of_squares(&POOL).unwrap(), 14);
/// ```
///
/// A submit waits for room in one of three ways, or not at all:
/// ```
/// # use corepool::{JobError, MapOptions, StaticPool, remote::{JobContext, RemoteExecutor, RemoteJob}};
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
/// #
/// use core::time::Duration;
///
/// async fn submit(executor: &impl RemoteExecutor) -> Result<u32, JobError> {
///     let mut squares = Vec::new();
///     squares.extend(executor.submit_remote(Square(1)).ok()); // an error if the executor is full
///     squares.extend(executor.submit_remote_blocking(Square(2)).ok());
///     if executor.now().is_some() {
///         let limit = Duration::from_millis(10);
///         squares.extend(executor.submit_remote_timeout(Square(3), limit).ok());
///     }
///     squares.extend(executor.submit_remote_async(Square(4)).await.ok());
///     squares.into_iter().map(|square| square.result()).sum()
/// }
///
/// /// At most two jobs ahead; then the executor ends.
/// fn last_squares(executor: &impl RemoteExecutor) -> u32 {
///     let options = MapOptions::<2> { buffer_size: 2, timeout: None };
///     let squares = executor.map_remote_with(options, (1..4).map(Square)).unwrap();
///     let sum = squares.map(Result::unwrap).sum();
///     let (promise, checked) = executor.promise().expect("there is room");
///     promise.set_result(sum).expect("the future waits for it");
///     executor.shutdown(false, false).expect("the call does not wait");
///     assert!(executor.broken_reason().is_none());
///     checked.result().expect("the promise was kept")
/// }
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
/// # let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
/// # let sum = core::pin::pin!(submit(&POOL)).poll(&mut cx);
/// # assert!(matches!(sum, core::task::Poll::Ready(Ok(21))), "{sum:?}");
/// assert_eq!(last_squares(&POOL), 14);
/// ```
pub trait RemoteExecutor {
    /// Queues a job and returns the future of its result.
    ///
    /// * **Context**: any on a pool of this crate; any thread on a pool of the host.
    /// * **Cost**: as for [`StaticPool::submit_remote`], and never a wait.
    ///
    /// # Errors
    ///
    /// As for [`SubmitError`]. The job is in the error.
    fn submit_remote<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>;

    /// [`submit_remote`](Self::submit_remote) that waits for room if the executor is full.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`StaticPool::submit_remote_blocking`].
    ///
    /// # Errors
    ///
    /// As for [`SubmitError`], except [`SubmitError::Full`].
    fn submit_remote_blocking<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>;

    /// [`submit_remote_blocking`](Self::submit_remote_blocking), for no longer than `timeout`.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`StaticPool::submit_remote_timeout`].
    ///
    /// # Errors
    ///
    /// As for [`SubmitError`]. [`SubmitError::Full`] if the time was over.
    fn submit_remote_timeout<J: RemoteJob>(
        &self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>;

    /// A future that submits a job as soon as there is room.
    ///
    /// * **Context**: as for [`submit_remote`](Self::submit_remote).
    /// * **Cost**: O(1): nothing is submitted before the first poll.
    /// * **Cancel safety**: if it is dropped before it is ready, it drops the job.
    ///
    /// # Errors
    ///
    /// The future has those of [`submit_remote`](Self::submit_remote), except
    /// [`SubmitError::Full`]. [`SubmitError::TooManyWaiters`] if it has to wait and finds no place.
    fn submit_remote_async<J: RemoteJob>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<JobFuture<'_, J::Output>, SubmitError<J>>> + Send;

    /// A future whose result is set by hand, and the [`Promise`] to set it with. It can be waited
    /// for together with the executor's jobs.
    ///
    /// * **Context**: as for [`submit_remote`](Self::submit_remote).
    /// * **Cost**: O(1).
    ///
    /// # Errors
    ///
    /// As for [`StaticPool::promise`].
    #[allow(clippy::type_complexity)]
    fn promise<T: Send + 'static>(
        &self,
    ) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>;

    /// Why the executor is broken, if it is.
    ///
    /// * **Context**: as for [`submit_remote`](Self::submit_remote).
    /// * **Cost**: O(1).
    fn broken_reason(&self) -> Option<BrokenReason>;

    /// The time by the executor's clock, which the time limits go by. `None` if it has none.
    ///
    /// * **Context**: as for [`submit_remote`](Self::submit_remote).
    /// * **Cost**: O(1), and that of the clock.
    fn now(&self) -> Option<Duration>;

    /// Ends the executor: it takes no new work.
    ///
    /// * **Context**: as for [`Executor::shutdown`](crate::Executor::shutdown).
    /// * **Cost**: as for [`Executor::shutdown`](crate::Executor::shutdown).
    ///
    /// # Errors
    ///
    /// As for [`Executor::shutdown`](crate::Executor::shutdown).
    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError>;

    /// Runs jobs, and iterates over their results in the jobs' order. See [`RemoteMap`].
    ///
    /// * **Context**: as for [`submit_remote`](Self::submit_remote), for the call; any that may
    ///   block for `next`.
    /// * **Cost**: a [`submit_remote`](Self::submit_remote) for each job of the window, by the call
    ///   and by each `next`. `next` waits for its result, or for room.
    fn map_remote<I>(&self, jobs: I) -> RemoteMap<'_, Self, I::IntoIter>
    where
        I: IntoIterator<Item: RemoteJob>,
        Self: Sized,
    {
        RemoteMap::new(self, jobs.into_iter(), DEFAULT_WINDOW, None)
    }

    /// [`map_remote`](Self::map_remote) with a buffer size and a timeout.
    ///
    /// * **Context**: as for [`map_remote`](Self::map_remote).
    /// * **Cost**: as for [`map_remote`](Self::map_remote), with `buffer_size` jobs in the window.
    ///
    /// # Errors
    ///
    /// [`MapError::ZeroBuffer`] or [`MapError::BufferTooLarge`] if `buffer_size` is not 1 to
    /// WINDOW. [`MapError::NoClock`] for a timeout where there is no clock.
    fn map_remote_with<I, const WINDOW: usize>(
        &self,
        options: MapOptions<WINDOW>,
        jobs: I,
    ) -> Result<RemoteMap<'_, Self, I::IntoIter, WINDOW>, MapError>
    where
        I: IntoIterator<Item: RemoteJob>,
        Self: Sized,
    {
        options.check_buffer()?;
        let deadline = match options.timeout {
            Some(timeout) => {
                let now = self.now().ok_or(MapError::NoClock)?;
                Some(now.saturating_add(timeout))
            }
            None => None,
        };
        let jobs = jobs.into_iter();
        Ok(RemoteMap::new(self, jobs, options.buffer_size, deadline))
    }
}

impl<const BYTES: usize, S: Policy> RemoteExecutor for PoolRef<'_, BYTES, S> {
    fn submit_remote<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        PoolRef::submit_remote(*self, job)
    }

    fn submit_remote_blocking<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        PoolRef::submit_remote_blocking(*self, job)
    }

    fn submit_remote_timeout<J: RemoteJob>(
        &self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        PoolRef::submit_remote_timeout(*self, job, timeout)
    }

    fn submit_remote_async<J: RemoteJob>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<JobFuture<'_, J::Output>, SubmitError<J>>> + Send {
        PoolRef::submit_remote_async(*self, job)
    }

    fn promise<T: Send + 'static>(
        &self,
    ) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>> {
        PoolRef::promise(*self)
    }

    fn broken_reason(&self) -> Option<BrokenReason> {
        PoolRef::broken_reason(*self)
    }

    fn now(&self) -> Option<Duration> {
        self.erased.port().and_then(Port::now)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        PoolRef::shutdown(*self, wait, cancel_futures)
    }
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> RemoteExecutor
    for StaticPool<S, B, P, W, V>
{
    fn submit_remote<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.pool_ref().submit_remote(job)
    }

    fn submit_remote_blocking<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.pool_ref().submit_remote_blocking(job)
    }

    fn submit_remote_timeout<J: RemoteJob>(
        &self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        self.pool_ref().submit_remote_timeout(job, timeout)
    }

    fn submit_remote_async<J: RemoteJob>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<JobFuture<'_, J::Output>, SubmitError<J>>> + Send {
        self.pool_ref().submit_remote_async(job)
    }

    fn promise<T: Send + 'static>(
        &self,
    ) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>> {
        self.pool_ref().promise()
    }

    fn broken_reason(&self) -> Option<BrokenReason> {
        self.pool_ref().broken_reason()
    }

    fn now(&self) -> Option<Duration> {
        RemoteExecutor::now(&self.pool_ref())
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.pool_ref().shutdown(wait, cancel_futures)
    }
}

/// The iterator over the results of remote jobs, in the jobs' order, that
/// [`map_remote`](RemoteExecutor::map_remote) returns.
///
/// It takes jobs from its source only as far as its buffer reaches, so the source may be endless. A
/// job that fails gives an `Err` in its place, and the iteration goes on. The iteration ends after a
/// time-out, and after a wait for room that failed. Dropping the iterator cancels the jobs that have
/// not begun.
pub struct RemoteMap<'p, E, I: Iterator<Item: RemoteJob>, const WINDOW: usize = DEFAULT_WINDOW> {
    executor: &'p E,
    items: Fuse<I>,
    /// A job for which there was no room.
    in_hand: Option<I::Item>,
    /// The next result for the caller. If the source panics meanwhile, the next call returns it.
    asked_for: Option<Submitted<'p, I::Item>>,
    in_flight: heapless::Deque<Submitted<'p, I::Item>, WINDOW>,
    buffer_size: usize,
    deadline: Option<Duration>,
    ended: bool,
}

/// A job's future, or why the executor refused the job.
type Submitted<'p, J> = Result<JobFuture<'p, <J as RemoteJob>::Output>, JobError>;

impl<'p, E, I, const WINDOW: usize> RemoteMap<'p, E, I, WINDOW>
where
    E: RemoteExecutor,
    I: Iterator<Item: RemoteJob>,
{
    fn new(executor: &'p E, jobs: I, buffer_size: usize, deadline: Option<Duration>) -> Self {
        let mut map = Self {
            executor,
            items: jobs.fuse(),
            in_hand: None,
            asked_for: None,
            in_flight: heapless::Deque::new(),
            buffer_size,
            deadline,
            ended: false,
        };
        map.fill();
        map
    }

    /// Submits jobs until the buffer or the executor is full.
    fn fill(&mut self) {
        while self.in_flight.len() < self.buffer_size {
            let Some(job) = self.in_hand.take().or_else(|| self.items.next()) else {
                return;
            };
            let submitted = match self.executor.submit_remote(job) {
                Err(SubmitError::Full(job)) => {
                    self.in_hand = Some(job);
                    return;
                }
                submitted => submitted.map_err(error_of),
            };
            // There is room, as checked above.
            let _ = self.in_flight.push_back(submitted);
        }
    }

    /// Submits the job in hand, and waits for room: no job of this iterator is in flight that would
    /// make room.
    fn fill_waiting(&mut self) -> Result<(), JobError> {
        let Some(job) = self.in_hand.take() else {
            return Ok(());
        };
        let submitted = match self.time_left() {
            Some(left) => self.executor.submit_remote_timeout(job, left),
            None => self.executor.submit_remote_blocking(job),
        };
        let submitted = match submitted {
            Err(SubmitError::Full(_)) => return Err(JobError::TimedOut),
            Err(SubmitError::TooManyWaiters(_)) => return Err(JobError::TooManyWaiters),
            Err(SubmitError::WouldDeadlock(_)) => return Err(JobError::WouldDeadlock),
            submitted => submitted.map_err(error_of),
        };
        // Nothing is in flight, so there is room.
        let _ = self.in_flight.push_back(submitted);
        Ok(())
    }

    /// The time until the deadline, if there is one.
    fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        let now = self.executor.now().unwrap_or_default();
        Some(deadline.saturating_sub(now))
    }

    fn end(&mut self) {
        self.ended = true;
        self.cancel_all();
        self.in_flight.clear();
        self.in_hand = None;
    }
}

impl<E, I: Iterator<Item: RemoteJob>, const WINDOW: usize> RemoteMap<'_, E, I, WINDOW> {
    /// Cancels the jobs that have not begun.
    fn cancel_all(&self) {
        cancel_all(self.asked_for.as_ref(), &self.in_flight);
    }
}

impl<E, I, const WINDOW: usize> Iterator for RemoteMap<'_, E, I, WINDOW>
where
    E: RemoteExecutor,
    I: Iterator<Item: RemoteJob>,
{
    type Item = Result<<I::Item as RemoteJob>::Output, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.asked_for.is_none() {
            if self.in_flight.is_empty() {
                self.fill();
                if self.in_flight.is_empty()
                    && let Err(error) = self.fill_waiting()
                {
                    self.end();
                    return Some(Err(error));
                }
            }
            self.asked_for = Some(self.in_flight.pop_front()?);
            self.fill();
        }
        let left = self.time_left();
        let result = match (self.asked_for.as_mut()?, left) {
            (Ok(future), Some(left)) => future.result_timeout(left),
            _ => self.asked_for.take()?.and_then(JobFuture::result),
        };
        if matches!(result, Err(JobError::TimedOut)) {
            self.end();
        }
        self.asked_for = None;
        Some(result)
    }
}

impl<E, I: Iterator<Item: RemoteJob>, const WINDOW: usize> Drop for RemoteMap<'_, E, I, WINDOW> {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

impl<E, I: Iterator<Item: RemoteJob>, const WINDOW: usize> fmt::Debug
    for RemoteMap<'_, E, I, WINDOW>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteMap")
            .field("in_flight", &self.in_flight.len())
            .field("buffer_size", &self.buffer_size)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<E, I: Iterator<Item: RemoteJob>, const WINDOW: usize> defmt::Format
    for RemoteMap<'_, E, I, WINDOW>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "RemoteMap({=usize} in flight)", self.in_flight.len());
    }
}
