//! How a remote worker treats its link, and how it ends.

use core::{fmt, num::NonZeroU32, time::Duration};

use crate::{
    engine::life::OnLoss,
    error::{LossReason, Panic, PanicLocation, RunError},
};

/// The consequence if a job is not answered within its [`TIMEOUT`](super::RemoteJob::TIMEOUT), and
/// is not to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnTimeout {
    /// The job is lost, and the other jobs go on. Its place in the window is free when the other
    /// side answers.
    LoseJob,
    /// The other side counts as hung: the link is given up, and all jobs in flight are lost.
    LoseLink,
}

/// How a [`RemoteWorker`](super::RemoteWorker) treats its link.
#[derive(Clone, Copy)]
pub struct RemoteConfig {
    /// The interval of questions and greetings. Over a link that is not lossless, the worker asks
    /// the other side for the state of the jobs in flight. It greets a side that does not answer.
    /// 100 ms by default.
    pub probe: Duration,
    /// How long the link may be silent while jobs are in flight, before they are lost. The other
    /// side does not answer while it runs a job that does not read its cancel flag. `None`, the
    /// default, sets no limit.
    pub silence: Option<Duration>,
    /// The time after which the worker gives up the link, if its greeting has had no welcome.
    /// `None`, the default, sets no limit.
    pub patience: Option<Duration>,
    /// How often an idempotent job is sent again, at most. 3 by default.
    pub retries: u8,
    /// The consequence if a job's time is over.
    pub on_timeout: OnTimeout,
    /// Whether the pool breaks when the worker loses its link. By default it does not.
    pub on_loss: OnLoss,
    /// The work, in time, that the worker keeps in flight beside the job that is answered next.
    /// Other workers cannot begin these jobs. With zero, one job is in flight. The worker measures
    /// how long answers take. `None`, the default, is the whole window.
    pub prefetch: Option<Duration>,
    /// The number of jobs to take before the worker ends the session. `None`, the default, sets no
    /// limit.
    pub max_jobs: Option<NonZeroU32>,
    /// Makes a panic on this side from the text and the location of a panic on the other. Each is
    /// `None` if the other side does not know it. By default, the panic has no payload.
    pub panic: fn(Option<&str>, Option<PanicLocation<'_>>) -> Panic,
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            probe: Duration::from_millis(100),
            silence: None,
            patience: None,
            retries: 3,
            on_timeout: OnTimeout::LoseJob,
            on_loss: OnLoss::Continue,
            prefetch: None,
            max_jobs: None,
            panic: |_text, _location| Panic::unknown(),
        }
    }
}

impl fmt::Debug for RemoteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteConfig")
            .field("probe", &self.probe)
            .field("silence", &self.silence)
            .field("patience", &self.patience)
            .field("retries", &self.retries)
            .field("on_timeout", &self.on_timeout)
            .field("on_loss", &self.on_loss)
            .field("prefetch", &self.prefetch)
            .field("max_jobs", &self.max_jobs)
            .finish_non_exhaustive()
    }
}

/// Why a remote worker ended as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RemoteEnd {
    /// The pool is shut down, and no job is left.
    ShutDown,
    /// It has taken [`max_jobs`](RemoteConfig::max_jobs) jobs, and all have ended.
    Retired,
}

/// Why a remote worker ended otherwise. The jobs that were in flight have ended as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RemoteError {
    /// It could not join the pool, the pool is broken, or it was declared lost.
    Run(RunError),
    /// The pool has no port with a clock. Install a `Port`.
    NoClock,
    /// The link was lost.
    Lost(LossReason),
    /// The other side has another job table, or another version of the protocol. Build both sides
    /// from the same sources.
    Mismatch {
        /// The version of the protocol, and the key of the job table, of this side.
        ours: (u8, u64),
        /// Both numbers of the other side.
        theirs: (u8, u64),
    },
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(error) => error.fmt(f),
            Self::NoClock => f.write_str("the pool has no clock: install a port"),
            Self::Lost(reason) => write!(f, "the link was lost: {reason}"),
            Self::Mismatch { ours, theirs } => write!(
                f,
                "the other side knows other jobs: protocol {} and job table {:016x} there, \
                 protocol {} and job table {:016x} here; build both from the same sources",
                theirs.0, theirs.1, ours.0, ours.1
            ),
        }
    }
}

impl core::error::Error for RemoteError {}

impl From<RunError> for RemoteError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}
