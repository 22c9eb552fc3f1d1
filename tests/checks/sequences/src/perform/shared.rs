//! Calls on a future that several hold.

use std::rc::Rc;

use corepool::JobError;
use corepool_model::{End as Ended, Job, Taken};

use super::{future::check_added, may_block};
use crate::{
    answers::end_of,
    bodies,
    call::{Body, Holding},
    world::{Frame, Shared, framed, timeout, world},
};

pub(crate) fn share(number: u8) {
    let Some((job, future)) = world(|world| world.choose(number)) else {
        return;
    };
    world(|world| {
        // The waker that was left is dropped.
        world.awaited.retain(|(awaited, _)| *awaited != job);
        world.model.share(job);
        world.holders.push((job, future.share()));
    });
}

pub(crate) fn hold(number: u8, what: &Holding) {
    let chosen = world(|world| {
        let count = world.holders.len();
        (count > 0).then(|| world.holders.remove(usize::from(number) % count))
    });
    let Some((job, holder)) = chosen else {
        return;
    };
    match what {
        Holding::Clone => world(|world| {
            world.model.hold(job);
            world.holders.push((job, holder.clone()));
        }),
        Holding::Look => look(job, &holder),
        Holding::Block { looks } if may_block() => block(job, &holder, *looks),
        Holding::Block { .. } => {}
        Holding::AddCallback(body) => add_callback(job, &holder, body),
        Holding::Cancel => {
            let expected = world(|world| {
                let expected = world.model.cancel(job);
                world.note(job);
                expected
            });
            assert_eq!(holder.cancel(), expected, "cancel {job:?}");
        }
        Holding::Drop => return drop_holder(job, holder),
    }
    world(|world| world.holders.push((job, holder)));
}

pub(crate) fn drop_holder(job: Job, holder: Shared) {
    drop(holder);
    world(|world| world.model.drop_holder(job));
}

fn look(job: Job, holder: &Shared) {
    super::future::look(job, holder);
    match holder.try_result() {
        Some(result) => check_looked(job, result),
        None => assert!(!world(|world| world.model.is_shown(job)), "{job:?} is done"),
    }
}

fn block(job: Job, holder: &Shared, looks: bool) {
    let frame = Frame {
        looks,
        awaits: vec![job],
        over: Some(Rc::new(move |model| model.is_shown(job))),
        ..Frame::default()
    };
    let timeout = timeout(looks);
    let result = framed(
        frame,
        |_| holder.result_timeout(timeout),
        |world, _| world.catch_up(),
    );
    if world(|world| world.model.is_shown(job)) {
        return check_looked(job, result);
    }
    let error = result.expect_err("the job has not ended");
    assert!(matches!(error, JobError::TimedOut), "{job:?}: {error}");
}

fn add_callback(job: Job, holder: &Shared, body: &Body) {
    check_added(job, |callback| {
        holder.add_done_callback(bodies::callback(job, callback, body))
    });
}

/// Compares what a holder sees of a job that has ended with what the model says.
fn check_looked(job: Job, result: Result<&crate::values::Value, JobError>) {
    world(|world| {
        let seen = world.model.look(job).expect("the job has ended");
        match (result, seen) {
            (Ok(value), Taken::End(Ended::Returned)) => assert_eq!(value.job, job),
            (Err(JobError::AlreadyTaken), Taken::Before) => {}
            (Err(error), Taken::End(end)) => {
                assert_eq!(end_of(&error, world.broken_for), end, "how {job:?} ended");
            }
            (result, seen) => panic!("{job:?} shows {result:?}, which is {seen:?}"),
        }
    });
}
