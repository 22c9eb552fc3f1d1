//! The application on a pool, with the worker and the port of the board `riscv-virt-smp`.
#![no_std]
#![no_main]

use corepool::{
    JobFuture, StaticPool,
    ports::{SeveralCores, ThisCore},
};
use idle_core::{HandOver, Virt, application, entry, job};

static POOL: StaticPool<16, 16, 1, 1, 1> = StaticPool::new();

struct Pool;

impl HandOver for Pool {
    type Job = JobFuture<'static, u32>;

    fn submit(&self, input: u32) -> Option<Self::Job> {
        POOL.submit(move || job(input)).ok()
    }

    fn result(&self, submitted: &mut Self::Job) -> Option<u32> {
        submitted.try_result()?.ok()
    }

    fn work(&self) {
        POOL.run(&ThisCore::<Virt>::new())
            .expect("the pool is not broken");
    }
}

#[entry]
fn main(hart: usize) -> ! {
    if hart == 0 {
        POOL.install(const { &SeveralCores::<Virt>::new() });
    }
    application(hart, &Pool)
}
