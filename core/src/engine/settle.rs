//! The end of a job: its outcome is published, callbacks run, the waiter is told, the scope counts it out.

use core::mem;

use crate::{
    engine::{callbacks, guard, outcome},
    error::{Failure, Panic},
    lockfree::defer::Defer,
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
    /// By the party that declared the worker lost.
    Yes,
}

/// Publishes the outcome of the job that the caller is `BUSY` with, and tells who waits.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn publish<'p>(pool: Pool<'p>, slot: SlotRef<'p>, outcome: Outcome) {
    // Even if the logger unwinds.
    let _published = Defer(|| {
        if !slot.state.publish(outcome) {
            // SAFETY: BUSY, and has not published.
            unsafe { finish(pool, slot, outcome, Published::No) };
        }
    });
    // Before others can see it, and the slot's next job can begin.
    trace!("job {} ends: {:?}", slot.index(), outcome);
}

/// Ends a job that has panicked.
///
/// # Safety
///
/// As for `put_panic`.
pub(crate) unsafe fn panicked<'p>(pool: Pool<'p>, slot: SlotRef<'p>, panic: Panic) {
    // SAFETY: the caller's promise.
    unsafe { outcome::put_panic(slot, panic) };
    publish(pool, slot, Outcome::Panicked);
}

/// Ends a job that the caller is `BUSY` with, and whose payload is empty.
///
/// # Safety
///
/// As for `put_panic`.
pub(crate) unsafe fn fail<'p>(pool: Pool<'p>, slot: SlotRef<'p>, failure: Failure) {
    // SAFETY: every payload has room for it (`LEAST`); the caller's promise.
    unsafe { slot.payload().cast::<Failure>().write(failure) };
    publish(pool, slot, Outcome::Failed);
}

/// Ends a job that nobody is at work on. False if there is none in the slot.
pub(crate) fn cancel<'p>(pool: Pool<'p>, slot: SlotRef<'p>, outcome: Outcome) -> bool {
    if !slot.state.claim() {
        return false;
    }
    let _told = Defer(|| {
        // Workers may have stayed for this one.
        pool.seats().wake_all_at_the_end();
        // And who waits for room may take it out of the queue. After the fence there, which pairs with that of
        // `RoomWaiter::poll`: either the mark is seen here, or there that the job has ended.
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
    // Whether or not the job's destructor unwinds.
    let _publish = Defer(|| {
        let _settled = Defer(|| {
            // SAFETY: BUSY, and has not published.
            unsafe { finish(pool, slot, outcome, Published::No) };
        });
        trace!("job {} ends: {:?}", slot.index(), outcome);
    });
    // SAFETY: the caller is BUSY with the slot, which holds a job.
    unsafe { drop_job(pool, slot) };
}

/// Drops the job in a slot, which is empty after.
///
/// # Safety
///
/// The caller is `BUSY` with the slot, and a job is in it.
pub(crate) unsafe fn drop_job<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    guard::call(pool, &mut || {
        // SAFETY: the caller's promise.
        unsafe { (slot.vtable().drop_job)(slot.payload()) };
    });
}

/// The end of a job for more than a handle: outcome, callbacks, waiter, orphaned payload, and at last
/// the scope.
///
/// # Safety
///
/// The caller is `BUSY` with the job, and has not published its outcome; if it was declared lost
/// meanwhile, `lose` has. Or `published`, and the caller is the completer by `lose`.
#[cold]
#[inline(never)]
pub(crate) unsafe fn finish<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    outcome: Outcome,
    published: Published,
) {
    // SAFETY: the completer keeps the slot occupied.
    let scope = unsafe { slot.vtable() }.leave_scope.map(|leave| Scoped {
        leave,
        // SAFETY: occupied by a scoped job.
        scope: unsafe { slot.scope_address(pool.geometry().bytes) },
    });
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

/// What is left to do for a completer. If something of the user's unwinds, the rest is still done.
struct Settling<'p> {
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    outcome: Outcome,
    published: Published,
    /// The number plus one of the worker that completes the job; 0 if it is none.
    runner: u16,
    /// Nothing is left to do with the slot.
    over: bool,
    /// Collected, to be told.
    waiter: Option<ListenerCell>,
    /// To be left at the very end.
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
                    // SAFETY: TELLING, by this completer just now: the cell is full, and nobody
                    // writes it.
                    let waiter = unsafe { slot.listener().assume_init() };
                    // TELLING keeps the slot, whose link a set's list needs.
                    waiter.report(pool, slot.index());
                    self.waiter = Some(waiter);
                    pool.slots().leave(slot, TELLING);
                }
                Settle::Left => self.over = true,
                Settle::Unclaimed | Settle::TakenOver => {
                    self.over = true;
                    let is_late = next == Settle::TakenOver;
                    if is_late {
                        // Whoever declared the worker lost has told the scope.
                        self.scope = None;
                    }
                    let _free =
                        Defer(|| pool.slots().leave(slot, if is_late { LOST } else { BUSY }));
                    let _dropped = Defer(|| {
                        // SAFETY: there is no handle; or the outcome is `WorkerLost`, which has no payload,
                        // so what is there is still the worker's.
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
                // SAFETY: collected by this completer, and taken here alone.
                unsafe { waiter.tell(pool) };
            });
        }
        if let Some(scope) = self.scope.take() {
            guard::call(pool, &mut || {
                // SAFETY: the scope waits for this call, once for each of its jobs.
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
