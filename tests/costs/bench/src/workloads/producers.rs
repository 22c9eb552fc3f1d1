//! Two threads that submit to the same pool.

use std::{sync::Barrier, thread};

use super::{
    Effort,
    burst::{BURST, burst},
};
use crate::{
    pool::Pool,
    statistics::{Slice, mean_of_slice},
};

/// Two threads with half a burst each. A job's time is its share of the time of both.
///
/// All of their batches count: where there are more threads than cores, one of the two may have a core for
/// itself and its workers for a while, at the other's expense.
pub fn run(pool: &impl Pool, effort: &Effort) -> Slice {
    let start = Barrier::new(2);
    let produce = || {
        start.wait();
        mean_of_slice(effort.slice, BURST / 2, burst(pool, BURST / 2))
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
