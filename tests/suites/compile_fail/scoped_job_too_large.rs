//! A scoped job that would fit a slot, but for the address of its scope.
//!
//! The build fails with: `the job takes 25 bytes, and a slot of the pool has 24 beside the 8 of a scope: raise the pool's BYTES to 40, or capture a reference`
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let captured = [0_u8; 25];
    POOL.scope(|scope| {
        let _ = scope.submit(move || captured.len());
    });
}
