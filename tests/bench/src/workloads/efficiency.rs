//! Jobs that take some time: how much is lost against threads that share them without a pool.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use super::{Effort, window::windowed};
use crate::{
    pool::Pool,
    statistics::{Slice, median, process_cpu},
};

/// How many jobs are under way at most.
const WINDOW: usize = 256;

/// All the jobs once.
pub fn run(pool: &impl Pool, effort: &Effort) -> Slice {
    let steps = effort.steps_of_a_long_job;
    timed(effort.long_jobs, || {
        windowed(
            WINDOW,
            effort.long_jobs,
            |_, result| {
                black_box(result);
            },
            |number| pool.submit(move || long_job(number, steps)),
        );
    })
}

/// The time and the CPU that `jobs` jobs take.
pub fn timed(jobs: usize, run: impl FnOnce()) -> Slice {
    let (cpu, start) = (process_cpu(), Instant::now());
    run();
    Slice {
        time: start.elapsed().as_nanos() as f64 / jobs as f64,
        cpu: Some((process_cpu() - cpu).as_nanos() as f64 / jobs as f64),
    }
}

/// Work of a certain amount, and not of a certain time: a thread that has to wait for its core gets
/// nothing done meanwhile.
pub fn long_job(number: u64, steps: u64) -> u64 {
    (0..black_box(steps)).fold(number, |state, step| {
        black_box(state.wrapping_mul(6_364_136_223_846_793_005) ^ step)
    })
}

/// How many steps take `time`.
pub fn steps_of(time: Duration) -> u64 {
    const STEPS: u64 = 10_000;
    let runs = (0..101).map(|number| {
        let start = Instant::now();
        black_box(long_job(number, STEPS));
        start.elapsed().as_nanos() as f64
    });
    let of_all = median(runs.collect()).expect("there were runs");
    (STEPS as f64 * time.as_nanos() as f64 / of_all) as u64
}
