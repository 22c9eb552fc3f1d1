//! [`corepool`] on the host: the same application that runs on a chip, with OS threads as workers.
//!
//! * [`run_workers`] lends threads to a [`StaticPool`](corepool::StaticPool): what the cores do in
//!   the firmware.
//! * [`ThreadPool`] is an executor of its own for host programs, Python's `ThreadPoolExecutor`:
//!   threads start on demand, jobs may be of any size, dropping it waits for all work.
//! * With the feature `process`, on Unix, `process::ProcessPool` has child processes as workers:
//!   Python's `ProcessPoolExecutor`.
//! * With the feature `remote`, `StreamLink` is a link to a board at a serial port or socket.
//! * [`run_in_executor`] and [`to_thread`] let an async event loop await blocking work.
//! * [`HostPort`] gives a pool the host's clock, thread parking and panic catching;
//!   [`PanicExt`] gets a panic's payload back.
//!
//! # Contract lines
//!
//! The lines *Context*, *Cost*, *Cancel safety* and *Errors* mean what they mean in
//! [`corepool`](corepool#contract-lines). *Any thread* is a thread of the program in any code: a
//! task of an event loop, a job, a callback; but no signal handler. Heap and locks are named where
//! they are taken, except one. A call that wakes a sleeping thread takes that thread's own lock,
//! for a moment.
#![deny(missing_docs)]

mod clock;
mod intern;
mod panic;

mod spin;

mod threads;

mod bridge;
#[cfg(all(unix, feature = "process"))]
pub mod process;
#[cfg(feature = "remote")]
mod remote;

#[cfg(feature = "remote")]
pub use crate::remote::StreamLink;
pub use crate::{
    bridge::{run_in_executor, to_thread},
    panic::PanicExt,
    spin::ThreadParker,
    threads::{
        Boxed, HostPort, MAX_STACK_SIZE, SLOT_BYTES, StartError, ThreadPool, ThreadPoolBuildError,
        ThreadPoolBuilder, ThreadWorker, Workers, run_workers, run_workers_with,
    },
};

/// The examples of the README compile and run.
#[cfg(all(doctest, unix, feature = "process"))]
#[doc = include_str!("../../README.md")]
struct ReadmeExamples;
