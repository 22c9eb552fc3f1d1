//! The outcome of an ended job: reading, taking and dropping what its payload holds.

use core::{
    fmt,
    mem::{self, ManuallyDrop},
};

use crate::{
    engine::guard,
    error::{Failure, JobError, LossReason, Panic},
    lockfree::state::Outcome,
    memory::payload::{LEAST, PANICS, PAYLOAD_ALIGN},
    memory::pool::Pool,
    memory::slot::SlotRef,
};

/// The address of a job's result: in the payload, or in the place that it was spilled to.
///
/// # Safety
///
/// The job returned. `payload` is its slot's payload.
#[inline(always)]
unsafe fn result_in(slot: SlotRef<'_>, payload: *const u8) -> *const u8 {
    // SAFETY: the job returned, so the payload holds the result, or the pointer to its place.
    unsafe {
        match slot.vtable().spilled {
            None => payload,
            Some(_) => payload.cast::<*const u8>().read(),
        }
    }
}

/// The address of a job's result, for reading.
///
/// # Safety
///
/// The job returned, and the slot stays occupied.
pub(crate) unsafe fn result_place(slot: SlotRef<'_>) -> *const u8 {
    // SAFETY: the caller's promise.
    unsafe { result_in(slot, slot.payload_shared()) }
}

/// Takes the result out of the payload, and frees the place that it was spilled to.
///
/// # Safety
///
/// The job returned a `T`, which the caller owns and has not taken.
#[inline(always)]
pub(crate) unsafe fn take_result<T>(slot: SlotRef<'_>) -> T {
    // SAFETY: the caller's promise. A `T` is in the payload, or where the payload's pointer leads,
    // and it is read once.
    unsafe {
        let place = result_in(slot, slot.payload()).cast_mut();
        let result = place.cast::<T>().read();
        if let Some(release) = slot.vtable().spilled {
            release(place);
        }
        result
    }
}

/// The error for an outcome. `None` if the job has a result.
///
/// # Safety
///
/// `outcome` is that of the job in this slot, whose payload is not written meanwhile.
pub(crate) unsafe fn error<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    outcome: Outcome,
) -> Option<JobError> {
    Some(match outcome {
        Outcome::Returned => return None,
        Outcome::Cancelled => JobError::Cancelled,
        // SAFETY: the caller's promise.
        Outcome::Panicked => JobError::Panicked(unsafe { shared_panic(slot) }),
        Outcome::WorkerLost => JobError::WorkerLost(LossReason::DECLARED),
        // SAFETY: the outcome is `Failed`, so the payload holds a failure (the caller's promise).
        Outcome::Failed => unsafe {
            let place = slot.payload_shared();
            place.cast::<Failure>().read().into()
        },
        Outcome::Broken => match pool.phase().broken_reason() {
            Some(reason) => JobError::Broken(reason),
            None => JobError::Cancelled,
        },
    })
}

/// An error as a text shows it that calls no foreign code.
pub(crate) enum Shown {
    /// A panic. Its own text would call the port's code.
    Panicked,
    /// An error of a promise. Its own text would call the application's code.
    Failed,
    /// Any other error.
    Error(JobError),
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked => f.write_str("Panicked"),
            Self::Failed => f.write_str("Failed"),
            Self::Error(error) => error.fmt(f),
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Shown {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Panicked => defmt::write!(f, "Panicked"),
            Self::Failed => defmt::write!(f, "Failed"),
            Self::Error(error) => defmt::write!(f, "{}", error),
        }
    }
}

/// The error for an outcome, to be shown. `None` if the job has a result.
///
/// # Safety
///
/// As for [`error`].
pub(crate) unsafe fn shown_error<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    outcome: Outcome,
) -> Option<Shown> {
    if outcome == Outcome::Panicked {
        return Some(Shown::Panicked);
    }
    // SAFETY: the caller's promise.
    let error = unsafe { error(pool, slot, outcome) }?;
    Some(match error {
        JobError::Failed(_) => Shown::Failed,
        other => Shown::Error(other),
    })
}

/// Whether a panic is handed out for the last time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandOut {
    /// The handle may ask again. It gets the same text then.
    Again,
    /// The handle is about to go away.
    Last,
}

/// Hands out the panic in the payload.
///
/// # Safety
///
/// The job panicked, and the payload is the caller's.
unsafe fn hand_out(slot: SlotRef<'_>, how: HandOut) -> Panic {
    // SAFETY: the caller's promise.
    let panic = unsafe { &mut **slot.payload().cast::<ManuallyDrop<Panic>>() };
    match how {
        HandOut::Again => panic.hand_out(),
        HandOut::Last => mem::replace(panic, Panic::unknown()),
    }
}

/// A clone of the panic in the payload, or a panic without payload.
///
/// # Safety
///
/// The job panicked, and the payload is not written meanwhile.
unsafe fn shared_panic(slot: SlotRef<'_>) -> Panic {
    if !PANICS {
        return Panic::unknown();
    }
    // SAFETY: the job panicked, so the payload holds a panic. It is only read (the caller's
    // promise).
    let panic = unsafe { &*slot.payload_shared().cast::<ManuallyDrop<Panic>>() };
    panic.share().unwrap_or(Panic::unknown())
}

/// The error of an ended job. `None` if the job returned, even if its result was taken.
///
/// # Safety
///
/// The job is ready, and the caller is the handle.
pub(crate) unsafe fn take_error<'p>(
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    how: HandOut,
) -> Option<JobError> {
    let outcome = slot.state.load().outcome();
    if PANICS && outcome == Outcome::Panicked {
        // SAFETY: the job is ready and has panicked, so the payload holds a panic, which is the
        // handle's.
        return Some(JobError::Panicked(unsafe { hand_out(slot, how) }));
    }
    // SAFETY: it is the job's outcome, and the payload is the handle's.
    unsafe { error(pool, slot, outcome) }
}

/// The error for a handle that finds no result to take. `AlreadyTaken` if the job returned.
///
/// # Safety
///
/// As for `take_error`.
#[cold]
pub(crate) unsafe fn why_nothing<'p>(pool: Pool<'p>, slot: SlotRef<'p>, how: HandOut) -> JobError {
    // SAFETY: the caller's promise.
    unsafe { take_error(pool, slot, how) }.unwrap_or(JobError::AlreadyTaken)
}

/// Drops what an ended job left in its payload.
///
/// # Safety
///
/// The payload is the caller's, and holds what `outcome` stands for.
pub(crate) unsafe fn drop_payload<'p>(pool: Pool<'p>, slot: SlotRef<'p>, outcome: Outcome) {
    match outcome {
        Outcome::Returned => {
            guard::call(pool, &mut || {
                // SAFETY: the caller's promise.
                unsafe { (slot.vtable().drop_result)(slot.payload()) };
            });
        }
        Outcome::Panicked if PANICS => {
            // SAFETY: the caller's promise.
            let panic = unsafe { slot.payload().cast::<Panic>().read() };
            if panic.is_unobserved() && !slot.state.load().is_told() {
                guard::report(pool, panic);
            } else if panic.has_payload() {
                let mut panic = Some(panic);
                guard::call(pool, &mut || drop(panic.take()));
            }
        }
        _ => {}
    }
}

/// Puts a panic in the place of the result.
///
/// # Safety
///
/// The caller is `BUSY` with the slot, and its payload is empty.
pub(crate) unsafe fn put_panic(slot: SlotRef<'_>, panic: Panic) {
    if PANICS {
        // SAFETY: every payload has room for a panic before a scope's pointer (`capacity`, and the
        // check of `Scope::put_scoped`). The rest is the caller's promise.
        unsafe { slot.payload().cast::<Panic>().write(panic) };
    }
}

const _: () = assert!(
    size_of::<Failure>() <= LEAST
        && align_of::<Failure>() <= PAYLOAD_ALIGN
        && align_of::<Panic>() <= PAYLOAD_ALIGN
);
