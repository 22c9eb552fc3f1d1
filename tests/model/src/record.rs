//! What is known of one job.

use std::collections::VecDeque;

use crate::{Callback, Worker};

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// With a result.
    Returned,
    /// It panicked.
    Panicked,
    /// It was cancelled.
    Cancelled,
    /// The pool broke before it could run.
    Broken,
    /// Its worker was declared lost, or its promise dropped.
    Lost,
}

/// What a future says of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Queued; or a task between two polls.
    Pending,
    /// A worker is running it.
    Running,
    /// It was cancelled.
    Cancelled,
    /// It ended otherwise.
    Finished,
}

/// What asking for the result of a job gives that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taken {
    /// How it ended; the result, if that is `Returned`, is the caller's from now on.
    End(End),
    /// The result was taken before.
    Before,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    /// Nobody has begun it.
    Pending,
    /// Being run, or polled; the worker, if it has a name.
    Running(Option<Worker>),
    /// A task between two polls.
    Suspended,
    Ended(End),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) priority: usize,
    pub(crate) status: Status,
    /// A future refers to it.
    pub(crate) handle: bool,
    /// Its index is in a queue; or a promise, or a lost worker, refers to it.
    pub(crate) queued: bool,
    /// It has ended, and who ended it is running its callbacks.
    pub(crate) settling: bool,
    /// Cancellation was asked for while it ran.
    pub(crate) cancel_requested: bool,
    /// The task was woken while it was polled.
    pub(crate) notified: bool,
    /// The result was taken.
    pub(crate) taken: bool,
    /// What it panicked with has been handed out.
    pub(crate) payload_taken: bool,
    /// The callbacks that wait, the one that is running included.
    pub(crate) callbacks: VecDeque<Callback>,
}

impl Record {
    /// A job as it is submitted.
    pub(crate) fn new(priority: usize) -> Self {
        Self {
            priority,
            status: Status::Pending,
            handle: true,
            queued: true,
            settling: false,
            cancel_requested: false,
            notified: false,
            taken: false,
            payload_taken: false,
            callbacks: VecDeque::new(),
        }
    }

    pub(crate) fn end(&self) -> Option<End> {
        match self.status {
            Status::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Whether the result may be taken.
    pub(crate) fn ready(&self) -> Option<End> {
        self.end().filter(|_| !self.settling)
    }

    pub(crate) fn is_claimable(&self) -> bool {
        matches!(self.status, Status::Pending | Status::Suspended)
    }

    pub(crate) fn state(&self) -> JobState {
        match self.status {
            Status::Pending | Status::Suspended => JobState::Pending,
            Status::Running(_) => JobState::Running,
            Status::Ended(End::Cancelled) => JobState::Cancelled,
            Status::Ended(_) => JobState::Finished,
        }
    }

    /// Nobody refers to it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.end().is_some() && !self.settling && !self.handle && !self.queued
    }
}
