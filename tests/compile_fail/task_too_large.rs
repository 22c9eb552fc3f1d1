//! A task larger than a slot.
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let held = [0_u8; 33];
    let _ = POOL.spawn(async move { held.len() });
}
