//! `map`: a job for each item of an iterator, with the results in the items' order.

use core::{cell::Cell, fmt, task::Poll, time::Duration};

use crate::{
    api::future::JobFuture,
    api::pool_ref::PoolRef,
    engine::block::Limit,
    engine::room,
    error::{JobError, SubmitError},
    jobs::ambient::Policy,
    jobs::job::{Job, JobPlace},
    jobs::submit,
    lockfree::defer::Defer,
    lockfree::sync::call,
    memory::pool::Pool,
    memory::slot::SlotRef,
};

/// The most jobs that a [`Map`] submits ahead of the next result, unless [`MapOptions`] set another
/// number.
pub const DEFAULT_WINDOW: usize = 16;

/// Options for `map_with`: the number of jobs ahead of the next result, and a timeout.
///
/// `WINDOW` is the iterator's capacity for such jobs. Each takes as much room as a [`JobError`]:
/// four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MapOptions<const WINDOW: usize = DEFAULT_WINDOW> {
    /// The number of jobs that are submitted ahead of the next result: 1 to `WINDOW`.
    pub buffer_size: usize,
    /// The time for the whole iteration, counted from the call of `map_with`.
    pub timeout: Option<Duration>,
}

impl<const WINDOW: usize> Default for MapOptions<WINDOW> {
    fn default() -> Self {
        Self {
            buffer_size: WINDOW,
            timeout: None,
        }
    }
}

/// Why `map_with` refused its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MapError {
    /// A buffer of 0 allows no job at all.
    ZeroBuffer,
    /// The buffer is larger than WINDOW.
    BufferTooLarge,
    /// The caller has set a timeout, and the pool has no clock. Install a `Port` that has one.
    NoClock,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroBuffer => "the buffer size must be at least 1",
            Self::BufferTooLarge => "the buffer size must not exceed the options' WINDOW",
            Self::NoClock => crate::error::NO_CLOCK,
        })
    }
}

impl core::error::Error for MapError {}

/// The place where a [`Map`] submits its jobs: a pool, or a scope.
pub trait Submitter<'p>: sealed::Submitter<'p> {}

pub(crate) mod sealed {
    use crate::{api::future::JobFuture, error::SubmitError, jobs::job::Job, memory::pool::Pool};

    pub trait Submitter<'p> {
        #[doc(hidden)]
        #[allow(private_interfaces)]
        fn pool(&self) -> Pool<'p>;

        /// The priority at which it submits.
        #[doc(hidden)]
        fn priority(&self) -> usize;

        /// # Safety
        ///
        /// The job and its output are `Send`, and live as long as the submitter's jobs may.
        #[doc(hidden)]
        #[allow(private_interfaces, private_bounds)]
        unsafe fn put<J: Job>(&self, job: J) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>;
    }
}

impl<'p, const BYTES: usize, S: Policy> Submitter<'p> for PoolRef<'p, BYTES, S> {}

impl<'p, const BYTES: usize, S: Policy> sealed::Submitter<'p> for PoolRef<'p, BYTES, S> {
    #[allow(private_interfaces)]
    fn pool(&self) -> Pool<'p> {
        self.erased
    }

    fn priority(&self) -> usize {
        self.priority
    }

    #[allow(private_interfaces, private_bounds)]
    unsafe fn put<J: Job>(&self, job: J) -> Result<JobFuture<'p, J::Output>, SubmitError<J>> {
        let carried = S::carry(job);
        // SAFETY: the caller's promise.
        let put = unsafe {
            submit::put::<_, S::Spill, BYTES, 0>(self.erased, self.priority, |_| (), carried)
        };
        let slot = put.map_err(|refused| refused.map(S::uncarry))?;
        // SAFETY: `put` set HANDLE for this future.
        Ok(unsafe { JobFuture::new(self.erased, slot) })
    }
}

/// A function, and the item to call it with.
pub(crate) struct Call<F, A> {
    function: F,
    item: A,
}

impl<F: Fn(A) -> T, A, T> Job for Call<F, A> {
    type Output = T;

    fn step<'p>(this: JobPlace<'_, Self>, _pool: Pool<'p>, _slot: SlotRef<'p>) -> Poll<T> {
        let Self { function, item } = this.take();
        let result = function(item);
        // Dropped before the result is returned. If the function's destructor panics, the result is
        // dropped as well.
        drop(function);
        Poll::Ready(result)
    }
}

/// The result of a job that the pool refused for good.
pub(crate) fn error_of<J>(refused: SubmitError<J>) -> JobError {
    match refused {
        SubmitError::Broken(_, reason) => JobError::Broken(reason),
        SubmitError::NoWorker(_, reason) => JobError::NoWorker(reason),
        SubmitError::NoSuchPriority(_) => JobError::NoSuchPriority,
        SubmitError::WouldDeadlock(_) => JobError::WouldDeadlock,
        _ => JobError::ShutDown,
    }
}

/// The iterator that [`map`](crate::StaticPool::map) returns: the results of jobs, in the order of
/// the items.
///
/// It takes items from its source only as far as its buffer reaches, so the source may be endless.
/// A job that fails gives an `Err` in its place, and the iteration goes on. The iteration ends after
/// a time-out, and after a wait for room that failed. Dropping the iterator cancels the jobs that
/// have not begun.
pub struct Map<'p, I: Iterator, F, T, P, const WINDOW: usize = DEFAULT_WINDOW> {
    submitter: P,
    items: core::iter::Fuse<I>,
    function: F,
    /// The last item of the source, until the function has been cloned for it.
    item: Option<I::Item>,
    /// A job for which there was no room.
    in_hand: Option<Call<F, I::Item>>,
    /// The next result for the caller. If the source panics meanwhile, the next call returns it.
    asked_for: Option<Result<JobFuture<'p, T>, JobError>>,
    in_flight: heapless::Deque<Result<JobFuture<'p, T>, JobError>, WINDOW>,
    buffer_size: usize,
    limit: Limit,
    ended: bool,
}

impl<'p, const BYTES: usize, S: Policy> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::map`](crate::StaticPool::map).
    pub fn map<I, F, T>(self, items: I, function: F) -> Map<'p, I::IntoIter, F, T, Self>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: function, items and results are `Send` and `'static`.
        unsafe {
            Map::new(
                self,
                items.into_iter(),
                function,
                DEFAULT_WINDOW,
                Limit::NEVER,
            )
        }
    }

    /// See [`StaticPool::map_with`](crate::StaticPool::map_with).
    pub fn map_with<I, F, T, const WINDOW: usize>(
        self,
        options: MapOptions<WINDOW>,
        items: I,
        function: F,
    ) -> Result<Map<'p, I::IntoIter, F, T, Self, WINDOW>, MapError>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        let limit = options.check(self.erased)?;
        let items = items.into_iter();
        // SAFETY: function, items and results are `Send` and `'static`.
        Ok(unsafe { Map::new(self, items, function, options.buffer_size, limit) })
    }
}

impl<const WINDOW: usize> MapOptions<WINDOW> {
    /// Checks the buffer size.
    pub(crate) fn check_buffer(&self) -> Result<(), MapError> {
        if self.buffer_size == 0 {
            return Err(MapError::ZeroBuffer);
        }
        if self.buffer_size > WINDOW {
            return Err(MapError::BufferTooLarge);
        }
        Ok(())
    }

    /// Checks the options, and returns the limit.
    pub(crate) fn check(&self, pool: Pool<'_>) -> Result<Limit, MapError> {
        self.check_buffer()?;
        Limit::after(pool, self.timeout).map_err(|_| MapError::NoClock)
    }
}

impl<'p, I, F, T, P, const WINDOW: usize> Map<'p, I, F, T, P, WINDOW>
where
    I: Iterator,
    F: Fn(I::Item) -> T + Clone,
    P: Submitter<'p>,
{
    /// # Safety
    ///
    /// Function, items and results are `Send`, and live as long as the submitter's jobs may.
    pub(crate) unsafe fn new(
        submitter: P,
        items: I,
        function: F,
        buffer_size: usize,
        limit: Limit,
    ) -> Self {
        let mut map = Self {
            submitter,
            items: items.fuse(),
            function,
            item: None,
            in_hand: None,
            asked_for: None,
            in_flight: heapless::Deque::new(),
            buffer_size,
            limit,
            ended: false,
        };
        map.fill();
        map
    }

    /// Submits jobs until the buffer or the pool is full.
    fn fill(&mut self) {
        while self.in_flight.len() < self.buffer_size {
            let job = match self.in_hand.take() {
                Some(job) => job,
                None => {
                    // The source and the function are the caller's code, and may panic. So each
                    // value stays in `self` until then.
                    if self.item.is_none() {
                        self.item = self.items.next();
                    }
                    if self.item.is_none() {
                        return;
                    }
                    let function = self.function.clone();
                    let Some(item) = self.item.take() else {
                        return;
                    };
                    Call { function, item }
                }
            };
            // SAFETY: the promise of `new`.
            let entry = match unsafe { self.submitter.put(job) } {
                Ok(future) => Ok(future),
                Err(SubmitError::Full(job)) => {
                    self.in_hand = Some(job);
                    return;
                }
                Err(refused) => Err(error_of(refused)),
            };
            // There is room, as checked above.
            let _ = self.in_flight.push_back(entry);
        }
    }

    /// Waits for room for the job in hand, if no job of this iterator is in flight whose end would make
    /// room.
    fn fill_waiting(&mut self) -> Result<(), JobError> {
        while self.in_flight.is_empty() && self.in_hand.is_some() {
            let priority = self.submitter.priority();
            room::wait(self.submitter.pool(), priority, self.limit)?;
            self.fill();
        }
        Ok(())
    }

    fn end(&mut self) {
        self.ended = true;
        self.cancel_all();
        self.in_flight.clear();
        self.item = None;
        self.in_hand = None;
    }
}

impl<I: Iterator, F, T, P, const WINDOW: usize> Map<'_, I, F, T, P, WINDOW> {
    /// Cancels the jobs that have not begun.
    fn cancel_all(&self) {
        cancel_all(self.asked_for.as_ref(), &self.in_flight);
    }
}

/// Cancels the jobs of a map that have not begun.
pub(crate) fn cancel_all<T, const WINDOW: usize>(
    asked_for: Option<&Result<JobFuture<'_, T>, JobError>>,
    in_flight: &heapless::Deque<Result<JobFuture<'_, T>, JobError>, WINDOW>,
) {
    let next = Cell::new(0);
    let cancel = || {
        while let Some(entry) = in_flight.get(next.replace(next.get() + 1)) {
            if let Ok(future) = entry {
                future.cancel();
            }
        }
    };
    // If a job's destructor unwinds, this cancels the other jobs.
    let _rest = Defer(cancel);
    if let Some(Ok(future)) = asked_for {
        future.cancel();
    }
    cancel();
}

impl<'p, I, F, T, P, const WINDOW: usize> Iterator for Map<'p, I, F, T, P, WINDOW>
where
    I: Iterator,
    F: Fn(I::Item) -> T + Clone,
    P: Submitter<'p>,
{
    type Item = Result<T, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        call("next of map");
        if self.ended {
            return None;
        }
        if self.asked_for.is_none() {
            if self.in_flight.is_empty() {
                self.fill();
                if let Err(error) = self.fill_waiting() {
                    self.end();
                    return Some(Err(error));
                }
            }
            self.asked_for = Some(self.in_flight.pop_front()?);
            self.fill();
        }
        let limit = self.limit;
        let result = match self.asked_for.as_mut()? {
            Ok(future) => future.result_until(limit),
            Err(_) => match self.asked_for.take()? {
                Ok(_) => return None,
                Err(error) => return Some(Err(error)),
            },
        };
        if matches!(result, Err(JobError::TimedOut)) {
            self.end();
        }
        self.asked_for = None;
        Some(result)
    }
}

impl<I: Iterator, F, T, P, const WINDOW: usize> Drop for Map<'_, I, F, T, P, WINDOW> {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

impl<I: Iterator, F, T, P, const WINDOW: usize> fmt::Debug for Map<'_, I, F, T, P, WINDOW> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("in_flight", &self.in_flight.len())
            .field("buffer_size", &self.buffer_size)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<I: Iterator, F, T, P, const WINDOW: usize> defmt::Format for Map<'_, I, F, T, P, WINDOW> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Map({=usize} in flight)", self.in_flight.len());
    }
}
