//! A job that just fits the size and the alignment of a slot.
use corepool::StaticPool;

static POOL: StaticPool<4, 32> = StaticPool::new();

fn main() {
    let captured = [7_u64; 4];
    let result = POOL.submit(move || captured).unwrap();
    assert_eq!(result.result().unwrap(), [7; 4]);
}
