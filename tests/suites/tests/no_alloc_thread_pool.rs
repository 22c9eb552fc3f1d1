//! The thread pool allocates for a job only if it does not fit a slot. A binary of its own, since it
//! counts the whole process's allocations.

use corepool::{ReturnWhen, wait};
use corepool_std::{SLOT_BYTES, ThreadPool};
use corepool_tests::{CountingAllocator, allocations_of};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn jobs_that_fit(pool: &ThreadPool) {
    for round in 0..100_u8 {
        let captured = [round; SLOT_BYTES];
        let job = move || captured;
        assert_eq!(pool.submit(job).unwrap().result().unwrap(), captured);
        pool.submit_detached(|| ()).unwrap();
        let mut futures = [1, 2, 3].map(|n| pool.submit(move || n).unwrap());
        wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    }
    assert_eq!(
        pool.map(0..100, |n: u32| n).filter_map(Result::ok).count(),
        100
    );
}

#[test]
fn a_job_that_fits_takes_no_heap() {
    let pool = ThreadPool::builder().max_workers(1).build().unwrap();
    // Starts the thread, and makes this thread's parker.
    jobs_that_fit(&pool);
    assert_eq!(allocations_of(|| jobs_that_fit(&pool)), 0);
    // One that does not, closure or result, takes one allocation.
    let large = [7_u8; SLOT_BYTES + 1];
    let closure = allocations_of(|| {
        let sum = pool.submit(move || large.len()).unwrap();
        assert_eq!(sum.result().unwrap(), SLOT_BYTES + 1);
    });
    assert_eq!(closure, 1);
    let result = allocations_of(|| {
        let array = pool.submit(|| [7_u8; SLOT_BYTES + 1]).unwrap();
        assert_eq!(array.result().unwrap(), large);
    });
    assert_eq!(result, 1);
}
