//! Urgent jobs go first, and a long job makes way by being many short ones.
//!
//! Here `main` runs the jobs itself, one at a time, so the order is plain to see.
//!
//! Run it with `cargo run --example priorities`. It prints:
//!
//! ```text
//! the motor stops
//! housekeeping, part 1 of 3
//! the motor starts
//! housekeeping, part 2 of 3
//! housekeeping, part 3 of 3
//! ```

use std::error::Error;

use corepool::StaticPool;

/// Two priorities: 0 for housekeeping, and 1 for all that is urgent.
static POOL: StaticPool<8, 32, 2> = StaticPool::new();

const URGENT: usize = 1;

/// A long job in parts. Each part submits the next, so that urgent jobs come in between.
fn housekeeping(part: u32) {
    println!("housekeeping, part {part} of 3");
    if part < 3 {
        let next = move || housekeeping(part + 1);
        if let Err(full) = POOL.submit_detached(next) {
            full.into_inner()(); // no room: go on here
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    POOL.submit_detached(|| housekeeping(1))?;
    POOL.at(URGENT)
        .submit_detached(|| println!("the motor stops"))?;
    POOL.run_pending(2);

    POOL.at(URGENT)
        .submit_detached(|| println!("the motor starts"))?;
    while POOL.run_pending(1) > 0 {}
    Ok(())
}
