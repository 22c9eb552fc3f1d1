//! The calls that fill slots: jobs, tasks and promises.

use std::{
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll as Polled, Waker},
};

use corepool::Promise;
use corepool_model::{End as Ended, Job, Model, Refusal};

use super::may_block;
use crate::{
    answers::{check_refused, check_submitted},
    bodies::{Task, closure, job_begins, job_ends},
    call::{Body, Kind, Poll},
    perform::perform,
    values::Value,
    world::{Frame, framed, timeout, world},
};

pub(crate) fn submit(priority: u8, kind: Kind, body: &Body) {
    let (pool, job, priority) = world(|world| {
        let priority = world.priority(priority);
        (world.pool.at(priority), Job(world.name()), priority)
    });
    if matches!(kind, Kind::Waiting) && may_block() {
        return submit_waiting(job, priority, body);
    }
    let expected = world(|world| world.model.submit(job, priority));
    match kind {
        Kind::Plain | Kind::Waiting => {
            check_submitted(job, pool.submit(closure(job, body)), expected)
        }
        Kind::Cancellable => {
            let captured = Box::new((Value::new(job), body.clone()));
            let submitted = pool.submit_cancellable(move |token| {
                let (value, body) = *captured;
                job_begins(job);
                for call in &body.calls {
                    perform(call);
                    let asked = world(|world| world.model.cancel_requested(job));
                    assert_eq!(token.is_cancelled(), asked, "the token of {job:?}");
                }
                drop(value);
                job_ends(job, body.panics);
                Value::new(job)
            });
            check_submitted(job, submitted, expected);
        }
        Kind::Detached => {
            let run = closure(job, body);
            match (pool.submit_detached(move || drop(run())), expected) {
                (Ok(()), Ok(())) => world(|world| world.model.drop_handle(job)),
                (Err(error), Err(refusal)) => check_refused(job, error, refusal),
                (submitted, expected) => panic!("{job:?}: {submitted:?}, but {expected:?}"),
            }
        }
        Kind::Async => {
            let mut submit = pool.submit_async(closure(job, body));
            match Pin::new(&mut submit).poll(&mut Context::from_waker(Waker::noop())) {
                Polled::Ready(submitted) => check_submitted(job, submitted, expected),
                Polled::Pending => {
                    assert_eq!(expected, Err(Refusal::Full));
                    // It has looked once more, with its waker left.
                    assert!(!world(|world| world.model.has_room(priority)));
                }
            }
        }
    }
}

/// A submit that runs jobs until there is room, the pool takes no more, or nothing is left to run.
fn submit_waiting(job: Job, priority: usize, body: &Body) {
    let is_over = move |model: &mut Model| model.has_room(priority) || model.refusal().is_some();
    let frame = Frame {
        over: Some(Rc::new(is_over)),
        ..Frame::default()
    };
    let mut expected = world(|world| world.model.submit(job, priority));
    // The model has it queued only when there is room, and that is after the jobs that make some.
    let must_wait = expected == Err(Refusal::Full);
    let timeout = timeout(false);
    let submitted = framed(
        frame,
        |pool| {
            pool.at(priority)
                .submit_timeout(closure(job, body), timeout)
        },
        |world, _| {
            while must_wait && expected == Err(Refusal::Full) {
                world.catch_up();
                if !world.is_over() {
                    break;
                }
                expected = world.model.submit(job, priority);
            }
        },
    );
    check_submitted(job, submitted, expected);
}

pub(crate) fn spawn(priority: u8, polls: &[Poll]) {
    let (pool, job, priority) = world(|world| {
        let priority = world.priority(priority);
        (world.pool.at(priority), Job(world.name()), priority)
    });
    let expected = world(|world| world.model.submit(job, priority));
    check_submitted(job, pool.spawn(Task::new(job, polls)), expected);
}

/// Wakes by a waker, of a task that may have ended: who is in its slot now is woken.
pub(crate) fn wake(number: u8) {
    let waker = world(|world| {
        let count = world.wakers.len();
        let (slot, waker) = world
            .wakers
            .get(usize::from(number).checked_rem(count)?)?
            .clone();
        let tenant = world
            .model
            .jobs()
            .find(|job| world.slots.get(job) == Some(&slot));
        if let Some(job) = tenant {
            world.model.wake(job);
        }
        Some(waker)
    });
    if let Some(waker) = waker {
        waker.wake();
    }
}

pub(crate) fn promise(priority: u8) {
    let (pool, job, priority) = world(|world| {
        let priority = world.priority(priority);
        (world.pool.at(priority), Job(world.name()), priority)
    });
    let expected = world(|world| world.model.promise(job, priority));
    let value = Value::new(job);
    match (pool.promise(), expected) {
        (Ok((promise, future)), Ok(())) => world(|world| {
            world.promises.push((job, promise));
            world.keep(job, future);
        }),
        (Err(error), Err(refusal)) => return check_refused(job, error.map(|()| value), refusal),
        (made, expected) => panic!("{job:?}: {made:?}, but {expected:?}"),
    }
    drop(value);
}

pub(crate) fn keep_promise(job: Job, promise: Promise<'static, Value>, keep: bool) {
    let ended = world(|world| world.model.end_of(job).is_some());
    assert_eq!(
        promise.is_cancelled(),
        ended,
        "whether the promise of {job:?} is needed"
    );
    let end = if keep { Ended::Returned } else { Ended::Lost };
    let expected = world(|world| {
        let kept = world.model.keep_promise(job, end);
        world.note(job);
        kept
    });
    if !keep {
        return drop(promise);
    }
    match promise.set_result(Value::new(job)) {
        Ok(()) => assert!(expected, "{job:?} had ended"),
        Err(value) => assert!(!expected && value.job == job, "{job:?} was waited for"),
    }
}
