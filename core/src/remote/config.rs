//! How a remote worker deals with its link, and how it comes to its end.

use core::{fmt, num::NonZeroU32, time::Duration};

use crate::{
    engine::life::OnLoss,
    error::{LossReason, Panic, RunError},
};

/// The consequence if a job is not answered in its [`TIMEOUT`](super::RemoteJob::TIMEOUT), and is
/// not to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnTimeout {
    /// The job is lost, and the others go on. Its place in the window is free when the other side
    /// answers.
    LoseJob,
    /// The other side counts as hung: the link is given up, and all that is in flight is lost.
    LoseLink,
}

/// How a [`RemoteWorker`](super::RemoteWorker) deals with its link.
#[derive(Clone, Copy)]
pub struct RemoteConfig {
    /// How often the other side is asked, by a link that is not lossless, what it is with the jobs
    /// in flight, and how often it is greeted while it does not answer. 100 ms by default.
    pub probe: Duration,
    /// For how long the link may be silent while jobs are in flight, before they are lost. The other
    /// side does not answer while it runs a job that does not look whether it is cancelled. `None`,
    /// the default, is for ever.
    pub silence: Option<Duration>,
    /// How long to wait for the first answer, and for another after a silence, before the link is
    /// given up. `None`, the default, is for ever.
    pub patience: Option<Duration>,
    /// How often an idempotent job is sent again. 3 by default.
    pub retries: u8,
    /// What follows when a job's time is over.
    pub on_timeout: OnTimeout,
    /// Whether the pool is broken when jobs are lost with the link. Not by default.
    pub on_loss: OnLoss,
    /// How much work, in time, to have under way beside the job that is answered next. The more, the
    /// better the other side is kept busy, and the longer jobs wait there that another worker could
    /// begin. By how long answers take, this says how many jobs of the window are used; with zero, it
    /// is one. `None`, the default, is all of them.
    pub prefetch: Option<Duration>,
    /// How many jobs to take; then the other side is said goodbye to. `None`, the default, is without
    /// limit.
    pub max_jobs: Option<NonZeroU32>,
    /// Makes a panic on this side of the text of one on the other. By default one without payload.
    pub panic: fn(&str) -> Panic,
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
            panic: |_text| Panic::unknown(),
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

/// Why a remote worker came to its end as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RemoteEnd {
    /// The pool is shut down, and no job is left.
    ShutDown,
    /// It has had [`max_jobs`](RemoteConfig::max_jobs) jobs done.
    Retired,
}

/// Why a remote worker came to its end otherwise. The jobs that were in flight have ended as lost.
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
    /// The other side knows other jobs, or speaks another version of the protocol: build both sides
    /// from the same sources.
    Mismatch {
        /// The protocol, and the key of the job table, of this side.
        ours: (u8, u64),
        /// Those of the other side.
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
