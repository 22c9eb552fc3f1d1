//! Jobs, tasks and callbacks: they tell the model that they begin and end, and make the calls that
//! the sequence has for them in between.

use std::{
    collections::VecDeque,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll as Polled},
};

use corepool::JobError;
use corepool_model::{Callback, End as Ended, Job, Next, Suspension};

use crate::{
    answers::end_of,
    call::{Body, Call, Poll},
    machine::OnPurpose,
    perform::perform,
    values::Value,
    world::{check_counts, world},
};

/// A job tells the model that it begins.
pub(crate) fn job_begins(job: Job) {
    world(|world| {
        while world.sweep() {}
        loop {
            match world.next() {
                Next::Started(started) => {
                    assert_eq!(started, job, "the order of jobs");
                    // A caller whose worker was lost has become another, who is in no job.
                    let frame = world.frame();
                    frame.in_job &= !frame.lost;
                    frame.lost = false;
                    break;
                }
                Next::None => panic!("{job:?} ran, and was not queued"),
                Next::Skipped(_) | Next::Dropped(..) => {}
            }
        }
        if let (Some(hook), Some(&slot)) = (world.hook.take(), world.slots.get(&job)) {
            assert_eq!(hook, slot, "the slot that the worker was told");
        }
    });
    check_counts();
}

/// A job tells the model that it ends.
pub(crate) fn job_ends(job: Job, panics: bool) {
    let end = if panics {
        Ended::Panicked
    } else {
        Ended::Returned
    };
    world(|world| {
        world.model.finish(job, end);
        world.note(job);
    });
    if panics {
        resume_unwind(Box::new(OnPurpose));
    }
}

fn perform_all(calls: &[Call]) {
    for call in calls {
        perform(call);
        check_counts();
    }
}

/// A closure that runs as `job`.
pub(crate) fn closure(job: Job, body: &Body) -> impl FnOnce() -> Value + Send + 'static {
    let captured = Box::new((Value::new(job), body.clone()));
    move || {
        let (value, body) = *captured;
        job_begins(job);
        perform_all(&body.calls);
        drop(value);
        job_ends(job, body.panics);
        Value::new(job)
    }
}

/// A callback tells the model that it begins. True if it runs where it was added.
fn callback_begins(job: Job, callback: Callback, outcome: Result<&Value, &JobError>) -> bool {
    world(|world| {
        let at_once = world.at_once.take() == Some(callback);
        let end = if at_once {
            world.model.end_of(job)
        } else {
            let is_next = |next: Option<(Callback, Ended)>| next.is_some_and(|it| it.0 == callback);
            while !is_next(world.model.next_callback(job)) {
                if !world.sweep() {
                    let next = world.next();
                    assert!(
                        matches!(next, Next::Skipped(_) | Next::Dropped(..)),
                        "{callback:?} of {job:?} ran before its turn"
                    );
                }
            }
            world.model.begin_callback(job).map(|(_, end)| end)
        };
        let taken = at_once && world.model.is_taken(job);
        match outcome {
            Ok(value) => assert_eq!((end, taken, value.job), (Some(Ended::Returned), false, job)),
            Err(JobError::AlreadyTaken) => assert!(taken),
            Err(error) => assert_eq!((end, taken), (Some(end_of(error, world.broken_for)), false)),
        }
        world.callback_depth += 1;
        at_once
    })
}

/// A callback tells the model that it ends.
fn callback_ends(job: Job, at_once: bool, panics: bool) {
    world(|world| {
        world.callback_depth -= 1;
        if at_once && panics {
            world.model.callback_panicked();
        } else if !at_once {
            world.model.end_callback(job, panics);
            world.note(job);
        }
    });
    if panics {
        resume_unwind(Box::new(OnPurpose));
    }
}

/// A closure that runs as a callback of `job`.
pub(crate) fn callback(
    job: Job,
    callback: Callback,
    body: &Body,
) -> impl FnOnce(Result<&Value, &JobError>) + Send + 'static {
    let captured = Box::new((Value::new(job), body.clone()));
    move |outcome| {
        let (value, body) = *captured;
        let at_once = callback_begins(job, callback, outcome);
        perform_all(&body.calls);
        drop(value);
        callback_ends(job, at_once, body.panics);
    }
}

/// A task that does at each poll what the sequence says.
pub(crate) struct Task {
    job: Job,
    value: Option<Value>,
    polls: VecDeque<Poll>,
}

impl Task {
    pub(crate) fn new(job: Job, polls: &[Poll]) -> Self {
        Self {
            job,
            value: Some(Value::new(job)),
            polls: polls.iter().cloned().collect(),
        }
    }
}

impl Future for Task {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<Value> {
        let job = self.job;
        job_begins(job);
        let poll = self
            .polls
            .pop_front()
            .expect("a task is not polled after its end");
        if poll.keep_waker {
            world(|world| {
                let slot = world.slots[&job];
                world.wakers.push((slot, cx.waker().clone()));
            });
        }
        if poll.wake {
            world(|world| world.model.wake(job));
            cx.waker().wake_by_ref();
        }
        perform_all(&poll.body.calls);
        if self.polls.is_empty() || poll.body.panics {
            self.value = None;
            job_ends(job, poll.body.panics);
            return Polled::Ready(Value::new(job));
        }
        world(|world| {
            if let Suspension::Dropped(_) = world.model.suspend(job) {
                world.note(job);
            }
        });
        Polled::Pending
    }
}
