//! Calls on several jobs at once: sets of futures, and scopes.

use corepool::{FutureSet, ReturnWhen, as_completed, wait};
use corepool_model::{End as Ended, Job, Model};

use crate::{
    answers::check_refused,
    bodies::closure,
    call::Body,
    values::Value,
    world::{Frame, Handle, SET, framed, timeout, world},
};

pub(crate) fn wait_on(bits: u8, when: u8) {
    let (jobs, mut futures): (Vec<Job>, Vec<Handle>) =
        world(|world| world.choose_set(bits)).into_iter().unzip();
    let when = match when % 3 {
        0 => ReturnWhen::FirstCompleted,
        1 => ReturnWhen::FirstException,
        _ => ReturnWhen::AllCompleted,
    };
    let over = |model: &mut Model| {
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
    let timeout = Some(timeout());
    let waited = framed(
        Frame::default(),
        |_| wait(&mut futures, timeout, when).map(|waited| waited.done.len()),
        |world, _| world.catch_up(over),
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

pub(crate) fn iterate(bits: u8, asked: u8) {
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
    let mut completed = as_completed(futures, Some(timeout()));
    for _ in 0..asked {
        let over =
            |model: &mut Model| left.is_empty() || left.iter().any(|&job| model.is_ready(job));
        let next = framed(
            Frame::default(),
            |_| completed.next(),
            |world, _| world.catch_up(over),
        );
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
    let mut submitted = Vec::new();
    let mut ran: Vec<Option<Value>> = jobs.iter().map(|_| None).collect();
    world(|world| world.frames.push(Frame::default()));
    pool.scope(|scope| {
        for ((body, &job), place) in bodies.iter().zip(&jobs).zip(&mut ran) {
            let expected = world(|world| world.model.submit(job, 0));
            let run = closure(job, body);
            // What it borrows, it uses.
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
    });
    world(|world| {
        let ended = |model: &Model, job| !model.contains(job) || model.end_of(job).is_some();
        world.catch_up(|model| submitted.iter().all(|&job| ended(model, job)));
        assert!(
            submitted.iter().all(|&job| ended(&world.model, job)),
            "the scope is over"
        );
        world.frames.pop();
        world.scope_depth -= 1;
    });
}
