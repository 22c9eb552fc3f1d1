//! One buffer, split over two cores: each core filters its half in place.
//!
//! The scope returns after its jobs have ended, so they may borrow the buffer, and no sample is
//! copied. If the pool has no room, the calling core does both halves.
//!
//! Run it with `cargo run --example split_buffer`. It prints:
//!
//! ```text
//! before: [0, 0, 1000, 1000, 0, 0, -1000, -1000]
//! after: [0, 0, 500, 1000, 500, 0, -500, -1000]
//! ```

use std::error::Error;

use corepool::{JobError, StaticPool};
use corepool_std::run_workers;

/// A job holds a borrowed slice and two numbers. The scope keeps 8 bytes of each slot for itself.
static POOL: StaticPool<4, 40> = StaticPool::new();

/// Each sample becomes the mean of itself and the one before it. `last` is the one before the first.
fn smooth(samples: &mut [i16], mut last: i16) {
    for sample in samples {
        let now = *sample;
        *sample = ((i32::from(now) + i32::from(last)) / 2) as i16;
        last = now;
    }
}

fn smooth_on_both_cores(samples: &mut [i16]) -> Result<(), JobError> {
    let (left, right) = samples.split_at_mut(samples.len() / 2);
    let seam = left.last().copied().unwrap_or(0);
    POOL.scope(|scope| {
        match scope.submit(|| smooth(right, seam)) {
            Ok(right) => {
                smooth(left, 0); // at the same time, on this core
                right.result()
            }
            Err(refused) => {
                smooth(left, 0);
                refused.into_inner()(); // the job that came back
                Ok(())
            }
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let workers = run_workers(&POOL, 1)?; // the second core
    let mut samples = [0, 0, 1000, 1000, 0, 0, -1000, -1000];
    println!("before: {samples:?}");
    smooth_on_both_cores(&mut samples)?;
    println!("after: {samples:?}");
    drop(workers);
    Ok(())
}
