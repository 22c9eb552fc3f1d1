//! Waits that could never end, since what is waited for cannot go on before who waits does.
//!
//! A worker is *stuck* if it is blocked without a time limit and what it waits for cannot end before
//! another stuck worker goes on. A job may end if
//!
//! * nobody has begun it: somebody can;
//! * the worker that runs it is not stuck, or is unknown;
//! * it is a task between two polls, and anything but one stuck job may wake it.
//!
//! [`Pool::stuck`] begins with all who are blocked without a limit and leaves out, again and again, those
//! whose wait may end. Those that stay are stuck for ever. A worker that is about to sleep looks whether it is
//! among them, and if so its wait ends as `WouldDeadlock`. Where a circle is closed by somebody else (a
//! task that is suspended, a scope, which has no error to give), those who are stuck are woken, and look
//! again.
//!
//! It is sound although others go on meanwhile: a worker counts only if it was blocked from the beginning
//! of the look to its end, and then the jobs on its stack could not end either. It is complete for what
//! the pool knows of: results, sets, scopes, and tasks that await one job of their pool. It cannot
//! know whether somebody else wakes a task whose waker was cloned, or who keeps a promise. A wait for a scope
//! that lies in 63 others of the same worker counts as one that may end.
//!
//! The look takes O(SLOTS), but is taken only by a worker that is about to sleep and waits for a job of
//! another blocked worker, or for a task.

use crate::{
    engine::{block::DependsOn, seats::SeatRef},
    lockfree::{
        state::{
            BUSY, CLONED, DONE, LISTENING, QUEUED, SCOPED, SUSPENDED, Snapshot, TASK, TELLING,
        },
        sync::{Ordering, fence},
    },
    memory::{
        pool::{Pool, Seat},
        slot::SlotRef,
    },
};

/// The pool knows of so many workers, at most, whether they are stuck; the others never count.
const KNOWN: usize = if cfg!(target_os = "none") { 64 } else { 1_024 };

/// Some of the workers, by number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Workers([u32; KNOWN / 32]);

impl Workers {
    const NONE: Self = Self([0; KNOWN / 32]);

    fn insert(&mut self, worker: usize) {
        if let Some(word) = self.0.get_mut(worker / 32) {
            *word |= 1 << (worker % 32);
        }
    }

    fn remove(&mut self, worker: usize) {
        if let Some(word) = self.0.get_mut(worker / 32) {
            *word &= !(1 << (worker % 32));
        }
    }

    pub(crate) fn contains(&self, worker: usize) -> bool {
        let word = self.0.get(worker / 32).copied().unwrap_or(0);
        word & (1 << (worker % 32)) != 0
    }

    fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

impl<'p> Pool<'p> {
    /// Whether the worker in `seat`, which is blocked, waits in a circle, and can be told.
    pub(crate) fn is_in_a_circle(self, seat: SeatRef<'p>, depends_on: DependsOn) -> bool {
        let suspect = match depends_on {
            DependsOn::Others => false,
            DependsOn::Job(slot) => self.is_suspect(self.slot(slot)),
            DependsOn::AllOf(_) | DependsOn::AnyOf(_) | DependsOn::Scope(_) => {
                self.used_slots().map(|index| self.slot(index)).any(|slot| {
                    is_member(slot, slot.state.load(), depends_on) && self.is_suspect(slot)
                })
            }
        };
        if !suspect {
            return false;
        }
        let stuck = self.stuck();
        if !stuck.contains(seat.id().index()) {
            return false;
        }
        if !matches!(depends_on, DependsOn::Scope(_)) {
            return true;
        }
        self.ring_stuck(&stuck, seat.id().index());
        false
    }

    /// A task has been suspended, and awaits a job: those who are stuck now look again.
    #[cold]
    pub(crate) fn look_for_circles(self, task: SlotRef<'p>) {
        // Pairs with the fence of `block_worker`: either the suspended task is seen there, or here that the
        // worker is blocked.
        fence(Ordering::SeqCst);
        let awaited = task.awaits();
        if awaited.is_some_and(|slot| self.is_suspect(self.slot(slot))) {
            let stuck = self.stuck();
            if !stuck.is_empty() {
                self.ring_stuck(&stuck, usize::MAX);
            }
        }
    }

    fn ring_stuck(self, stuck: &Workers, but: usize) {
        for (number, seat) in self.seats().iter().enumerate() {
            if number != but && stuck.contains(number) {
                self.ring(seat);
            }
        }
    }

    /// Whether the job in a slot may be part of a circle: a blocked worker runs it, or it is a task that
    /// awaits a job.
    fn is_suspect(self, slot: SlotRef<'p>) -> bool {
        let state = slot.state.load();
        if state.has(BUSY) {
            let runner = state.runner().checked_sub(1);
            let seat = runner.and_then(|runner| self.seats().get(usize::from(runner)));
            return seat.is_some_and(Seat::is_blocked);
        }
        state.has(TASK) && state.has(SUSPENDED) && state.lacks(DONE) && slot.awaits().is_some()
    }

    /// The workers that wait for each other.
    fn stuck(self) -> Workers {
        let before = self.blocked_for_ever();
        let mut stuck = before.0;
        loop {
            let mut left = stuck;
            for (number, seat) in self.seats().iter().enumerate() {
                if stuck.contains(number) && self.may_go_on(seat, &stuck) {
                    left.remove(number);
                }
            }
            if left == stuck {
                break;
            }
            stuck = left;
        }
        // All that was read between the two was read with Acquire. If a worker of these wrote some of it after it
        // went on, it is seen to have gone on.
        let after = self.blocked_for_ever();
        // The sums differ if anybody went on, or came.
        if before == after {
            stuck
        } else {
            Workers::NONE
        }
    }

    /// The workers that are blocked without a limit, and a sum that changes when one of them goes on.
    fn blocked_for_ever(self) -> (Workers, u32) {
        let (mut workers, mut sum) = (Workers::NONE, 0_u32);
        for (number, seat) in self.seats().iter().enumerate() {
            if let (Some(_), times) = seat.depends_on() {
                workers.insert(number);
                // Each count only grows.
                sum = sum.wrapping_add(times);
            }
        }
        (workers, sum)
    }

    /// Whether the wait of a worker may end while these are stuck.
    fn may_go_on(self, seat: &Seat, stuck: &Workers) -> bool {
        let (Some(depends_on), _) = seat.depends_on() else {
            return true;
        };
        if let DependsOn::Job(slot) = depends_on {
            return self.may_end(slot, stuck);
        }
        let mut members = self.used_slots().filter(|&index| {
            let slot = self.slot(index);
            is_member(slot, slot.state.load(), depends_on)
        });
        // After the look at the members: one that was seen to have ended is no member, and has told.
        match depends_on {
            DependsOn::AnyOf(place) => {
                members.any(|slot| self.may_end(slot, stuck)) || self.is_told(place)
            }
            DependsOn::AllOf(place) => {
                members.all(|slot| self.may_end(slot, stuck)) || self.is_told(place)
            }
            _ => members.all(|slot| self.may_end(slot, stuck)),
        }
    }

    /// Whether a member of the set that reports to this place has ended, and the worker has not looked since. If some
    /// completer is about to report, it may be to there.
    fn is_told(self, place: u16) -> bool {
        let is_telling = |index| self.slot(index).state.load().has(TELLING);
        let waiter = self.waiters().get(usize::from(place));
        // In this order: who is not telling any more has reported.
        self.used_slots().any(is_telling)
            // Acquire: pairs with the Releases of `push_completed` and of `Registration::take_completed`.
            || waiter.is_some_and(|waiter| waiter.completed.load(Ordering::Acquire) != 0)
    }

    /// Whether a job may end while these workers are stuck.
    fn may_end(self, slot: u16, stuck: &Workers) -> bool {
        let mut next = slot;
        // Tasks that await each other end nowhere.
        for _ in self.used_slots() {
            let slot = self.slot(next);
            // Before and after the look at the state: so the task awaited that job when it was suspended.
            let awaits = slot.awaits();
            let state = slot.state.load();
            if state.has(BUSY) && state.lacks(DONE) {
                let runner = state.runner().checked_sub(1);
                return runner.is_none_or(|runner| !stuck.contains(usize::from(runner)));
            }
            if state.has(DONE | QUEUED) || state.lacks(TASK) || state.has(CLONED) {
                return true;
            }
            match awaits {
                Some(awaited) if slot.awaits() == awaits => next = awaited,
                _ => return true,
            }
        }
        false
    }
}

/// Whether a worker that depends on these jobs waits for the one in this slot.
fn is_member(slot: SlotRef<'_>, state: Snapshot, depends_on: DependsOn) -> bool {
    if state.has(DONE) || state.lacks(QUEUED | BUSY | SUSPENDED) {
        return false;
    }
    match depends_on {
        DependsOn::AllOf(place) | DependsOn::AnyOf(place) => {
            state.has(LISTENING) && slot.reports_to() == Some(place)
        }
        DependsOn::Scope(tag) => state.has(SCOPED) && slot.scope_tag() == tag,
        DependsOn::Job(_) | DependsOn::Others => false,
    }
}
