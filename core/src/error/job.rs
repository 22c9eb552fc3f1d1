//! How a job ended, if it gave no result.

use core::fmt;

#[cfg(feature = "remote")]
use super::CodecError;
use super::{
    BrokenReason, LossReason, MAY_NOT_BLOCK, NO_SUCH_PRIORITY, NoWorker, Panic, TOO_MANY_WAITERS,
};

/// Why a job gave no result.
///
/// [`TimedOut`](Self::TimedOut), [`WouldDeadlock`](Self::WouldDeadlock),
/// [`TooManyWaiters`](Self::TooManyWaiters) and [`NoClock`](Self::NoClock) are errors of the call
/// and not of the job. A call that borrows the future leaves the job as it is, and a later call can
/// get its result. [`result`](crate::JobFuture::result) takes the future, so its error detaches the
/// job.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum JobError {
    /// The job was cancelled before it ended.
    Cancelled,
    /// The job panicked.
    Panicked(Panic),
    /// The worker that ran the job was lost.
    WorkerLost(LossReason),
    /// The promise's holder set this error instead of a result.
    Failed(PromiseError),
    /// The promise was dropped before a result was set.
    PromiseDropped,
    /// The job had to travel to another address space, and it could not, or its result could not.
    #[cfg(feature = "remote")]
    Codec(CodecError),
    /// The pool broke before the job could run.
    Broken(BrokenReason),
    /// The pool was shut down before the job could be submitted (from `map`).
    ShutDown,
    /// The pool has no such priority (from `map`): raise PRIORITIES.
    NoSuchPriority,
    /// The pool had no worker when the job was submitted, and could not start one (from `map`).
    NoWorker(NoWorker),
    /// The call's time was over before the job was done.
    TimedOut,
    /// The call has to wait, and all WAITERS places are taken: raise WAITERS.
    TooManyWaiters,
    /// Waiting here could never end. Either the caller's context may not block: the pool's
    /// [`Port`](crate::Port) has no parker for an interrupt handler. Or the caller is a job of the
    /// same pool, and the job that it waits for cannot go on before the caller does.
    WouldDeadlock,
    /// The caller has set a timeout, and the pool has no clock. Install a `Port` that has one.
    NoClock,
    /// The result was taken before.
    AlreadyTaken,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the job was cancelled"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::WorkerLost(reason) => {
                write!(f, "the worker that ran the job was lost: {reason}")
            }
            Self::Failed(error) => error.fmt(f),
            Self::PromiseDropped => f.write_str("the promise was dropped before a result was set"),
            #[cfg(feature = "remote")]
            Self::Codec(error) => error.fmt(f),
            Self::Broken(reason) => write!(f, "the pool broke before the job ran: {reason}"),
            Self::ShutDown => f.write_str("the pool was shut down before the job was submitted"),
            Self::NoSuchPriority => f.write_str(NO_SUCH_PRIORITY),
            Self::NoWorker(reason) => {
                write!(
                    f,
                    "the pool had no worker for the job, and could not start one: {reason}"
                )
            }
            Self::TimedOut => f.write_str("the job was not done in time"),
            Self::TooManyWaiters => f.write_str(TOO_MANY_WAITERS),
            Self::WouldDeadlock => f.write_str(MAY_NOT_BLOCK),
            Self::NoClock => f.write_str(super::NO_CLOCK),
            Self::AlreadyTaken => f.write_str("the job's result was taken before"),
        }
    }
}

impl core::error::Error for JobError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error.0),
            _ => None,
        }
    }
}

/// An error of the application, which the holder of a [`Promise`](crate::Promise) sets instead of a
/// result.
///
/// It is a reference, so that it fits each slot, and each caller gets the same error. A reference
/// to a constant works. For an error with data, use a promise of a `Result`.
///
/// ```
/// use core::fmt;
/// use corepool::{JobError, PromiseError, StaticPool};
///
/// #[derive(Debug, PartialEq)]
/// enum DmaError {
///     Overrun,
/// }
///
/// impl fmt::Display for DmaError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("the buffer overran")
///     }
/// }
///
/// impl core::error::Error for DmaError {}
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let (promise, samples) = POOL.promise::<u32>().unwrap();
/// promise.set_error(PromiseError(&DmaError::Overrun)).unwrap();
/// let error = samples.result().unwrap_err();
/// assert_eq!(error.to_string(), "the buffer overran");
/// let JobError::Failed(PromiseError(error)) = error else { panic!() };
/// assert_eq!(error.downcast_ref(), Some(&DmaError::Overrun));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PromiseError(pub &'static (dyn core::error::Error + Send + Sync));

impl fmt::Display for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

impl core::error::Error for PromiseError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.source()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for PromiseError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", defmt::Display2Format(self));
    }
}

/// The caller is no task of the pool that it asked, so it cannot end as cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NotInTask;

impl fmt::Display for NotInTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the caller is no task of this pool: only a task can end itself as cancelled")
    }
}

impl core::error::Error for NotInTask {}

/// The content of a payload whose outcome is `Failed`: why the job ended without a result.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Set(PromiseError),
    PromiseDropped,
    #[cfg(feature = "remote")]
    Lost(LossReason),
    #[cfg(feature = "remote")]
    Codec(CodecError),
}

impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Set(error) => Self::Failed(error),
            Failure::PromiseDropped => Self::PromiseDropped,
            #[cfg(feature = "remote")]
            Failure::Lost(reason) => Self::WorkerLost(reason),
            #[cfg(feature = "remote")]
            Failure::Codec(error) => Self::Codec(error),
        }
    }
}

/// Why a blocking call ended before its condition was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    TimedOut,
    WouldDeadlock,
    NoClock,
    TooManyWaiters,
}

impl From<Blocked> for JobError {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::TimedOut => Self::TimedOut,
            Blocked::WouldDeadlock => Self::WouldDeadlock,
            Blocked::NoClock => Self::NoClock,
            Blocked::TooManyWaiters => Self::TooManyWaiters,
        }
    }
}
