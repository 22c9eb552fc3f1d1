//! A worker's seat: its waker, its context, and what it waits for while it is blocked.

use core::ptr::NonNull;

use crate::{
    lockfree::shared_waker::SharedWaker,
    lockfree::state::{MAX_PRIORITIES, RUNNER_BITS},
    lockfree::sync::{AtomicU16, AtomicU32, AtomicUsize, Ordering, UnsafeCell, const_unless_loom},
    machine::worker::{Worker, WorkerId},
    memory::pool::Pool,
};

/// The worker was declared lost.
pub(crate) const LOST: u16 = 1 << 0;

/// The seat is a guest's: a caller that blocks or calls `run_pending`, and runs jobs meanwhile.
pub(crate) const GUEST: u16 = 1 << 1;

/// The worker sends its jobs to another address space; see `remote`.
#[cfg(feature = "remote")]
pub(crate) const REMOTE: u16 = 1 << 2;

/// The worker runs jobs in a context that may not block.
pub(crate) const SLEEPLESS: u16 = 1 << 3;

/// One worker that has had the seat, guests aside. The count wraps.
pub(crate) const ONE_GENERATION: u16 = 1 << 4;

/// The bits that count the workers.
pub(crate) const GENERATION: u16 = ONE_SCOPE - ONE_GENERATION;

/// One scope that the worker has open; see [`SeatRef::open_scope`](SeatRef::open_scope). In a
/// scope's tag the worker's number takes the lower bits.
pub(crate) const ONE_SCOPE: u16 = 1 << RUNNER_BITS;

/// The bits that count the open scopes.
pub(crate) const OPEN_SCOPES: u16 = !(ONE_SCOPE - 1);

/// The bits of a rank with the least priority of the jobs that the worker takes.
const LEAST: u16 = MAX_PRIORITIES as u16 - 1;

/// The jobs that a wait depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DependsOn {
    /// No job that the pool knows of.
    Others,
    /// The job in this slot.
    Job(u16),
    /// All jobs that report to this waiter's place.
    AllOf(u16),
    /// Any one of the jobs that report to this waiter's place.
    AnyOf(u16),
    /// All jobs of the scope with this tag.
    Scope(u16),
}

/// A worker's place in the pool.
#[repr(C)]
pub(crate) struct Seat {
    /// The idle bits and claims of a group of seats, in the group's first seat. See
    /// `engine/wakeups.rs`.
    pub(crate) idle: AtomicUsize,
    pub(crate) waker: SharedWaker,
    /// The context that the worker runs in; 0 if unknown.
    pub(crate) context: AtomicUsize,
    /// The kind of the worker's wait while it is blocked, and how often it has been blocked. See
    /// [`Seat::depends_on`].
    pub(crate) blocked: AtomicU32,
    /// The slot, the waiter's place, or the scope's tag that the worker waits for.
    pub(crate) waits_for: AtomicU16,
    /// `GUEST`, `LOST`, `REMOTE` and `SLEEPLESS`, the count of this seat's workers, and the count
    /// of open scopes.
    pub(crate) flags: AtomicU16,
    /// The worker, for jobs that block in its context. Only that context looks at it.
    pub(crate) worker: UnsafeCell<Option<NonNull<dyn Worker>>>,
}

impl Seat {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                idle: AtomicUsize::new(0),
                waker: SharedWaker::new(),
                context: AtomicUsize::new(0),
                blocked: AtomicU32::new(0),
                waits_for: AtomicU16::new(0),
                flags: AtomicU16::new(0),
                worker: UnsafeCell::new(None),
            }
        }
    }
}

/// Whether the jobs of one scope alone have this tag. A scope has a tag of its own if a worker
/// opened it, unless it is nested too deep.
fn is_of_one_scope(tag: u16) -> bool {
    tag != 0 && tag & OPEN_SCOPES != OPEN_SCOPES
}

/// The bits of [`Seat::blocked`] with the kind of the wait; 0 if the worker is not blocked. The
/// other bits count.
const KIND: u32 = 7;

impl Seat {
    /// The rank of the seat's worker. It is greater for a more urgent worker, and among equally urgent
    /// ones for the worker that is kept for higher priorities. 0 if the seat has no worker.
    pub(crate) fn rank(&self) -> u16 {
        self.waker.shown()
    }

    /// [`rank`](Self::rank), or 0 if the worker is kept for higher priorities than this one.
    pub(crate) fn rank_for(&self, priority: usize) -> u16 {
        let rank = self.rank();
        if usize::from(rank & LEAST) > priority {
            return 0;
        }
        rank
    }

    /// Whether the worker is blocked, with or without a time limit.
    pub(crate) fn is_blocked(&self) -> bool {
        // Relaxed: a caller that has to see a blocked worker has gone through a fence.
        self.blocked.load(Ordering::Relaxed) & KIND != 0
    }

    /// The jobs that the worker depends on, if it is blocked without a time limit. Also the number
    /// of times that it has been blocked.
    pub(crate) fn depends_on(&self) -> (Option<DependsOn>, u32) {
        // Acquire: pairs with the Release of the store to `blocked` in `SeatRef::block`. The caller
        // sees `waits_for`.
        let word = self.blocked.load(Ordering::Acquire);
        // Acquire: pairs with the Release of the store to `waits_for` in `SeatRef::block`. If this
        // value belongs to a later wait, a caller that loads `blocked` again finds it changed.
        let waits_for = self.waits_for.load(Ordering::Acquire);
        let depends_on = match word & KIND {
            2 => Some(DependsOn::Job(waits_for)),
            3 => Some(DependsOn::AllOf(waits_for)),
            4 => Some(DependsOn::AnyOf(waits_for)),
            5 if is_of_one_scope(waits_for) => Some(DependsOn::Scope(waits_for)),
            _ => None,
        };
        (depends_on, word / (KIND + 1))
    }
}

/// The number of seats that share a word of idle bits and claims.
pub(crate) const GROUP: usize = usize::BITS as usize / 2;

/// A worker's place, while it is taken.
#[derive(Clone, Copy)]
pub(crate) struct SeatRef<'p> {
    pool: Pool<'p>,
    seat: &'p Seat,
    /// The word of the seat's group.
    word: &'p AtomicUsize,
    number: u16,
}

impl<'p> SeatRef<'p> {
    /// The seat with this number, whose group has `word`.
    pub(super) fn new(pool: Pool<'p>, seat: &'p Seat, word: &'p AtomicUsize, number: u16) -> Self {
        Self {
            pool,
            seat,
            word,
            number,
        }
    }

    pub(crate) fn pool(self) -> Pool<'p> {
        self.pool
    }

    /// The word of the seat's group.
    pub(crate) fn word(self) -> &'p AtomicUsize {
        self.word
    }

    pub(crate) fn id(self) -> WorkerId {
        // Relaxed: the flags' count is the same for as long as the worker stays.
        self.id_in(self.seat.flags.load(Ordering::Relaxed))
    }

    pub(crate) fn id_in(self, flags: u16) -> WorkerId {
        WorkerId {
            number: self.number,
            generation: ((flags & GENERATION) / ONE_GENERATION) as u8,
        }
    }

    /// The worker's number in the state word of a job.
    pub(crate) fn runner(self) -> u16 {
        self.number + 1
    }

    pub(crate) fn seat(self) -> &'p Seat {
        self.seat
    }

    pub(crate) fn bit(self) -> usize {
        1 << (usize::from(self.number) % GROUP)
    }

    /// The worker itself.
    ///
    /// # Safety
    ///
    /// The caller is in the worker's context, inside its run loop.
    pub(crate) unsafe fn worker(self) -> Option<&'p dyn Worker> {
        self.seat().worker.with(|cell| {
            // SAFETY: the worker outlives its stay in the seat (the promise of `Seats::join`), and
            // the caller's frame is inside that stay. Only this context writes the cell meanwhile.
            unsafe { (*cell).map(|worker| worker.as_ref()) }
        })
    }

    /// States the worker's urgency, and the least priority of the jobs that it takes. The worker has
    /// taken no job yet.
    ///
    /// # Safety
    ///
    /// The caller is the context that joined, calls this once, and has not left.
    pub(crate) unsafe fn state_rank(self, urgency: u8, least: usize) {
        let rank = u16::from(urgency) * (LEAST + 1) + (least as u16 & LEAST);
        // SAFETY: `join` opened the shared waker, and only `leave` closes it (the caller's promise).
        unsafe { self.seat().waker.show(rank) };
    }

    /// Sets a flag of the worker, before the worker takes any job.
    pub(crate) fn set(self, flag: u16) {
        // Relaxed: a party that finds a job of this worker has seen the job begin, by the job's
        // state word.
        self.seat().flags.fetch_or(flag, Ordering::Relaxed);
    }

    /// Whether the worker has this flag.
    pub(crate) fn is(self, flag: u16) -> bool {
        self.seat().flags.load(Ordering::Relaxed) & flag != 0
    }

    /// Whether the worker was declared lost.
    pub(crate) fn is_lost(self) -> bool {
        self.is(LOST)
    }

    /// Marks the worker as blocked, until the returned guard is dropped.
    // On a chip it is inlined, since most programs have one wait that calls it.
    #[cfg_attr(target_os = "none", inline(always))]
    pub(crate) fn block(self, depends_on: DependsOn) -> IsBlocked<'p> {
        let (kind, waits_for) = match depends_on {
            DependsOn::Others => (1, 0),
            DependsOn::Job(slot) => (2, slot),
            DependsOn::AllOf(place) => (3, place),
            DependsOn::AnyOf(place) => (4, place),
            DependsOn::Scope(tag) => (5, tag),
        };
        self.pool.phase().set_has_blocked();
        let blocked = &self.seat.blocked;
        // Release: pairs with the Acquire of `waits_for` in `Seat::depends_on`. It publishes that
        // the worker has gone on since its last wait.
        self.seat.waits_for.store(waits_for, Ordering::Release);
        // Relaxed: only this context writes the word.
        let times = blocked.load(Ordering::Relaxed).wrapping_add(KIND + 1) & !KIND;
        // Release: pairs with the Acquire of `blocked` in `Seat::depends_on`.
        blocked.store(times | kind, Ordering::Release);
        IsBlocked(self.seat)
    }

    /// Opens a scope, until the returned guard is dropped. The tag of the scope's jobs is the
    /// worker's number plus one, and the number of the worker's scopes that are open around this
    /// one. All scopes that are nested too deep have the same tag.
    pub(crate) fn open_scope(self) -> (OpenScope<'p>, u16) {
        let flags = &self.seat.flags;
        // Relaxed: only this context counts them.
        let open = flags.load(Ordering::Relaxed) & OPEN_SCOPES;
        let counted = open != OPEN_SCOPES;
        if counted {
            flags.fetch_add(ONE_SCOPE, Ordering::Relaxed);
        }
        let tag = open | self.runner();
        (OpenScope(counted.then_some(self.seat)), tag)
    }
}

/// The worker is blocked until this is dropped.
pub(crate) struct IsBlocked<'p>(&'p Seat);

impl Drop for IsBlocked<'_> {
    fn drop(&mut self) {
        let blocked = &self.0.blocked;
        // Relaxed: only this context writes the word. A party that sees a later write of the worker
        // sees this one.
        let times = blocked.load(Ordering::Relaxed) & !KIND;
        blocked.store(times, Ordering::Relaxed);
    }
}

/// The worker has a scope open until this is dropped.
pub(crate) struct OpenScope<'p>(Option<&'p Seat>);

impl Drop for OpenScope<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.0 {
            // Relaxed: as in `SeatRef::open_scope`.
            seat.flags.fetch_sub(ONE_SCOPE, Ordering::Relaxed);
        }
    }
}
