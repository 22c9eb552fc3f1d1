//! The pool in a `static`.

use core::{future::Future, mem::offset_of, ptr::NonNull, time::Duration};

use crate::{
    api::future::JobFuture,
    api::map::{Map, MapError, MapOptions},
    api::pool_ref::PoolRef,
    api::promise::Promise,
    api::scope::Scope,
    api::submit_async::SubmitAsync,
    engine::life,
    engine::life::OnLoss,
    engine::wakers::{PoolLayout, TaskWakers},
    error::{BrokenReason, RunError, ShutdownError, SubmitError},
    jobs::token::CancelToken,
    lockfree::free_list::FreeWords,
    lockfree::queue::{Lane, Queue, QueueCell},
    lockfree::state::MAX_PRIORITIES,
    lockfree::sync::{array_of, const_unless_loom},
    machine::port::Port,
    machine::worker::{Worker, WorkerId},
    memory::geometry::Geometry,
    memory::payload::capacity,
    memory::pool::{Pool, Shared},
    memory::seat::Seat,
    memory::slot::Slot,
    memory::waiter::Waiter,
};

/// An executor of fixed capacity, in a `static`: work queue, futures, results, all of it.
///
/// * `SLOTS`: how many jobs can be in flight, queued, running, or done with the result not taken;
///   1 to 65,000.
/// * `BYTES`: how large a job's closure (or future) and its result can be; the larger of the two
///   counts. It is rounded up to a multiple of 8. Unless panics abort and the feature `remote` is
///   off, it has room for a panic's payload: 16 bytes on 32-bit targets, 24 on 64-bit. A job that
///   does not fit is a build error.
/// * `PRIORITIES`: how many levels of urgency there are; 1 to 16.
/// * `WORKERS`: how many workers can be in their run loop at a time; 1 to 1,000.
/// * `WAITERS`: how many `wait`s, `as_completed`s and submits that wait for room can be under way
///   at a time; 1 to 1,000. The place of one that is over stays taken while a worker is just
///   completing a job of it. So have one more for each worker.
///
/// Parameters out of these bounds are build errors.
///
/// ```
/// use corepool::{SpinWorker, StaticPool};
///
/// static POOL: StaticPool<16, 64> = StaticPool::new();
///
/// std::thread::spawn(|| POOL.run(&SpinWorker)); // the second core
///
/// let product = POOL.submit(|| 6 * 7).unwrap();
/// assert_eq!(product.result().unwrap(), 42);
/// POOL.shutdown(true, false).unwrap();
/// ```
#[repr(C)]
pub struct StaticPool<
    const SLOTS: usize = 16,
    const BYTES: usize = 64,
    const PRIORITIES: usize = 1,
    const WORKERS: usize = 8,
    const WAITERS: usize = 4,
> {
    shared: Shared,
    slots: [Slot<BYTES>; SLOTS],
    lanes: [Lane; PRIORITIES],
    cells: [[QueueCell; SLOTS]; PRIORITIES],
    // Between cells and seats: submitters look at the seats for each job, and waiters seldom change.
    waiters: [Waiter; WAITERS],
    seats: [Seat; WORKERS],
}

// SAFETY: the memory is used through `Pool` only, which is `Sync` (see there).
unsafe impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Sync
    for StaticPool<S, B, P, W, V>
{
}
// SAFETY: as above; nothing in it is bound to a thread.
unsafe impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Send
    for StaticPool<S, B, P, W, V>
{
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> PoolLayout
    for StaticPool<S, B, P, W, V>
{
    const SLOTS_AT: usize = offset_of!(Self, slots);
    const SLOT_SIZE: usize = size_of::<Slot<B>>();

    unsafe fn geometry(_pool: NonNull<Shared>) -> &'static Geometry {
        &Self::GEOMETRY
    }
}

impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    const CHECKED: () = {
        assert!(SLOTS >= 1 && SLOTS <= 65_000, "SLOTS must be 1 to 65,000");
        assert!(
            PRIORITIES >= 1 && PRIORITIES <= MAX_PRIORITIES,
            "PRIORITIES must be 1 to 16"
        );
        assert!(
            WORKERS >= 1 && WORKERS <= 1_000,
            "WORKERS must be 1 to 1,000"
        );
        assert!(
            WAITERS >= 1 && WAITERS <= 1_000,
            "WAITERS must be 1 to 1,000"
        );
    };

    const GEOMETRY: Geometry = Geometry {
        bytes: capacity(BYTES),
        priorities: PRIORITIES,
        workers: WORKERS,
        waiters: WAITERS,
        slot_size: size_of::<Slot<BYTES>>(),
        slots_at: offset_of!(Self, slots),
        lanes_at: offset_of!(Self, lanes),
        cells_at: offset_of!(Self, cells),
        waiters_at: offset_of!(Self, waiters),
        seats_at: offset_of!(Self, seats),
        cell_words: Queue::words(SLOTS),
        free_words: FreeWords::for_slots(SLOTS),
    };

    const_unless_loom! {
        /// An empty pool. All of it is zero, so in a `static` it takes RAM and no flash.
        pub fn new() -> Self {
            #[allow(clippy::let_unit_value)]
            let _ = Self::CHECKED;
            Self {
                shared: Shared::new(),
                slots: array_of!(Slot::new()),
                lanes: array_of!(Lane::new()),
                cells: array_of!(array_of!(QueueCell::new())),
                waiters: array_of!(Waiter::new()),
                seats: array_of!(Seat::new()),
            }
        }
    }

    #[inline(always)]
    fn raw(&self) -> Pool<'_> {
        // SAFETY: the memory is this pool's, laid out as GEOMETRY says, valid as long as the borrow;
        // the pointer comes from a reference to all of it.
        unsafe { Pool::new(NonNull::from(self).cast(), const { &Self::GEOMETRY }) }
    }

    /// A copyable view of the pool, with the same methods. Store it where the pool's other
    /// parameters should not be in the type.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    #[inline(always)]
    pub fn handle(&self) -> PoolRef<'_, BYTES> {
        PoolRef::new(self.raw(), &TaskWakers::<Self>::TABLE)
    }

    /// A view that submits at `priority`, from 0, the default and least urgent, to PRIORITIES - 1.
    ///
    /// A worker takes the most urgent job first; among jobs of one priority, the oldest. A job that
    /// runs is not interrupted. A priority that the pool has not got makes submits fail with
    /// [`SubmitError::NoSuchPriority`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::StaticPool;
    /// static POOL: StaticPool<8, 32, 2> = StaticPool::new();
    ///
    /// let background = POOL.submit(|| 1).unwrap();
    /// let urgent = POOL.at(1).submit(|| 2).unwrap();
    /// POOL.run_pending(1);
    /// assert!(urgent.done() && !background.done());
    /// ```
    pub fn at(&self, priority: usize) -> PoolRef<'_, BYTES> {
        self.handle().at(priority)
    }

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
    /// [`SubmitError::Full`] if no slot is to be had; [`SubmitError::ShutDown`];
    /// [`SubmitError::Broken`]. By a view of [`at`](Self::at) also [`SubmitError::NoSuchPriority`].
    /// With a port that starts workers on demand also [`SubmitError::NoWorker`]. The closure is in
    /// the error.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// # static POOL: StaticPool<8, 32> = StaticPool::new();
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
        self.handle().submit(job)
    }

    /// Queues a closure whose outcome nobody waits for. Its slot is free as soon as it has run.
    ///
    /// If it panics, the port's [`unobserved_failure`](Port::unobserved_failure) is told.
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
    /// # static POOL: StaticPool<8, 32> = StaticPool::new();
    /// POOL.submit_detached(|| println!("somewhere, some time")).unwrap();
    /// assert_eq!(POOL.run_pending(9), 1);
    /// assert_eq!(POOL.free_slots(), POOL.capacity());
    /// ```
    pub fn submit_detached<F>(&self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.handle().submit_detached(job)
    }

    /// Queues a job that can run in another address space. Any worker takes it: a
    /// [`RemoteWorker`](crate::remote::RemoteWorker) sends it, all others run it where they are.
    ///
    /// While the job is on the other side its state is `Running`. There,
    /// [`cancel`](JobFuture::cancel) takes back a job that has not begun, and tells the context of
    /// one that has.
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
    #[cfg(feature = "remote")]
    pub fn submit_remote<J>(&self, job: J) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.handle().submit_remote(job)
    }

    /// [`submit_remote`](Self::submit_remote), but waits for room if the pool is full, as
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
    #[cfg(feature = "remote")]
    pub fn submit_remote_blocking<J>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>
    where
        J: crate::jobs::remote_job::RemoteJob,
    {
        self.handle().submit_remote_blocking(job)
    }

    /// Queues a closure that is given a [`CancelToken`], to look whether it should stop. See
    /// [`CancelToken`] for an example.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: as for [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_cancellable<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle().submit_cancellable(job)
    }

    /// [`submit`](Self::submit), but waits for room if the pool is full.
    ///
    /// A job of this pool that calls it sleeps while another worker is not blocked. The last worker
    /// runs the oldest queued job, so that slots come back. The caller waits for ever if no slot is
    /// ever given back, for instance because it holds all the futures itself.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`submit`](Self::submit) if there is room. Else the caller waits for
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
        self.handle().submit_blocking(job)
    }

    /// [`submit_blocking`](Self::submit_blocking), for no longer than `timeout`.
    ///
    /// A job that the caller runs meanwhile is not broken off: if that takes longer than `timeout`,
    /// so does the call.
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`submit_blocking`](Self::submit_blocking). The caller waits for
    ///   `timeout` at most.
    ///
    /// # Errors
    ///
    /// As for [`submit_blocking`](Self::submit_blocking). [`SubmitError::Full`] if the time was
    /// over; [`SubmitError::NoClock`] if the caller has to wait and the pool has no clock.
    pub fn submit_timeout<F, T>(
        &self,
        job: F,
        timeout: Duration,
    ) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle().submit_timeout(job, timeout)
    }

    /// A future that submits a closure when there is room. See [`SubmitAsync`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): nothing is submitted before the first poll.
    /// * **Cancel safety**: as for [`SubmitAsync`]: dropped before it is ready, it drops the
    ///   closure.
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
        self.handle().submit_async(job)
    }

    /// Queues an async task: a future that the pool's workers poll until it is ready.
    ///
    /// The pool must live for ever, since the task's waker refers to it without counting; a
    /// `static` does. A future that does not fit BYTES is a build error.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: as for [`submit`](Self::submit). So is each wake of the task, which needs no
    ///   slot: O(1).
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
        self.handle().spawn(task)
    }

    /// A future whose result is set by hand, and the [`Promise`] to set it with.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1).
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`], [`SubmitError::Broken`] and
    /// [`SubmitError::NoSuchPriority`], as for [`submit`](Self::submit). A promise is in no queue,
    /// so it takes over no slot there: it needs a free one.
    pub fn promise<T>(&self) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        self.handle().promise()
    }

    /// Calls `function` with each item, each call a job, and iterates over the results in the
    /// items' order.
    ///
    /// The call submits the first jobs. Each [`next`](Iterator::next) submits further ones ahead of
    /// its result: [`DEFAULT_WINDOW`](crate::DEFAULT_WINDOW) at most, and fewer if the pool is
    /// full. See [`Map`]. For several iterators, `zip` them.
    ///
    /// * **Context**: any for the call; any that may block for `next`.
    /// * **Cost**: a [`submit`](Self::submit) for each job of the window. Each `next` waits as
    ///   [`JobFuture::result`] does, or for room as [`submit_blocking`](Self::submit_blocking)
    ///   does.
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
        self.handle().map(items, function)
    }

    /// [`map`](Self::map) with a buffer size and a timeout.
    ///
    /// * **Context**: as for [`map`](Self::map).
    /// * **Cost**: as for [`map`](Self::map), with `buffer_size` jobs in the window.
    ///
    /// # Errors
    ///
    /// [`MapError::ZeroBuffer`] and [`MapError::BufferTooLarge`] for a `buffer_size` that is not 1
    /// to WINDOW; [`MapError::NoClock`] for a timeout in a pool without a clock.
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
        self.handle().map_with(options, items, function)
    }

    /// Calls `f` with a [`Scope`], whose jobs may borrow from the caller; returns when all of them
    /// have ended, also if `f` panics.
    ///
    /// A job of this pool that calls it runs those of the scope's jobs that nobody has begun, and
    /// nothing else, as [`JobFuture::result`] does.
    ///
    /// * **Context**: any that may block. In one that may not, says a port, the scope takes no
    ///   jobs: [`SubmitError::WouldDeadlock`].
    /// * **Cost**: O(WORKERS). The call waits for the scope's jobs. A job of this pool that waits
    ///   looks for those nobody has begun, at O(SLOTS) a look.
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
        self.handle().scope(f)
    }

    /// Lends `worker` to the pool: takes jobs and runs them, in the context that calls. It returns
    /// when the pool is shut down and no job is left for it. This is the whole life of a worker
    /// core.
    ///
    /// Any number of workers up to WORKERS may be in here, come and go.
    ///
    /// * **Context**: any in which `worker` may sleep, and no job or task of this pool. Without a
    ///   port nobody refuses a task that calls it: the worker then stays for that task's end, for
    ///   ever.
    /// * **Cost**: O(WORKERS + WAITERS) to join and leave, and O(1) for each job. The worker waits
    ///   for jobs until the pool's end; from then on each look for the last job is O(SLOTS). A task
    ///   that is suspended while other workers are blocked may cost a look for a circle of waits,
    ///   which grows with SLOTS.
    ///
    /// # Errors
    ///
    /// [`RunError::TooManyWorkers`] if no place is left. [`RunError::AlreadyWorker`] if a job of
    /// the pool calls, and a port tells. [`RunError::Broken`] if the pool is broken, before or
    /// meanwhile. [`RunError::DeclaredLost`] if the worker was declared lost.
    ///
    /// ```
    /// # use corepool::{SpinWorker, StaticPool};
    /// # static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// POOL.shutdown(false, false).unwrap();
    /// POOL.run(&SpinWorker).unwrap(); // runs what is queued, and returns
    /// assert_eq!(queued.result().unwrap(), 1);
    /// ```
    pub fn run<W: Worker>(&self, worker: &W) -> Result<(), RunError> {
        self.handle().run(worker)
    }

    /// Takes at most `max` work items out of the queue and runs them, in the context that calls;
    /// returns how many it took. For main loops that have other things to do as well.
    ///
    /// It takes fewer than `max` if the queue is empty, or if the worker that calls is declared
    /// lost meanwhile. An item whose job was cancelled is not run, and counts.
    ///
    /// The caller takes one of the WORKERS places meanwhile. If none is left it runs jobs all the
    /// same, and counts as no worker. A job of it that blocks does not run the job that it waits
    /// for.
    ///
    /// * **Context**: any. Where the context may not block, says a port, a job that would block
    ///   gets an error.
    /// * **Cost**: as for [`run`](Self::run), without a wait. Without a port it takes no place:
    ///   O(1) for each item.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// # static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let jobs = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
    /// assert_eq!(POOL.run_pending(9), 2);
    /// assert!(jobs.iter().all(|job| job.done()));
    /// ```
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn run_pending(&self, max: usize) -> usize {
        self.handle().run_pending(max)
    }

    /// Ends the pool: no new work is taken. Idempotent: called again, it may wait, or cancel, what
    /// the first call did not.
    ///
    /// With `cancel_futures`, jobs that are queued are cancelled here, and so are tasks between two
    /// polls; callers that wait for them are told at once. Without, they still run. Jobs that run
    /// are left to end; their cancel tokens say nothing.
    ///
    /// With `wait`, returns when all jobs have ended and all workers have left.
    ///
    /// * **Context**: any without `wait`. With `wait`, any that may block, and no job or callback
    ///   of the pool.
    /// * **Cost**: O(WORKERS + WAITERS); with `cancel_futures` also O(SLOTS), the destructors of
    ///   the jobs and their callbacks. With `wait`, the caller waits for all jobs and workers. In a
    ///   pool without a worker it runs the queue meanwhile, if the port lends its callers.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a job or callback of the pool calls it with `wait`, or a
    /// context that may not block. [`ShutdownError::TooManyWaiters`] if the caller finds no place
    /// to wait. The pool is shut down all the same.
    ///
    /// Without a [`Port`](crate::Port) the pool cannot tell that a job calls; nor can it where
    /// [`run_pending`](Self::run_pending) has found no place. Then the job waits for itself, for
    /// ever.
    ///
    /// ```
    /// # use corepool::{StaticPool, SubmitError};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// POOL.shutdown(true, false).unwrap();
    /// assert_eq!(queued.result().unwrap(), 1);
    /// assert!(matches!(POOL.submit(|| 2), Err(SubmitError::ShutDown(_))));
    /// ```
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.handle().shutdown(wait, cancel_futures)
    }

    /// [`shutdown`](Self::shutdown) with `wait`, for no longer than `timeout`.
    ///
    /// A job that the caller runs meanwhile is not broken off: if that takes longer than `timeout`,
    /// so does the call.
    ///
    /// * **Context**: any that may block, and no job or callback of the pool.
    /// * **Cost**: as for [`shutdown`](Self::shutdown). The caller waits for `timeout` at most.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] says what still runs when the time is over.
    /// [`ShutdownError::NoClock`] if the pool has no clock; then nothing was done.
    /// [`ShutdownError::WouldDeadlock`] and [`ShutdownError::TooManyWaiters`] as for
    /// [`shutdown`](Self::shutdown).
    pub fn shutdown_timeout(
        &self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        self.handle().shutdown_timeout(timeout, cancel_futures)
    }

    /// Breaks the pool: every job that does not run yet, and every later submit, fails with
    /// [`BrokenReason::Application`] and this text. Jobs that run are left to end. A pool that is
    /// broken already keeps its reason.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS + WORKERS + WAITERS), the destructors of the queued jobs and their
    ///   callbacks.
    ///
    /// ```
    /// # use corepool::{JobError, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let queued = POOL.submit(|| 1).unwrap();
    /// POOL.break_pool("no supply voltage");
    /// assert!(matches!(queued.result(), Err(JobError::Broken(_))));
    /// ```
    pub fn break_pool(&self, reason: &'static str) {
        self.handle().break_pool(reason);
    }

    /// Declares a worker lost: its core has crashed, or a watchdog found it hung.
    ///
    /// The jobs that the worker was at work on, callbacks included, end with
    /// [`JobError::WorkerLost`](crate::JobError::WorkerLost). Their slots are not used again, and
    /// the callbacks that the worker had not come to are not called, unless it comes back. Queued
    /// jobs are left to the other workers, or fail, as `on_loss` says.
    ///
    /// If the worker has left, nothing happens, although another may have its number by now. For
    /// how long the two are told apart, see [`WorkerId`].
    ///
    /// A worker may have stopped between taking a job off the queue and marking it as its own,
    /// which is a few instructions. That job stays queued for ever;
    /// [`cancel`](crate::JobFuture::cancel) ends it.
    ///
    /// A worker may have stopped while it was waking a caller, or in a callback that was added to a
    /// job that had ended already. It takes that wake-up with it. The result is there for a caller
    /// that looks, such as one with a timeout.
    ///
    /// A worker that comes back ends its job into the void and leaves its run loop with
    /// [`RunError::DeclaredLost`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS + WORKERS + WAITERS), and the callbacks of the lost jobs. With
    ///   [`OnLoss::Break`] also as for [`break_pool`](Self::break_pool).
    ///
    /// # Safety
    ///
    /// The worker does not run a job of a [`scope`](Self::scope), or will never run again. The
    /// scope ends without that job, and with it the values that the job borrows.
    pub unsafe fn worker_lost(&self, worker: WorkerId, on_loss: OnLoss) {
        // SAFETY: the caller's promise.
        unsafe { self.handle().worker_lost(worker, on_loss) };
    }

    /// Installs the services of the machine: clock, sleep, identity. To be called once, before
    /// workers join.
    ///
    /// False if there is a port already, which then stays. False, too, while a worker is there: the
    /// pool would not know that worker's context.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn install<P: Port>(&self, port: &'static P) -> bool {
        self.handle().install(port)
    }

    /// SLOTS.
    pub const fn capacity(&self) -> usize {
        SLOTS
    }

    /// How many slots are free now, without those that a submit could take over from ended jobs.
    /// For tests and statistics: out of date at once if others use the pool.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS), and once more for each time that another party takes or frees a slot
    ///   meanwhile.
    pub fn free_slots(&self) -> usize {
        self.handle().free_slots()
    }

    /// How many workers are in their run loop, with callers that lend themselves.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn workers(&self) -> usize {
        self.handle().workers()
    }

    /// How many of them sleep, or are about to.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(WORKERS).
    pub fn idle_workers(&self) -> usize {
        self.handle().idle_workers()
    }

    /// Why the pool is broken, if it is.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn broken_reason(&self) -> Option<BrokenReason> {
        self.handle().broken_reason()
    }

    /// Whether the pool has been shut down.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn is_shut_down(&self) -> bool {
        self.handle().is_shut_down()
    }

    /// How many bytes of RAM one more slot takes. The crate's documentation has a table.
    pub const fn bytes_per_slot() -> usize {
        size_of::<Slot<BYTES>>() + PRIORITIES * size_of::<QueueCell>()
    }
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Default
    for StaticPool<S, B, P, W, V>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Drop
    for StaticPool<S, B, P, W, V>
{
    /// Cancels what is still queued.
    fn drop(&mut self) {
        life::drop_jobs(self.raw());
    }
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize>
    core::fmt::Debug for StaticPool<S, B, P, W, V>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StaticPool")
            .field("slots", &S)
            .field("bytes", &B)
            .field("priorities", &P)
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> defmt::Format
    for StaticPool<S, B, P, W, V>
{
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "StaticPool({=usize} slots, {=usize} bytes)", S, B);
    }
}

/// What the crate's documentation says of RAM holds.
#[cfg(all(target_pointer_width = "32", target_os = "none", not(loom)))]
const _: () = {
    use crate::memory::payload::PANICS;
    assert!(PANICS || StaticPool::<1, 8>::bytes_per_slot() == 36);
    assert!(StaticPool::<1, 16>::bytes_per_slot() == 44);
    assert!(StaticPool::<1, 256>::bytes_per_slot() == 284);
    assert!(size_of::<Lane>() == 8);
    assert!(size_of::<Seat>() == 36);
    assert!(size_of::<Waiter>() == 16);
    assert!(size_of::<StaticPool<16, 64>>() == 1880);
};
