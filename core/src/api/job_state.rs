//! The state of a job, as its handles see it.

use crate::lockfree::state::{BUSY, Outcome, Snapshot};

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum JobState {
    /// The job is queued, or a task between two polls.
    Pending,
    /// A worker runs the job, another party drops it to end it, or its callbacks run.
    Running,
    /// The job was cancelled.
    Cancelled,
    /// The job has ended, with a result or an error.
    Finished,
}

impl JobState {
    pub(super) fn of(state: Snapshot) -> Self {
        if state.is_shown() {
            match state.outcome() {
                Outcome::Cancelled => Self::Cancelled,
                _ => Self::Finished,
            }
        } else if state.has(BUSY) {
            Self::Running
        } else {
            Self::Pending
        }
    }
}
