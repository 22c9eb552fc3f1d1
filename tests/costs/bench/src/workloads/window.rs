//! A number of jobs that are under way all the time: for each that is done, a new one.

use std::collections::VecDeque;

use super::{Effort, check, tiny_job};
use crate::{
    pool::{Job, Pool},
    statistics::{Slice, slice},
};

/// How many.
const WINDOW: usize = 64;
/// How many jobs in a batch.
const BATCH: usize = 1024;

/// Batches of tiny jobs.
pub fn run(pool: &impl Pool, effort: &Effort) -> Slice {
    slice(effort.slice, BATCH, || {
        windowed(WINDOW, BATCH, check, |number| pool.submit(tiny_job(number)));
    })
}

/// Submits `count` jobs, at most `window` of them under way, and checks their results in order.
pub fn windowed<J: Job>(
    window: usize,
    count: usize,
    check: impl Fn(u64, u64),
    submit: impl Fn(u64) -> J,
) {
    let mut under_way = VecDeque::with_capacity(window);
    for number in 0..count as u64 {
        if under_way.len() == window
            && let Some((number, job)) = under_way.pop_front()
        {
            check(number, J::wait(job));
        }
        under_way.push_back((number, submit(number)));
    }
    for (number, job) in under_way {
        check(number, J::wait(job));
    }
}
