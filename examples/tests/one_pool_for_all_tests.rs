//! Two tests on one static pool, as an application has them. Each lends a worker to the pool for its own time.

use corepool::StaticPool;
use corepool_std::run_workers;

static POOL: StaticPool<16, 32> = StaticPool::new();

fn swing(block: &[u16]) -> u16 {
    let (least, most) = (block.iter().min(), block.iter().max());
    most.zip(least).map_or(0, |(most, least)| most - least)
}

#[test]
fn the_swing_is_from_the_least_to_the_most() {
    let _worker = run_workers(&POOL, 1).unwrap();
    let job = POOL.submit(|| swing(&[480, 570, 550, 510])).unwrap();
    assert_eq!(job.result().unwrap(), 90);
}

#[test]
fn an_empty_block_has_no_swing() {
    let _worker = run_workers(&POOL, 1).unwrap();
    let job = POOL.submit(|| swing(&[])).unwrap();
    assert_eq!(job.result().unwrap(), 0);
}
