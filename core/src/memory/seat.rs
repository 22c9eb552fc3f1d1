//! A worker's seat: its waker, its context, on what it waits.

use core::ptr::NonNull;

use crate::{
    lockfree::shared_waker::SharedWaker,
    lockfree::state::RUNNER_BITS,
    lockfree::sync::{AtomicU16, AtomicU32, AtomicUsize, Ordering, UnsafeCell, const_unless_loom},
    machine::worker::{Worker, WorkerId},
    memory::pool::Pool,
};

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

/// One scope that the worker has open; see [`SeatRef::open_scope`](SeatRef::open_scope). The number of a
/// worker takes the bits below in a scope's tag.
pub(crate) const ONE_SCOPE: u16 = 1 << RUNNER_BITS;

/// The bits that count them.
pub(crate) const OPEN_SCOPES: u16 = !(ONE_SCOPE - 1);

/// On which jobs it depends whether a wait ever ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DependsOn {
    /// Not on any jobs that the pool knows.
    Others,
    /// On the one in this slot.
    Job(u16),
    /// On all that report to this waiter's place.
    AllOf(u16),
    /// On any that reports to this waiter's place.
    AnyOf(u16),
    /// On all of the scope whose jobs have this tag.
    Scope(u16),
}

/// A worker's place in the pool.
#[repr(C)]
pub(crate) struct Seat {
    /// Who of this group of seats is idle. In the group's first seat; see `idle`.
    pub(crate) idle: AtomicUsize,
    pub(crate) waker: SharedWaker,
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

/// Whether no other scope's jobs have this tag: it is a worker's, and does not lie too deep.
fn is_of_one_scope(tag: u16) -> bool {
    tag != 0 && tag & OPEN_SCOPES != OPEN_SCOPES
}

/// The bits of [`Seat::blocked`] that say on what the worker depends; 0 if it is not blocked. The others count.
const KIND: u32 = 7;

impl Seat {
    /// Whether the worker is blocked, with or without a time limit.
    pub(crate) fn is_blocked(&self) -> bool {
        // Relaxed: who must see it has come by a fence.
        self.blocked.load(Ordering::Relaxed) & KIND != 0
    }

    /// On what the worker depends, if it is blocked without a time limit; and how often it has been blocked.
    pub(crate) fn depends_on(&self) -> (Option<DependsOn>, u32) {
        // Acquire: pairs with the Release of `SeatRef::block`; what it waits for is there.
        let word = self.blocked.load(Ordering::Acquire);
        // Acquire: pairs with the Release of `SeatRef::block`. If it is what the worker waits for after that, who goes
        // on to look at `blocked` sees that this has changed.
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

/// How many seats share a word of idle bits and claims.
pub(crate) const GROUP: usize = usize::BITS as usize / 2;

/// A worker's place, while it is taken.
#[derive(Clone, Copy)]
pub(crate) struct SeatRef<'p> {
    pool: Pool<'p>,
    seat: &'p Seat,
    /// The word of its group.
    word: &'p AtomicUsize,
    number: u16,
}

impl<'p> SeatRef<'p> {
    /// The seat with this number, whose group has the word.
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

    /// The word of its group.
    pub(crate) fn word(self) -> &'p AtomicUsize {
        self.word
    }

    pub(crate) fn id(self) -> WorkerId {
        // Relaxed: it is the same for as long as the worker stays.
        self.id_in(self.seat.flags.load(Ordering::Relaxed))
    }

    pub(crate) fn id_in(self, flags: u16) -> WorkerId {
        WorkerId {
            number: self.number,
            generation: ((flags & GENERATION) / ONE_GENERATION) as u8,
        }
    }

    /// The worker's name in a job's state.
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
            // SAFETY: the worker outlives its stay in the seat (promise of `join`), and the
            // caller's frame is inside that stay. Only this context writes the cell meanwhile.
            unsafe { (*cell).map(|worker| worker.as_ref()) }
        })
    }

    /// Says that the worker is of this kind. Before it takes any job.
    pub(crate) fn set(self, flag: u16) {
        // Relaxed: who finds a job with this worker has seen it begin, by way of the job's state.
        self.seat().flags.fetch_or(flag, Ordering::Relaxed);
    }

    /// Whether the worker is of this kind.
    pub(crate) fn is(self, flag: u16) -> bool {
        self.seat().flags.load(Ordering::Relaxed) & flag != 0
    }

    /// Whether the worker was declared lost.
    pub(crate) fn is_lost(self) -> bool {
        self.is(LOST)
    }

    /// Says that the worker blocks, until what is returned is dropped.
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
        // Release: pairs with the Acquire of `Seat::depends_on`; the worker has gone on since it was blocked before.
        self.seat.waits_for.store(waits_for, Ordering::Release);
        // Relaxed: only this context writes the word.
        let times = blocked.load(Ordering::Relaxed).wrapping_add(KIND + 1) & !KIND;
        // Release: pairs with the Acquire of `Seat::depends_on`.
        blocked.store(times | kind, Ordering::Release);
        IsBlocked(self.seat)
    }

    /// The worker opens a scope, until what is returned is dropped. With it the tag of the scope's jobs: the worker's
    /// number plus one, and how many scopes of its are open around this one. All that lie too deep have the same.
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

/// A worker is blocked while this is there.
pub(crate) struct IsBlocked<'p>(&'p Seat);

impl Drop for IsBlocked<'_> {
    fn drop(&mut self) {
        let blocked = &self.0.blocked;
        // Relaxed: only this context writes the word; who sees something that the worker writes as it goes on sees this.
        let times = blocked.load(Ordering::Relaxed) & !KIND;
        blocked.store(times, Ordering::Relaxed);
    }
}

/// A worker has a scope open while this is there.
pub(crate) struct OpenScope<'p>(Option<&'p Seat>);

impl Drop for OpenScope<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.0 {
            // Relaxed: as in `SeatRef::open_scope`.
            seat.flags.fetch_sub(ONE_SCOPE, Ordering::Relaxed);
        }
    }
}
