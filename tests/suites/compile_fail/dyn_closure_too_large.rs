//! A closure larger than the slots of an executor of no known type, whatever the pool has.
//!
//! The build fails with: `the job takes 65 bytes, and a slot of the pool has 64: raise the pool's BYTES to 72, or capture a reference`
use corepool::{DynExecutor, Executor, StaticPool};

static POOL: StaticPool<4, 128> = StaticPool::new();

fn main() {
    let captured = [0_u8; 65];
    let executor: &dyn DynExecutor = &POOL;
    let _ = executor.submit(move || captured.len());
}
