//! One pool, two workers, one job.
//!
//! Run it with `cargo run --example first_job`. It prints:
//!
//! ```text
//! main goes on
//! the sum is 5050
//! ```

use std::error::Error;

use corepool::StaticPool;
use corepool_std::run_workers;

/// Sixteen jobs in flight, each with a closure and a result of up to 64 bytes. There is no heap.
static POOL: StaticPool<16, 64> = StaticPool::new();

fn main() -> Result<(), Box<dyn Error>> {
    let workers = run_workers(&POOL, 2)?; // on a chip: a second core, a task, an interrupt
    let sum = POOL.submit(|| (1..=100).sum::<u32>())?;
    println!("main goes on");
    println!("the sum is {}", sum.result()?);
    drop(workers); // sends the threads away, and joins them
    Ok(())
}
