//! Why pools and workers end.

use core::fmt;

use super::TOO_MANY_WAITERS;

/// Why a worker's start hook refused to start: a text for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InitError(pub &'static str);

impl InitError {
    /// The start hook panicked.
    pub const PANICKED: Self = Self("its start hook panicked");
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for InitError {}

/// Why a worker and its jobs count as lost: a text for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LossReason(pub &'static str);

impl LossReason {
    /// [`worker_lost`](crate::StaticPool::worker_lost) was called.
    pub const DECLARED: Self = Self("the application declared it lost");
    /// The pool's last worker panicked in one of its own methods, outside of a job.
    pub const UNWOUND: Self = Self("the last worker panicked outside of its jobs");
}

/// The reasons of workers behind a link.
#[cfg(feature = "remote")]
impl LossReason {
    /// The other side did not answer in the job's time.
    pub const TIMED_OUT: Self = Self("it did not answer in time");
    /// The other side has been silent for longer than the link's configuration allows.
    pub const SILENT: Self = Self("its link is silent");
    /// The other side has started anew, and knows nothing of the job.
    pub const RESTARTED: Self = Self("it has started anew");
    /// The job or its result was damaged on the way.
    pub const DAMAGED: Self = Self("the job or its result was damaged on the way");
    /// A link that does no damage delivered bytes that are no frame.
    pub const MALFORMED: Self = Self("it sent an invalid frame");
    /// The worker on this side left.
    pub const WORKER_LEFT: Self = Self("the worker that sent the job left");
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for LossReason {}

/// Why a pool has stopped taking work for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BrokenReason {
    /// A worker's start hook failed.
    Initializer(InitError),
    /// A worker was lost, and the application chose to break the pool with it.
    WorkerLost(LossReason),
    /// The application broke the pool, and gave this text.
    Application(&'static str),
}

impl fmt::Display for BrokenReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initializer(error) => write!(f, "a worker could not start: {error}"),
            Self::WorkerLost(reason) => write!(f, "a worker was lost: {reason}"),
            Self::Application(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for BrokenReason {}

/// Why a shutdown did not come to its end. The pool takes no new work all the same. The call may be
/// repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ShutdownError {
    /// The call's time was over before all jobs and workers had ended.
    StillRunning {
        /// The number of jobs that were running or suspended at that time.
        jobs: usize,
        /// The number of workers that had not left at that time.
        workers: usize,
    },
    /// All WAITERS places are taken: raise WAITERS.
    TooManyWaiters,
    /// The call was to wait, and came from a job or callback of the pool itself, or from a context
    /// that may not block.
    WouldDeadlock,
    /// The caller has set a timeout, and the pool has no clock. Install a `Port` that has one.
    NoClock,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillRunning { jobs, workers } => write!(
                f,
                "time was over with {jobs} jobs still running on {workers} workers"
            ),
            Self::TooManyWaiters => f.write_str(TOO_MANY_WAITERS),
            Self::WouldDeadlock => f.write_str(
                "a job cannot wait for the shutdown of its own pool, nor can a context that may not block: \
                 call shutdown without wait",
            ),
            Self::NoClock => f.write_str(super::NO_CLOCK),
        }
    }
}

impl core::error::Error for ShutdownError {}

/// Why a worker's run loop ended without a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RunError {
    /// The pool has WORKERS workers already.
    TooManyWorkers,
    /// The caller is a worker of this pool already: a job of the pool called it.
    AlreadyWorker,
    /// The pool is broken: this worker's start hook failed, or the pool was broken before.
    Broken(BrokenReason),
    /// This worker was declared lost, and has come back. It may join again.
    DeclaredLost,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyWorkers => {
                f.write_str("all places for workers are taken: raise the pool's WORKERS")
            }
            Self::AlreadyWorker => f.write_str(
                "the caller is a worker of this pool already: a job of the pool cannot join it again",
            ),
            Self::Broken(reason) => write!(f, "the pool is broken: {reason}"),
            Self::DeclaredLost => f.write_str("this worker was declared lost meanwhile"),
        }
    }
}

impl core::error::Error for RunError {}
