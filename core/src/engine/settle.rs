//! The end of a job. The completer publishes its outcome, runs its callbacks, wakes the waiter, and
//! counts the job out of its scope.
//!
//! The completer is the party that is `BUSY` with the job:
//!
//! * the worker that ran it ([`publish`], [`panicked`], [`fail`]);
//! * a canceller, if the job has not begun: [`cancel`] claims the job, and [`end_unrun`] drops its
//!   closure in the canceller's context;
//! * a worker that begins a job after the pool's end was declared: [`end_unrun`] drops the closure
//!   in the worker's context;
//! * the worker of a task, if the task was cancelled or the pool ended during a poll: [`end_unrun`]
//!   drops the future after the poll;
//! * a remote worker, for a job in flight: it drops the job when the answer arrives, or when the job
//!   is lost;
//! * the holder of a promise;
//! * the caller of `worker_lost`, for a job of the lost worker. The payload stays that worker's
//!   ([`finish`] with [`Published::Yes`]), which drops it if it comes back.
//!
//! A closure that has begun runs to its end: its `CancelToken` asks it to return early.
//!
//! When the completer leaves, the slot is the handle's. The handle takes or drops the result, and
//! frees the slot by [`Slots::leave`](crate::engine::slots::Slots::leave). If there is no handle,
//! the completer does both. In either case the slot stays stale while its index is in the queue.
//!
//! # Callbacks before the waiter
//!
//! The job is ready for its handle after its callbacks have returned. The handle moves the result out
//! of the payload, and a callback borrows it there. So the handle must wait for the callbacks, even if
//! the completer publishes the outcome before them. A copy of the result for the callbacks would need
//! a `Clone` and a place. An outcome without a payload could come first. But then a handle would find
//! some jobs ready before their callbacks, and others after.
//!
//! The holders of a shared handle take the result by reference, too. They have it before the
//! callbacks run: see [`shared`](crate::engine::shared).

use core::mem;

use crate::{
    engine::{callbacks, guard, outcome},
    error::{Failure, Panic},
    lockfree::defer::Defer,
    lockfree::part,
    lockfree::state::{BUSY, LOST, Outcome, Settle, TELLING},
    log::trace,
    memory::listener::ListenerCell,
    memory::pool::Pool,
    memory::scoped::Scoped,
    memory::slot::SlotRef,
};

/// Whether a completer has published the outcome already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    No,
    /// The party that declared the worker lost has published it.
    Yes,
}

/// Publishes the outcome of the job that the caller is `BUSY` with, and wakes its waiter.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn publish<'p>(pool: Pool<'p>, slot: SlotRef<'p>, outcome: Outcome) {
    // The outcome is published even if the logger unwinds.
    let _published = Defer(|| {
        if !slot.state.publish(outcome) {
            // SAFETY: the caller is BUSY, and has not published the outcome.
            unsafe { finish(pool, slot, outcome, Published::No) };
        }
    });
    // Logged before the publication: after it the slot's next job can begin.
    trace!("job {} ends: {:?}", slot.index(), outcome);
}

/// Ends a job that the caller is `BUSY` with, and that has panicked.
///
/// # Safety
///
/// As for [`put_panic`](outcome::put_panic).
pub(crate) unsafe fn panicked<'p>(pool: Pool<'p>, slot: SlotRef<'p>, panic: Panic) {
    // SAFETY: the caller's promise.
    unsafe { outcome::put_panic(slot, panic) };
    publish(pool, slot, Outcome::Panicked);
}

/// Ends a job that the caller is `BUSY` with as failed. The payload is empty before.
///
/// # Safety
///
/// As for [`put_panic`](outcome::put_panic).
pub(crate) unsafe fn fail<'p>(pool: Pool<'p>, slot: SlotRef<'p>, failure: Failure) {
    // SAFETY: every payload has room for a failure (`LEAST`). The rest is the caller's promise.
    unsafe { slot.payload().cast::<Failure>().write(failure) };
    publish(pool, slot, Outcome::Failed);
}

/// Ends a job that no party is at work on. False if the slot has none.
pub(crate) fn cancel<'p>(pool: Pool<'p>, slot: SlotRef<'p>, outcome: Outcome) -> bool {
    if !slot.state.claim() {
        return false;
    }
    let _told = Defer(|| {
        // At the pool's end, workers may have stayed for this job.
        pool.seats().wake_all_at_the_end();
        // A waiter for room may take the job's index out of the queue. The look at the mark comes
        // after the fence of `wake_all_at_the_end`, which pairs with that of `RoomWaiter::poll`
        // (`engine/room.rs`). Either the mark is seen here, or that waiter sees that the job has
        // ended.
        if pool.slots().is_waited_for() {
            pool.slots().tell_of_room();
        }
    });
    end_unrun(pool, slot, outcome);
    true
}

/// Drops the job in a slot that the caller is `BUSY` with, and publishes the outcome.
#[cold]
#[inline(never)]
pub(crate) fn end_unrun<'p>(pool: Pool<'p>, slot: SlotRef<'p>, outcome: Outcome) {
    // The outcome is published even if the job's destructor or the logger unwinds.
    let _publish = Defer(|| {
        let _settled = Defer(|| {
            // SAFETY: the caller is BUSY, and has not published the outcome.
            unsafe { finish(pool, slot, outcome, Published::No) };
        });
        trace!("job {} ends: {:?}", slot.index(), outcome);
    });
    // SAFETY: the caller is BUSY with the slot, which holds a job.
    unsafe { drop_job(pool, slot) };
}

/// Drops the job in a slot. The payload is empty then.
///
/// # Safety
///
/// The caller is `BUSY` with the slot, which holds a job.
pub(crate) unsafe fn drop_job<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    guard::call(pool, &mut || {
        // SAFETY: the caller's promise.
        unsafe { (slot.vtable().drop_job)(slot.payload()) };
    });
}

/// Ends a job that has other parties than a handle alone: callbacks, a waiter, a scope, or no handle.
/// The completer publishes the outcome first, and leaves the scope last.
///
/// # Safety
///
/// The caller is `BUSY` with the job, and has not published its outcome. If it was declared lost
/// meanwhile, `State::lose` has published one. With `Published::Yes`, `State::lose` has made the
/// caller the completer.
#[cold]
#[inline(never)]
pub(crate) unsafe fn finish<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    outcome: Outcome,
    published: Published,
) {
    // SAFETY: the completer keeps the slot occupied.
    let scope = unsafe { scope_of(pool, slot) };
    let runner = if published == Published::Yes {
        0
    } else {
        slot.state.load().runner()
    };
    let mut settling = Settling {
        pool,
        slot,
        outcome,
        published,
        runner,
        over: false,
        waiter: None,
        scope,
    };
    settling.go_on();
    mem::forget(settling);
}

/// The scope of the job in a slot, if the job is scoped.
///
/// # Safety
///
/// The slot is occupied.
unsafe fn scope_of<'p>(pool: Pool<'p>, slot: SlotRef<'p>) -> Option<Scoped> {
    if !part::SCOPES.is_used() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { slot.vtable() }.leave_scope.map(|leave| Scoped {
        leave,
        // SAFETY: the slot is occupied by a scoped job.
        scope: unsafe { slot.scope_address(pool.geometry().bytes) },
    })
}

/// Counts a job out of its scope, if it has one, in place of a worker that will never run again.
///
/// # Safety
///
/// The job has ended, and its slot is occupied. If the job is scoped, its worker has not counted it out,
/// and never will.
pub(crate) unsafe fn leave_scope<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    // SAFETY: the caller's promise.
    if let Some(scope) = unsafe { scope_of(pool, slot) } {
        guard::call(pool, &mut || {
            // SAFETY: no other party counts the job out (the caller's promise), so its scope still waits.
            unsafe { scope.leave() };
        });
    }
}

/// The rest of a completer's work. If foreign code unwinds, `drop` goes on with it.
struct Settling<'p> {
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    outcome: Outcome,
    published: Published,
    /// The completer's number in the state word. 0 if the completer has taken the place of a lost worker.
    runner: u16,
    /// The completer has left the slot.
    over: bool,
    /// The waiter, taken from the slot, to be woken.
    waiter: Option<ListenerCell>,
    /// The scope, which the job leaves at the very end.
    scope: Option<Scoped>,
}

impl Settling<'_> {
    fn go_on(&mut self) {
        let Self { pool, slot, .. } = *self;
        while !self.over {
            let unpublished = (mem::replace(&mut self.published, Published::Yes) == Published::No)
                .then_some(self.outcome);
            let next = slot.state.settle(unpublished, self.runner);
            match next {
                Settle::Callbacks => callbacks::run(pool, slot),
                Settle::Waiter => {
                    self.over = true;
                    // SAFETY: this completer has just set TELLING, so the cell is full, and no
                    // party writes it.
                    let waiter = unsafe { slot.listener().assume_init() };
                    // TELLING keeps the slot while its link goes into the set's list.
                    waiter.report(pool, slot.index());
                    self.waiter = Some(waiter);
                    pool.slots().leave(slot, TELLING);
                }
                Settle::Left => self.over = true,
                Settle::Unclaimed | Settle::TakenOver => {
                    self.over = true;
                    let is_late = next == Settle::TakenOver;
                    if is_late {
                        // The party that declared the worker lost has counted the job out of its
                        // scope.
                        self.scope = None;
                    }
                    let _free = Defer(|| {
                        // The slot may be free from now on, with a word that still has the job in
                        // its scope. It belongs to no scope, so no wait for the scope depends on it.
                        slot.set_depends(0);
                        pool.slots().leave(slot, if is_late { LOST } else { BUSY });
                    });
                    let _dropped = Defer(|| {
                        // SAFETY: there is no handle, so the result is this completer's. Or the
                        // outcome is `WorkerLost`, which has no payload, so the content is still
                        // this worker's.
                        unsafe { outcome::drop_payload(pool, slot, self.outcome) };
                    });
                    if is_late {
                        trace!("job {} is too late", slot.index());
                    }
                }
            }
        }
        if let Some(waiter) = self.waiter.take() {
            guard::call(pool, &mut || {
                // SAFETY: this completer took the waiter from the slot, and wakes it here alone.
                unsafe { waiter.tell(pool) };
            });
        }
        if let Some(scope) = self.scope.take() {
            guard::call(pool, &mut || {
                // SAFETY: the completer counts the job out here alone, so its scope still waits.
                unsafe { scope.leave() };
            });
        }
    }
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.go_on();
    }
}
