//! A data logger: an ADC's interrupt fills two blocks by turns, jobs compress them in place, and the
//! main loop stores them.
//!
//! A block has one owner at a time. The handler owns it while it fills it, the job while it
//! compresses it, and the main loop until it gives the block back to the handler.

#![no_std]

#[cfg(test)]
extern crate std;

mod buffer;
mod recorder;
#[cfg(test)]
mod simulation;

use corepool::StaticPool;

pub use crate::{
    buffer::{DoubleBuffer, Record, SAMPLES},
    recorder::{Board, LATE, Recorder},
};

/// The pool: a job for each block.
pub static POOL: StaticPool<4, 16> = StaticPool::new();

/// The samples between the handler, the jobs and the main loop.
pub static BUFFER: DoubleBuffer = DoubleBuffer::new();

/// The handler of the ADC's interrupt.
pub fn on_sample(sample: u16) {
    BUFFER.push(sample);
}
