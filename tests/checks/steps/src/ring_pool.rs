//! The rival: a pool of off-the-shelf parts, as one would build it by hand on `heapless::mpmc`.
//!
//! Two rings, one with the free slots and one with the queued, and a word for each slot.

use heapless::mpmc::Queue;
use shuttle::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use crate::stopped::{Pool, SLOTS};

/// A pool of jobs that return their number.
pub struct RingPool {
    free: Queue<usize, SLOTS>,
    queue: Queue<usize, SLOTS>,
    arguments: [AtomicUsize; SLOTS],
    /// Plus one; 0 while there is none.
    results: [AtomicUsize; SLOTS],
    closed: AtomicBool,
}

impl RingPool {
    #[expect(deprecated, reason = "for what this pool is here to show")]
    pub fn leak() -> &'static Self {
        let pool = Self {
            free: Queue::new(),
            queue: Queue::new(),
            arguments: [const { AtomicUsize::new(0) }; SLOTS],
            results: [const { AtomicUsize::new(0) }; SLOTS],
            closed: AtomicBool::new(false),
        };
        for slot in 0..SLOTS {
            pool.free.enqueue(slot).expect("the ring is as long");
        }
        Box::leak(Box::new(pool))
    }

    pub fn run_one(&self) -> bool {
        let Some(slot) = self.queue.dequeue() else {
            return false;
        };
        self.results[slot].store(self.arguments[slot].load(SeqCst) + 1, SeqCst);
        true
    }

    fn give_back(&self, slot: usize) {
        while self.free.enqueue(slot).is_err() {
            thread::yield_now();
        }
    }
}

impl Pool for RingPool {
    /// The slot.
    type Future = usize;

    fn submit(&'static self, n: usize) -> Option<usize> {
        let slot = self.free.dequeue()?;
        self.results[slot].store(0, SeqCst);
        self.arguments[slot].store(n, SeqCst);
        if self.queue.enqueue(slot).is_err() {
            self.give_back(slot);
            return None;
        }
        Some(slot)
    }

    fn is_done(&'static self, &slot: &usize) -> bool {
        self.results[slot].load(SeqCst) != 0
    }

    fn first_result(&'static self, futures: &mut Vec<usize>) -> usize {
        loop {
            for (position, &slot) in futures.iter().enumerate() {
                let result = self.results[slot].load(SeqCst);
                if let Some(number) = result.checked_sub(1) {
                    futures.swap_remove(position);
                    self.give_back(slot);
                    return number;
                }
            }
            thread::yield_now();
        }
    }

    fn work(&'static self) {
        while self.run_one() || !self.closed.load(SeqCst) {
            thread::yield_now();
        }
    }

    fn shut_down(&'static self) {
        self.closed.store(true, SeqCst);
    }

    fn free_slots(&'static self) -> usize {
        // The ring cannot be counted; what its pool is here to fail comes before this.
        SLOTS
    }
}
