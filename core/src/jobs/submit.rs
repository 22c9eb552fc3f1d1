use crate::{
    engine::handle,
    engine::slots::Claim,
    error::{NoWorker, SubmitError},
    jobs::job::Job,
    jobs::vtable::VTableOf,
    lockfree::defer::Defer,
    lockfree::state::{BUSY, HANDLE, Occupied, QUEUED, SCOPED, TASK},
    memory::payload::{Spill, Stored, capacity},
    memory::phase::{BROKEN, SHUT_DOWN},
    memory::pool::Pool,
    memory::scoped::ScopeState,
    memory::slot::SlotRef,
};

/// Whether the pool takes jobs of this priority.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn admits(pool: Pool<'_>, priority: usize) -> bool {
    priority < pool.geometry().priorities && !pool.phase().is_closed()
}

/// Why a job was not admitted, or was taken back.
#[cold]
pub(crate) fn refusal(pool: Pool<'_>, priority: usize) -> SubmitError<()> {
    if priority >= pool.geometry().priorities {
        return SubmitError::NoSuchPriority(());
    }
    match pool.phase().broken_reason() {
        Some(reason) => SubmitError::Broken((), reason),
        None if pool.phase().is_closed() => SubmitError::ShutDown(()),
        None => SubmitError::Full(()),
    }
}

/// Moves a job into a slot.
///
/// # Safety
///
/// The slot is the caller's and empty; the job fits before the last `KEPT` bytes, or spills.
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

/// Moves a job into a free slot and queues it. The last `KEPT` bytes of the payload are `keep`'s to write: a
/// scope's address, if any, which has counted the job in by then. The slot has a handle, which the caller makes.
///
/// # Safety
///
/// The job and its result may be run and dropped in any context, until the slot is free: they
/// are `Send` and outlive that.
// Each closure is a type of its own, and so has code of its own here. Inlined, that need not look up what is
// known where it is submitted, nor read the future from memory as soon as it is written. For a chip a program
// is built as a whole, and so it is inlined where that pays.
#[cfg_attr(target_os = "none", inline)]
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) unsafe fn put<'p, J: Job, S: Spill, const BYTES: usize, const KEPT: usize>(
    pool: Pool<'p>,
    priority: usize,
    keep: impl FnOnce(SlotRef<'p>, *mut u8),
    job: J,
) -> Result<SlotRef<'p>, SubmitError<J>> {
    const { VTableOf::<J, S, BYTES, KEPT>::FITS };
    let Some(claim) = admit(pool, priority) else {
        return Err(refusal(pool, priority).map(|()| job));
    };
    let slot = pool.slot(claim.index);
    // SAFETY: the slot was claimed just now, or taken over, so it is the caller's and empty; `FITS` says that
    // the job fits before the last KEPT bytes, or spills.
    unsafe {
        // What spills it may unwind.
        let unwound = Defer(|| pool.slots().unclaim(claim));
        fill::<J, S, BYTES, KEPT>(slot, job);
        unwound.disarm();
        keep(slot, slot.payload().add(capacity(BYTES) - KEPT));
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
    // SAFETY: taken back before anybody began it: the job is there, and the caller's.
    Err(unsafe { take_back::<J, S, BYTES, KEPT>(pool, slot, priority, refused) })
}

/// A slot for a job. `None`: see `refusal`.
#[cfg_attr(not(target_os = "none"), inline(always))]
fn admit(pool: Pool<'_>, priority: usize) -> Option<Claim> {
    if !admits(pool, priority) {
        return None;
    }
    pool.slots().claim_to_queue(priority)
}

/// Queues the job in a slot, whose state is then these bits, and wakes a worker. An error: the job was taken
/// back, since the slot is the pool's no more or the pool has come to its end, or since there is no worker, for
/// this reason.
#[cfg_attr(not(target_os = "none"), inline(always))]
fn launch<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    claim: Claim,
    priority: usize,
    bits: u32,
) -> Result<(), Option<NoWorker>> {
    let is_queued = if claim.is_queued {
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
    // A port that unwinds has the job go on without its future.
    let unwound = Defer(|| handle::detach(pool, slot));
    // After the fence in `Seats::call_one`: if the pool's end began before the push, it is seen
    // there; if not, whoever ends the pool sees the push. The handle keeps the slot meanwhile.
    let refused = match pool.seats().call_one() {
        Ok(phase) if phase & (SHUT_DOWN | BROKEN) == 0 => {
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

/// Moves a job out of the slot that it was queued in, and leaves the slot. Why it was refused: for this reason,
/// since there is no worker, or for the pool's end.
///
/// # Safety
///
/// The job is in the slot, stored like this, and is the caller's, as the handle is.
// Apart on a host, as a submit is quicker then; part of it on a chip, as a program is smaller then.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
unsafe fn take_back<'p, J: Job, S: Spill, const BYTES: usize, const KEPT: usize>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    priority: usize,
    refused: Option<NoWorker>,
) -> SubmitError<J> {
    // Even if what has spilled it unwinds.
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

/// The submitter leaves the slot of a job that it has taken back, and that nobody begins any more.
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
    // Its index is in the queue: who waits for the pool's end may have seen it there. In this order: of two
    // who come here at the same time, one takes both out.
    let _reaped = Defer(|| pool.slots().reap());
    pool.seats().wake_all_at_the_end();
}
