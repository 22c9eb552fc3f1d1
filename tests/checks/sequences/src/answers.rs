//! The pool's answers, compared with the model's.

use corepool::{BrokenReason, JobError, SubmitError};
use corepool_model::{End as Ended, Job, Refusal, Taken};

use crate::{
    machine::OnPurpose,
    values::{self, Value},
    world::{Handle, World, world},
};

/// How a job ended, by its error. A broken pool's reason is compared with the model's.
#[track_caller]
pub(crate) fn end_of(error: &JobError, broken_for: Option<BrokenReason>) -> Ended {
    match error {
        JobError::Cancelled => Ended::Cancelled,
        JobError::Panicked(_) => Ended::Panicked,
        JobError::WorkerLost(_) | JobError::PromiseDropped => Ended::Lost,
        JobError::Broken(reason) => {
            assert_eq!(Some(*reason), broken_for);
            Ended::Broken
        }
        error => panic!("{error}"),
    }
}

/// Compares what the pool gave for a job that is ready with what the model says.
pub(crate) fn check_taken(job: Job, result: Result<Value, JobError>) {
    world(|world| {
        let taken = world.model.take(job).expect("the job is ready");
        match (result, taken) {
            (Ok(value), Taken::End(Ended::Returned)) => assert_eq!(value.job, job),
            (Err(JobError::AlreadyTaken), Taken::Before) => {}
            (Err(error), Taken::End(end)) => check_error(world, job, error, end),
            (result, taken) => panic!("{job:?} gave {result:?}, which is {taken:?}"),
        }
    });
}

pub(crate) fn check_error(world: &mut World, job: Job, error: JobError, end: Ended) {
    assert_eq!(end_of(&error, world.broken_for), end, "how {job:?} ended");
    if let JobError::Panicked(panic) = error {
        let payload = panic.into_payload::<OnPurpose>().is_ok();
        assert_eq!(
            payload,
            world.model.take_payload(job),
            "whether the payload was there"
        );
    }
}

/// Compares how a submit was refused with what the model says; what was submitted is dropped.
pub(crate) fn check_refused<F>(job: Job, error: SubmitError<F>, refusal: Refusal) {
    let said = match error {
        SubmitError::Full(_) => Refusal::Full,
        SubmitError::ShutDown(_) => Refusal::ShutDown,
        SubmitError::Broken(_, reason) => {
            assert_eq!(Some(reason), world(|world| world.broken_for));
            Refusal::Broken
        }
        SubmitError::NoSuchPriority(_) => Refusal::NoSuchPriority,
        _ => panic!("{error}"),
    };
    assert_eq!(said, refusal, "why {job:?} was refused");
    let before = values::there();
    drop(error.into_inner());
    assert_eq!(values::there(), before - 1, "what was submitted comes back");
}

/// A job that was submitted, or not.
pub(crate) fn check_submitted<F>(
    job: Job,
    submitted: Result<Handle, SubmitError<F>>,
    expected: Result<(), Refusal>,
) {
    match (submitted, expected) {
        (Ok(future), Ok(())) => world(|world| world.keep(job, future)),
        (Err(error), Err(refusal)) => check_refused(job, error, refusal),
        (submitted, expected) => panic!("{job:?}: {submitted:?}, but {expected:?}"),
    }
}
