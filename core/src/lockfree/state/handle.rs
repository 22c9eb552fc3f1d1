//! What a future's handle does with the state word: it cancels, listens, detaches.

use super::*;

/// What the handle found that took its waiter back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TakenBack {
    /// The cell is the handle's, with what it left there.
    Full,
    /// The cell is the handle's, and empty.
    Empty,
    /// The job is ready, and what was in the cell is the completer's.
    Gone,
}

/// What the handle found that went away before it took the result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detached {
    /// There is no handle any more.
    Alone,
    /// Nor a waiter: what the handle left in the cell is its own again.
    WithListener,
    /// The outcome can be taken: the handle is there, to look again, drop the payload, and `leave`.
    Ready,
}

impl State {
    /// Takes a job that nobody is at work on, to end it without running it. False if there is no such
    /// job.
    pub(crate) fn claim(&self) -> bool {
        self.rare_transition(|s| {
            if s.is_claimable() {
                Ok((s.begun_by(CANCELLER), true))
            } else {
                Err(false)
            }
        })
    }

    /// Asks a job that is being worked on to stop; false if it is not being worked on.
    pub(crate) fn request_cancel(&self) -> bool {
        self.rare_transition(|s| {
            if s.has(BUSY) && s.lacks(DONE) {
                Ok((s.0 | CANCEL, true))
            } else {
                Err(false)
            }
        })
    }

    /// The handle leaves a waiter, which it wrote to the cell before. False: the job is done, and
    /// the cell is still the handle's.
    pub(crate) fn set_listening(&self) -> bool {
        self.rare_transition(|s| {
            if s.is_ready() {
                Err(false)
            } else {
                Ok((s.0 | LISTENING, true))
            }
        })
    }

    /// The handle takes the cell back.
    pub(crate) fn unset_listening(&self) -> TakenBack {
        self.rare_transition(|s| {
            if s.has(LISTENING) {
                Ok((s.0 & !LISTENING, TakenBack::Full))
            } else if s.is_ready() {
                Err(TakenBack::Gone)
            } else {
                Err(TakenBack::Empty)
            }
        })
    }

    /// The handle has put a callback into the chain. False: the completer has left; what is still
    /// in the chain is the handle's to run.
    pub(crate) fn set_callbacks(&self) -> bool {
        self.rare_transition(|s| {
            if s.is_ready() {
                Err(false)
            } else {
                Ok((s.0 | CALLBACKS, true))
            }
        })
    }

    /// The handle goes away, unless the outcome can be taken.
    pub(crate) fn detach(&self) -> Detached {
        self.rare_transition(|s| {
            if s.is_ready() {
                Err(Detached::Ready)
            } else if s.has(LISTENING) {
                Ok((s.0 & !(HANDLE | LISTENING), Detached::WithListener))
            } else {
                Ok((s.0 & !HANDLE, Detached::Alone))
            }
        })
    }
}
