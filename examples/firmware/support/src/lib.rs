//! The parts that the boards share.
//!
//! A board's crate starts the chip, says in a [`Board`] how its workers come to the jobs, and then
//! calls [`conformance::run`] and feeds a [`pulse::Replay`]; [`one_core`] and `several_cores` have all
//! that.
//! To add a board, write such a crate with its `memory.x` and `../link.rs` as its build script, and add
//! it and the file of what it should print to the table in `tests/xtask/src/firmware.rs`.
//!
//! - [`tick`]: a periodic interrupt as clock, and as a context to submit from;
//! - [`conformance`]: the promises that can be tested without unwinding, from threads and handlers;
//! - [`pulse`]: the application of the host's example, on the same recording;
//! - [`one_core`]: all of that on a chip with one core, in both arrangements;
//! - `several_cores`: the same on a chip with more, with the feature of that name, and what becomes
//!   of the jobs of a core that crashes or hangs, by a [`Watch`] on each;
//! - `mailbox`: a link between two cores that have no pool in common, with the feature `remote`;
//! - [`primes_below`]: work for jobs;
//! - [`ram`]: how much memory a run took.
//!
//! The output goes to the debugger or emulator by semihosting. Lines that begin with `#` are
//! measurements, which differ between compilers; the others are compared.
#![no_std]

mod board;
pub mod conformance;
#[cfg(all(riscv, feature = "several-cores"))]
mod harts;
mod lent;
#[cfg(all(feature = "remote", feature = "several-cores"))]
pub mod mailbox;
pub mod one_core;
mod primes;
pub mod pulse;
pub mod ram;
#[cfg(feature = "several-cores")]
pub mod several_cores;
pub mod tick;
#[cfg(feature = "several-cores")]
mod watch;

pub use board::{BYTES, Board, BoardPool, Context, in_context};
pub use lent::LentWorker;
pub use primes::primes_below;
pub use semihosting::println;
#[cfg(feature = "several-cores")]
pub use watch::Watch;

/// Prints the line of a test that is over; 1 if it failed.
pub fn report(name: &str, passed: bool) -> usize {
    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    usize::from(!passed)
}

/// Ends the run; `failed` tests make it a failure.
pub fn exit(failed: usize) -> ! {
    semihosting::process::exit(if failed == 0 { 0 } else { 1 })
}

/// A fault that nothing else handles is a failed run, not a silent loop.
#[cfg(cortex_m)]
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    semihosting::eprintln!("hard fault: {frame:?}");
    exit(1)
}

/// An exception that nothing else handles is a failed run, not a silent loop.
#[cfg(all(riscv, feature = "riscv-rt"))]
#[unsafe(export_name = "ExceptionHandler")]
fn exception(frame: &riscv_rt::TrapFrame) -> ! {
    semihosting::eprintln!(
        "exception: cause {:#x}, pc {:#x}, {frame:?}",
        riscv::register::mcause::read().bits(),
        riscv::register::mepc::read()
    );
    exit(1)
}
