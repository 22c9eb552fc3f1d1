//! A thread pool gives all its memory back. A binary of its own, since it counts the whole process's blocks.

use corepool_std::{SLOT_BYTES, ThreadPool};
use corepool_tests::{CountingAllocator, blocks_left_by};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Jobs that fit a slot and jobs that do not, run and cancelled.
fn use_a_pool() {
    let pool = ThreadPool::builder().max_workers(2).initializer(|| Ok(()));
    let pool = pool.build().unwrap();
    let large = [7_u8; SLOT_BYTES + 1];
    for _ in 0..10 {
        assert_eq!(pool.submit(move || large).unwrap().result().unwrap(), large);
        pool.submit(move || large).unwrap().cancel();
        pool.submit_detached(move || drop(Box::new(large))).unwrap();
    }
}

#[test]
fn a_pool_that_is_dropped_leaves_nothing() {
    // Makes this thread's parker, and what the standard library makes once.
    use_a_pool();
    assert_eq!(blocks_left_by(use_a_pool), 0);
}
