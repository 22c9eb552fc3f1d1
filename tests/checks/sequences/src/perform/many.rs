//! Calls on several jobs at once: sets of futures, and scopes.

use std::rc::Rc;

use corepool::{FutureSet, ReturnWhen, as_completed, wait};
use corepool_model::{End as Ended, Job, Model};

use crate::{
    answers::check_refused,
    bodies::closure,
    call::Body,
    values::Value,
    world::{Frame, Handle, SET, framed, timeout, world},
};

pub(crate) fn wait_on(bits: u8, when: u8, looks: bool) {
    let (jobs, mut futures): (Vec<Job>, Vec<Handle>) =
        world(|world| world.choose_set(bits)).into_iter().unzip();
    let when = match when % 3 {
        0 => ReturnWhen::FirstCompleted,
        1 => ReturnWhen::FirstException,
        _ => ReturnWhen::AllCompleted,
    };
    let members = jobs.clone();
    let over = move |model: &mut Model| {
        let jobs = &members;
        let all = jobs.iter().all(|&job| model.is_ready(job));
        let failed = |&job: &Job| {
            let end = model.end_of(job);
            model.is_ready(job) && !matches!(end, Some(Ended::Returned | Ended::Cancelled))
        };
        match when {
            ReturnWhen::FirstCompleted => {
                jobs.is_empty() || jobs.iter().any(|&job| model.is_ready(job))
            }
            ReturnWhen::FirstException => all || jobs.iter().any(failed),
            ReturnWhen::AllCompleted => all,
        }
    };
    let timeout = Some(timeout(looks));
    let frame = Frame {
        awaits: jobs.clone(),
        over: Some(Rc::new(over)),
        looks,
        ..Frame::default()
    };
    let waited = framed(
        frame,
        |_| wait(&mut futures, timeout, when).map(|waited| waited.done.len()),
        |world, _| world.catch_up(),
    );
    let done = waited.expect("there are enough places for waiters, and a clock");
    world(|world| {
        for (position, future) in futures.into_iter().enumerate() {
            let slot = future.id().index();
            let job = jobs.iter().copied().find(|job| world.slots[job] == slot);
            let job = job.expect("no future is lost");
            assert_eq!(
                position < done,
                world.model.is_ready(job),
                "whether {job:?} is done"
            );
            world.futures.push((job, future));
        }
    });
}

pub(crate) fn iterate(bits: u8, asked: u8, looks: bool) {
    let (jobs, futures): (Vec<Job>, Vec<Handle>) =
        world(|world| world.choose_set(bits)).into_iter().unzip();
    let futures: FutureSet<'static, Value, SET> = futures.into_iter().collect();
    let mut left = jobs.clone();
    // Those that are ready come first, in the order of the set.
    let (ready, since) = world(|world| {
        let ready = |job: &&Job| world.model.is_ready(**job);
        (
            jobs.iter().filter(ready).copied().collect::<Vec<_>>(),
            world.ready.len(),
        )
    });
    let mut completed = as_completed(futures, Some(timeout(looks)));
    for _ in 0..asked {
        let members = left.clone();
        let over = move |model: &mut Model| {
            members.is_empty() || members.iter().any(|&job| model.is_ready(job))
        };
        let frame = Frame {
            awaits: left.clone(),
            over: Some(Rc::new(over)),
            looks,
            ..Frame::default()
        };
        let next = framed(frame, |_| completed.next(), |world, _| world.catch_up());
        let expected = world(|world| {
            let since = world.ready[since..].iter();
            ready
                .iter()
                .chain(since)
                .copied()
                .find(|job| left.contains(job))
        });
        match (next, expected) {
            (Some(Ok(future)), Some(job)) => world(|world| {
                assert_eq!(
                    future.id().index(),
                    world.slots[&job],
                    "the order of completion"
                );
                left.retain(|&other| other != job);
                world.futures.push((job, future));
            }),
            (Some(Err(error)), None) => {
                let text = format!("{} (of {}) futures unfinished", left.len(), jobs.len());
                assert_eq!(error.to_string(), text);
                assert!(completed.next().is_none());
                break;
            }
            (None, None) => {
                assert!(left.is_empty());
                break;
            }
            (next, expected) => panic!("{next:?}, but {expected:?}"),
        }
    }
    world(|world| {
        for (job, future) in left.into_iter().zip(completed.into_unfinished()) {
            assert_eq!(future.id().index(), world.slots[&job]);
            world.futures.push((job, future));
        }
    });
}

pub(crate) fn scope(bodies: &[Body]) {
    let (pool, jobs) = world(|world| {
        world.scope_depth += 1;
        let names: Vec<Job> = bodies.iter().map(|_| Job(world.name())).collect();
        (world.pool, names)
    });
    let ended = |model: &Model, job| !model.contains(job) || model.end_of(job).is_some();
    let mut submitted = Vec::new();
    let mut ran: Vec<Option<Value>> = jobs.iter().map(|_| None).collect();
    world(|world| {
        let in_job = world.is_in_job();
        world.frames.push(Frame {
            in_job,
            ..Frame::default()
        });
    });
    pool.scope(|scope| {
        for ((body, &job), place) in bodies.iter().zip(&jobs).zip(&mut ran) {
            let expected = world(|world| world.model.submit(job, 0));
            let run = closure(job, body);
            // The job uses the place that it borrows.
            let future = scope.submit(move || *place = Some(run()));
            match (future, expected) {
                (Ok(future), Ok(())) => {
                    world(|world| {
                        world.slots.insert(job, future.id().index());
                        world.model.drop_handle(job);
                    });
                    submitted.push(job);
                }
                (Err(error), Err(refusal)) => check_refused(job, error, refusal),
                (future, expected) => panic!("{job:?}: {future:?}, but {expected:?}"),
            }
        }
        // It begins them in the order of their slots.
        world(|world| {
            let own = world.by_slot().filter(|job| submitted.contains(job));
            world.frame().awaits = own.collect();
            let members = submitted.clone();
            let over = move |model: &mut Model| members.iter().all(|&job| ended(model, job));
            world.frame().over = Some(Rc::new(over));
        });
    });
    world(|world| {
        world.catch_up();
        assert!(
            submitted.iter().all(|&job| ended(&world.model, job)),
            "the scope is over"
        );
        world.frames.pop();
        world.scope_depth -= 1;
    });
}
