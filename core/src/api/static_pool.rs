//! The pool in a `static`.

// The documentation has their methods in this order.
mod set_up;

mod submit;

mod many;

mod run;

mod look;

use core::{mem::offset_of, ptr::NonNull};

use crate::{
    engine::life,
    engine::wakers::PoolLayout,
    lockfree::free_list::FreeWords,
    lockfree::queue::{Lane, Queue, QueueCell},
    lockfree::state::MAX_PRIORITIES,
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

    #[inline(always)]
    fn erased(&self) -> Pool<'_> {
        // SAFETY: the memory is this pool's, laid out as GEOMETRY says, and valid as long as the
        // borrow. The pointer comes from a reference to all of it.
        unsafe { Pool::new(NonNull::from(self).cast(), const { &Self::GEOMETRY }) }
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
