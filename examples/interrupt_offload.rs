//! An interrupt handler hands work down, and the main loop collects the results.
//!
//! The handler submits a job for each block of samples, and never waits. The main loop runs the
//! jobs between its own turns, and takes each result when it is there. On a host a thread plays
//! the interrupt.
//!
//! Run it with `cargo run --example interrupt_offload`. It prints:
//!
//! ```text
//! block 0 has a swing of 30
//! block 1 has a swing of 90
//! block 2 has a swing of 10
//! 0 blocks were dropped
//! ```

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use corepool::{JobFuture, StaticPool};
use critical_section::Mutex;
use heapless::Deque;

static POOL: StaticPool<8, 32> = StaticPool::new();

/// The futures on their way from the handler to the main loop.
static JOBS: Mutex<RefCell<Deque<JobFuture<'static, u16>, 8>>> =
    Mutex::new(RefCell::new(Deque::new()));
static DROPPED: AtomicU32 = AtomicU32::new(0);

/// The handler of the interrupt. A full pool costs it one block, and no time.
fn on_block(block: [u16; 4]) {
    let Ok(job) = POOL.submit(move || swing(&block)) else {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let kept = critical_section::with(|cs| JOBS.borrow_ref_mut(cs).push_back(job));
    if kept.is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed); // the drop of its future detaches the job
    }
}

/// One turn of the main loop. It returns the next block's result, if that is there.
fn turn() -> Option<u16> {
    POOL.run_pending(1); // without this line, if another core runs the jobs
    let job = critical_section::with(|cs| {
        let mut jobs = JOBS.borrow_ref_mut(cs);
        let is_done = jobs.front().is_some_and(JobFuture::done);
        is_done.then(|| jobs.pop_front()).flatten()
    });
    job?.result().ok()
}

/// The work that takes too long for the handler.
fn swing(block: &[u16]) -> u16 {
    let (least, most) = (block.iter().min(), block.iter().max());
    most.zip(least).map_or(0, |(most, least)| most - least)
}

fn main() {
    let interrupt = thread::spawn(|| {
        on_block([500, 510, 530, 520]);
        on_block([480, 570, 550, 510]);
        on_block([500, 505, 510, 505]);
    });
    let mut number = 0;
    while number < 3 {
        if let Some(swing) = turn() {
            println!("block {number} has a swing of {swing}");
            number += 1;
        }
    }
    println!("{} blocks were dropped", DROPPED.load(Ordering::Relaxed));
    interrupt.join().expect("the handler does not panic");
}
