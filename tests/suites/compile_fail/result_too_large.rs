//! A result larger than a slot.
//!
//! The build fails with: `the job's result does not fit a slot of the pool: raise the pool's BYTES`
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let _ = POOL.submit(|| [0_u8; 33]);
}
