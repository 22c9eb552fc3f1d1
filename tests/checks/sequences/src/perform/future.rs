//! Calls on one future.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll as Polled, Waker},
};

use corepool::{CallbackError, JobError};
use corepool_model::{Callback, End as Ended, Job, JobState, Refusal};

use crate::{
    answers::{check_error, check_taken},
    bodies,
    call::{Blocking, Body},
    values,
    world::{Flag, Frame, Handle, World, framed, timeout, world},
};

pub(crate) fn add_callback(job: Job, future: &mut Handle, body: &Body) {
    check_added(job, |callback| {
        future.add_done_callback(bodies::callback(job, callback, body))
    });
}

/// Adds a callback by `add`, and compares the answer with what the model says.
pub(super) fn check_added<F>(job: Job, add: impl FnOnce(Callback) -> Result<(), CallbackError<F>>) {
    let (callback, expected) = world(|world| {
        let callback = Callback(world.name());
        let expected = world.model.add_callback(job, callback);
        if expected == Ok(false) {
            world.at_once = Some(callback);
        }
        (callback, expected)
    });
    match (add(callback), expected) {
        (Ok(()), Ok(_)) => {}
        (Err(error), Err(Refusal::Full)) => {
            assert!(matches!(error, CallbackError::Full(_)));
            let before = values::there();
            drop(error.into_inner());
            assert_eq!(values::there(), before - 1, "the callback comes back");
        }
        (added, expected) => {
            let added = added.map_err(|error| drop(error.into_inner()));
            panic!("a callback of {job:?}: {added:?}, but {expected:?}");
        }
    }
}

pub(crate) fn look(job: Job, future: &Handle) {
    world(|world| {
        let model = &world.model;
        let state = match future.state() {
            corepool::JobState::Pending => JobState::Pending,
            corepool::JobState::Running => JobState::Running,
            corepool::JobState::Cancelled => JobState::Cancelled,
            corepool::JobState::Finished => JobState::Finished,
        };
        assert_eq!(state, model.state(job), "the state of {job:?}");
        assert_eq!(future.done(), model.is_shown(job));
        assert_eq!(future.running(), state == JobState::Running);
        assert_eq!(future.cancelled(), state == JobState::Cancelled);
        assert_eq!(future.cancel_requested(), model.cancel_requested(job));
        assert_eq!(future.id().index(), world.slots[&job]);
    });
}

pub(crate) fn poll_future(job: Job, future: &mut Handle) {
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let polled = Pin::new(future).poll(&mut Context::from_waker(&waker));
    world(|world| {
        world.awaited.retain(|(awaited, _)| *awaited != job);
        if polled.is_pending() {
            assert!(!world.model.is_ready(job), "{job:?} is ready");
            world.awaited.push((job, flag));
        }
    });
    if let Polled::Ready(result) = polled {
        check_taken(job, result);
    }
}

pub(crate) fn drop_future(job: Job, future: Handle, cancel: bool) {
    world(|world| {
        if cancel {
            world.model.cancel(job);
            world.note(job);
        }
        world.awaited.retain(|(awaited, _)| *awaited != job);
    });
    if cancel {
        drop(future.cancel_on_drop());
    } else {
        drop(future);
    }
    // After the callbacks.
    world(|world| world.model.drop_handle(job));
}

pub(crate) fn block(job: Job, mut future: Handle, how: Blocking, looks: bool) {
    world(|world| world.awaited.retain(|(awaited, _)| *awaited != job));
    let endless = matches!(how, Blocking::Result | Blocking::Error);
    let frame = Frame {
        endless,
        looks: looks && !endless,
        awaits: vec![job],
        over: Some(Rc::new(move |model| model.is_ready(job))),
        ..Frame::default()
    };
    let timeout = timeout(looks);
    let stuck = Cell::new(false);
    let go_on = |world: &mut World| {
        world.catch_up();
        stuck.set(world.is_stuck());
    };
    let is_ready = || world(|world| world.model.is_ready(job));
    // How a call ends that waits for a job that is not ready.
    let check_blocked = |error: &JobError| match error {
        JobError::TimedOut => assert!(!endless),
        JobError::WouldDeadlock => assert!(stuck.get(), "{job:?} waits for nobody"),
        error => panic!("{job:?} is not ready, but {error}"),
    };
    match how {
        Blocking::Result => {
            let result = framed(frame, |_| future.result(), |world, _| go_on(world));
            if is_ready() {
                check_taken(job, result);
            } else {
                check_blocked(&result.expect_err("the job is not ready"));
            }
            return world(|world| world.model.drop_handle(job));
        }
        Blocking::ResultTimeout => {
            let result = framed(
                frame,
                |_| future.result_timeout(timeout),
                |world, _| go_on(world),
            );
            match result {
                result if is_ready() => check_taken(job, result),
                result => check_blocked(&result.expect_err("the job is not ready")),
            }
        }
        Blocking::Error | Blocking::ErrorTimeout => {
            let error = if endless {
                framed(frame, |_| future.error(), |world, _| go_on(world))
            } else {
                let error = |_| future.error_timeout(timeout);
                framed(frame, error, |world, _| go_on(world)).unwrap_or_else(Some)
            };
            match error {
                None => {
                    let end = world(|world| world.model.end_of(job));
                    assert_eq!((is_ready(), end), (true, Some(Ended::Returned)));
                }
                Some(error) if is_ready() => world(|world| {
                    let end = world.model.end_of(job).expect("the job is ready");
                    check_error(world, job, error, end);
                }),
                Some(error) => check_blocked(&error),
            }
        }
    }
    world(|world| world.futures.push((job, future)));
}
