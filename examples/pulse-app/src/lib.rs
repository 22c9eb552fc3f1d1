//! A pulse monitor: from the samples of a pulse sensor to beats per minute, on a host or a chip.
//!
//! The crate is the application; the machine lends it workers. It needs no heap, no `std` and no
//! floating point: all arithmetic is on integers, so every machine gives the same readings, bit
//! for bit.
//!
//! ```text
//!  sample, every tick
//!     │
//!  Monitor::step ── averages blocks of samples to points, keeps the newest window of them
//!     │ every hop                                          ▲
//!     │ copies the window to a free Frame                  │ Outcome, in order of completion
//!     ▼                                                    │
//!   POOL.submit(job) ──▶ a worker: pulse::measure(frame) ──┘ Monitor::collect, every tick
//! ```
//!
//! - [`Plan`]: rate, window and hop, checked against the memory there is;
//! - [`mod@pulse`]: what a job does with a window, from points to a [`Pulse`];
//! - [`Monitor`] and [`control_loop`]: the part that keeps the tick and never computes;
//! - [`Platform`]: the three things the application asks of the machine.
//!
//! # Memory
//!
//! | on 32-bit machines | bytes |
//! | --- | --- |
//! | [`Frame`]: [`FRAME_POINTS`] points of two bytes and a lock; [`FRAMES`] has [`FRAME_COUNT`] | 1032 |
//! | [`Monitor`]: as many points again, and a future for each frame | 1160 |
//! | [`POOL`]: [`POOL_SLOTS`] jobs of [`POOL_BYTES`] bytes, [`POOL_WORKERS`] workers | 632 |
//!
//! All is of fixed size, 5920 bytes together. A job works inside its frame and takes no buffer from
//! the worker's stack.

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(test)]
extern crate std;

mod monitor;
mod plan;
pub mod pulse;

pub use monitor::{Dropped, Monitor, Outcome, Platform, Reading, WhenBusy, control_loop};
pub use plan::{Plan, PlanError};
pub use pulse::{GOOD_QUALITY, Pulse, median_milli_bpm};

use corepool::StaticPool;

/// Points a frame can hold.
pub const FRAME_POINTS: usize = 512;

/// Frames, hence windows that can be queued or under way at the same time.
pub const FRAME_COUNT: usize = 4;

/// Jobs the pool has room for. One for each frame: no window with a frame is refused, unless the
/// application submits other jobs too.
pub const POOL_SLOTS: usize = 4;

/// Bytes the pool has for each job and its result: as many as eight addresses take.
pub const POOL_BYTES: usize = size_of::<[usize; 8]>();

/// Workers the pool has room for.
pub const POOL_WORKERS: usize = 8;

/// The pool of the application: of one priority, and with room for one who waits, the control loop.
pub type Pool = StaticPool<POOL_SLOTS, POOL_BYTES, 1, POOL_WORKERS, 1>;

/// The pool that the machine lends its workers to.
pub static POOL: Pool = Pool::new();

/// The memory of one window.
///
/// Its lock is never waited for: the control loop writes a frame only while no job has it, and it
/// gives a job the frame only after that.
pub struct Frame(spin::mutex::SpinMutex<heapless::Vec<i16, FRAME_POINTS>>);

impl Frame {
    /// An empty frame.
    pub const fn new() -> Self {
        Self(spin::mutex::SpinMutex::new(heapless::Vec::new()))
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

/// The frames of an application.
pub type Frames = [Frame; FRAME_COUNT];

/// The frames that go with [`POOL`].
pub static FRAMES: Frames = [const { Frame::new() }; FRAME_COUNT];
