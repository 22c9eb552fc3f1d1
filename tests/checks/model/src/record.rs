//! The model's knowledge of one job.

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

/// The state of a job, as its future says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Queued; or a task between two polls.
    Pending,
    /// A worker is running it, or its callbacks.
    Running,
    /// It was cancelled.
    Cancelled,
    /// It ended otherwise.
    Finished,
}

/// The answer to a look for the result of a job that is ready.
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
    /// Its index is in a queue, where it may stay while the job runs, and after; or a promise refers to it.
    pub(crate) queued: bool,
    /// Its worker was declared lost, and has not come back.
    pub(crate) lost: bool,
    /// Somebody keeps it as a promise: it is in no queue, and no worker begins it.
    pub(crate) promised: bool,
    /// Cancellation was asked for while it ran.
    pub(crate) cancel_requested: bool,
    /// The task was woken while it was polled.
    pub(crate) notified: bool,
    /// The result was taken.
    pub(crate) taken: bool,
    /// The payload of its panic has been handed out, or a holder was given its error.
    pub(crate) payload_taken: bool,
    /// The future is shared, or was until its last holder left.
    pub(crate) shared: bool,
    /// How many hold it, if it is shared.
    pub(crate) holders: usize,
    /// The callbacks that nobody has taken to run them.
    pub(crate) callbacks: VecDeque<Callback>,
    /// It has ended, and who ended it is running its callbacks.
    pub(crate) completer: Option<Completer>,
    /// The party that was doing that, and was declared lost.
    pub(crate) late: Option<Completer>,
}

/// The party that has ended a job, and runs its callbacks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Completer {
    /// The worker, if it is one that has a name.
    pub(crate) worker: Option<Worker>,
    /// How it has ended the job.
    pub(crate) end: End,
    /// The callbacks that it has taken; the first is running.
    pub(crate) taken: VecDeque<Callback>,
}

impl Record {
    /// A job as it is submitted.
    pub(crate) fn new(priority: usize) -> Self {
        Self {
            priority,
            status: Status::Pending,
            handle: true,
            queued: true,
            lost: false,
            promised: false,
            cancel_requested: false,
            notified: false,
            taken: false,
            payload_taken: false,
            shared: false,
            holders: 0,
            callbacks: VecDeque::new(),
            completer: None,
            late: None,
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
        self.end().filter(|_| self.completer.is_none())
    }

    /// Whether the result may be looked at: those who share the future need not wait for callbacks.
    pub(crate) fn shown(&self) -> Option<End> {
        self.end()
            .filter(|_| self.completer.is_none() || self.shared)
    }

    pub(crate) fn is_claimable(&self) -> bool {
        matches!(self.status, Status::Pending | Status::Suspended)
    }

    /// Whether who waits for it may begin it: it is queued, and nobody has.
    pub(crate) fn is_beginnable(&self) -> bool {
        self.status == Status::Pending && self.queued && !self.promised
    }

    /// How many slots it takes, with its callbacks.
    pub(crate) fn slots(&self) -> usize {
        let taken = self.completer.iter().chain(&self.late);
        let taken = taken.map(|completer| completer.taken.len()).sum::<usize>();
        1 + self.callbacks.len() + taken
    }

    /// The callback that is to run next, or is running, and how the job has ended for it.
    pub(crate) fn next_callback(&self) -> Option<(Callback, End)> {
        // A lost worker comes back after the one that took over has left.
        let completer = self.completer.as_ref().or(self.late.as_ref())?;
        let callback = completer.taken.front().or(self.callbacks.front())?;
        // The callback gets the end that the future has. For a lost worker's callbacks, that is not
        // the end that the worker gave the job.
        let Status::Ended(end) = self.status else {
            return None;
        };
        Some((*callback, end))
    }

    /// The completer, when it has run those that it took before, takes all that were added since.
    pub(crate) fn take_callbacks(&mut self) {
        if let Some(completer) = &mut self.completer
            && completer.taken.is_empty()
        {
            completer.taken.append(&mut self.callbacks);
        }
    }

    /// The callback that was running has ended.
    pub(crate) fn drop_callback(&mut self) {
        let completer = self.completer.as_mut().or(self.late.as_mut());
        if let Some(completer) = completer {
            completer.taken.pop_front();
        }
    }

    pub(crate) fn state(&self) -> JobState {
        match self.status {
            Status::Pending | Status::Suspended => JobState::Pending,
            Status::Running(_) => JobState::Running,
            Status::Ended(_) if self.shown().is_none() => JobState::Running,
            Status::Ended(End::Cancelled) => JobState::Cancelled,
            Status::Ended(_) => JobState::Finished,
        }
    }

    /// Nobody refers to it any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.is_left_to_queue() && !self.queued
    }

    /// Nobody refers to it but the queue, or who keeps the promise.
    pub(crate) fn is_left_to_queue(&self) -> bool {
        self.ready().is_some() && !self.handle && !self.lost
    }

    /// Whether another job may have its slot, with its place in the queue.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_left_to_queue() && !self.promised
    }
}
