//! The application on a pool that a chip's main loop serves as a worker, and whose results it waits for with a
//! time limit.
//!
//! The worker runs the jobs of every other round. In the rounds between, the caller that waits runs the job itself.
#![no_std]
#![no_main]

use core::{
    sync::atomic::{AtomicU32, Ordering},
    task::Waker,
    time::Duration,
};

use corepool::{
    JobFuture, Parker, StaticPool, Worker,
    ports::{OneCore, Wfi},
};
use size::{HandOver, SLOTS, application, entry, other_work, work};

static POOL: StaticPool<SLOTS, 8, 1, 1, 1> = StaticPool::new();

// SAFETY: one core runs, and no handler uses the pool.
static PORT: OneCore = unsafe { OneCore::new() }.with_clock(now);

/// In milliseconds: the handler of a timer would count them.
static TICKS: AtomicU32 = AtomicU32::new(0);

fn now() -> Duration {
    Duration::from_millis(TICKS.load(Ordering::Relaxed).into())
}

/// A worker that leaves when it finds no job, so that the round goes on.
struct MainLoop;

impl Parker for MainLoop {
    fn waker(&self) -> Waker {
        Wfi.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        Wfi.park(deadline);
    }
}

impl Worker for MainLoop {
    fn stays(&self) -> bool {
        false
    }
}

struct Pool;

impl HandOver for Pool {
    type Job = JobFuture<'static, u32>;

    fn submit(&self, round: u32, input: u32) -> Option<Self::Job> {
        TICKS.store(round, Ordering::Relaxed);
        POOL.submit(move || work(input)).ok()
    }

    fn submit_other(&self, round: u32, input: u32) -> Option<Self::Job> {
        TICKS.store(round, Ordering::Relaxed);
        POOL.submit(move || other_work(input)).ok()
    }

    fn run(&self) {
        if TICKS.load(Ordering::Relaxed).is_multiple_of(2) {
            let _ = POOL.run(&MainLoop);
        }
    }

    fn result(&self, mut job: Self::Job) -> Option<u32> {
        job.result_timeout(Duration::from_millis(20)).ok()
    }
}

#[entry]
fn main() -> ! {
    POOL.install(&PORT);
    application(&Pool)
}
