//! The pool in a `static`.

mod submit;

mod many;

mod run;

use core::{mem::offset_of, ptr::NonNull};

use crate::{
    api::pool_ref::PoolRef,
    engine::life,
    engine::wakers::{PoolLayout, TaskWakers},
    error::BrokenReason,
    jobs::ambient::{Ambient, Carrying},
    lockfree::free_list::FreeWords,
    lockfree::queue::{Lane, Queue, QueueCell},
    lockfree::state::MAX_PRIORITIES,
    lockfree::sync::{array_of, const_unless_loom},
    memory::geometry::{Geometry, MAX_CONTEXTS, MAX_SLOTS},
    memory::payload::capacity,
    memory::pool::{Pool, Shared},
    memory::seat::Seat,
    memory::slot::Slot,
    memory::waiter::Waiter,
};

/// An executor of fixed capacity, in a `static`. It has room for everything: the queue, the jobs
/// and their results.
///
/// * `SLOTS`: the number of jobs in flight: queued, running, or done with the result not taken. 1
///   to 65,000.
/// * `BYTES`: the size of a job's closure (or future) and of its result, whichever is larger. It is
///   rounded up to a multiple of 8. It is at least the size of a panic's payload, which is 16 bytes
///   on 32-bit targets and 24 on 64-bit. If panics abort and the feature `remote` is off, it may be
///   smaller. A job that does not fit is a build error.
/// * `PRIORITIES`: the number of levels of urgency. 1 to 16.
/// * `WORKERS`: the number of workers that can be in their run loop at a time. 1 to 1,000. A guest
///   takes a worker's seat, too: a caller that runs jobs while it blocks or in `run_pending`.
/// * `WAITERS`: the number of callers that wait at a time. 1 to 1,000. A place is taken by a `wait`,
///   an `as_completed`, or a submit that waits for room. It is also taken by a `shutdown` with `wait`,
///   a `shutdown_async`, or a caller that waits for a seat. A wait for shared futures takes one in
///   each of their pools. A wait for futures of several pools takes none, and neither does
///   `wait_async` or `gather`. A completer may hold a place a little longer than the wait. So add one
///   place for each worker.
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
    // Between cells and seats, which avoids false sharing: submitters look at the seats for each
    // job, and waiters seldom change.
    waiters: [Waiter; WAITERS],
    seats: [Seat; WORKERS],
}

// SAFETY: the memory is used through `Pool` only, which is `Sync` (see there).
unsafe impl<const S: usize, const B: usize, const P: usize, const W: usize, const V: usize> Sync
    for StaticPool<S, B, P, W, V>
{
}
// SAFETY: the memory is used through `Pool` only, and nothing in it is bound to a thread.
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

/// # Set up, and look
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    const CHECKED: () = {
        assert!(
            SLOTS >= 1 && SLOTS <= MAX_SLOTS,
            "SLOTS must be 1 to 65,000"
        );
        assert!(
            PRIORITIES >= 1 && PRIORITIES <= MAX_PRIORITIES,
            "PRIORITIES must be 1 to 16"
        );
        assert!(
            WORKERS >= 1 && WORKERS <= MAX_CONTEXTS,
            "WORKERS must be 1 to 1,000"
        );
        assert!(
            WAITERS >= 1 && WAITERS <= MAX_CONTEXTS,
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
        ///
        /// ```
        /// use corepool::StaticPool;
        ///
        /// static SMALL: StaticPool<4, 32> = StaticPool::new(); // the other numbers have defaults
        /// static LARGE: StaticPool<64, 128, 2, 4, 8> = StaticPool::new();
        /// # assert_eq!((SMALL.capacity(), LARGE.capacity()), (4, 64));
        /// ```
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
    fn erased(&self) -> Pool<'_> {
        // SAFETY: the memory is this pool's, laid out as GEOMETRY says, and valid as long as the
        // borrow. The pointer comes from a reference to all of it.
        unsafe { Pool::new(NonNull::from(self).cast(), const { &Self::GEOMETRY }) }
    }

    /// A copyable view of the pool, with the same methods. Its type has no parameter of the pool
    /// but BYTES.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::{PoolRef, StaticPool};
    ///
    /// /// Takes pools of any size with slots of 32 bytes.
    /// fn start(pool: PoolRef<'static, 32>) {
    ///     pool.submit_detached(|| println!("started")).unwrap();
    /// }
    ///
    /// static POOL: StaticPool<8, 32> = StaticPool::new();
    /// start(POOL.pool_ref());
    /// # POOL.run_pending(1);
    /// ```
    #[inline(always)]
    pub fn pool_ref(&self) -> PoolRef<'_, BYTES> {
        PoolRef::new(self.erased(), &TaskWakers::<Self>::TABLE)
    }

    /// A view that submits at `priority`: from 0, the default and least urgent, to PRIORITIES - 1.
    ///
    /// A worker takes the oldest job of the most urgent priority first. A running job is not
    /// interrupted. For a priority that the pool does not have, submits fail with
    /// [`SubmitError::NoSuchPriority`](crate::SubmitError::NoSuchPriority).
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
        self.pool_ref().at(priority)
    }

    /// A view whose jobs carry an ambient value, such as the current tracing span. See [`Ambient`].
    ///
    /// Each submit captures the submitter's value, and each job runs with it. That goes for closures,
    /// for each poll of a task, for `map` and for scopes. The value takes room in the job's slot.
    ///
    /// A remote job carries none: it may leave the address space, and the value means nothing there. Data
    /// such as a request's id is a field of the job. A callback carries none either. Its closure calls
    /// [`capture`](Ambient::capture) where it is made, and [`enter`](Ambient::enter) where it runs.
    ///
    /// A `map` captures the value anew for each job that it submits. A submit that waits for room
    /// captures it once, and [`submit_async`](Self::submit_async) with each attempt.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1). The submits of the view capture the value, and its jobs enter it.
    ///
    /// ```
    /// use corepool::{Ambient, StaticPool};
    /// use std::cell::Cell;
    ///
    /// thread_local! {
    ///     static REQUEST: Cell<u32> = const { Cell::new(0) };
    /// }
    ///
    /// /// The number of the request that a context works for.
    /// struct Request;
    ///
    /// impl Ambient for Request {
    ///     type Captured = u32;
    ///
    ///     fn capture() -> u32 {
    ///         REQUEST.get()
    ///     }
    ///
    ///     fn enter<R>(request: &mut u32, work: impl FnOnce() -> R) -> R {
    ///         let before = REQUEST.replace(*request);
    ///         let returned = work();
    ///         REQUEST.set(before);
    ///         returned
    ///     }
    /// }
    ///
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// REQUEST.set(7);
    /// let job = POOL.carrying::<Request>().submit(|| REQUEST.get()).unwrap();
    /// REQUEST.set(8);
    /// assert_eq!(job.result().unwrap(), 7);
    /// ```
    pub fn carrying<A: Ambient>(&self) -> PoolRef<'_, BYTES, Carrying<A>> {
        self.pool_ref().carrying()
    }

    /// The number of slots: SLOTS.
    pub const fn capacity(&self) -> usize {
        SLOTS
    }

    /// The number of slots that are free now. It leaves out slots of ended jobs that a submit could
    /// take over. It is for tests and statistics: out of date at once if other contexts use the
    /// pool.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS), and once more for each time that another party takes or frees a slot
    ///   meanwhile.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 1).unwrap();
    /// POOL.run_pending(1);
    /// assert_eq!(POOL.free_slots(), 3); // the future keeps the slot
    /// drop(job);
    /// assert_eq!(POOL.free_slots(), 4);
    /// ```
    pub fn free_slots(&self) -> usize {
        self.pool_ref().free_slots()
    }

    /// The number of workers that can be in their run loop at a time: WORKERS.
    pub const fn max_workers(&self) -> usize {
        WORKERS
    }

    /// The number of jobs that are queued or running. It is out of date at once if other contexts
    /// use the pool.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 1).unwrap();
    /// assert_eq!(POOL.unfinished(), 1);
    /// POOL.run_pending(1);
    /// assert_eq!(POOL.unfinished(), 0);
    /// # drop(job);
    /// ```
    pub fn unfinished(&self) -> usize {
        self.pool_ref().unfinished()
    }

    /// The number of workers in their run loop, with guests: callers that run jobs while they
    /// block or in [`run_pending`](Self::run_pending).
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::{SpinWorker, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// assert_eq!(POOL.workers(), 0);
    /// std::thread::spawn(|| POOL.run(&SpinWorker)); // the second core
    /// while POOL.workers() == 0 {} // until it has joined
    /// # POOL.shutdown(true, false).unwrap();
    /// ```
    pub fn workers(&self) -> usize {
        self.pool_ref().workers()
    }

    /// The number of workers and guests that sleep, or are about to.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(WORKERS).
    ///
    /// ```
    /// # use corepool::{SpinWorker, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let busy = POOL.workers() - POOL.idle_workers();
    /// assert_eq!(busy, 0);
    /// ```
    pub fn idle_workers(&self) -> usize {
        self.pool_ref().idle_workers()
    }

    /// Why the pool is broken, if it is.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::{BrokenReason, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// assert!(POOL.broken_reason().is_none());
    /// POOL.break_pool("no supply voltage");
    /// assert_eq!(POOL.broken_reason(), Some(BrokenReason::Application("no supply voltage")));
    /// ```
    pub fn broken_reason(&self) -> Option<BrokenReason> {
        self.pool_ref().broken_reason()
    }

    /// Whether the pool has been shut down.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// POOL.shutdown(false, false).unwrap();
    /// assert!(POOL.is_shut_down());
    /// ```
    pub fn is_shut_down(&self) -> bool {
        self.pool_ref().is_shut_down()
    }

    /// The number of bytes of RAM that one more slot takes. The crate's documentation has a table.
    ///
    /// ```
    /// use corepool::StaticPool;
    ///
    /// type Pool = StaticPool<16, 64>;
    /// type Larger = StaticPool<17, 64>;
    /// # #[cfg(not(feature = "sim"))]
    /// assert!(size_of::<Larger>() >= size_of::<Pool>() + Pool::bytes_per_slot());
    /// ```
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
    /// Cancels all queued jobs.
    fn drop(&mut self) {
        life::drop_jobs(self.erased());
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

/// The crate's documentation on RAM is right.
#[cfg(all(target_pointer_width = "32", target_os = "none", not(loom)))]
const _: () = if !crate::lockfree::padding::HAS_CACHES {
    use crate::memory::payload::PANICS;
    assert!(PANICS || StaticPool::<1, 8>::bytes_per_slot() == 36);
    assert!(StaticPool::<1, 16>::bytes_per_slot() == 44);
    assert!(StaticPool::<1, 256>::bytes_per_slot() == 284);
    assert!(size_of::<Lane>() == 8);
    assert!(size_of::<Seat>() == 36);
    assert!(size_of::<Waiter>() == 16);
    assert!(size_of::<StaticPool<16, 64>>() == 1880);
};
