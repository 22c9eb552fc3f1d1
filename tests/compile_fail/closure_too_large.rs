//! A closure larger than a slot.
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let captured = [0_u8; 33];
    let _ = POOL.submit(move || captured.len());
}
