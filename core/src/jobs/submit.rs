//! Submitting: how a job gets into a slot and its index into a queue.
//!
//! A submit claims a slot, moves the job in, pushes the index, and wakes a worker. If the pool has
//! come to its end meanwhile, or has no worker, the submitter takes the job back. [`put`] does all of
//! this, for all jobs but promises and callbacks, which are in no queue.

use crate::{
    engine::handle,
    engine::slots::Claim,
    error::{NoWorker, SubmitError},
    jobs::job::Job,
    jobs::vtable::VTableOf,
    lockfree::defer::Defer,
    lockfree::part,
    lockfree::state::{BUSY, HANDLE, Occupied, QUEUED, SCOPED, TASK},
    memory::payload::{Spill, Stored},
    memory::phase::is_closed_in,
    memory::pool::Pool,
    memory::scoped::ScopeState,
    memory::slot::SlotRef,
};

/// Whether the pool takes jobs of this priority now.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn admits(pool: Pool<'_>, priority: usize) -> bool {
    priority < pool.geometry().priorities && !pool.phase().is_closed()
}

/// The error for a job that was not admitted, found no slot, or was taken back.
// A full pool refuses most forks of a recursive job. So a host decides that one where the submit is
// inlined.
#[cfg_attr(target_os = "none", cold)]
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn refusal(pool: Pool<'_>, priority: usize) -> SubmitError<()> {
    if admits(pool, priority) {
        return SubmitError::Full(());
    }
    rejection(pool, priority)
}

/// The error for a job that the pool does not take now.
#[cfg_attr(not(target_os = "none"), cold)]
fn rejection(pool: Pool<'_>, priority: usize) -> SubmitError<()> {
    if priority >= pool.geometry().priorities {
        return SubmitError::NoSuchPriority(());
    }
    match pool.phase().broken_reason() {
        Some(reason) => SubmitError::Broken((), reason),
        None => SubmitError::ShutDown(()),
    }
}

/// Moves a job into a slot.
///
/// # Safety
///
/// The slot is empty, and the caller's. The job fits before the last `KEPT` bytes, or spills.
#[inline(always)]
pub(crate) unsafe fn fill<J: Job, S: Spill, const BYTES: usize, const KEPT: usize>(
    slot: SlotRef<'_>,
    job: J,
) {
    // SAFETY: the caller's promise.
    unsafe {
        slot.set_vtable(&VTableOf::<J, S, BYTES, KEPT>::TABLE);
        Stored::<J, S, BYTES, KEPT>::put(slot.payload(), job);
    }
}

/// Moves a job into a free slot and queues it. `keep` writes the last `KEPT` bytes of the payload.
/// For a scoped job, it counts the job in, and writes the address of the scope. The slot has a
/// handle, which the caller makes.
///
/// # Safety
///
/// The job and its result may be run and dropped in any context until the slot is free. So they are
/// `Send` and live that long.
// Each closure is a type of its own, with code of its own here. Inlined into its submit, that code
// knows the constants there, and keeps the future in registers. A program for a chip is built as a
// whole, so there the compiler inlines where that pays.
#[cfg_attr(target_os = "none", inline)]
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) unsafe fn put<'p, J: Job, S: Spill, const BYTES: usize, const KEPT: usize>(
    pool: Pool<'p>,
    priority: usize,
    keep: impl FnOnce(SlotRef<'p>),
    job: J,
) -> Result<SlotRef<'p>, SubmitError<J>> {
    const { VTableOf::<J, S, BYTES, KEPT>::FITS };
    let Some(claim) = admit(pool, priority) else {
        return Err(refusal(pool, priority).map(|()| job));
    };
    let slot = pool.slot(claim.index);
    // SAFETY: the slot was claimed or taken over just now, so it is empty, and the caller's. By
    // `FITS` the job fits before the last KEPT bytes, or spills.
    unsafe {
        // The spill policy may unwind.
        let unwound = Defer(|| pool.slots().unclaim(claim));
        fill::<J, S, BYTES, KEPT>(slot, job);
        unwound.disarm();
        keep(slot);
    }
    if J::SUSPEND.is_some() {
        slot.set_depends(0);
    }
    let scoped = if KEPT > 0 { SCOPED } else { 0 };
    let task = if J::SUSPEND.is_some() { TASK } else { 0 };
    let bits = QUEUED | HANDLE | scoped | task;
    let Err(refused) = launch(pool, slot, claim, priority, bits) else {
        return Ok(slot);
    };
    // SAFETY: the job was taken back before any party began it, so it is in the slot, and the
    // caller's.
    Err(unsafe { take_back::<J, S, BYTES, KEPT>(pool, slot, priority, refused) })
}

/// A slot for a job. If there is none, `refusal` has the error.
#[cfg_attr(not(target_os = "none"), inline(always))]
fn admit(pool: Pool<'_>, priority: usize) -> Option<Claim> {
    if !admits(pool, priority) {
        return None;
    }
    pool.slots().claim_to_queue(priority)
}

/// Queues the job in a slot, with these bits in its state word, and wakes a worker. On an error the
/// submitter takes the job back. `None`: a reaper has the slot's index, or the pool has come to its
/// end. `Some` is the reason why there is no worker.
#[cfg_attr(not(target_os = "none"), inline(always))]
fn launch<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    claim: Claim,
    priority: usize,
    bits: u32,
) -> Result<(), Option<NoWorker>> {
    let is_queued = if claim.is_queued && part::OUT_OF_ORDER.is_used() {
        match slot.state.occupy_taken_over(priority, bits) {
            Occupied::Queued => true,
            Occupied::Unqueued => false,
            Occupied::Reaped => return Err(None),
        }
    } else {
        slot.state.occupy(priority, bits);
        false
    };
    if !is_queued {
        pool.queues().push(claim.index, priority);
    }
    // If the port unwinds, the job goes on without its future.
    let unwound = Defer(|| handle::detach(pool, slot));
    // This comes after the fence in `Seats::call_one` (`engine/wakeups.rs`). If the pool's end
    // began before the push, the phase shows it there. If not, the party that ends the pool sees
    // the push. The handle keeps the slot meanwhile.
    let refused = match pool.seats().call_one() {
        Ok(phase) if !is_closed_in(phase) => {
            unwound.disarm();
            return Ok(());
        }
        Ok(_) => None,
        Err(reason) => Some(reason),
    };
    unwound.disarm();
    if slot.state.take_back() {
        Err(refused)
    } else {
        Ok(())
    }
}

/// Moves a job out of the slot that it was queued in, and leaves the slot. `refused` is the reason
/// why there is no worker. `None`: the pool has come to its end, or the slot was lost to a reaper.
///
/// # Safety
///
/// The job is in the slot, stored like this. Both the job and the handle are the caller's.
// On a host it is a function of its own, which makes a submit quicker. On a chip it is inlined,
// which makes a program smaller.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
unsafe fn take_back<'p, J: Job, S: Spill, const BYTES: usize, const KEPT: usize>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    priority: usize,
    refused: Option<NoWorker>,
) -> SubmitError<J> {
    // The slot is left even if the spill policy unwinds.
    let leave_scope = VTableOf::<J, S, BYTES, KEPT>::TABLE.leave_scope;
    let left = Defer(move || leave_refused(pool, slot, leave_scope));
    // SAFETY: the caller's promise.
    let job = unsafe { Stored::<J, S, BYTES, KEPT>::take(slot.payload()) };
    drop(left);
    match refused {
        Some(reason) => SubmitError::NoWorker(job, reason),
        None => refusal(pool, priority).map(|()| job),
    }
}

/// The submitter leaves the slot of a job that it has taken back. No party begins that job any
/// more.
#[cold]
fn leave_refused<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    leave_scope: Option<unsafe fn(*const ScopeState)>,
) {
    if let Some(leave) = leave_scope {
        // SAFETY: the slot is still occupied by a scoped job, which was counted in.
        unsafe { leave(slot.scope_address(pool.geometry().bytes)) };
    }
    pool.slots().leave(slot, BUSY | HANDLE);
    // The job's index is in the queue, and a waiter for the pool's end may have seen it there. The
    // slot is left before the reaping: of two submitters that come here at the same time, the later
    // one takes both indices out.
    let _reaped = Defer(|| pool.slots().reap());
    pool.seats().wake_all_at_the_end();
}
