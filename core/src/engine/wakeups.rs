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

use core::cell::Cell;

use crate::{
    engine::guard,
    error::NoWorker,
    lockfree::defer::{Defer, each},
    lockfree::sync::{AtomicUsize, Ordering, fence},
    memory::phase::{BROKEN, HAS_BLOCKED, SHUT_DOWN},
    memory::pool::Pool,
    memory::seat::{GROUP, Seat, SeatRef},
    memory::waiter::{LEAVING, ROOM},
};

/// The idle bits; the claims are in the other half.
const IDLE: usize = (1 << GROUP) - 1;

/// The seats of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Seats<'p>(pub(super) Pool<'p>);

impl<'p> Pool<'p> {
    /// Its seats.
    #[inline(always)]
    pub(crate) fn seats(self) -> Seats<'p> {
        Seats(self)
    }
}

impl<'p> Seats<'p> {
    /// The groups of seats, each with its word.
    fn groups(self) -> impl Iterator<Item = (&'p AtomicUsize, &'p [Seat])> {
        self.0
            .all_seats()
            .chunks(GROUP)
            .filter_map(|group| Some((&group.first()?.idle, group)))
    }

    /// Wakes a worker for work that was just queued, which stays queued if there is none. Returns the phase, as it
    /// is after that.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn wake_one(self) -> u32 {
        self.call_one().unwrap_or_else(|_| self.0.phase().bits())
    }

    /// Wakes a worker for work that was just queued, or has the port start one. Returns the phase, as it is after
    /// that; or why there is no worker and none to come.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn call_one(self) -> Result<u32, NoWorker> {
        // Pairs with the fences of `SeatRef::announce` and of `Phase::enter`.
        fence(Ordering::SeqCst);
        let phase = self.0.phase().bits();
        let someone_is_idle = self
            .groups()
            .any(|(word, _)| word.load(Ordering::Relaxed) & IDLE != 0);
        if !(someone_is_idle && self.wake_idle())
            && let Some(port) = self.0.port_in(phase)
        {
            port.no_idle_worker()?;
            return Ok(self.0.phase().bits());
        }
        Ok(phase)
    }

    /// Wakes an idle worker that nobody has claimed. False if there is none.
    #[cold]
    fn wake_idle(self) -> bool {
        for (word, group) in self.groups() {
            let mut now = word.load(Ordering::Relaxed);
            loop {
                let unclaimed = now & IDLE & !(now >> GROUP);
                if unclaimed == 0 {
                    break;
                }
                let bit = unclaimed & unclaimed.wrapping_neg();
                // Relaxed: the fence of `Seats::call_one`, which comes before, pairs with the Acquire of
                // `retract`, so that the claimed worker finds the job.
                match word.compare_exchange_weak(
                    now,
                    now | (bit << GROUP),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        self.wake_lowest(group, bit);
                        return true;
                    }
                    Err(other) => now = other,
                }
            }
        }
        self.wake_claimed();
        false
    }

    /// Rings every idle worker: they are all claimed, but a claimer may have been stopped.
    fn wake_claimed(self) {
        for (word, group) in self.groups() {
            let mut idle = word.load(Ordering::Relaxed) & IDLE;
            while idle != 0 {
                self.wake_lowest(group, idle);
                idle &= idle - 1;
            }
        }
    }

    /// Rings the worker of the lowest idle bit.
    fn wake_lowest(self, group: &[Seat], idle: usize) {
        if let Some(seat) = group.get(idle.trailing_zeros() as usize) {
            self.wake(seat);
        }
    }

    /// Wakes every worker, and all who wait for the workers' end or for room, to look at the phase.
    #[cold]
    pub(crate) fn wake_all(self) {
        // Pairs with the fences of `announce` and of those who begin to wait: either they see what the
        // caller has just ended, or they are seen here.
        fence(Ordering::SeqCst);
        let _waiters = Defer(|| {
            self.0.waiters().tell(LEAVING | ROOM);
        });
        each(self.0.all_seats().iter(), |seat| self.wake(seat));
    }

    /// Wakes the worker in a seat, whatever it does. A waker that panics is reported.
    pub(crate) fn wake(self, seat: &Seat) {
        let is_free = Cell::new(true);
        // Even if the port unwinds.
        let _told = Defer(|| {
            if is_free.get() {
                // Its place could not be taken when it left. Pairs with the fences of those who begin to wait for
                // `LEAVING`: either they find the place free, or they are seen here.
                fence(Ordering::SeqCst);
                self.0.waiters().tell(LEAVING);
            }
        });
        guard::call(self.0, &mut || is_free.set(seat.waker.wake_owner()));
    }

    /// Wakes the workers that are blocked.
    #[cold]
    pub(crate) fn wake_blocked(self) {
        let blocked = self.0.all_seats().iter().filter(|seat| seat.is_blocked());
        each(blocked, |seat| self.wake(seat));
    }

    /// How many workers sleep or are about to.
    pub(crate) fn count_idle(self) -> usize {
        self.groups()
            .map(|(word, _)| (word.load(Ordering::Relaxed) & IDLE).count_ones() as usize)
            .sum()
    }

    /// A worker has left, or is declared lost; those who wait for that are told, and those who are blocked. At
    /// the pool's end that is everybody: the last task may have ended with this worker.
    pub(crate) fn tell_of_leaving(self) {
        // Pairs with the fence of `Phase::enter`, as in `Seats::wake_all_at_the_end`, with the fences of those who begin to
        // wait for `LEAVING`, and with that of `block::wait_as_worker`: either it is seen there that a worker is gone, or
        // here that another is blocked.
        fence(Ordering::SeqCst);
        let phase = self.0.phase().bits();
        if phase & (SHUT_DOWN | BROKEN) != 0 {
            return self.wake_all();
        }
        if phase & HAS_BLOCKED != 0 {
            // They may be all that there are, and nobody else takes what is queued.
            self.wake_blocked();
        }
        self.0.waiters().tell(LEAVING);
    }

    /// Something has ended that kept the pool from its end: if it is shut down or broken, all look
    /// again.
    pub(crate) fn wake_all_at_the_end(self) {
        // Pairs with the fence of `Phase::enter`: either the phase is seen here, or whoever looks
        // whether the pool is over sees what has ended.
        fence(Ordering::SeqCst);
        if self.0.phase().is_closed() {
            self.wake_all();
        }
    }
}

impl SeatRef<'_> {
    /// Says that the worker is going to sleep. The caller looks at the queue after this.
    pub(crate) fn announce(self) {
        self.word().fetch_or(self.bit(), Ordering::Relaxed);
        // Pairs with the fence of `Seats::call_one`: either the submitter sees the bit, and the open
        // bell with it, or the caller sees the job.
        fence(Ordering::SeqCst);
    }

    /// Says that the worker is up. True if it had been claimed for some work.
    pub(crate) fn retract(self) -> bool {
        let both = self.bit() | (self.bit() << GROUP);
        // Acquire: pairs with the fence of `Seats::call_one`; the job for which it was claimed is in the
        // queue.
        self.word().fetch_and(!both, Ordering::Acquire) & (self.bit() << GROUP) != 0
    }

    /// Wakes the worker, whatever it does.
    #[cfg(feature = "remote")]
    pub(crate) fn wake(self) {
        self.pool().seats().wake(self.seat());
    }
}
