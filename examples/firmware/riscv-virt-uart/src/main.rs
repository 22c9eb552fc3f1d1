//! One RISC-V hart, of QEMU's machine `virt`, that has no pool: it runs the jobs of `remote-suite`
//! which arrive at its serial port, until the other side says goodbye.
#![no_std]
#![no_main]

mod serial;

use corepool::remote::Buffers;
use remote_suite::{FRAME, JOBS, set_identity};
use riscv_rt::entry;

// For the critical sections of `portable-atomic`'s users.
use riscv as _;

#[entry]
fn main() -> ! {
    set_identity(2);
    let buffers = Buffers {
        outbox: &mut [0; 4 * FRAME],
        inbox: &mut [0; 8 * FRAME],
    };
    serial::serve_to_the_end(&JOBS, buffers)
}
