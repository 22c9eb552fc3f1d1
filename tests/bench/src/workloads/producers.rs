//! Two threads that submit to the same pool.

use std::{sync::Barrier, thread};

use super::{
    Effort,
    burst::{BURST, bursts},
};
use crate::{pool::Pool, statistics::Slice};

/// Two threads with half a burst each. What a job takes is what it takes of the time of both.
pub fn run(pool: &impl Pool, effort: &Effort) -> Slice {
    let start = Barrier::new(2);
    let produce = || {
        start.wait();
        bursts(pool, effort, BURST / 2).time
    };
    let (one, other) = thread::scope(|scope| {
        let other = scope.spawn(produce);
        let one = produce();
        (one, other.join().expect("a producer does not panic"))
    });
    Slice {
        time: 1.0 / (1.0 / one + 1.0 / other),
        cpu: None,
    }
}
