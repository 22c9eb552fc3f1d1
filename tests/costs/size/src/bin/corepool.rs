//! The application on a pool: a closure, and a future of its result.
#![no_std]
#![no_main]

use corepool::{JobFuture, StaticPool};
use size::{HandOver, SLOTS, application, entry, other_work, work};

static POOL: StaticPool<SLOTS, 8, 1, 1, 1> = StaticPool::new();

struct Pool;

impl HandOver for Pool {
    type Job = JobFuture<'static, u32>;

    fn submit(&self, _round: u32, input: u32) -> Option<Self::Job> {
        POOL.submit(move || work(input)).ok()
    }

    fn submit_other(&self, _round: u32, input: u32) -> Option<Self::Job> {
        POOL.submit(move || other_work(input)).ok()
    }

    fn run(&self) {
        POOL.run_pending(1);
    }

    fn result(&self, mut job: Self::Job) -> Option<u32> {
        job.try_result()?.ok()
    }
}

#[entry]
fn main() -> ! {
    application(&Pool)
}
