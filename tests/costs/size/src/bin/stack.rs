//! Jobs that wait for jobs, on a worker and outside of one. `cargo xtask size` measures the stack that each call takes.
//! The jobs have no stack of their own.
#![no_std]
#![no_main]

use core::{hint::black_box, task::Waker, time::Duration};

use corepool::{
    JobFuture, Parker, StaticPool, Worker,
    ports::{OneCore, Wfi},
};
use size::{entry, exit};

static POOL: StaticPool<8, 16, 1, 1, 1> = StaticPool::new();

// SAFETY: one core runs, and no handler uses the pool.
static PORT: OneCore = unsafe { OneCore::new() }.with_clock(|| Duration::ZERO);

/// The levels of waits.
const LEVELS: u32 = 3;

const LIMIT: Duration = Duration::from_millis(20);

/// A worker that leaves when it finds no job.
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

type Job = JobFuture<'static, u32>;

/// Measured: a submit.
#[inline(never)]
fn submit(levels: u32) -> Option<Job> {
    POOL.submit(move || level(levels)).ok()
}

/// Measured: a job, which waits for another one unless it is the innermost. Returns the number of levels.
#[inline(never)]
fn level(levels: u32) -> u32 {
    if black_box(levels) == 0 {
        return 0;
    }
    submit(levels - 1).map_or(0, wait) + 1
}

/// Measured: a wait with a time limit.
#[inline(never)]
fn wait(mut job: Job) -> u32 {
    job.result_timeout(LIMIT).unwrap_or(u32::MAX - LEVELS)
}

/// Measured: a worker.
#[inline(never)]
fn work() {
    let _ = POOL.run(&MainLoop);
}

/// A job in a worker. Returns its levels.
fn in_a_worker(levels: u32) -> Option<u32> {
    let job = submit(levels)?;
    work();
    Some(wait(job))
}

#[entry]
fn main() -> ! {
    POOL.install(&PORT);
    let right = in_a_worker(0) == Some(0)
        && in_a_worker(LEVELS) == Some(LEVELS)
        // The caller runs the job.
        && submit(0).map(wait) == Some(0);
    exit(right)
}
