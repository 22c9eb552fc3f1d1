//! A closure larger than a slot.
//!
//! The build fails with: `the job does not fit a slot of the pool: raise the pool's BYTES, or capture a reference`
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let captured = [0_u8; 33];
    let _ = POOL.submit(move || captured.len());
}
