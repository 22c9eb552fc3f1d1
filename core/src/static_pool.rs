//! The pool in a `static`.

use core::{future::Future, mem::offset_of, ptr::NonNull, time::Duration};

use crate::{
    error::{BrokenReason, RunError, ShutdownError, SubmitError},
    free_list::FreeWords,
    future::JobFuture,
    lifecycle::OnLoss,
    map::{Map, MapError, MapOptions},
    payload::capacity,
    pool::{Dims, Raw, Seat, Shared, Waiter},
    port::Port,
    promise::Promise,
    queue::{Cell, Lane, Queue},
    scope::Scope,
    slot::Slot,
    state::MAX_PRIORITIES,
    submit::{PoolRef, SubmitAsync},
    sync::{array_of, const_unless_loom},
    task::{Layout, TaskWakers},
    token::CancelToken,
    worker::{Worker, WorkerId},
};

/// An executor of fixed capacity, in a `static`: work queue, futures, results, all of it.
///
/// * `SLOTS`: how many jobs can be in flight, queued, running, or done with the result not taken;
///   1 to 65,000.
/// * `BYTES`: how large a job's closure (or future) and its result can be; the larger of the two
///   counts. Rounded up to a multiple of 8, and at least room for a panic's payload (16 bytes on
///   32-bit targets, 24 on 64-bit) unless panics abort and the feature `remote` is off. A job that does
///   not fit is a build error.
/// * `PRIORITIES`: how many levels of urgency there are; 1 to 16.
/// * `WORKERS`: how many workers can be in their run loop at a time; 1 to 1,000.
/// * `WAITERS`: how many `wait`s, `as_completed`s and submits that wait for room can be under way at
///   a time; 1 to 1,000. The place of one that is over is taken for a moment longer if somebody is just
///   completing a job of it, so have one more for each worker.
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
    cells: [[Cell; SLOTS]; PRIORITIES],
    // Between cells and seats: submitters look at the seats for each job, and waiters seldom change.
    waiters: [Waiter; WAITERS],
    seats: [Seat; WORKERS],
}

// SAFETY: the memory is used through `Raw` only, which is `Sync` (see there).
unsafe impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Sync
    for StaticPool<S, B, P, W, V>
{
}
// SAFETY: as above; nothing in it is bound to a thread.
unsafe impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Send
    for StaticPool<S, B, P, W, V>
{
}

impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Layout
    for StaticPool<S, B, P, W, V>
{
    const SLOTS_AT: usize = offset_of!(Self, slots);
    const SLOT_SIZE: usize = size_of::<Slot<B>>();

    unsafe fn dims(_pool: NonNull<Shared>) -> &'static Dims {
        &Self::DIMS
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

    const DIMS: Dims = Dims {
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
                cells: array_of!(array_of!(Cell::new())),
                waiters: array_of!(Waiter::new()),
                seats: array_of!(Seat::new()),
            }
        }
    }

    #[inline(always)]
    fn raw(&self) -> Raw<'_> {
        // SAFETY: the memory is this pool's, laid out as DIMS says, valid as long as the borrow;
        // the pointer comes from a reference to all of it.
        unsafe { Raw::new(NonNull::from(self).cast(), const { &Self::DIMS }) }
    }

    /// A copyable view of the pool, with the same methods. To store where the pool's other
    /// parameters should not be in the type.
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
    /// From any context: thread, task, interrupt handler, another job, a callback. Never waits,
    /// never allocates, masks no interrupt on targets with compare-and-swap. O(1); O(SLOTS) if no slot is free, and
    /// jobs have ended in the queue.
    ///
    /// A closure or result that does not fit BYTES, or asks for more alignment than 8, is a build
    /// error.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`], [`SubmitError::Broken`]; the closure is in
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

    /// Queues a closure that nobody waits for. Its slot is free as soon as it has run.
    ///
    /// As [`submit`](Self::submit) otherwise. If it panics, the port's
    /// [`unobserved_failure`](Port::unobserved_failure) is told.
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
    /// As [`submit`](Self::submit) otherwise. While it is on the other side its state is
    /// `Running`; [`cancel`](JobFuture::cancel) has it taken back if it does not run there yet, and
    /// tells its context otherwise.
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
        J: crate::remote::RemoteJob,
    {
        self.handle().submit_remote(job)
    }

    /// [`submit_remote`](Self::submit_remote), but waits for room if the pool is full, as
    /// [`submit_blocking`](Self::submit_blocking) does.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), except [`SubmitError::Full`].
    #[cfg(feature = "remote")]
    pub fn submit_remote_blocking<J>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>>
    where
        J: crate::remote::RemoteJob,
    {
        self.handle().submit_remote_blocking(job)
    }

    /// Queues a closure that is given a [`CancelToken`], to look whether it should stop.
    ///
    /// As [`submit`](Self::submit) otherwise; see [`CancelToken`] for an example.
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
    /// Called from a job of this pool, it sleeps while another worker is not blocked; the last worker runs
    /// the oldest queued job, so that slots come back. It waits for ever if no slot is ever given back, for
    /// instance because the caller itself holds all the futures. Not for interrupt handlers.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), except [`SubmitError::Full`].
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
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), where [`SubmitError::Full`] says that the time was over;
    /// and [`SubmitError::NoClock`].
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
    /// From any context. The pool must live for ever, since the task's waker refers to it without
    /// counting; a `static` does. O(1). A future that does not fit BYTES is a build error.
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
    /// # Errors
    ///
    /// As for [`submit`](Self::submit). A promise is in no queue, and takes over no slot there: it needs a free one.
    pub fn promise<T>(&self) -> Result<(Promise<'_, T>, JobFuture<'_, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        self.handle().promise()
    }

    /// Calls `function` with each item, each call a job, and iterates over the results in the items'
    /// order.
    ///
    /// Jobs are submitted ahead of the result that is asked for, at most
    /// [`DEFAULT_WINDOW`](crate::DEFAULT_WINDOW), and fewer if the pool is full; the first ones by
    /// this call. See [`Map`]. For several iterators, `zip` them.
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
    /// # Errors
    ///
    /// See [`MapError`].
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
    /// have ended.
    ///
    /// Called from a job of this pool, it runs those of the scope's jobs that nobody has begun, and nothing
    /// else, as [`JobFuture::result`] does. In a context that may not block, such as an interrupt handler,
    /// the scope takes no jobs: [`SubmitError::WouldDeadlock`].
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

    /// Lends `worker` to the pool: takes jobs and runs them, in the context that calls, until the
    /// pool is shut down and no job is left for it. This is the whole life of a worker core.
    ///
    /// Any number of workers up to WORKERS may be in here, come and go.
    /// Not from within a task of this pool: the worker would stay for that task's end.
    ///
    /// # Errors
    ///
    /// See [`RunError`].
    pub fn run<W: Worker>(&self, worker: &W) -> Result<(), RunError> {
        self.handle().run(worker)
    }

    /// Takes at most `max` work items out of the queue and runs them, in the context that calls, and
    /// never waits for more; returns how many it took: fewer than `max` if the queue is empty, or the
    /// worker that calls is declared lost meanwhile. One whose job was cancelled is not run, and
    /// counts. For main loops that have other things to do as well.
    ///
    /// The caller takes one of the WORKERS places meanwhile. If there is none left it runs jobs all the same,
    /// and these count as no worker's: they do not help while they block.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn run_pending(&self, max: usize) -> usize {
        self.handle().run_pending(max)
    }

    /// Ends the pool: no new work is taken. Idempotent: called again, it may wait, or cancel, what
    /// the first call did not.
    ///
    /// With `cancel_futures`, jobs that are queued are cancelled, and so are tasks between two
    /// polls; those who wait for them are told at once. Without, they still run. Jobs that run are
    /// left to end; their cancel tokens say nothing.
    ///
    /// With `wait`, returns when all jobs have ended and all workers have left; without, at once,
    /// and from any context. Costs O(SLOTS).
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a job of the pool calls it with `wait`; the pool is shut
    /// down all the same. Without a [`Port`](crate::Port) nobody can tell that it is a job that
    /// calls, nor where [`run_pending`](Self::run_pending) has found no place: then it waits for itself, for
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
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] says what still runs; [`ShutdownError::NoClock`], and then
    /// nothing was done; [`ShutdownError::WouldDeadlock`].
    pub fn shutdown_timeout(
        &self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        self.handle().shutdown_timeout(timeout, cancel_futures)
    }

    /// Breaks the pool: every job that does not run yet, and every later submit, fails with
    /// [`BrokenReason::Application`] and this text. Jobs that run are left to end. From any context.
    /// Costs O(SLOTS).
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

    /// Declares a worker lost: its core has crashed, or a watchdog found it hung. The jobs that it
    /// was at work on, callbacks included, end with
    /// [`JobError::WorkerLost`](crate::JobError::WorkerLost). Their slots are not used again, and
    /// the callbacks that it had not come to are not called, unless the worker comes back. Queued
    /// jobs are left to the other workers, or fail, as `on_loss` says. From any context. Costs
    /// O(SLOTS).
    ///
    /// If the worker has left, nothing happens, although another may have its number by now. For how long the
    /// two are told apart, see [`WorkerId`].
    ///
    /// A worker that stopped in the few instructions between taking a job off the queue and marking
    /// it as its own leaves that job queued for ever; [`cancel`](crate::JobFuture::cancel) ends it.
    /// One that stopped while it was waking a caller, or in a callback that was added to a job that had
    /// ended already, takes that wake-up with it: the result is there for who looks, as a caller
    /// with a timeout does.
    ///
    /// A worker that comes back ends its job into the void and leaves its run loop with
    /// [`RunError::DeclaredLost`].
    ///
    /// # Safety
    ///
    /// The worker does not run a job of a [`scope`](Self::scope), or will never run again: the
    /// scope ends without that job, and with it what the job borrows.
    pub unsafe fn worker_lost(&self, worker: WorkerId, on_loss: OnLoss) {
        // SAFETY: the caller's promise.
        unsafe { self.handle().worker_lost(worker, on_loss) };
    }

    /// Installs the services of the machine: clock, sleep, identity. Once, before workers join;
    /// false if there is a port already, which then stays, or a worker has joined: the pool would not know
    /// that worker's context.
    pub fn install(&self, port: &'static dyn Port) -> bool {
        self.handle().install(port)
    }

    /// SLOTS.
    pub const fn capacity(&self) -> usize {
        SLOTS
    }

    /// How many slots are free now, without those that a submit could take over from ended jobs. For tests and
    /// statistics: costs O(SLOTS), and is out of date at once if others use the pool.
    pub fn free_slots(&self) -> usize {
        self.handle().free_slots()
    }

    /// How many workers are in their run loop.
    pub fn workers(&self) -> usize {
        self.handle().workers()
    }

    /// How many of them sleep, or are about to.
    pub fn idle_workers(&self) -> usize {
        self.handle().idle_workers()
    }

    /// Why the pool is broken, if it is.
    pub fn broken_reason(&self) -> Option<BrokenReason> {
        self.handle().broken_reason()
    }

    /// Whether the pool has been shut down.
    pub fn is_shut_down(&self) -> bool {
        self.handle().is_shut_down()
    }

    /// How many bytes of RAM one more slot takes. The crate's documentation has a table.
    pub const fn bytes_per_slot() -> usize {
        size_of::<Slot<BYTES>>() + PRIORITIES * size_of::<Cell>()
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
        self.raw().drop_jobs();
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
    use crate::payload::PANICS;
    assert!(PANICS || StaticPool::<1, 8>::bytes_per_slot() == 36);
    assert!(StaticPool::<1, 16>::bytes_per_slot() == 44);
    assert!(StaticPool::<1, 256>::bytes_per_slot() == 284);
    assert!(size_of::<Lane>() == 8);
    assert!(size_of::<Seat>() == 36);
    assert!(size_of::<Waiter>() == 16);
    assert!(size_of::<StaticPool<16, 64>>() == 1880);
};
