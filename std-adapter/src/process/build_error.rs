//! Why a process pool could not be built.

use std::{fmt, io};

use super::argument::MOST;

/// Why a process pool could not be built.
#[non_exhaustive]
pub enum ProcessPoolBuildError {
    /// `max_workers` must be 1 to 1,000.
    MaxWorkers(usize),
    /// `capacity` must be 1 to 65,000.
    Capacity(usize),
    /// `priorities` must be 1 to 16.
    Priorities(usize),
    /// `max_tasks_per_child` must be at least 1.
    MaxTasks,
    /// `frame_bytes` must be 64 to 1 GiB.
    FrameBytes(usize),
    /// The initializer's argument cannot be encoded, for this reason.
    ArgumentEncoding(String),
    /// The initializer's argument takes this many bytes, and 48 KiB are possible. Leave data in a file, and give its
    /// name.
    ArgumentTooLarge(usize),
    /// The system does not tell which program this process runs. The children are to run the same.
    NoProgram(io::Error),
    /// This program has not called [`run_worker_if_asked`](super::run_worker_if_asked). Its children
    /// would not call it either. They would build pools in turn, with children that do the same.
    ///
    /// Call it first in `main`, or give a [`worker_program`](super::ProcessPoolBuilder::worker_program)
    /// that does. A binary of tests has libtest's `main`: [the module](super#in-tests) says what to do
    /// there.
    NoWorkerEntry,
    /// This process was started to be a worker, and has not called
    /// [`run_worker_if_asked`](super::run_worker_if_asked). The call is to come first in `main`.
    IsToBeWorker,
}

impl fmt::Debug for ProcessPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxWorkers(n) => f.debug_tuple("MaxWorkers").field(n).finish(),
            Self::Capacity(n) => f.debug_tuple("Capacity").field(n).finish(),
            Self::Priorities(n) => f.debug_tuple("Priorities").field(n).finish(),
            Self::MaxTasks => f.write_str("MaxTasks"),
            Self::FrameBytes(n) => f.debug_tuple("FrameBytes").field(n).finish(),
            Self::ArgumentEncoding(reason) => {
                f.debug_tuple("ArgumentEncoding").field(reason).finish()
            }
            Self::ArgumentTooLarge(n) => f.debug_tuple("ArgumentTooLarge").field(n).finish(),
            Self::NoProgram(error) => f.debug_tuple("NoProgram").field(error).finish(),
            // So the message of an `unwrap` says what is missing.
            Self::NoWorkerEntry => write!(f, "NoWorkerEntry: {self}"),
            Self::IsToBeWorker => write!(f, "IsToBeWorker: {self}"),
        }
    }
}

impl fmt::Display for ProcessPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxWorkers(n) => write!(f, "max_workers must be 1 to 1,000, not {n}"),
            Self::Capacity(n) => write!(f, "capacity must be 1 to 65,000, not {n}"),
            Self::Priorities(n) => write!(f, "priorities must be 1 to 16, not {n}"),
            Self::MaxTasks => f.write_str("max_tasks_per_child must be at least 1"),
            Self::FrameBytes(n) => write!(f, "frame_bytes must be 64 to 1 GiB, not {n}"),
            Self::ArgumentEncoding(reason) => {
                write!(f, "the initializer's argument cannot be encoded: {reason}")
            }
            Self::ArgumentTooLarge(n) => write!(
                f,
                "the initializer's argument has {n} bytes, and {MOST} are possible: \
                 leave data in a file, and give its name"
            ),
            Self::NoProgram(error) => write!(
                f,
                "the program of this process is not known ({error}): give a worker_program"
            ),
            Self::NoWorkerEntry => f.write_str(
                "this program has not called run_worker_if_asked, so that its children would start \
                 children in turn: call it first in main, or give a worker_program that does",
            ),
            Self::IsToBeWorker => f.write_str(
                "this process was started to be a worker, and has not called run_worker_if_asked: \
                 call it first in main, before a pool is made",
            ),
        }
    }
}

impl std::error::Error for ProcessPoolBuildError {}
