//! What the submitter does with the state word: it occupies the slot, or takes its job back.

use super::*;

/// How a submitter occupies a slot that it has taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occupied {
    /// The index is in the queue, and stands for the new job.
    Queued,
    /// The index has left the queue: the caller queues it.
    Unqueued,
    /// Somebody is taking the index out of the queue. Nothing has changed: the caller takes its job back.
    Reaped,
}

impl State {
    /// The first word of a slot's new tenant. The caller owns the slot alone, whose word lacks `QUEUED`: so no swap of
    /// a reaper or another submitter comes in between.
    ///
    /// Release: who ends the pool finds the job by looking at every slot, and not by the queue.
    #[inline(always)]
    pub(crate) fn occupy(&self, priority: usize, bits: u32) {
        let word = ((priority as u32) << PRIORITY_SHIFT) | bits;
        self.0.store(word, Ordering::Release);
    }

    /// Takes over a stale slot that is queued at `priority`: the slot is the caller's, who is `BUSY` and says so by
    /// `occupy_taken_over`, or leaves. False if it is no such slot.
    pub(crate) fn take_over(&self, priority: usize) -> bool {
        self.rare_transition(|s| {
            if s.is_stale_at(priority) {
                Ok(((s.0 & !RUNNER) | BUSY, true))
            } else {
                Err(false)
            }
        })
    }

    /// The first word of the new tenant of a slot that was taken over. These bits have `QUEUED`.
    pub(crate) fn occupy_taken_over(&self, priority: usize, bits: u32) -> Occupied {
        let word = ((priority as u32) << PRIORITY_SHIFT) | bits;
        self.rare_transition(|s| {
            if s.lacks(QUEUED) {
                Ok((word, Occupied::Unqueued))
            } else if s.has(REAPED) {
                Err(Occupied::Reaped)
            } else {
                Ok((word, Occupied::Queued))
            }
        })
    }

    /// Takes back a job that nobody has begun and whose future nobody has seen: it is cancelled, and the
    /// payload is the caller's, to empty and then to `leave` as who is at work and as the handle. False
    /// if somebody has begun it.
    pub(crate) fn take_back(&self) -> bool {
        self.rare_transition(|s| {
            // A task that was polled is SUSPENDED, or was; it must not be moved.
            if s.has(QUEUED) && s.lacks(SUSPENDED | BUSY | DONE) {
                Ok((s.0 | BUSY | Outcome::Cancelled.published(), true))
            } else {
                Err(false)
            }
        })
    }
}
