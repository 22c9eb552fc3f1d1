//! A result larger than a slot.
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let _ = POOL.submit(|| [0_u8; 33]);
}
