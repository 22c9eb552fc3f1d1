//! A minimal application: it submits a piece of work, runs it, and reads the result. Each program in
//! `bin` is that application with another way to hand the work over.
//!
//! `cargo xtask size` compares the programs' sections with those of `nothing`, which does the work in
//! place, and counts the instructions of [`submit`], [`run`] and [`result`].
#![no_std]

use core::{hint::black_box, panic::PanicInfo};

use semihosting::process::ExitCode;

// For its critical section.
#[cfg(target_arch = "arm")]
use cortex_m as _;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

/// How many pieces of work can be in flight, in each of the programs.
pub const SLOTS: usize = if cfg!(feature = "twice-the-slots") {
    32
} else {
    16
};

/// More than there are slots, so that each slot is used again.
const ROUNDS: u32 = 20;

/// A way to hand work over.
pub trait HandOver {
    /// What the result is read by.
    type Job;

    /// Hands over [`work`] on `input`, without doing it. `round` counts from 0.
    fn submit(&self, round: u32, input: u32) -> Option<Self::Job>;

    /// Does what was handed over.
    fn run(&self);

    /// The result.
    fn result(&self, job: Self::Job) -> Option<u32>;
}

/// The work.
pub fn work(input: u32) -> u32 {
    input.wrapping_mul(2_654_435_761)
}

/// The application. Its exit status says whether each result was right.
pub fn application(hand_over: &impl HandOver) -> ! {
    // On Arm they are from the start. A critical section masks what is not masked already.
    #[cfg(target_arch = "riscv32")]
    // SAFETY: no critical section is under way, and no source of interrupts is on.
    unsafe {
        riscv::interrupt::enable();
    }
    let right = (0..ROUNDS).all(|round| {
        let input = black_box(round);
        let result = submit(hand_over, round, input).and_then(|job| {
            run(hand_over);
            result(hand_over, job)
        });
        black_box(result) == Some(work(input))
    });
    exit(right)
}

/// Measured: handing the work over.
#[inline(never)]
fn submit<H: HandOver>(hand_over: &H, round: u32, input: u32) -> Option<H::Job> {
    hand_over.submit(round, input)
}

/// Measured: taking it, doing it, and publishing the result.
#[inline(never)]
fn run<H: HandOver>(hand_over: &H) {
    hand_over.run();
}

/// Measured: reading the result.
#[inline(never)]
fn result<H: HandOver>(hand_over: &H, job: H::Job) -> Option<u32> {
    hand_over.result(job)
}

fn exit(right: bool) -> ! {
    let status = if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    status.exit_process()
}

#[panic_handler]
fn panicked(_: &PanicInfo) -> ! {
    exit(false)
}
