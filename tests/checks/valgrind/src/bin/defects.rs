//! Reads the result that was in a slot, after the slot was freed and its payload undefined, and loses
//! a block of the heap. If `cargo xtask memcheck` does not find both, it proves nothing.

use std::{
    mem, ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use corepool::StaticPool;
use corepool_tests::undefine_next_slot;

static POOL: StaticPool<4, 64> = StaticPool::new();

/// Where the result was.
static PLACE: AtomicPtr<u64> = AtomicPtr::new(ptr::null_mut());

fn main() {
    let mut job = POOL.submit(|| 42).unwrap();
    job.add_done_callback(|outcome| {
        let result = ptr::from_ref(outcome.unwrap());
        PLACE.store(result.cast_mut(), Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(job.result().unwrap(), 42);
    undefine_next_slot(POOL.pool_ref());
    // SAFETY: none. This is the mistake that must be found.
    let value = unsafe { PLACE.load(Ordering::Relaxed).read_volatile() };
    if value == 42 {
        println!("the result is still there");
    }
    mem::forget(Box::new(value));
}
