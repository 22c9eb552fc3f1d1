//! The handle's transitions: it cancels, listens, detaches.

use super::*;

/// The listener cell, when the handle takes back what it left there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TakenBack {
    /// The cell is the handle's, and still has the handle's listener.
    Full,
    /// The cell is the handle's, and empty.
    Empty,
    /// The job is ready, and the completer owns the cell's content.
    Gone,
}

/// The slot, when the handle goes away before it took the result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Detached {
    /// The slot has no handle any more.
    Alone,
    /// The slot has no handle any more, and the listener in the cell is the handle's again.
    WithListener,
    /// The outcome is there. The handle keeps its bit: it looks at the slot again, drops the
    /// payload, and `leave`s.
    Ready,
}

impl State {
    /// Claims a job that no party is at work on, to end it without running it. False if the slot
    /// has no such job.
    pub(crate) fn claim(&self) -> bool {
        part::OUT_OF_ORDER.mark();
        self.rare_transition(|s| {
            if s.is_claimable() {
                Ok((s.begun_by(CANCELLER), true))
            } else {
                Err(false)
            }
        })
    }

    /// Asks the party that is `BUSY` with the job to stop. False if none is.
    pub(crate) fn request_cancel(&self) -> bool {
        self.rare_transition(|s| {
            if s.has(BUSY) && s.lacks(DONE) {
                Ok((s.0 | CANCEL, true))
            } else {
                Err(false)
            }
        })
    }

    /// Leaves a listener, which the handle has written to the cell before. False if the job is
    /// ready: the cell is still the handle's.
    pub(crate) fn set_listening(&self) -> bool {
        part::LISTENERS.mark();
        self.rare_transition(|s| {
            if s.is_ready() {
                Err(false)
            } else {
                Ok((s.0 | LISTENING, true))
            }
        })
    }

    /// Notes that the handle is shared. True if the listener that the handle has written to the
    /// cell is left there, until the last holder detaches. False if the job is ready.
    pub(crate) fn share(&self) -> bool {
        part::LISTENERS.mark();
        self.rare_transition(|s| {
            if s.is_ready() {
                Err(false)
            } else {
                Ok((s.0 | LISTENING | SHARED, true))
            }
        })
    }

    /// Notes that a holder of the shared handle has been given the panic of the job, if the job has
    /// panicked. The outcome is shown.
    pub(crate) fn note_told(&self) {
        self.rare_transition(|s| match s.outcome() {
            Outcome::Panicked if !s.is_told() => Ok(((s.0 & !OUTCOME) | PANICKED_AND_TOLD, ())),
            _ => Err(()),
        });
    }

    /// Takes the listener back.
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

    /// Hands the chain of callbacks to the completer, after the handle has put one in. False if the
    /// completer has left: the handle runs the callbacks that are still in the chain.
    pub(crate) fn set_callbacks(&self) -> bool {
        part::CALLBACKS.mark();
        self.rare_transition(|s| {
            if s.is_ready() {
                Err(false)
            } else {
                Ok((s.0 | CALLBACKS, true))
            }
        })
    }

    /// Removes the handle, unless the job is ready.
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
