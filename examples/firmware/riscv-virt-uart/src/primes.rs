//! The same board, for the jobs of the example `primes`.
#![no_std]
#![no_main]

mod serial;

use corepool::remote::Buffers;
use primes_jobs::{FRAME, JOBS};
use riscv_rt::entry;

// For the critical sections of `portable-atomic`'s users.
use riscv as _;

#[entry]
fn main() -> ! {
    let buffers = Buffers {
        outbox: &mut [0; 4 * FRAME],
        inbox: &mut [0; 8 * FRAME],
    };
    serial::serve_to_the_end(&JOBS, buffers)
}
