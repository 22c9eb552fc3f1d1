//! `map`, which submits as it goes.

use std::{collections::VecDeque, rc::Rc};

use corepool::{JobError, MapOptions};
use corepool_model::{Job, Model, Refusal};

use crate::{
    answers::check_taken,
    bodies::{job_begins, job_ends},
    values::Value,
    world::{Frame, framed, timeout, world},
};

/// The part of a map that the model does not know.
struct Mapped {
    /// The names of the jobs that have not been submitted.
    items: VecDeque<Job>,
    in_flight: VecDeque<Result<Job, Refusal>>,
    window: usize,
}

impl Mapped {
    /// Submits until the window or the pool is full.
    fn fill(&mut self, model: &mut Model) {
        while self.in_flight.len() < self.window
            && let Some(&job) = self.items.front()
        {
            match model.submit(job, 0) {
                Err(Refusal::Full) => return,
                submitted => self.in_flight.push_back(submitted.map(|()| job)),
            }
            self.items.pop_front();
        }
    }
}

pub(crate) fn map(count: u8, window: u8, asked: u8) {
    let (pool, mut mapped, items) = world(|world| {
        let mut mapped = Mapped {
            items: (0..count).map(|_| Job(world.name())).collect(),
            in_flight: VecDeque::new(),
            window: usize::from(window),
        };
        let items = mapped.items.clone();
        mapped.fill(&mut world.model);
        (world.pool, mapped, items)
    });
    let options = MapOptions::<4> {
        buffer_size: usize::from(window),
        timeout: Some(timeout(false)),
    };
    let function = |value: Value| {
        let job = value.job;
        job_begins(job);
        drop(value);
        job_ends(job, false);
        Value::new(job)
    };
    let values = items.into_iter().map(Value::new);
    let mut results = pool
        .map_with(options, values, function)
        .expect("the options are good");
    for _ in 0..asked {
        // With nothing in flight it would wait for room, which is what `submit_waiting` does.
        let Some(first) = mapped.in_flight.pop_front() else {
            break;
        };
        world(|world| mapped.fill(&mut world.model));
        let frame = Frame {
            awaits: first.iter().copied().collect(),
            over: Some(Rc::new(move |model| {
                first.is_err() || first.is_ok_and(|job| model.is_ready(job))
            })),
            ..Frame::default()
        };
        let next = framed(frame, |_| results.next(), |world, _| world.catch_up());
        match (next.expect("a job is in flight"), first) {
            (Err(JobError::ShutDown), Err(Refusal::ShutDown)) => {}
            (Err(JobError::Broken(reason)), Err(Refusal::Broken)) => {
                assert_eq!(Some(reason), world(|world| world.broken_for));
            }
            (result, Ok(job)) if world(|world| world.model.is_ready(job)) => {
                check_taken(job, result);
                world(|world| world.model.drop_handle(job));
            }
            (result, first) => panic!("map gave {result:?} for {first:?}"),
        }
    }
    world(|world| {
        let rest: Vec<Job> = mapped.in_flight.drain(..).flatten().collect();
        for &job in &rest {
            world.model.cancel(job);
        }
        for job in rest {
            world.model.drop_handle(job);
        }
    });
    drop(results);
}
