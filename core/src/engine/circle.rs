//! Circles of waits: workers whose waits can never end, since each depends on another of them.
//!
//! A worker that blocks without a time limit records what it waits for, in its seat. Before it
//! sleeps, it looks whether it is *stuck*. It starts with all workers that are blocked without a
//! limit. It removes each worker whose wait may still end, until no further one can be removed. The
//! workers that remain are stuck. The worker that finds itself among them returns `WouldDeadlock`.
//!
//! A wait for a job may end if the job is queued, or if a worker outside of the set runs it. It may also
//! end if the job is a task that may be woken. A job runs until its callbacks have returned.
//!
//! The look reads the words of many parties one after another. It counts only if no worker has gone
//! on meanwhile: the counts in the seats are the same before and after.

use crate::{
    lockfree::state::{
        BUSY, CLONED, DONE, LISTENING, LOST, QUEUED, SCOPED, SUSPENDED, Snapshot, TASK,
    },
    lockfree::sync::{Ordering, fence},
    memory::pool::Pool,
    memory::seat::{DependsOn, Seat, SeatRef},
    memory::slot::SlotRef,
};

/// The number of workers that the pool can find to be stuck. Workers with higher numbers never
/// count as stuck.
const KNOWN: usize = if cfg!(target_os = "none") { 64 } else { 1_024 };

/// A set of workers, by number.
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

/// Whether the blocked worker in `seat` is stuck, and its wait can return `WouldDeadlock`. The wait for
/// a scope cannot fail: then the worker wakes the other stuck workers instead.
pub(crate) fn is_in<'p>(pool: Pool<'p>, seat: SeatRef<'p>, depends_on: DependsOn) -> bool {
    let suspect = match depends_on {
        DependsOn::Others => false,
        DependsOn::Job(slot) => is_suspect(pool, pool.slot(slot)),
        DependsOn::AllOf(_) | DependsOn::AnyOf(_) | DependsOn::Scope(_) => pool
            .used_slots()
            .map(|index| pool.slot(index))
            .any(|slot| is_member(slot, slot.state.load(), depends_on) && is_suspect(pool, slot)),
    };
    if !suspect {
        return false;
    }
    let stuck = stuck(pool);
    if !stuck.contains(seat.id().index()) {
        return false;
    }
    if !matches!(depends_on, DependsOn::Scope(_)) {
        return true;
    }
    wake_stuck(pool, &stuck, seat.id().index());
    false
}

/// Wakes the stuck workers, so that they look again. The caller has just suspended the task, which
/// awaits a job.
#[cold]
pub(crate) fn look<'p>(pool: Pool<'p>, task: SlotRef<'p>) {
    // Pairs with the fence of `Blocking::as_worker` (`engine/block.rs`): either that worker sees
    // the suspended task, or this context sees that the worker is blocked.
    fence(Ordering::SeqCst);
    let awaited = task.awaits();
    if awaited.is_some_and(|slot| is_suspect(pool, pool.slot(slot))) {
        let stuck = stuck(pool);
        if !stuck.is_empty() {
            wake_stuck(pool, &stuck, usize::MAX);
        }
    }
}

fn wake_stuck(pool: Pool<'_>, stuck: &Workers, but: usize) {
    for (number, seat) in pool.all_seats().iter().enumerate() {
        if number != but && stuck.contains(number) {
            pool.seats().wake(seat);
        }
    }
}

/// Whether the job in a slot may be part of a circle. Either a blocked worker runs it, or it is a
/// suspended task that awaits a job.
fn is_suspect<'p>(pool: Pool<'p>, slot: SlotRef<'p>) -> bool {
    let state = slot.state.load();
    if state.has(BUSY) {
        let runner = state.runner().checked_sub(1);
        let seat = runner.and_then(|runner| pool.all_seats().get(usize::from(runner)));
        return seat.is_some_and(Seat::is_blocked);
    }
    state.has(TASK) && state.has(SUSPENDED) && state.lacks(DONE) && slot.awaits().is_some()
}

/// The stuck workers: those whose waits all depend on each other.
fn stuck(pool: Pool<'_>) -> Workers {
    let before = blocked_for_ever(pool);
    let mut stuck = before.0;
    loop {
        let mut left = stuck;
        for (number, seat) in pool.all_seats().iter().enumerate() {
            if stuck.contains(number) && may_go_on(pool, seat, &stuck) {
                left.remove(number);
            }
        }
        if left == stuck {
            break;
        }
        stuck = left;
    }
    // The words on which the waits depend were read with Acquire. If a worker wrote one of them after
    // it went on, this second call sees that it went on.
    let after = blocked_for_ever(pool);
    // The sums differ if a worker went on, or blocked, in between.
    if before == after {
        stuck
    } else {
        Workers::NONE
    }
}

/// The workers that are blocked without a time limit, and a sum that changes when one of them goes
/// on.
fn blocked_for_ever(pool: Pool<'_>) -> (Workers, u32) {
    let (mut workers, mut sum) = (Workers::NONE, 0_u32);
    for (number, seat) in pool.all_seats().iter().enumerate() {
        if let (Some(_), times) = seat.depends_on() {
            workers.insert(number);
            // Each worker's count only grows.
            sum = sum.wrapping_add(times);
        }
    }
    (workers, sum)
}

/// Whether the wait of this worker may end while the workers in `stuck` are blocked.
fn may_go_on(pool: Pool<'_>, seat: &Seat, stuck: &Workers) -> bool {
    let (Some(depends_on), _) = seat.depends_on() else {
        return true;
    };
    if let DependsOn::Job(slot) = depends_on {
        return may_end(pool, slot, stuck);
    }
    let mut members = pool.used_slots().filter(|&index| {
        let slot = pool.slot(index);
        is_member(slot, slot.state.load(), depends_on)
    });
    // `is_told` comes after the look at the members. A job that had ended by then counts as no member,
    // but its completer reports it, and `is_told` sees that.
    match depends_on {
        DependsOn::AnyOf(place) => {
            members.any(|slot| may_end(pool, slot, stuck)) || is_told(pool, place)
        }
        DependsOn::AllOf(place) => {
            members.all(|slot| may_end(pool, slot, stuck)) || is_told(pool, place)
        }
        // A scope ends with the callbacks of its jobs, even if the holders of a shared handle
        // have looked at the outcome before.
        _ => members.all(|slot| {
            let state = pool.slot(slot).state.load();
            if state.has(BUSY) && state.lacks(LOST) {
                may_return(state, stuck)
            } else {
                may_end(pool, slot, stuck)
            }
        }),
    }
}

/// Whether the worker that is `BUSY` with a job may go on while the workers in `stuck` are blocked.
fn may_return(state: Snapshot, stuck: &Workers) -> bool {
    let runner = state.runner().checked_sub(1);
    runner.is_none_or(|runner| !stuck.contains(usize::from(runner)))
}

/// Whether a member of the set that reports to this place has ended, and the worker has not looked
/// since. A completer that is about to report to any place counts, since it may be this one.
fn is_told(pool: Pool<'_>, place: u16) -> bool {
    let is_telling = |index| pool.slot(index).state.load().is_reported();
    let waiter = pool.all_waiters().get(usize::from(place));
    // The order matters: a completer that has cleared TELLING has reported. A job without handle is in
    // no set, and a free slot keeps its last word.
    pool.used_slots().any(is_telling)
        // Acquire: pairs with the Releases of `push_completed` and of
        // `Registration::take_completed` (`engine/waiters.rs`).
        || waiter.is_some_and(|waiter| waiter.completed.load(Ordering::Acquire) != 0)
}

/// Whether a job may end while the workers in `stuck` are blocked.
fn may_end(pool: Pool<'_>, slot: u16, stuck: &Workers) -> bool {
    let mut next = slot;
    // The loop ends at tasks that await each other: none of them may end.
    for _ in pool.used_slots() {
        let slot = pool.slot(next);
        // `awaits` is read before and after the state. If both values are equal, the task awaited that
        // job when it was suspended.
        let awaits = slot.awaits();
        let state = slot.state.load();
        if state.is_held_up() {
            return may_return(state, stuck);
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

/// Whether a worker with this dependence waits for the job in this slot.
fn is_member(slot: SlotRef<'_>, state: Snapshot, depends_on: DependsOn) -> bool {
    if state.is_ready() || state.lacks(QUEUED | BUSY | SUSPENDED) {
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

#[cfg(all(test, not(loom)))]
mod tests;
