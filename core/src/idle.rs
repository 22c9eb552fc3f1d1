//! Idle workers: who sleeps, and whom to wake.
//!
//! A worker announces that it is going to sleep, looks at the queue once more, and sleeps. A
//! submitter queues its job and then looks for idle workers. Between the two steps each side has a
//! SeqCst fence, so at least one of them sees the other: no wake-up is lost.
//!
//! ```text
//!     worker                                submitter
//!     idle bit := 1                         push the index
//!     fence(SeqCst)                         fence(SeqCst)
//!     queue empty? no ──► clear, go on      idle bit without claim? ──► claim it, ring
//!     sleep                                 all claimed? ──► ring them again
//!     clear idle bit and claim
//! ```
//!
//! The claim makes each submitter wake another worker: as many wake as there are jobs. It is a hint
//! and not a lock: a submitter may be stopped for ever between its claim and its ring, so the next
//! one that finds every idle worker claimed rings them all again. A worker that was claimed and
//! leaves without taking work hands the wake-up on.
//!
//! Each word has room for the idle bits and the claims of half as many workers as it has bits. A
//! pool with more workers has more words; finding a worker takes one look per word.

use core::{num::NonZeroUsize, ptr::NonNull};

use crate::{
    pool::{LEAVING, LENT, LOST, Raw, Seat},
    sync::{AtomicUsize, Ordering, fence},
    worker::{Worker, WorkerId},
};

/// How many workers share a word.
const GROUP: usize = usize::BITS as usize / 2;
/// The idle bits; the claims are in the other half.
const IDLE: usize = (1 << GROUP) - 1;

/// A worker's place, while it is taken.
#[derive(Clone, Copy)]
pub(crate) struct Seated<'p> {
    pool: Raw<'p>,
    seat: &'p Seat,
    /// The word of its group.
    word: &'p AtomicUsize,
    number: u16,
}

impl<'p> Raw<'p> {
    /// The groups of seats, each with its word.
    fn groups(self) -> impl Iterator<Item = (&'p AtomicUsize, &'p [Seat])> {
        self.seats()
            .chunks(GROUP)
            .filter_map(|group| Some((&group.first()?.idle, group)))
    }

    /// The place with this number.
    fn seated(self, number: usize) -> Option<Seated<'p>> {
        let seats = self.seats();
        Some(Seated {
            pool: self,
            seat: seats.get(number)?,
            word: &seats.get(number - number % GROUP)?.idle,
            number: number as u16,
        })
    }

    /// Wakes a worker for work that was just queued.
    #[inline]
    pub(crate) fn wake_worker(self) {
        // Pairs with the fence of `Seated::announce`.
        fence(Ordering::SeqCst);
        let someone_is_idle = self
            .groups()
            .any(|(word, _)| word.load(Ordering::Relaxed) & IDLE != 0);
        if someone_is_idle && self.wake_idle_worker() {
            return;
        }
        if let Some(port) = self.port() {
            port.no_idle_worker();
        }
    }

    /// Wakes an idle worker that nobody has claimed. False if there is none.
    #[cold]
    fn wake_idle_worker(self) -> bool {
        for (word, group) in self.groups() {
            let mut now = word.load(Ordering::Relaxed);
            loop {
                let unclaimed = now & IDLE & !(now >> GROUP);
                if unclaimed == 0 {
                    break;
                }
                let bit = unclaimed & unclaimed.wrapping_neg();
                // Release: pairs with the Acquire of `retract`, so that the claimed worker finds
                // the job.
                match word.compare_exchange(
                    now,
                    now | (bit << GROUP),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        ring(group, bit);
                        return true;
                    }
                    Err(other) => now = other,
                }
            }
        }
        self.ring_claimed();
        false
    }

    /// Rings every idle worker: they are all claimed, but a claimer may have been stopped.
    fn ring_claimed(self) {
        for (word, group) in self.groups() {
            let mut idle = word.load(Ordering::Acquire) & IDLE;
            while idle != 0 {
                ring(group, idle);
                idle &= idle - 1;
            }
        }
    }

    /// Wakes every worker, and all who wait for the workers' end, to look at the phase.
    pub(crate) fn wake_all_workers(self) {
        for seat in self.seats() {
            seat.bell.ring();
        }
        self.ring_waiters(LEAVING);
    }

    /// How many workers sleep or are about to.
    pub(crate) fn idle_workers(self) -> usize {
        self.groups()
            .map(|(word, _)| (word.load(Ordering::Relaxed) & IDLE).count_ones() as usize)
            .sum()
    }

    /// Takes a place for a worker, or for a caller that is `lent` while it blocks. `None` if there
    /// is none left.
    ///
    /// # Safety
    ///
    /// The caller calls [`Seated::leave`] before `worker` goes away, from the same context.
    pub(crate) unsafe fn join(self, worker: &dyn Worker, lent: bool) -> Option<Seated<'p>> {
        let number = self.seats().iter().position(|seat| seat.bell.take())?;
        let seated = self.seated(number)?;
        let seat = seated.seat;
        let context = self
            .port()
            .map_or(0, |port| NonZeroUsize::get(port.context()));
        let erased = NonNull::from(worker);
        // SAFETY: only the lifetime changes, and `worker` is used only until `leave`, before which
        // it does not go away (the caller's promise).
        let erased: NonNull<dyn Worker> = unsafe { core::mem::transmute(erased) };
        seat.worker.with_mut(|cell| {
            // SAFETY: the place was taken just now; others find it only by the context below.
            unsafe { *cell = Some(erased) };
        });
        seat.waits_for.store(0, Ordering::Relaxed);
        seat.flags
            .store(if lent { LENT } else { 0 }, Ordering::Relaxed);
        seat.context.store(context, Ordering::Release);
        // SAFETY: taken just now.
        unsafe { seat.bell.open(worker.waker()) };
        self.count_in(lent);
        Some(seated)
    }

    /// The place of a worker by its number.
    pub(crate) fn seat_of(self, worker: WorkerId) -> Option<Seated<'p>> {
        self.seated(worker.index())
    }

    /// The place of the worker in whose context this is called, if there is one and the port tells.
    pub(crate) fn current_worker(self) -> Option<Seated<'p>> {
        let context = self.port()?.context().get();
        let number = self
            .seats()
            .iter()
            .position(|seat| seat.context.load(Ordering::Relaxed) == context)?;
        self.seated(number)
    }
}

/// Rings the worker of the lowest idle bit.
fn ring(group: &[Seat], idle: usize) {
    if let Some(seat) = group.get(idle.trailing_zeros() as usize) {
        seat.bell.ring();
    }
}

impl<'p> Seated<'p> {
    pub(crate) fn id(self) -> WorkerId {
        WorkerId(self.number)
    }

    pub(crate) fn seat(self) -> &'p Seat {
        self.seat
    }

    fn bit(self) -> usize {
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

    /// Says that the worker is going to sleep. The caller looks at the queue after this.
    pub(crate) fn announce(self) {
        self.word.fetch_or(self.bit(), Ordering::Release);
        // Pairs with the fence of `wake_worker`.
        fence(Ordering::SeqCst);
    }

    /// Says that the worker is up. True if it had been claimed for some work.
    pub(crate) fn retract(self) -> bool {
        let both = self.bit() | (self.bit() << GROUP);
        // Acquire: the job for which it was claimed is in the queue.
        self.word.fetch_and(!both, Ordering::Acquire) & (self.bit() << GROUP) != 0
    }

    /// The worker goes.
    ///
    /// # Safety
    ///
    /// Called once, by the one who joined.
    pub(crate) unsafe fn leave(self) {
        let seat = self.seat();
        let flags = seat.flags.fetch_or(LOST, Ordering::AcqRel);
        seat.context.store(0, Ordering::Relaxed);
        seat.worker.with_mut(|cell| {
            // SAFETY: only this context looks at the cell until the bell is closed.
            unsafe { *cell = None };
        });
        // SAFETY: opened in `join`.
        unsafe { seat.bell.close() };
        if flags & LOST == 0 {
            self.pool.count_out(flags & LENT != 0);
        }
    }

    /// Declares the worker lost; false if it was before, or has left.
    pub(crate) fn lose(self) -> bool {
        let seat = self.seat();
        // Held, so that the seat is not given to another worker meanwhile.
        if !seat.bell.try_hold() {
            return false;
        }
        let flags = seat.flags.fetch_or(LOST, Ordering::AcqRel);
        if flags & LOST == 0 {
            // Nobody is to be found here any more.
            seat.context.store(0, Ordering::Relaxed);
            self.retract();
            self.pool.count_out(flags & LENT != 0);
        }
        seat.bell.release();
        flags & LOST == 0
    }

    /// Whether the worker was declared lost.
    pub(crate) fn is_lost(self) -> bool {
        self.seat().flags.load(Ordering::Relaxed) & LOST != 0
    }
}
