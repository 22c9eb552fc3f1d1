//! The cost of workers that have nothing to do. For a process that has no other threads: the program `idle`.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{Effort, burst::burst};
use crate::{
    pool::Pool,
    statistics::{Slice, process_cpu, slice, thread_cpu},
};

/// For how long they had nothing to do before.
const SETTLE: Duration = Duration::from_millis(20);
/// For how long they are watched.
const WATCH: Duration = Duration::from_millis(200);

/// Nanoseconds of CPU a second, of all threads but the one that looks, which sleeps meanwhile: what is
/// measured is a span of time in which nothing happens.
pub fn run(pool: &impl Pool, effort: &Effort) -> Slice {
    slice(effort.slice, 64, burst(pool, 64));
    sleep(SETTLE);
    let of_others = || process_cpu().saturating_sub(thread_cpu());
    let (before, start) = (of_others(), Instant::now());
    sleep(WATCH);
    let used = of_others().saturating_sub(before);
    Slice {
        time: used.as_nanos() as f64 / start.elapsed().as_secs_f64(),
        cpu: None,
    }
}
