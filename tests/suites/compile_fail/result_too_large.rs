//! A result larger than a slot.
//!
//! The build fails with: `the job's result takes 33 bytes, and a slot of the pool has 32: raise the pool's BYTES to 40`
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let _ = POOL.submit(|| [0_u8; 33]);
}
