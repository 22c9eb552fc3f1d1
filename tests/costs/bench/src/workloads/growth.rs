//! The cost of a job as a `ThreadPool` grows: it must stay the same.

use std::hint::black_box;

use corepool::{FutureSet, as_completed};
use corepool_std::ThreadPool;

use super::{Effort, Workload, check, tiny_job, window::windowed};
use crate::{
    pool::{Job, started_as},
    statistics::{Slice, slice},
};

/// How many jobs in a batch.
const BATCH: usize = 1024;

/// A slice of a workload that is about growing, at this size.
pub fn run(workload: Workload, size: usize, effort: &Effort) -> Option<Slice> {
    let builder = ThreadPool::builder().max_workers(1);
    let builder = match workload {
        Workload::Slots => builder.capacity(size),
        Workload::Workers => builder.max_workers(size),
        Workload::Priorities => builder.priorities(size),
        Workload::Waiters => builder,
        _ => return None,
    };
    let workers = if workload == Workload::Workers {
        size
    } else {
        1
    };
    let pool = started_as(workers, builder.build().ok()?);
    Some(match (workload, size) {
        (Workload::Waiters, 1) => completions::<1>(&pool, effort),
        (Workload::Waiters, 32) => completions::<32>(&pool, effort),
        (Workload::Waiters, 1024) => completions::<1024>(&pool, effort),
        (Workload::Waiters, _) => return None,
        (Workload::Slots, _) => window(&pool, effort, 8),
        (Workload::Priorities, _) => at_priorities(&pool, effort, size),
        _ => window(&pool, effort, 64),
    })
}

/// So many jobs under way.
fn window(pool: &ThreadPool, effort: &Effort, window: usize) -> Slice {
    slice(effort.slice, BATCH, || {
        windowed(window, BATCH, check, |number| {
            pool.submit(tiny_job(number)).expect("there is room")
        });
    })
}

/// One job after the other, at all priorities in turn.
fn at_priorities(pool: &ThreadPool, effort: &Effort, priorities: usize) -> Slice {
    slice(effort.slice, BATCH, || {
        for number in 0..BATCH as u64 {
            let pool = pool.at(number as usize % priorities);
            let job = pool.submit(tiny_job(number)).expect("there is room");
            check(number, Job::wait(job));
        }
    })
}

/// A burst, whose results come in sets of `N`.
fn completions<const N: usize>(pool: &ThreadPool, effort: &Effort) -> Slice {
    slice(effort.slice, BATCH, || {
        let sets: Vec<FutureSet<'_, u64, N>> = (0..BATCH / N)
            .map(|_| {
                let submit = |number| pool.submit(tiny_job(number)).expect("there is room");
                (0..N as u64).map(submit).collect()
            })
            .collect();
        for set in sets {
            for job in as_completed(set, None) {
                black_box(
                    job.expect("there is a place to wait")
                        .result()
                        .expect("a result"),
                );
            }
        }
    })
}
