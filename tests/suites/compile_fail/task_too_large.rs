//! A task larger than a slot.
//!
//! The build fails with: `the job takes 34 bytes, and a slot of the pool has 32: raise the pool's BYTES to 40, or capture a reference`
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let held = [0_u8; 33];
    let _ = POOL.spawn(async move { held.len() });
}
