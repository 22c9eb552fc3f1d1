//! A minimal application: it submits a piece of work, runs it, and reads the result. Each program in
//! `bin` is that application with another way to hand the work over.
//!
//! `cargo xtask size` compares the programs' sections with those of `nothing`, which does the work in
//! place, and counts the instructions of [`submit`], [`run`] and [`result`].
#![no_std]

#[cfg(feature = "two-cores")]
mod two_cores;

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

/// Whether there is a second kind of work.
const TWO_KINDS: bool = cfg!(feature = "two-kinds");

/// More than there are slots, so that each slot is used again.
const ROUNDS: u32 = 20;

/// A way to hand work over.
pub trait HandOver {
    /// The handle by which the result is read.
    type Job;

    /// Hands over [`work`] on `input`, without doing it. `round` counts from 0.
    fn submit(&self, round: u32, input: u32) -> Option<Self::Job>;

    /// The same for [`other_work`]. No part of the program if there is one kind of work.
    fn submit_other(&self, round: u32, input: u32) -> Option<Self::Job>;

    /// Does what was handed over.
    fn run(&self);

    /// The result.
    fn result(&self, job: Self::Job) -> Option<u32>;
}

/// The work.
pub fn work(input: u32) -> u32 {
    input.wrapping_mul(2_654_435_761)
}

/// The work of another kind.
pub fn other_work(input: u32) -> u32 {
    input.rotate_left(7) ^ 0x9E37_79B9
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
        let result = if TWO_KINDS {
            submit_either(hand_over, round, input)
        } else {
            submit(hand_over, round, input)
        }
        .and_then(|job| {
            run(hand_over);
            result(hand_over, job)
        });
        let right = if TWO_KINDS && is_other(round) {
            other_work(input)
        } else {
            work(input)
        };
        black_box(result) == Some(right)
    });
    exit(right)
}

/// Measured: handing the work over.
#[inline(never)]
fn submit<H: HandOver>(hand_over: &H, round: u32, input: u32) -> Option<H::Job> {
    hand_over.submit(round, input)
}

/// Handing the other kind over, in another place of the program.
#[inline(never)]
fn submit_other<H: HandOver>(hand_over: &H, round: u32, input: u32) -> Option<H::Job> {
    hand_over.submit_other(round, input)
}

/// Two kinds of work take turns.
fn is_other(round: u32) -> bool {
    round % 2 == 1
}

/// Handing over the kind whose turn it is. A function of its own, so that what surrounds it is the same
/// as with one kind.
#[inline(never)]
fn submit_either<H: HandOver>(hand_over: &H, round: u32, input: u32) -> Option<H::Job> {
    if is_other(round) {
        submit_other(hand_over, round, input)
    } else {
        submit(hand_over, round, input)
    }
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

/// Ends the program. Its exit status says whether each result was right.
pub fn exit(right: bool) -> ! {
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
