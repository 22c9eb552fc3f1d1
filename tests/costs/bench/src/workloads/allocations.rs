//! How often a job takes memory from the heap. For a process that counts it: the program
//! `allocations`.

use corepool_tests::allocations_of;

use super::{check, tiny_job, window::windowed};
use crate::{pool::Pool, statistics::Slice};

/// Enough that what is allocated once for many jobs is seen.
const JOBS: usize = 10_000;

/// Allocations a job, in the place of nanoseconds.
pub fn run(pool: &impl Pool) -> Slice {
    // The window itself is allocated, too: once.
    let jobs = || windowed(64, JOBS, check, |number| pool.submit(tiny_job(number)));
    jobs();
    let count = allocations_of(jobs) - 1;
    Slice {
        time: count as f64 / JOBS as f64,
        cpu: None,
    }
}
