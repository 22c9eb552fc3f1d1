//! Counting what a process takes from the heap.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering},
};

static COUNT: AtomicUsize = AtomicUsize::new(0);
static LEFT: AtomicIsize = AtomicIsize::new(0);
static ARMED: AtomicBool = AtomicBool::new(false);

/// The system's allocator, with a count. A test binary that declares it its global allocator has
/// only one test, since the whole process is counted.
#[derive(Debug)]
pub struct CountingAllocator;

// SAFETY: the system's allocator does it.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if ARMED.load(Ordering::SeqCst) {
            COUNT.fetch_add(1, Ordering::SeqCst);
            LEFT.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if ARMED.load(Ordering::SeqCst) {
            LEFT.fetch_sub(1, Ordering::SeqCst);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

/// How many allocations there are, in the whole process, while `f` runs.
pub fn allocations_of(f: impl FnOnce()) -> usize {
    COUNT.store(0, Ordering::SeqCst);
    ARMED.store(true, Ordering::SeqCst);
    f();
    ARMED.store(false, Ordering::SeqCst);
    COUNT.load(Ordering::SeqCst)
}

/// How many blocks more than before there are in the whole process after `f` has run.
pub fn blocks_left_by(f: impl FnOnce()) -> isize {
    LEFT.store(0, Ordering::SeqCst);
    allocations_of(f);
    LEFT.load(Ordering::SeqCst)
}
