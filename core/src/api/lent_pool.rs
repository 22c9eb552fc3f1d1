//! A pool in memory that the application lends to it, of a size that is known at run time.

use core::{fmt, marker::PhantomData, mem::MaybeUninit, ptr::NonNull};

use crate::{
    api::pool_ref::PoolRef,
    engine::life,
    engine::wakers::{PoolLayout, TaskWakers},
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

/// The size of a [`LentPool`]. [`StaticPool`](crate::StaticPool) explains each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PoolConfig {
    /// 1 to 65,000.
    pub slots: usize,
    /// 1 to 16.
    pub priorities: usize,
    /// 1 to 1,000.
    pub workers: usize,
    /// 1 to 1,000.
    pub waiters: usize,
}

impl Default for PoolConfig {
    /// The defaults of [`StaticPool`](crate::StaticPool).
    fn default() -> Self {
        Self {
            slots: 16,
            priorities: 1,
            workers: 8,
            waiters: 4,
        }
    }
}

impl PoolConfig {
    /// The number of 8-byte words of memory that a pool of this size takes, with `BYTES` bytes per
    /// slot, at any address. If the pool is larger than the address space, the number is larger
    /// than any memory.
    ///
    /// ```
    /// use corepool::PoolConfig;
    ///
    /// const CONFIG: PoolConfig = PoolConfig { slots: 8, priorities: 1, workers: 2, waiters: 2 };
    /// const WORDS: usize = CONFIG.words::<32>();
    /// static MEMORY: [u64; WORDS] = [0; WORDS];
    /// # assert!(size_of_val(&MEMORY) > 8 * 32);
    /// ```
    pub const fn words<const BYTES: usize>(self) -> usize {
        self.geometry::<BYTES>().1.div_ceil(size_of::<Word>()) + SPARE
    }

    const fn clamped(self) -> Self {
        const fn clamp(value: usize, most: usize) -> usize {
            if value < 1 {
                1
            } else if value > most {
                most
            } else {
                value
            }
        }
        Self {
            slots: clamp(self.slots, MAX_SLOTS),
            priorities: clamp(self.priorities, MAX_PRIORITIES),
            workers: clamp(self.workers, MAX_CONTEXTS),
            waiters: clamp(self.waiters, MAX_CONTEXTS),
        }
    }

    /// The geometry, and the size in bytes: `usize::MAX` if the address space is too small.
    const fn geometry<const BYTES: usize>(self) -> (Geometry, usize) {
        /// Places `count` `T`s behind `end`. Returns their offset, and their end.
        const fn place<T>(end: usize, count: usize) -> (usize, usize) {
            assert!(align_of::<T>() <= ALIGN && align_of::<Head>() <= ALIGN);
            let Some(at) = end.checked_next_multiple_of(align_of::<T>()) else {
                return (usize::MAX, usize::MAX);
            };
            (at, at.saturating_add(count.saturating_mul(size_of::<T>())))
        }
        let config = self.clamped();
        let (slots_at, end) = place::<Slot<BYTES>>(size_of::<Head>(), config.slots);
        let (lanes_at, end) = place::<Lane>(end, config.priorities);
        let (cells_at, end) =
            place::<QueueCell>(end, config.priorities.saturating_mul(config.slots));
        let (waiters_at, end) = place::<Waiter>(end, config.waiters);
        let (seats_at, end) = place::<Seat>(end, config.workers);
        let geometry = Geometry {
            bytes: capacity(BYTES),
            priorities: config.priorities,
            workers: config.workers,
            waiters: config.waiters,
            slot_size: size_of::<Slot<BYTES>>(),
            slots_at,
            lanes_at,
            cells_at,
            waiters_at,
            seats_at,
            cell_words: Queue::words(config.slots),
            free_words: FreeWords::for_slots(config.slots),
        };
        (geometry, end)
    }
}

/// The unit of the lent memory.
type Word = u64;

/// The alignment of a pool in bytes: that of its slots.
const ALIGN: usize = align_of::<Slot<0>>();

/// The most words before the first aligned address.
const SPARE: usize = (ALIGN - align_of::<Word>()).div_ceil(size_of::<Word>());

/// The beginning of the memory.
#[repr(C)]
struct Head {
    shared: Shared,
    geometry: Geometry,
}

/// The layout of lent pools, for the wakers of their tasks.
struct Lent<const BYTES: usize>;

impl<const BYTES: usize> PoolLayout for Lent<BYTES> {
    const SLOTS_AT: usize = size_of::<Head>().next_multiple_of(align_of::<Slot<BYTES>>());
    const SLOT_SIZE: usize = size_of::<Slot<BYTES>>();

    unsafe fn geometry(pool: NonNull<Shared>) -> &'static Geometry {
        // SAFETY: a lent pool's memory begins with a `Head`, and lives for ever (the caller's
        // promise).
        unsafe { &(*pool.as_ptr().cast::<Head>()).geometry }
    }
}

/// The lent memory is smaller than the pool needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MemoryTooSmall {
    /// The number of words that are needed.
    pub needed: usize,
    /// The number of words that were lent.
    pub lent: usize,
}

impl fmt::Display for MemoryTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the pool needs {} words of memory and was lent {}",
            self.needed, self.lent
        )
    }
}

impl core::error::Error for MemoryTooSmall {}

/// A pool in memory that the application lends to it. The memory can be in a section of RAM of your
/// choice, and its size can be known only at run time.
///
/// [`pool_ref`](Self::pool_ref) returns the [`PoolRef`] with all methods.
///
/// ```
/// use core::mem::MaybeUninit;
/// use corepool::{LentPool, PoolConfig};
///
/// const CONFIG: PoolConfig = PoolConfig { slots: 4, priorities: 1, workers: 1, waiters: 1 };
/// let mut memory = [MaybeUninit::uninit(); CONFIG.words::<32>()]; // or a linker section
/// let pool = LentPool::<32>::new(&mut memory, CONFIG).unwrap();
/// let job = pool.pool_ref().submit(|| 2 + 2).unwrap();
/// assert_eq!(job.result().unwrap(), 4);
/// ```
pub struct LentPool<'m, const BYTES: usize> {
    head: NonNull<Head>,
    memory: PhantomData<&'m mut [MaybeUninit<Word>]>,
}

// SAFETY: the memory is used through `Pool` only, which is `Sync` (see there).
unsafe impl<const BYTES: usize> Sync for LentPool<'_, BYTES> {}
// SAFETY: the memory is used through `Pool` only, and nothing in it is bound to a thread.
unsafe impl<const BYTES: usize> Send for LentPool<'_, BYTES> {}

impl<'m, const BYTES: usize> LentPool<'m, BYTES> {
    /// Makes an empty pool in `memory`, and ignores its former content. Numbers of `config` that
    /// are out of bounds are set to the nearest bound.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS × PRIORITIES + WORKERS + WAITERS): it writes all of them.
    ///
    /// # Errors
    ///
    /// [`MemoryTooSmall`] has the number of words that are needed.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use corepool::{LentPool, PoolConfig};
    /// let mut memory = [MaybeUninit::uninit(); 2];
    /// let error = LentPool::<32>::new(&mut memory, PoolConfig::default()).unwrap_err();
    /// assert_eq!(error.lent, 2); // and `needed` says how many words it takes
    /// ```
    pub fn new(
        memory: &'m mut [MaybeUninit<Word>],
        config: PoolConfig,
    ) -> Result<Self, MemoryTooSmall> {
        let (geometry, _) = config.geometry::<BYTES>();
        // If the size has saturated at `usize::MAX`, no memory is as large.
        let (needed, lent) = (config.words::<BYTES>(), memory.len());
        if lent < needed {
            return Err(MemoryTooSmall { needed, lent });
        }
        let memory = NonNull::from(memory).cast::<u8>();
        let unaligned = memory.addr().get().wrapping_neg() % ALIGN;
        // SAFETY: `unaligned` is a multiple of a word's alignment and less than ALIGN. So it is no
        // more than `SPARE` words, which `needed` includes.
        let head = unsafe { memory.add(unaligned).cast::<Head>() };
        // SAFETY: behind `SPARE` words there is room for all that `geometry` places. It is aligned,
        // and this pool's alone for 'm.
        unsafe { initialise::<BYTES>(head, geometry) };
        Ok(Self {
            head,
            memory: PhantomData,
        })
    }

    /// A copyable view of the pool, with all methods.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn pool_ref(&self) -> PoolRef<'_, BYTES> {
        // SAFETY: `new` made a pool there, with this geometry, valid for 'm. The pointer reaches
        // all of it.
        unsafe {
            let geometry = &(*self.head.as_ptr()).geometry;
            PoolRef::new(
                Pool::new(self.head.cast(), geometry),
                &TaskWakers::<Lent<BYTES>>::TABLE,
            )
        }
    }
}

/// Writes a pool's initial values.
///
/// # Safety
///
/// `head` begins enough memory for `geometry`, aligned, and the caller's alone.
unsafe fn initialise<const BYTES: usize>(head: NonNull<Head>, geometry: Geometry) {
    // SAFETY: the caller's promise. Every place is inside the memory.
    unsafe {
        let base = head.cast::<u8>();
        for index in 0..geometry.slots() {
            base.add(geometry.slots_at)
                .cast::<Slot<BYTES>>()
                .add(index)
                .write(Slot::new());
        }
        for index in 0..geometry.priorities {
            base.add(geometry.lanes_at)
                .cast::<Lane>()
                .add(index)
                .write(Lane::new());
        }
        // The product does not overflow, since the memory has that many cells.
        for index in 0..geometry.priorities * geometry.slots() {
            base.add(geometry.cells_at)
                .cast::<QueueCell>()
                .add(index)
                .write(QueueCell::new());
        }
        for index in 0..geometry.workers {
            base.add(geometry.seats_at)
                .cast::<Seat>()
                .add(index)
                .write(Seat::new());
        }
        for index in 0..geometry.waiters {
            base.add(geometry.waiters_at)
                .cast::<Waiter>()
                .add(index)
                .write(Waiter::new());
        }
        head.write(Head {
            shared: Shared::new(),
            geometry,
        });
    }
}

impl<const BYTES: usize> Drop for LentPool<'_, BYTES> {
    /// Cancels all queued jobs.
    fn drop(&mut self) {
        life::drop_jobs(self.pool_ref().erased);
    }
}

impl<const BYTES: usize> fmt::Debug for LentPool<'_, BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LentPool").field(&self.pool_ref()).finish()
    }
}

#[cfg(feature = "defmt")]
impl<const BYTES: usize> defmt::Format for LentPool<'_, BYTES> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "LentPool({})", self.pool_ref());
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    const CONFIG: PoolConfig = PoolConfig {
        slots: 3,
        priorities: 2,
        workers: 1,
        waiters: 1,
    };

    #[test]
    fn a_pool_that_is_larger_than_the_address_space_gets_no_memory() {
        // 2^14 slots of 2^50 + 64 bytes are 2^20 bytes, modulo 2^64.
        const BYTES: usize = 1 << (usize::BITS - 14);
        let config = PoolConfig {
            slots: 1 << 14,
            ..CONFIG
        };
        let needed = config.words::<BYTES>();
        assert!(needed >= usize::MAX / size_of::<Word>());
        let mut memory = vec![MaybeUninit::uninit(); 1 << 18];
        let lent = memory.len();
        let refused = LentPool::<BYTES>::new(&mut memory, config).unwrap_err();
        assert_eq!(refused, MemoryTooSmall { needed, lent });
    }

    #[test]
    fn a_pool_is_aligned_and_inside_its_memory_wherever_that_begins() {
        let words = CONFIG.words::<8>();
        let mut memory = vec![MaybeUninit::uninit(); words + ALIGN];
        for first in 0..ALIGN {
            let memory = &mut memory[first..first + words];
            let end = memory.as_ptr_range().end.addr();
            let pool = LentPool::<8>::new(memory, CONFIG).unwrap();
            let begin = pool.head.addr().get();
            assert_eq!(begin % ALIGN, 0);
            assert!(begin + CONFIG.geometry::<8>().1 <= end);
        }
    }
}
