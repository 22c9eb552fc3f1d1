//! What a worker does: take an index off the queue, begin the job, run it, publish how it ended.

use core::cell::Cell;

use crate::{
    engine::{circle, guard, settle},
    error::Panic,
    lockfree::defer::Defer,
    lockfree::state::{Begin, Outcome, Snapshot, Suspension},
    lockfree::sync::{Ordering, fence},
    log::trace,
    machine::worker::{JobId, Worker},
    memory::joined::Stay,
    memory::pool::Pool,
    memory::seat::SeatRef,
    memory::slot::{SlotRef, Step},
};

/// Runs the oldest, most urgent work item. False if there is none. `worker` is told of the job.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn one<'p>(
    pool: Pool<'p>,
    seat: Option<SeatRef<'p>>,
    worker: Option<&dyn Worker>,
) -> bool {
    match pool.queues().pop() {
        Some(index) => {
            popped(pool, index, seat, worker);
            true
        }
        None => false,
    }
}

#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn some<'p>(pool: Pool<'p>, seat: Option<SeatRef<'p>>, max: usize) -> usize {
    let mut count = 0;
    // A job may declare the worker lost that runs it here; it takes no other job then.
    while count < max && seat.is_none_or(|seat| !seat.is_lost()) && one(pool, seat, None) {
        count += 1;
    }
    count
}

/// Runs jobs without a seat: there is none left, or nobody can tell the caller's context from others.
/// It is only counted.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn as_guest(pool: Pool<'_>, max: usize) -> usize {
    let _counted = count_guest(pool);
    some(pool, None, max)
}

/// Counts the caller in, until what is returned is dropped.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn count_guest(pool: Pool<'_>) -> Defer<impl FnMut()> {
    pool.joined().count_in(Stay::Guest);
    Defer(move || {
        pool.joined().count_out(Stay::Guest);
        pool.seats().wake_all_at_the_end();
    })
}

/// Runs the work item whose index was just taken out of the queue.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn popped<'p>(
    pool: Pool<'p>,
    index: u16,
    seat: Option<SeatRef<'p>>,
    worker: Option<&dyn Worker>,
) {
    let runner = seat.map_or(0, SeatRef::runner);
    let slot = pool.slot(index);
    if let Some(begun) = begin(pool, slot, runner) {
        step(pool, slot, begun, worker);
    }
}

/// Makes the caller `BUSY` with the job whose index was just taken out of the queue. `None` if it
/// has been ended, or is ended here since the pool has come to its end.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn begin<'p>(pool: Pool<'p>, slot: SlotRef<'p>, runner: u16) -> Option<Snapshot> {
    let begun = take_up(pool, slot, runner)?;
    if pool.phase().ends_unrun() {
        end_begun(pool, slot);
        return None;
    }
    Some(begun)
}

/// Makes the caller `BUSY` with the job whose index was just taken out of the queue, or whose promise
/// it holds. `None` if it has been ended: the queue, or the promise, leaves the slot.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn take_up<'p>(pool: Pool<'p>, slot: SlotRef<'p>, runner: u16) -> Option<Snapshot> {
    match slot.state.begin(runner) {
        Begin::Begun(begun) => return Some(begun),
        Begin::Left => {}
        Begin::LeftLast => pool.slots().free(slot),
    }
    None
}

/// Runs the job that the caller has begun, or ends it if the pool has come to its end.
pub(crate) fn step_or_end<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    begun: Snapshot,
    worker: Option<&dyn Worker>,
) {
    if pool.phase().ends_unrun() {
        end_begun(pool, slot);
    } else {
        step(pool, slot, begun, worker);
    }
}

/// Runs the job that the caller is `BUSY` with, as `begun` says.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn step<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    begun: Snapshot,
    worker: Option<&dyn Worker>,
) {
    // SAFETY: `begin` made the caller BUSY with the slot.
    let (vtable, value) = unsafe { (slot.vtable(), slot.payload()) };
    let unwound = Defer(|| {
        // SAFETY: BUSY with the slot, which holds a job, and is empty then.
        unsafe {
            settle::drop_job(pool, slot);
            settle::panicked(pool, slot, Panic::unknown());
        }
    });
    trace!("job {} starts", slot.index());
    if let Some(worker) = worker {
        worker.on_job_start(JobId(slot.index()));
    }
    unwound.disarm();
    let progress = Cell::new(Progress::NotBegun);
    // The net itself may unwind, too.
    let unwound = Defer(|| end_step(pool, slot, begun, progress.get(), Panic::unknown()));
    let caught = guard::catch(pool, || {
        progress.set(Progress::Begun);
        // SAFETY: the payload holds a job of this vtable, and is the caller's.
        let step = unsafe { (vtable.run)(value, pool, slot) };
        progress.set(Progress::Returned(step));
    });
    unwound.disarm();
    match (progress.get(), caught) {
        (Progress::Returned(Step::Ready), Ok(())) => settle::publish(pool, slot, Outcome::Returned),
        (progress, caught) => {
            end_step(
                pool,
                slot,
                begun,
                progress,
                caught.err().unwrap_or(Panic::unknown()),
            );
        }
    }
    if let Some(worker) = worker {
        worker.on_job_end(JobId(slot.index()));
    }
}

/// How far a step of a job came. Not what the port says of it.
#[derive(Clone, Copy)]
enum Progress {
    /// The payload still holds the job.
    NotBegun,
    /// It has unwound, if it is over: the payload is empty.
    Begun,
    Returned(Step),
}

/// What follows a step of the job that the caller is `BUSY` with, by how far the step came.
fn end_step<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    begun: Snapshot,
    progress: Progress,
    panic: Panic,
) {
    match progress {
        Progress::Returned(Step::Ready) => settle::publish(pool, slot, Outcome::Returned),
        Progress::Returned(Step::Pending) => {
            // SAFETY: still BUSY with the slot.
            if let Some(suspend) = unsafe { slot.vtable() }.suspend {
                suspend(pool, slot, begun);
            }
        }
        // SAFETY: still BUSY, and `run` leaves the payload empty when it unwinds.
        Progress::Begun => unsafe { settle::panicked(pool, slot, panic) },
        Progress::NotBegun => {
            // SAFETY: still BUSY with the slot, which holds the job, and is empty then.
            unsafe {
                settle::drop_job(pool, slot);
                settle::panicked(pool, slot, panic);
            }
        }
    }
}

/// Ends a job that was begun, but not run, since the pool has come to its end.
#[cold]
fn end_begun<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    settle::end_unrun(pool, slot, pool.phase().outcome());
}

/// A task, which the caller is `BUSY` with, returned `Pending`. `begun`: its state then.
pub(crate) fn suspend<'p>(pool: Pool<'p>, slot: SlotRef<'p>, begun: Snapshot) {
    match slot.state.suspend() {
        Suspension::Suspended => {
            if slot.awaits().is_some() {
                circle::look(pool, slot);
            }
            end_if_over(pool, slot);
        }
        Suspension::Requeue => {
            pool.queues().push(slot.index(), begun.priority());
            pool.seats().wake_one();
            // The slot's next job, if it has one by now, has come to its end as well then.
            end_if_over(pool, slot);
        }
        Suspension::Cancel => settle::end_unrun(pool, slot, Outcome::Cancelled),
    }
}

/// Ends a task, suspended just now, that the pool's end has missed because it was being polled.
fn end_if_over<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    // Pairs with the fence of `Phase::enter`: either the phase is seen here, or whoever ends the
    // pool sees the task suspended.
    fence(Ordering::SeqCst);
    if pool.phase().ends_unrun() {
        settle::cancel(pool, slot, pool.phase().outcome());
    }
}
