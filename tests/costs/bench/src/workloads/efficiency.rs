//! Jobs that take some time: how much is lost against threads that share them without a pool.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use super::{Effort, window::windowed};
use crate::{
    pool::Pool,
    statistics::{Slice, median, slice},
};

/// How many jobs are under way at most.
pub const WINDOW: usize = 256;

/// Batches of long jobs.
pub fn run(pool: &impl Pool, effort: &Effort) -> Slice {
    let steps = effort.steps_of_a_long_job;
    let check = |_, result| {
        black_box(result);
    };
    slice(Duration::ZERO, effort.long_jobs, || {
        windowed(WINDOW, effort.long_jobs, check, |number| {
            pool.submit(move || long_job(number, steps))
        });
    })
}

/// The same by threads that know their share, and to which nobody hands anything over.
pub fn split(workers: usize, effort: &Effort) -> Slice {
    let (steps, share) = (effort.steps_of_a_long_job, effort.long_jobs / workers);
    let work = || {
        slice(Duration::ZERO, share, || {
            for number in 0..share as u64 {
                black_box(long_job(number, steps));
            }
        })
    };
    let times = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Slice>| thread.join().ok();
        threads
            .into_iter()
            .filter_map(join)
            .map(|slice| slice.time)
            .sum::<f64>()
    });
    Slice {
        // Each thread's time for a job, of which there are so many at the same time.
        time: times / (workers * workers) as f64,
        cpu: None,
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
