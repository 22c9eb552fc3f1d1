//! The work of a worker: it pops an index, begins the job, runs it, and publishes the outcome.

use core::cell::Cell;

use crate::{
    engine::{circle, guard, settle},
    error::Panic,
    lockfree::defer::Defer,
    lockfree::state::{Begin, Outcome, Snapshot, Suspension},
    lockfree::sync,
    lockfree::sync::{Ordering, fence},
    log::trace,
    machine::worker::{JobId, Worker},
    memory::joined::Stay,
    memory::pool::Pool,
    memory::seat::SeatRef,
    memory::slot::{SlotRef, Step},
};

/// Runs the oldest job of the most urgent queue. False if there is none. `runner` is as for
/// [`State::begin`](crate::lockfree::state::State::begin). `worker`'s hooks are called for the job.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn one(pool: Pool<'_>, runner: u16, worker: Option<&dyn Worker>) -> bool {
    match pool.queues().pop() {
        Some(index) => {
            popped(pool, index, runner, worker);
            true
        }
        None => false,
    }
}

#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn some<'p>(pool: Pool<'p>, seat: Option<SeatRef<'p>>, max: usize) -> usize {
    let mut count = 0;
    let runner = seat.map_or(0, SeatRef::runner);
    // A job may declare its own worker lost. That worker takes no other job.
    while count < max && seat.is_none_or(|seat| !seat.is_lost()) && one(pool, runner, None) {
        count += 1;
    }
    count
}

/// Runs jobs without a seat: all seats are taken, or there is no port to name the caller's context.
/// The caller is only counted.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn as_guest(pool: Pool<'_>, max: usize) -> usize {
    let _counted = count_guest(pool);
    some(pool, None, max)
}

/// Counts the caller in as a guest, until the returned guard is dropped.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn count_guest(pool: Pool<'_>) -> Defer<impl FnMut()> {
    pool.joined().count_in(Stay::Guest);
    Defer(move || {
        pool.joined().count_out(Stay::Guest);
        pool.seats().wake_all_at_the_end();
    })
}

/// Runs the job whose index was just popped. `runner` and `worker` are as for [`one`].
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn popped(pool: Pool<'_>, index: u16, runner: u16, worker: Option<&dyn Worker>) {
    let slot = pool.slot(index);
    if let Some(begun) = begin(pool, slot, runner) {
        step(pool, slot, begun, worker);
    }
}

/// Makes the caller `BUSY` with the job whose index was just popped. `None` if the job has ended,
/// or if it ends here because the pool has come to its end.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn begin<'p>(pool: Pool<'p>, slot: SlotRef<'p>, runner: u16) -> Option<Snapshot> {
    let begun = take_up(pool, slot, runner)?;
    if pool.phase().ends_unrun() {
        end_begun(pool, slot);
        return None;
    }
    Some(begun)
}

/// Makes the caller `BUSY` with the job whose index was just popped, or whose promise it holds.
/// `None` if the job has ended: the queue, or the promise, leaves the slot.
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

/// Runs one step of the job that the caller is `BUSY` with. `begun` is the state word since then.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn step<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    begun: Snapshot,
    worker: Option<&dyn Worker>,
) {
    // SAFETY: the caller is BUSY with the slot since `begin`.
    let (vtable, value) = unsafe { (slot.vtable(), slot.payload()) };
    let unwound = Defer(|| {
        // SAFETY: the caller is BUSY with the slot, which holds a job. It is empty after
        // `drop_job`.
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
    sync::job_begins();
    let progress = Cell::new(Progress::NotBegun);
    // The port's `catch_panic` itself may unwind, too.
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
    sync::job_ends();
    if let Some(worker) = worker {
        worker.on_job_end(JobId(slot.index()));
    }
}

/// How far a step of a job came, as the worker saw it. The port's answer does not change it.
#[derive(Clone, Copy)]
enum Progress {
    /// The payload still holds the job.
    NotBegun,
    /// The step has begun. If it is over, it has unwound, and the payload is empty.
    Begun,
    Returned(Step),
}

/// Ends or suspends the job that the caller is `BUSY` with, by the progress of its last step.
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
            // SAFETY: the caller is still BUSY with the slot.
            if let Some(suspend) = unsafe { slot.vtable() }.suspend {
                suspend(pool, slot, begun);
            }
        }
        // SAFETY: the caller is still BUSY, and `run` leaves the payload empty when it unwinds.
        Progress::Begun => unsafe { settle::panicked(pool, slot, panic) },
        Progress::NotBegun => {
            // SAFETY: the caller is still BUSY with the slot, which holds the job. It is empty
            // after `drop_job`.
            unsafe {
                settle::drop_job(pool, slot);
                settle::panicked(pool, slot, panic);
            }
        }
    }
}

/// Ends a job that the caller has begun and not run, because the pool has come to its end.
#[cold]
fn end_begun<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    settle::end_unrun(pool, slot, pool.phase().outcome());
}

/// Suspends a task that the caller is `BUSY` with and that returned `Pending`. `begun` is the state
/// word since the caller began it.
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
            // If the slot has another job by now, that job has come to its end as well.
            end_if_over(pool, slot);
        }
        Suspension::Cancel => settle::end_unrun(pool, slot, Outcome::Cancelled),
    }
}

/// Ends a task, suspended just now, that the pool's end has missed because it was being polled.
fn end_if_over<'p>(pool: Pool<'p>, slot: SlotRef<'p>) {
    // Pairs with the fence of `Phase::enter` (`memory/phase.rs`): either the phase is seen here, or
    // the party that ends the pool sees the task suspended.
    fence(Ordering::SeqCst);
    if pool.phase().ends_unrun() {
        settle::cancel(pool, slot, pool.phase().outcome());
    }
}
