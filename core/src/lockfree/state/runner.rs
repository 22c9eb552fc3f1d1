//! The transitions of the party that runs a job: it begins, suspends, publishes, settles.

use super::*;

/// The state of a job whose index a worker has popped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begin {
    /// The worker is `BUSY` with the job. This is the new word.
    Begun(Snapshot),
    /// The job has ended, or another party is at work on it. The queue has left the slot.
    Left,
    /// The job has ended, and no other party needs the slot: the worker frees it.
    LeftLast,
}

/// The place of the index of a job that was begun by mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unbegun {
    /// In the queue.
    Queued,
    /// Popped meanwhile: the caller queues it.
    Unqueued,
    /// The caller was declared lost meanwhile, and the job has ended as `WorkerLost`. The caller
    /// drops the payload, and leaves as `LOST`.
    Lost,
}

/// The state of a task that has returned `Pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Suspension {
    /// The task waits for its waker.
    Suspended,
    /// The waker was woken during the poll: the caller queues the task again.
    Requeue,
    /// The caller, which is still `BUSY`, cancels the task.
    Cancel,
}

/// The next thing a completer does, if it has more to do than to hand the result to the handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settle {
    /// The completer runs the callbacks in the chain, and settles again.
    Callbacks,
    /// The slot is the handle's now, and the waiter the completer's. The completer takes the waiter
    /// from the cell, leaves the slot, and wakes the waiter.
    Waiter,
    /// There is no handle. The completer drops the payload, and leaves.
    Unclaimed,
    /// Nothing is left to do: the slot is the handle's now.
    Left,
    /// The completer had been declared lost. It drops the payload, which is its own, and leaves as
    /// `LOST`.
    TakenOver,
}

/// The consequence of a worker's loss for one job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// That worker is not at work on the job, or no party waits for its end.
    None,
    /// The job has ended as `WorkerLost`, and the caller is the completer.
    TakenOver,
    /// The scoped job has ended before, and its outcome was shown to the holders of a shared handle. It
    /// stays with the worker, and in its scope.
    Shown,
}

impl Snapshot {
    /// The word after a worker has popped the index, and what the worker has to do.
    #[inline(always)]
    pub(super) fn begin(self, runner: u16) -> (u32, Begin) {
        if self.lacks(BUSY | DONE) {
            let to = self.begun_by(runner) & !QUEUED;
            (to, Begin::Begun(Snapshot(to)))
        } else {
            // One change clears the bit and reads the others. So a worker that suspends the task
            // meanwhile sees whether the index is in the queue. So does a submitter that takes the
            // slot over.
            let is_last = self.lacks(PARTIES & !QUEUED);
            let begin = if is_last {
                Begin::LeftLast
            } else {
                Begin::Left
            };
            (self.0 & !QUEUED, begin)
        }
    }
}

impl State {
    /// Begins a job that the caller waits for, while its index stays in the queue. `runner` is as
    /// in [`begin`](Self::begin). `None` if a party has begun the job. A task that was polled can
    /// only be begun from the queue.
    pub(crate) fn begin_in_queue(&self, runner: u16) -> Option<Snapshot> {
        part::OUT_OF_ORDER.mark();
        self.rare_transition(|s| {
            if s.has(QUEUED) && s.lacks(SUSPENDED | BUSY | DONE | PROMISED) {
                let to = s.begun_by(runner);
                Ok((to, Some(Snapshot(to))))
            } else {
                Err(None)
            }
        })
    }

    /// Gives back a job that the caller has just begun by [`begin_in_queue`](Self::begin_in_queue),
    /// and that is not the job that the caller waits for.
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

    /// The state of a task after it has returned `Pending`.
    pub(crate) fn suspend(&self) -> Suspension {
        self.rare_transition(|s| {
            let suspended = (s.0 & !(BUSY | NOTIFIED)) | SUSPENDED;
            // DONE here: the worker was declared lost during the poll. The task ends like a
            // cancelled one.
            if s.has(CANCEL | DONE) {
                Err(Suspension::Cancel)
            } else if s.has(NOTIFIED) && s.lacks(QUEUED) {
                Ok((suspended | QUEUED, Suspension::Requeue))
            } else {
                // If the index is in the queue, the worker that pops it polls the task.
                Ok((suspended, Suspension::Suspended))
            }
        })
    }

    /// Publishes the outcome if a handle is the only other party: the slot is the handle's then. If
    /// not, the word is unchanged, and the caller goes on to `settle`. The caller is `BUSY`.
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

    /// Publishes the outcome, if the completer has not done so, and finds the completer's next
    /// step. If there is none, the completer has left the slot. `runner` is the completer's number in
    /// the state word. It is 0 if the completer has taken the place of a lost worker.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn settle(&self, unpublished: Option<Outcome>, runner: u16) -> Settle {
        let publication = unpublished.map_or(0, Outcome::published);
        self.rare_transition(|s| {
            let done = s.0 | publication;
            if runner != 0 && s.has(LOST) && part::LOSSES.is_used() {
                Err(Settle::TakenOver)
            } else if s.has(CALLBACKS) && part::CALLBACKS.is_used() {
                Ok((done & !CALLBACKS, Settle::Callbacks))
            } else if s.lacks(HANDLE) {
                // The bit of SHARED goes, since with DONE it keeps the slot. A free slot keeps its last
                // word, in which `lose` finds no shared job then.
                Ok((done & !SHARED, Settle::Unclaimed))
            } else if s.has(LISTENING) && part::LISTENERS.is_used() {
                Ok(((done & !(LISTENING | BUSY)) | TELLING, Settle::Waiter))
            } else {
                Ok((done & !BUSY, Settle::Left))
            }
        })
    }

    /// Declares the worker `runner` lost if it is `BUSY` with this job, and makes the caller the
    /// completer. `LOST` keeps the slot for the worker, in case it comes back. The payload stays
    /// too, even a result: a callback may be looking at it.
    pub(crate) fn lose(&self, runner: u16) -> Loss {
        part::LOSSES.mark();
        self.rare_transition(|s| {
            if s.lacks(BUSY) || s.has(LOST) || s.runner() != runner {
                return Err(Loss::None);
            }
            if s.has(DONE) && s.has(SHARED) {
                // The holders of a shared handle have the outcome, and may be looking at the payload.
                return Err(if s.has(SCOPED) {
                    Loss::Shown
                } else {
                    Loss::None
                });
            }
            if s.has(DONE) && s.lacks(HANDLE) {
                // No party waits for the job, and its worker may be dropping the payload.
                return Err(Loss::None);
            }
            let lost = LOST | Outcome::WorkerLost.published();
            Ok(((s.0 & !OUTCOME) | lost, Loss::TakenOver))
        })
    }
}
