//! A task larger than a slot.
//!
//! The build fails with: `the job does not fit a slot of the pool: raise the pool's BYTES, or capture a reference`
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let held = [0_u8; 33];
    let _ = POOL.spawn(async move { held.len() });
}
