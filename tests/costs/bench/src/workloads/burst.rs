//! Many jobs at once, then all their results.

use super::{Effort, check, tiny_job};
use crate::{
    pool::{Job, Pool},
    statistics::{Slice, slice},
};

/// How many in a burst: as many as a `ThreadPool` has room for by default.
pub const BURST: usize = 1024;

/// Burst after burst, from one thread.
pub fn run(pool: &impl Pool, effort: &Effort) -> Slice {
    slice(effort.slice, BURST, burst(pool, BURST))
}

/// Does a burst of `size` jobs.
pub fn burst(pool: &impl Pool, size: usize) -> impl FnMut() {
    let mut jobs = Vec::with_capacity(size);
    move || {
        jobs.extend((0..size as u64).map(|number| pool.submit(tiny_job(number))));
        for (number, job) in jobs.drain(..).enumerate() {
            check(number as u64, job.wait());
        }
    }
}
