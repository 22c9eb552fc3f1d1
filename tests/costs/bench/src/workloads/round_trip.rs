//! The time from a job's submit to its result in the submitter's hands.

use std::{
    hint::spin_loop,
    time::{Duration, Instant},
};

use super::{Effort, check, tiny_job};
use crate::{
    pool::{Job, Pool},
    statistics::{Slice, median, slice},
};

/// How many in a batch.
pub const BATCH: usize = 64;

/// One after the other: nobody has had time to fall asleep.
pub fn warm(pool: &impl Pool, effort: &Effort) -> Slice {
    slice(effort.slice, BATCH, || {
        for number in 0..BATCH as u64 {
            check(number, pool.submit(tiny_job(number)).wait());
        }
    })
}

/// Each after some idleness, in which the submitter is busy with other things.
pub fn cold(pool: &impl Pool, effort: &Effort) -> Slice {
    after_idleness(effort.slice, || {
        check(0, pool.submit(tiny_job(0)).wait());
    })
}

/// The median time of what comes after 200 µs each.
pub fn after_idleness(length: Duration, mut round_trip: impl FnMut()) -> Slice {
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 5 || start.elapsed() < length {
        let idle = Instant::now();
        while idle.elapsed() < Duration::from_micros(200) {
            spin_loop();
        }
        let start = Instant::now();
        round_trip();
        times.push(start.elapsed().as_nanos() as f64);
    }
    Slice {
        time: median(times).expect("at least five"),
        cpu: None,
    }
}
