//! A minimal application with two harts, of QEMU's machine `virt`: hart 0 submits a job, and hart 1,
//! which sleeps, is woken and runs it. Each program in `bin` is that application with another way to
//! hand the job over.
//!
//! `cargo xtask size` counts the instructions from the first one of [`submit`] on hart 0 to the first
//! one of [`job`] on hart 1.
#![no_std]

use core::{hint::black_box, time::Duration};

use corepool::ports::{Cores, riscv::Ipi};
use firmware_support::exit;
use riscv::register::mhartid;
use riscv_peripheral::clint_codegen;

pub use riscv_rt::entry;

clint_codegen!(Clint, base 0x0200_0000, mtime_freq 10_000_000);

const ROUNDS: u32 = 20;

/// The machine's harts.
pub struct Virt;

// SAFETY: harts have different numbers, and no handler uses the pool.
unsafe impl Cores for Virt {
    fn current() -> usize {
        mhartid::read()
    }

    /// There are no deadlines.
    fn sleep(_deadline: Option<Duration>) {
        Ipi::<Clint>::wait();
    }

    fn wake(core: usize) {
        Ipi::<Clint>::send(core);
    }
}

/// A way to hand a job over.
pub trait HandOver {
    /// The handle by which the result is read.
    type Job;

    /// On hart 0: has hart 1 call [`job`] with `input`.
    fn submit(&self, input: u32) -> Option<Self::Job>;

    /// On hart 0: the result, if it is there.
    fn result(&self, job: &mut Self::Job) -> Option<u32>;

    /// On hart 1, for ever: sleeps, and runs what was handed over.
    fn work(&self);
}

/// The application, called on each hart. Its exit status says whether each result was right.
pub fn application(hart: usize, hand_over: &impl HandOver) -> ! {
    if hart != 0 {
        loop {
            hand_over.work();
        }
    }
    // Starts it, and stays pending until its first sleep has ended, so that only the third one lasts.
    Virt::wake(1);
    (0..3).for_each(|_| let_hart_1_sleep());
    let right = (0..ROUNDS).all(|round| {
        let input = black_box(round);
        let Some(mut submitted) = submit(hand_over, input) else {
            return false;
        };
        let_hart_1_sleep();
        hand_over.result(&mut submitted) == Some(job(input))
    });
    exit(usize::from(!right))
}

/// Gives the emulator's turn away, which comes back when hart 1 sleeps: with one thread for all harts
/// and time that counts instructions, it goes from one to the next when a hart sleeps.
fn let_hart_1_sleep() {
    // So that it ends at once.
    Virt::wake(0);
    Virt::sleep(None);
}

/// From the first instruction of this on hart 0 it is measured.
#[inline(never)]
fn submit<H: HandOver>(hand_over: &H, input: u32) -> Option<H::Job> {
    hand_over.submit(input)
}

/// Up to the first instruction of this on hart 1 it is measured.
#[inline(never)]
pub fn job(input: u32) -> u32 {
    input.wrapping_mul(2_654_435_761)
}
