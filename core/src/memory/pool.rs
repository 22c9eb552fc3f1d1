//! The pool's memory, and the way to find everything in it.
//!
//! A pool is one piece of memory: first what all parties share, then arrays of slots, lanes, cells,
//! waiters and seats. The arrays' lengths are the pool's parameters. So that a `JobFuture` need not
//! name them in its type, code works on [`Pool`]: the address of the memory and the address of its
//! [`Geometry`], which say where each array begins.
//!
//! All of it is zero at first, so that a pool in a `static` needs no flash for its initial value.

use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::{self, NonNull},
    task::RawWakerVTable,
};

use crate::{
    error::BrokenReason,
    lockfree::{
        bell::SharedWaker,
        defer::each,
        free_list::{FreeList, FreeWords},
        queue::{Lane, Queue, QueueCell},
        state::{DONE, PROMISED, RUNNER_BITS, TASK},
        sync::{
            AtomicPtr, AtomicU16, AtomicU32, AtomicUsize, Ordering, UnsafeCell, const_unless_loom,
            fence,
        },
        tagged::Tagged,
    },
    machine::{port::Port, worker::Worker},
    memory::slot::{Header, SlotRef},
};

/// How large a pool's arrays are and where they begin, in bytes from the pool's address.
pub(crate) struct Geometry {
    /// Of each payload: its [`capacity`](crate::jobs::kinds::capacity).
    pub(crate) bytes: usize,
    pub(crate) priorities: usize,
    pub(crate) workers: usize,
    pub(crate) waiters: usize,
    pub(crate) slot_size: usize,
    pub(crate) slots_at: usize,
    pub(crate) lanes_at: usize,
    pub(crate) cells_at: usize,
    pub(crate) seats_at: usize,
    pub(crate) waiters_at: usize,
    pub(crate) cell_words: Tagged,
    pub(crate) free_words: FreeWords,
}

impl Geometry {
    /// How many slots there are.
    #[inline(always)]
    pub(crate) fn slots(&self) -> usize {
        self.free_words.slots()
    }
}

/// The pool takes no new work.
pub(crate) const SHUT_DOWN: u32 = 1 << 0;
/// Queued work is cancelled.
pub(crate) const CANCELLING: u32 = 1 << 1;
/// The pool is broken; the reason is being written.
const BREAKING: u32 = 1 << 2;
/// The pool is broken; the reason can be read.
pub(crate) const BROKEN: u32 = 1 << 3;
/// There is a port, or will be: it is being written.
const PORT_TAKEN: u32 = 1 << 4;
/// There is a port.
const PORT: u32 = 1 << 5;
/// A worker has been blocked at least once.
pub(crate) const HAS_BLOCKED: u32 = 1 << 6;

/// One caller that lends itself, in `Shared::joined`.
const ONE_GUEST: u32 = 1 << 16;

/// What there is one of in every pool.
#[repr(C)]
pub(crate) struct Shared {
    pub(crate) free: FreeList,
    /// Submitters write the free list for each job, and workers read what follows for each: on one
    /// cache line they would wait for each other. 128 bytes, since some processors fetch two lines at
    /// a time. A chip that runs bare has no RAM to spare, and mostly no such cache.
    #[cfg(not(target_os = "none"))]
    apart: [u8; 128],
    /// Bits only ever get set.
    phase: AtomicU32,
    /// Workers in their run loop; in the upper half, blocked callers that lend themselves.
    joined: AtomicU32,
    /// Follows `BREAKING` and `BROKEN`.
    reason: UnsafeCell<MaybeUninit<BrokenReason>>,
    /// Null before the first slot is used.
    pub(crate) geometry: AtomicPtr<Geometry>,
    /// Those of the tasks of this pool: know how to get from a slot's address to the pool. Null before the
    /// first task, so that a program without tasks has no code for their wakers.
    task_wakers: AtomicPtr<RawWakerVTable>,
    /// Follows `PORT_TAKEN` and `PORT`.
    installed: UnsafeCell<MaybeUninit<&'static dyn Port>>,
}

impl Shared {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                free: FreeList::new(),
                #[cfg(not(target_os = "none"))]
                apart: [0; 128],
                phase: AtomicU32::new(0),
                joined: AtomicU32::new(0),
                reason: UnsafeCell::new(MaybeUninit::uninit()),
                geometry: AtomicPtr::new(ptr::null_mut()),
                task_wakers: AtomicPtr::new(ptr::null_mut()),
                installed: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }
}

/// The worker was declared lost.
pub(crate) const LOST: u16 = 1 << 0;
/// The worker is a caller that lends itself while it blocks.
pub(crate) const GUEST: u16 = 1 << 1;

/// The worker has its jobs done elsewhere; see `remote`.
#[cfg(feature = "remote")]
pub(crate) const REMOTE: u16 = 1 << 2;

/// The worker runs jobs in a context that may not block.
pub(crate) const SLEEPLESS: u16 = 1 << 3;

/// One worker that was in the seat, of those who are no lent callers. The count wraps.
pub(crate) const ONE_GENERATION: u16 = 1 << 4;
/// The bits that count them.
pub(crate) const GENERATION: u16 = ONE_SCOPE - ONE_GENERATION;

/// One scope that the worker has open; see [`SeatRef::open_scope`](crate::engine::seats::SeatRef::open_scope). The number of a
/// worker takes the bits below in a scope's tag.
pub(crate) const ONE_SCOPE: u16 = 1 << RUNNER_BITS;
/// The bits that count them.
pub(crate) const OPEN_SCOPES: u16 = !(ONE_SCOPE - 1);

/// A worker's place in the pool.
#[repr(C)]
pub(crate) struct Seat {
    /// Who of this group of seats is idle. In the group's first seat; see `idle`.
    pub(crate) idle: AtomicUsize,
    pub(crate) bell: SharedWaker,
    /// The context that the worker runs in; 0 if unknown.
    pub(crate) context: AtomicUsize,
    /// On what the worker depends while it is blocked, and how often it has been; see [`Seat::depends_on`].
    pub(crate) blocked: AtomicU32,
    /// The slot, the waiter's place, or the scope's tag that `blocked` speaks of.
    pub(crate) waits_for: AtomicU16,
    /// `GUEST`, `LOST`, `REMOTE` and `SLEEPLESS`; which worker of this seat it is; and how many scopes it has open.
    pub(crate) flags: AtomicU16,
    /// The worker, for jobs that block on it. Only the worker's own context looks at it.
    pub(crate) worker: UnsafeCell<Option<NonNull<dyn Worker>>>,
}

impl Seat {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                idle: AtomicUsize::new(0),
                bell: SharedWaker::new(),
                context: AtomicUsize::new(0),
                blocked: AtomicU32::new(0),
                waits_for: AtomicU16::new(0),
                flags: AtomicU16::new(0),
                worker: UnsafeCell::new(None),
            }
        }
    }
}

/// What a waiter wants to be told of, besides completions in its set.
pub(crate) const ROOM: u16 = 1;
/// A worker left.
pub(crate) const LEAVING: u16 = 2;

/// The place of a context that waits for room, for the end, or on a set of futures.
#[repr(C)]
pub(crate) struct Waiter {
    pub(crate) bell: SharedWaker,
    /// `ROOM`, `LEAVING`, or 0 for a set.
    pub(crate) interest: AtomicU16,
    /// The completion that came last: slot plus one; the slots' links go on from there.
    pub(crate) completed: AtomicU16,
}

impl Waiter {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                bell: SharedWaker::new(),
                interest: AtomicU16::new(0),
                completed: AtomicU16::new(0),
            }
        }
    }
}

/// A pool of any size.
#[derive(Clone, Copy)]
pub(crate) struct Pool<'p> {
    /// Invariant: points to a pool's memory that is as `geometry` says, valid for 'p, initialised, and
    /// reachable through this pointer as a whole.
    shared: NonNull<Shared>,
    geometry: &'p Geometry,
    pool: PhantomData<&'p Shared>,
}

// SAFETY: all that is reachable is shared under the protocols of the modules, which are made for
// any number of contexts; jobs and results are `Send` by the bounds of the submitting methods.
unsafe impl Send for Pool<'_> {}
// SAFETY: as above.
unsafe impl Sync for Pool<'_> {}

/// A pool in one word, for those who hold one of its slots: by then it knows its dimensions itself.
#[derive(Clone, Copy)]
pub(crate) struct PoolInUse<'p> {
    /// Invariant: that of `Pool`, and a slot was claimed.
    shared: NonNull<Shared>,
    pool: PhantomData<&'p Shared>,
}

impl<'p> PoolInUse<'p> {
    #[inline(always)]
    pub(crate) fn raw(self) -> Pool<'p> {
        // SAFETY: the type's invariant.
        unsafe {
            // Relaxed: written before the slot was used for the first time, which the holder has seen.
            let geometry = self.shared.as_ref().geometry.load(Ordering::Relaxed);
            Pool::new(self.shared, &*geometry)
        }
    }
}

impl<'p> Pool<'p> {
    /// # Safety
    ///
    /// The type's invariant.
    #[inline(always)]
    pub(crate) unsafe fn new(shared: NonNull<Shared>, geometry: &'p Geometry) -> Self {
        Self {
            shared,
            geometry,
            pool: PhantomData,
        }
    }

    /// The pool for the holder of one of its slots.
    ///
    /// # Safety
    ///
    /// The caller has claimed a slot, or seen that of one who has.
    #[inline(always)]
    pub(crate) unsafe fn in_use(self) -> PoolInUse<'p> {
        PoolInUse {
            shared: self.shared,
            pool: PhantomData,
        }
    }

    /// Whether both are the same pool.
    pub(crate) fn is(self, other: Pool<'_>) -> bool {
        self.shared == other.shared
    }

    #[inline(always)]
    pub(crate) fn geometry(self) -> &'p Geometry {
        self.geometry
    }

    #[inline(always)]
    pub(crate) fn shared(self) -> &'p Shared {
        // SAFETY: the type's invariant; `Shared` is only ever shared.
        unsafe { self.shared.as_ref() }
    }

    /// The address `offset` bytes into the pool.
    #[inline(always)]
    fn at<T>(self, offset: usize) -> NonNull<T> {
        // SAFETY: offsets come from `Geometry`, so they stay inside the pool's memory.
        unsafe { self.shared.byte_add(offset).cast() }
    }

    /// Slot `index`. An index comes from this pool's own lists, or from a loop below `slots`.
    #[inline(always)]
    pub(crate) fn slot(self, index: u16) -> SlotRef<'p> {
        debug_assert!(usize::from(index) < self.geometry.slots());
        let offset = self.geometry.slots_at + usize::from(index) * self.geometry.slot_size;
        // SAFETY: the index is below `slots`, so a slot of this pool begins there, valid for 'p.
        unsafe { SlotRef::new(self.at::<Header>(offset)) }
    }

    #[inline(always)]
    pub(crate) fn queue(self, priority: usize) -> Queue<'p> {
        debug_assert!(priority < self.geometry.priorities);
        // SAFETY: `priorities` lanes begin there, and `slots` cells for each of them.
        unsafe {
            let lane = self
                .at::<Lane>(self.geometry.lanes_at)
                .add(priority)
                .as_ref();
            let cells = self.at::<QueueCell>(self.geometry.cells_at);
            let cells = cells.add(priority * self.geometry.slots());
            let cells = core::slice::from_raw_parts(cells.as_ptr(), self.geometry.slots());
            Queue::new(lane, cells, self.geometry.cell_words)
        }
    }

    /// The workers' places.
    #[inline(always)]
    pub(crate) fn seats(self) -> &'p [Seat] {
        // SAFETY: `workers` seats begin there.
        unsafe {
            core::slice::from_raw_parts(
                self.at(self.geometry.seats_at).as_ptr(),
                self.geometry.workers,
            )
        }
    }

    /// The waiters' places.
    #[inline(always)]
    pub(crate) fn waiters(self) -> &'p [Waiter] {
        // SAFETY: `waiters` waiters begin there.
        unsafe {
            core::slice::from_raw_parts(
                self.at(self.geometry.waiters_at).as_ptr(),
                self.geometry.waiters,
            )
        }
    }

    /// Says of what layout the pool is. Before each task is submitted.
    pub(crate) fn set_task_wakers(self, wakers: &'static RawWakerVTable) {
        let cell = &self.shared().task_wakers;
        // Written once, since all read what is beside it for each job. Relaxed: each is as good, and
        // published with the task.
        if cell.load(Ordering::Relaxed).is_null() {
            cell.store(ptr::from_ref(wakers).cast_mut(), Ordering::Relaxed);
        }
    }

    /// Whether this is the table of this pool's tasks' wakers.
    pub(crate) fn are_task_wakers(self, wakers: &'static RawWakerVTable) -> bool {
        let table = self.shared().task_wakers.load(Ordering::Relaxed);
        ptr::eq(table, wakers)
    }

    /// The wakers of this pool's tasks.
    ///
    /// # Safety
    ///
    /// `set_task_wakers` happened before.
    pub(crate) unsafe fn task_wakers(self) -> &'static RawWakerVTable {
        // SAFETY: the caller's promise: it is a reference.
        unsafe { &*self.shared().task_wakers.load(Ordering::Relaxed) }
    }

    /// The port, if one is installed.
    #[inline(always)]
    pub(crate) fn port(self) -> Option<&'static dyn Port> {
        self.port_in(self.phase())
    }

    /// The port, if the phase says that one is installed.
    #[inline(always)]
    pub(crate) fn port_in(self, phase: u32) -> Option<&'static dyn Port> {
        if phase & PORT == 0 {
            return None;
        }
        self.installed()
    }

    /// The port, where there is one, which not every pool on a chip has.
    #[cfg_attr(target_os = "none", cold)]
    #[cfg_attr(not(target_os = "none"), inline)]
    fn installed(self) -> Option<&'static dyn Port> {
        // Acquire: pairs with the Release of `install`.
        if self.shared().phase.load(Ordering::Acquire) & PORT == 0 {
            return None;
        }
        self.shared().installed.with(|cell| {
            // SAFETY: PORT says that it was written; it is not written again.
            Some(unsafe { *(*cell).assume_init_ref() })
        })
    }

    /// Installs the port; false if there is one already, or a worker, whose context nobody knows then.
    pub(crate) fn install(self, port: &'static dyn Port) -> bool {
        if self.joined() != 0 {
            return false;
        }
        // Relaxed: only says who writes the port.
        if self.shared().phase.fetch_or(PORT_TAKEN, Ordering::Relaxed) & PORT_TAKEN != 0 {
            return false;
        }
        self.shared().installed.with_mut(|cell| {
            // SAFETY: only the one who sets PORT_TAKEN gets here, and nobody reads before PORT.
            unsafe { (*cell).write(port) };
        });
        // Release: pairs with the Acquire of `installed`.
        self.shared().phase.fetch_or(PORT, Ordering::Release);
        true
    }

    /// Puts a slot into the run queue of its priority, without waking anybody. The caller has set
    /// `QUEUED`, which it was not: so the slot is in one queue, once.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn enqueue(self, index: u16, priority: usize) {
        self.queue(priority).push(index);
    }

    /// Takes the most urgent, oldest index out of the queues.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn dequeue(self) -> Option<u16> {
        (0..self.geometry.priorities)
            .rev()
            .find_map(|priority| self.queue(priority).pop_if(|_| true))
    }

    /// Whether any index is queued.
    pub(crate) fn has_queued(self) -> bool {
        (0..self.geometry.priorities).any(|priority| !self.queue(priority).is_empty())
    }

    /// About how many indices are queued.
    pub(crate) fn queued(self) -> usize {
        (0..self.geometry.priorities)
            .map(|priority| self.queue(priority).len())
            .sum()
    }

    /// What has been said about the pool: its end, its port.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn phase(self) -> u32 {
        // Relaxed: who goes on to what a bit stands for looks again, with Acquire.
        self.shared().phase.load(Ordering::Relaxed)
    }

    /// Sets bits of the phase.
    pub(crate) fn enter_phase(self, bits: u32) {
        // Release: pairs with the Acquire of `broken_reason`.
        self.shared().phase.fetch_or(bits, Ordering::Release);
        // Pairs with the fence of `wake_worker`: either the submitter sees the bits,
        // or whoever sees them here looks at the queue after the submitter's push.
        fence(Ordering::SeqCst);
    }

    /// Whether the pool is shut down or broken, and so takes no more work.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn is_closed(self) -> bool {
        self.phase() & (SHUT_DOWN | BROKEN) != 0
    }

    /// Breaks the pool; false if it is broken already.
    pub(crate) fn set_broken(self, reason: BrokenReason) -> bool {
        // Relaxed: only says who writes the reason.
        if self.shared().phase.fetch_or(BREAKING, Ordering::Relaxed) & BREAKING != 0 {
            return false;
        }
        self.shared().reason.with_mut(|cell| {
            // SAFETY: only the one who sets BREAKING gets here, and nobody reads before BROKEN.
            unsafe { (*cell).write(reason) };
        });
        self.enter_phase(BROKEN);
        true
    }

    /// Why the pool is broken, if it is.
    pub(crate) fn broken_reason(self) -> Option<BrokenReason> {
        // Acquire: pairs with the Release of `enter_phase`.
        if self.shared().phase.load(Ordering::Acquire) & BROKEN == 0 {
            return None;
        }
        self.shared().reason.with(|cell| {
            // SAFETY: BROKEN says that the reason was written; it is not written again.
            Some(unsafe { (*cell).assume_init() })
        })
    }

    /// How many workers are in their run loop, callers that lend themselves included.
    pub(crate) fn joined(self) -> usize {
        // Acquire: pairs with the Release of `count_out`; what those did who left can be seen.
        let joined = self.shared().joined.load(Ordering::Acquire);
        (joined % ONE_GUEST + joined / ONE_GUEST) as usize
    }

    /// Whether there is no worker but callers that lend themselves, and leave when they like.
    pub(crate) fn has_no_worker(self) -> bool {
        self.shared()
            .joined
            .load(Ordering::Relaxed)
            .is_multiple_of(ONE_GUEST)
    }

    /// A worker joins.
    pub(crate) fn count_in(self, lent: bool) {
        let one = if lent { ONE_GUEST } else { 1 };
        self.shared().joined.fetch_add(one, Ordering::Relaxed);
    }

    /// A worker does not count any more.
    pub(crate) fn count_out(self, lent: bool) {
        let one = if lent { ONE_GUEST } else { 1 };
        // Release: pairs with the Acquire of `joined`.
        self.shared().joined.fetch_sub(one, Ordering::Release);
    }

    /// A worker is about to block, for the first time or once more.
    pub(crate) fn set_has_blocked(self) {
        if self.phase() & HAS_BLOCKED == 0 {
            // Relaxed: the fence of `block_worker` follows.
            self.shared().phase.fetch_or(HAS_BLOCKED, Ordering::Relaxed);
        }
    }

    /// Wakes the waiters that are interested in `what`. False if there is none.
    #[cold]
    pub(crate) fn ring_waiters(self, what: u16) -> bool {
        let mut is_any = false;
        // Relaxed: a waiter that must be told has been seen by way of the free list's mark or
        // of a fence; the bell guards the waker.
        let waiters = self.waiters().iter();
        let interested =
            waiters.filter(|waiter| waiter.interest.load(Ordering::Relaxed) & what != 0);
        each(interested, |waiter| {
            is_any = true;
            self.guarded(&mut || {
                waiter.bell.ring();
            });
        });
        is_any
    }

    /// How many jobs have not ended and are in one of these states, promises aside. O(slots).
    pub(crate) fn count_unended(self, bits: u32) -> usize {
        self.used_slots()
            .filter(|&index| {
                let state = self.slot(index).state.load();
                state.has(bits) && state.lacks(DONE | PROMISED)
            })
            .count()
    }

    /// The indices of all slots that were ever used.
    pub(crate) fn used_slots(self) -> core::ops::Range<u16> {
        0..self.shared().free.used(&self.geometry.free_words) as u16
    }

    /// Whether nothing is left for a worker to do, ever.
    pub(crate) fn is_over(self) -> bool {
        if !self.is_closed() {
            return false;
        }
        // Pairs with the fence in `wake_worker`: a submitter that does not see the phase has its
        // job seen here.
        fence(Ordering::SeqCst);
        // A task that somebody polls may be queued again, by a caller who goes away then.
        !self.has_queued() && self.count_unended(TASK) == 0
    }
}
