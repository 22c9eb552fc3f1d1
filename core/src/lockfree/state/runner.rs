//! What the party that runs a job does with the state word: it begins, suspends, publishes, settles.

use super::*;

/// What who took an index out of the queue finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begin {
    /// It is at work on the job, whose state this is.
    Begun(Snapshot),
    /// The job has been ended, or somebody is at work on it. The queue has left the slot.
    Left,
    /// The job has been ended, and nobody else needs the slot: the caller frees it.
    LeftLast,
}

/// Where a job is that was begun by mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unbegun {
    /// Its index is in the queue.
    Queued,
    /// Its index has been popped meanwhile: the caller queues it.
    Unqueued,
    /// The caller has been declared lost meanwhile. The job has ended so, and the caller drops what is in the slot, and
    /// leaves it as lost.
    Lost,
}

/// What became of a task that returned `Pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Suspension {
    /// It waits for its waker.
    Suspended,
    /// Its waker has fired already: the caller queues it again.
    Requeue,
    /// It is to be cancelled, by the caller, who is still `BUSY`.
    Cancel,
}

/// What a completer does next, when there is more than a handle to hand the result to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settle {
    /// Run the callbacks that are in the chain, and come back.
    Callbacks,
    /// The slot is the handle's now, and the waiter the completer's: take it from the cell, `leave` the
    /// slot, and tell it.
    Waiter,
    /// There is no handle: drop the payload, then `leave`.
    Unclaimed,
    /// Nothing: the slot is the handle's now.
    Left,
    /// The completer had been declared lost. The payload is its own to drop, then `leave` as lost.
    TakenOver,
}

impl State {
    /// A worker popped the index, or a promise is kept. `runner`: the worker's number plus one, or 0.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn begin(&self, runner: u16) -> Begin {
        let now = self.load();
        if now.lacks(BUSY | DONE) {
            let to = now.begun_by(runner) & !QUEUED;
            if self.swap(now, to).is_ok() {
                return Begin::Begun(Snapshot(to));
            }
        }
        self.begin_anew(runner)
    }

    /// [`begin`](Self::begin), where somebody else is at the word, or has been.
    #[cold]
    fn begin_anew(&self, runner: u16) -> Begin {
        self.rare_transition(|s| {
            if s.lacks(BUSY | DONE) {
                let to = s.begun_by(runner) & !QUEUED;
                Ok((to, Begin::Begun(Snapshot(to))))
            } else {
                // In one step: a task that is suspended meanwhile sees whether its index is in the queue. So does a
                // submitter that takes the slot over.
                let last = s.lacks(PARTIES & !QUEUED);
                Ok((
                    s.0 & !QUEUED,
                    if last { Begin::LeftLast } else { Begin::Left },
                ))
            }
        })
    }

    /// Who waits for a job takes it, to run it, though its index stays in the queue. `runner` as for
    /// [`begin`](Self::begin). `None` if somebody has begun it: a task that was polled is for the queue.
    pub(crate) fn begin_in_queue(&self, runner: u16) -> Option<Snapshot> {
        self.rare_transition(|s| {
            if s.has(QUEUED) && s.lacks(SUSPENDED | BUSY | DONE | PROMISED) {
                let to = s.begun_by(runner);
                Ok((to, Some(Snapshot(to))))
            } else {
                Err(None)
            }
        })
    }

    /// Gives a job back that the caller has just begun by [`begin_in_queue`](Self::begin_in_queue), and that was
    /// another than it took it for.
    pub(crate) fn unbegin(&self) -> Unbegun {
        self.rare_transition(|s| {
            let to = (s.0 & !(BUSY | RUNNER)) | QUEUED;
            if s.has(DONE) {
                Err(Unbegun::Lost)
            } else if s.has(QUEUED) {
                Ok((to, Unbegun::Queued))
            } else {
                Ok((to, Unbegun::Unqueued))
            }
        })
    }

    /// A task returned `Pending`.
    pub(crate) fn suspend(&self) -> Suspension {
        self.rare_transition(|s| {
            let suspended = (s.0 & !(BUSY | NOTIFIED)) | SUSPENDED;
            // DONE: its worker was declared lost; it ends like a cancelled one.
            if s.has(CANCEL | DONE) {
                Err(Suspension::Cancel)
            } else if s.has(NOTIFIED) && s.lacks(QUEUED) {
                Ok((suspended | QUEUED, Suspension::Requeue))
            } else {
                // If the index is in the queue, whoever pops it polls the task.
                Ok((suspended, Suspension::Suspended))
            }
        })
    }

    /// The party that is `BUSY` publishes the outcome if there is a handle, and nothing else: the slot
    /// is the handle's then. If not, nothing has happened yet, and it is for `settle`.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn publish(&self, outcome: Outcome) -> bool {
        self.transition(|s| {
            if s.0 & (HANDLE | LISTENING | CALLBACKS | SCOPED | DONE) == HANDLE {
                Ok(((s.0 & !BUSY) | outcome.published(), true))
            } else {
                Err(false)
            }
        })
    }

    /// The completer leaves if there is nothing left to do. At first it publishes the outcome, if it has
    /// not. `runner`: its number plus one, if it is a worker.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn settle(&self, unpublished: Option<Outcome>, runner: u16) -> Settle {
        let publication = unpublished.map_or(0, Outcome::published);
        self.rare_transition(|s| {
            let done = s.0 | publication;
            if runner != 0 && s.has(LOST) {
                Err(Settle::TakenOver)
            } else if s.has(CALLBACKS) {
                Ok((done & !CALLBACKS, Settle::Callbacks))
            } else if s.lacks(HANDLE) {
                Ok((done, Settle::Unclaimed))
            } else if s.has(LISTENING) {
                Ok(((done & !(LISTENING | BUSY)) | TELLING, Settle::Waiter))
            } else {
                Ok((done & !BUSY, Settle::Left))
            }
        })
    }

    /// Declares `runner` lost if it is `BUSY` with this job, and makes the caller the completer;
    /// false if it is not. `LOST` keeps the slot for the worker, in case that it comes back. So does
    /// what is in the payload, even a result: a callback may be looking at it.
    pub(crate) fn lose(&self, runner: u16) -> bool {
        self.rare_transition(|s| {
            if s.lacks(BUSY) || s.has(LOST) || s.runner() != runner {
                return Err(false);
            }
            if s.has(DONE) && s.lacks(HANDLE) {
                // Nobody waits for the job, and its worker may be dropping the payload.
                return Err(false);
            }
            let lost = LOST | Outcome::WorkerLost.published();
            Ok(((s.0 & !OUTCOME) | lost, true))
        })
    }
}
