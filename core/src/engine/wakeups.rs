//! Wake-ups of workers: which worker sleeps, and which one a submitter wakes.
//!
//! A worker announces that it is going to sleep, looks at the queue once more, and sleeps. A
//! submitter queues its job and then looks for idle workers. Between the two steps each has a
//! SeqCst fence, so at least one of them sees the other: no wake-up is lost.
//!
//! ```text
//!     worker                                submitter
//!     idle bit := 1                         push the index
//!     fence(SeqCst)                         fence(SeqCst)
//!     queue empty? no ──► clear, go on      idle bit without claim? ──► claim it, wake the worker
//!     sleep                                 all claimed? ──► wake them again
//!     clear idle bit and claim
//! ```
//!
//! The claim makes each submitter wake another worker: as many workers wake as there are jobs. The
//! claim is a hint and not a lock, since a submitter may be stopped for ever between its claim and
//! its wake-up. So a submitter that finds every idle worker claimed wakes them all again. A worker
//! that was claimed and leaves without taking work hands the wake-up on.
//!
//! A submitter wakes the most urgent of the idle workers that are not claimed. That may be a worker
//! which is kept for jobs of higher priorities. If so, that worker finds no job for itself, and wakes the
//! most urgent worker that takes the job. So a submit is no longer for the pools that keep workers.
//!
//! One word has the idle bits and the claims of a group of seats: half as many as the word has
//! bits. A pool with more workers has more words. A submitter looks at one word after another.

use core::{cell::Cell, ptr};

use crate::{
    engine::guard,
    error::NoWorker,
    lockfree::defer::{Defer, each},
    lockfree::part,
    lockfree::sync::{AtomicUsize, Ordering, fence},
    memory::phase::{HAS_BLOCKED, is_closed_in},
    memory::pool::Pool,
    memory::seat::{GROUP, Seat, SeatRef},
    memory::waiter::{LEAVING, ROOM},
};

/// The idle bits of a group's word. The claims are in the other half.
const IDLE: usize = (1 << GROUP) - 1;

/// A view of the seats of a pool.
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

    /// Wakes a worker for work that was just queued. If there is no worker, the work stays queued.
    /// Returns the phase as it is after the fence.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn wake_one(self) -> u32 {
        self.call_one().unwrap_or_else(|_| self.0.phase().bits())
    }

    /// Wakes a worker for work that was just queued, or has the port start one. Returns the phase
    /// as it is after the fence, or the reason why the port has no worker for the work.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn call_one(self) -> Result<u32, NoWorker> {
        // Pairs with the fences of `SeatRef::announce` and of `Phase::enter` (`memory/phase.rs`).
        fence(Ordering::SeqCst);
        let phase = self.0.phase().bits();
        let someone_is_idle = self
            .groups()
            .any(|(word, _)| word.load(Ordering::Relaxed) & IDLE != 0);
        let is_woken = someone_is_idle && part::SLEEP.is_used() && self.wake_idle();
        if !is_woken && let Some(port) = self.0.port_in(phase) {
            port.no_idle_worker()?;
            return Ok(self.0.phase().bits());
        }
        Ok(phase)
    }

    /// Wakes a worker for the most urgent queued job, if there is any. The caller is a worker that was
    /// claimed for some work and is kept for more urgent jobs than are queued. It is not idle.
    #[cold]
    pub(crate) fn hand_on(self) {
        let Some(priority) = self.0.queues().most_urgent() else {
            return;
        };
        // Release: pairs with the Acquire of `retract` in the worker that is claimed here, which may be
        // kept, too. The submitter's fence comes before this one: it pairs with that of
        // `SeatRef::announce`, and its claim with the Acquire of this worker's `retract`.
        // Unseen by loom, Release: the words of two groups of seats differ, and loom has too few threads
        // for a second group. In one word, the claim here continues the submitter's release sequence.
        fence(Ordering::Release);
        if self.wake_ranked(|seat| seat.rank_for(priority)) {
            return;
        }
        self.wake_claimed(|seat| seat.rank_for(priority) > 0);
        if let Some(port) = self.0.port() {
            // The job stays queued in either case.
            let _ = port.no_idle_worker();
        }
    }

    /// Wakes the blocked workers, except for this one, if work is queued. The caller has just marked this
    /// worker as blocked.
    #[cold]
    pub(crate) fn leave_to_blocked(self, but: SeatRef<'_>) {
        // Pairs with the fence of `Blocking::as_worker` (`engine/block.rs`): either that worker sees that
        // this one does not take the queued work, or it is seen here.
        fence(Ordering::SeqCst);
        if self.0.queues().has_any() {
            let seats = self.0.all_seats().iter();
            let others = seats.filter(|&seat| seat.is_blocked() && !ptr::eq(seat, but.seat()));
            each(others, |seat| self.wake(seat));
        }
    }

    /// Wakes the most urgent idle worker that no submitter has claimed. Among equally urgent ones, the
    /// one with the lowest number. False if there is none.
    #[cold]
    fn wake_idle(self) -> bool {
        if self.wake_ranked(Seat::rank) {
            return true;
        }
        self.wake_claimed(|_| true);
        false
    }

    /// Wakes the idle worker of the greatest rank that is not claimed. A worker of rank 0 is passed over.
    /// False if there is none.
    #[inline(always)]
    fn wake_ranked(self, rank_of: impl Fn(&Seat) -> u16) -> bool {
        loop {
            let mut greatest = 0;
            let mut found = None;
            for (word, group) in self.groups() {
                let now = word.load(Ordering::Relaxed);
                let mut unclaimed = now & IDLE & !(now >> GROUP);
                while unclaimed != 0 {
                    let bit = unclaimed & unclaimed.wrapping_neg();
                    unclaimed ^= bit;
                    let Some(seat) = group.get(bit.trailing_zeros() as usize) else {
                        break;
                    };
                    // 0 if the worker has left meanwhile.
                    let rank = rank_of(seat);
                    if rank > greatest {
                        greatest = rank;
                        found = Some((seat, word, now, bit));
                    }
                }
            }
            let Some((seat, word, now, bit)) = found else {
                break;
            };
            // Relaxed: the fence of `Seats::call_one` or of `hand_on` comes before this, and pairs with the
            // Acquire of `retract`. So the claimed worker finds the job.
            let claimed = word.compare_exchange_weak(
                now,
                now | (bit << GROUP),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if claimed.is_ok() {
                self.wake(seat);
                return true;
            }
        }
        false
    }

    /// Wakes every idle worker again for which `takes` is true. All are claimed, but the submitters that
    /// claimed them may have been stopped.
    fn wake_claimed(self, takes: impl Fn(&Seat) -> bool) {
        for (word, group) in self.groups() {
            let mut idle = word.load(Ordering::Relaxed) & IDLE;
            while idle != 0 {
                if let Some(seat) = group.get(idle.trailing_zeros() as usize)
                    && takes(seat)
                {
                    self.wake(seat);
                }
                idle &= idle - 1;
            }
        }
    }

    /// Wakes every worker and every waiter for room or for the pool's end, so that each looks at
    /// the phase.
    #[cold]
    pub(crate) fn wake_all(self) {
        // Pairs with the fence of `announce`, and with those of contexts that begin to wait:
        // `AwaitedEnd::poll` (`engine/life.rs`), `RoomWaiter::poll` (`engine/room.rs`). Either they
        // see what the caller has just ended, or the caller sees them here.
        fence(Ordering::SeqCst);
        let _waiters = Defer(|| {
            self.0.waiters().tell(LEAVING | ROOM);
        });
        each(self.0.all_seats().iter(), |seat| self.wake(seat));
    }

    /// Wakes the worker in a seat, whether or not it sleeps. A panic of its waker is reported.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn wake(self, seat: &Seat) {
        let is_free = Cell::new(true);
        // Waiters are woken even if the port unwinds.
        let _told = Defer(|| {
            if is_free.get() {
                // The worker had left, and its seat could not be taken until now. Pairs with the
                // fences of contexts that begin to wait for `LEAVING`: either they find the seat
                // free, or they are seen here.
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

    /// The number of workers that sleep or are about to.
    pub(crate) fn count_idle(self) -> usize {
        self.groups()
            .map(|(word, _)| (word.load(Ordering::Relaxed) & IDLE).count_ones() as usize)
            .sum()
    }

    /// Tells the waiters for `LEAVING`, and the blocked workers, that a worker has left or is lost.
    /// When the pool is shut down or broken, it wakes all: the last task may have ended with this
    /// worker.
    pub(crate) fn tell_of_leaving(self) {
        // Pairs with the fence of `Phase::enter` (`memory/phase.rs`), as in `wake_all_at_the_end`.
        // Pairs with the fences of contexts that begin to wait for `LEAVING`, and with that of
        // `Blocking::as_worker` (`engine/block.rs`). Either they see that the worker is gone, or
        // this context sees them wait.
        fence(Ordering::SeqCst);
        let phase = self.0.phase().bits();
        if is_closed_in(phase) {
            return self.wake_all();
        }
        if phase & HAS_BLOCKED != 0 {
            // The blocked workers may be the only ones left to take queued jobs.
            self.wake_blocked();
        }
        self.0.waiters().tell(LEAVING);
    }

    /// Wakes all workers and waiters if the pool is shut down or broken. The caller has ended
    /// something that kept the pool from its end.
    pub(crate) fn wake_all_at_the_end(self) {
        // Pairs with the fence of `Phase::enter`: either the phase is seen here, or a party that
        // calls `end::is_over` sees what has ended.
        fence(Ordering::SeqCst);
        if self.0.phase().is_closed() {
            self.wake_all();
        }
    }
}

impl SeatRef<'_> {
    /// Announces that the worker is going to sleep. The caller looks at the queue after this.
    pub(crate) fn announce(self) {
        part::SLEEP.mark();
        self.word().fetch_or(self.bit(), Ordering::Relaxed);
        // Pairs with the fence of `Seats::call_one`: either the submitter sees the bit, and with it
        // the opened shared waker, or the caller sees the job.
        fence(Ordering::SeqCst);
    }

    /// Takes the announcement back. True if a submitter had claimed the worker for some work.
    pub(crate) fn retract(self) -> bool {
        let both = self.bit() | (self.bit() << GROUP);
        // Acquire: pairs with the fence of `Seats::call_one`. The job that the worker was claimed
        // for is in the queue.
        self.word().fetch_and(!both, Ordering::Acquire) & (self.bit() << GROUP) != 0
    }

    /// Wakes the worker, whether or not it sleeps.
    #[cfg(feature = "remote")]
    pub(crate) fn wake(self) {
        self.pool().seats().wake(self.seat());
    }
}
