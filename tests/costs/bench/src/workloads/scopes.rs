//! Jobs of a scope, which write to the submitter's memory, and of which no single one is waited for.

use std::time::Duration;

use corepool_std::ThreadPool;

use super::{
    Effort, Workload,
    burst::BURST,
    check,
    efficiency::{WINDOW, long_job},
    round_trip::after_idleness,
    tiny_job,
};
use crate::{
    pool::started,
    statistics::{Slice, slice},
};

/// The work of a scope's job on its number.
pub type Job<'a> = &'a (dyn Fn(u64) -> u64 + Sync);

/// The name of the row of `ThreadPool`'s scopes.
pub const OWN: &str = "corepool ThreadPool, scope";

/// Scopes of a `ThreadPool`.
pub fn own(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    run(workload, effort, || {
        let pool: ThreadPool = started(workers).expect("threads start");
        move |job, results| {
            pool.scope(|scope| {
                for (number, result) in results.iter_mut().enumerate() {
                    let job = move || *result = job(number as u64);
                    // Nobody waits for a single one.
                    drop(scope.submit(job).expect("there is room"));
                }
            });
        }
    })
}

/// A slice of a workload in which all jobs of a batch are waited for. A scope of the pool that `start`
/// gives has a job for each place in a slice of results.
pub fn run<S: Fn(Job<'_>, &mut [u64])>(
    workload: Workload,
    effort: &Effort,
    start: impl FnOnce() -> S,
) -> Option<Slice> {
    use Workload::{Burst, Cold, Efficiency, Warm};
    if !matches!(workload, Warm | Cold | Burst | Efficiency) {
        return None;
    }
    let scope = start();
    let tiny_jobs = |results: &mut [u64]| {
        scope(&|number| tiny_job(number)(), results);
        for (number, &result) in results.iter().enumerate() {
            check(number as u64, result);
        }
    };
    Some(match workload {
        Warm => slice(effort.slice, 1, || tiny_jobs(&mut [0])),
        Cold => after_idleness(effort.slice, || tiny_jobs(&mut [0])),
        Burst => {
            let mut results = vec![0; BURST];
            slice(effort.slice, BURST, || tiny_jobs(&mut results))
        }
        _ => {
            let mut results = vec![0; effort.long_jobs];
            let job = |number| long_job(number, effort.steps_of_a_long_job);
            slice(Duration::ZERO, effort.long_jobs, || {
                for results in results.chunks_mut(WINDOW) {
                    scope(&job, results);
                }
            })
        }
    })
}
