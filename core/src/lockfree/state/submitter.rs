//! The submitter's transitions: it occupies the slot, or takes its job back.

use super::*;

/// How a submitter occupies a slot that it has taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occupied {
    /// The index is in the queue, and stands for the new job from now on.
    Queued,
    /// The index has left the queue: the submitter pushes it.
    Unqueued,
    /// Another party is taking the index out of the queue. The word is unchanged: the submitter
    /// takes its job out of the slot again.
    Reaped,
}

impl State {
    /// Stores the first word of a slot's new tenant. The caller owns the slot alone, and its word
    /// lacks `QUEUED`. So no swap of a reaper or of another submitter comes in between.
    ///
    /// Release: pairs with the Acquire of [`load`](Self::load). The party that ends the pool finds
    /// the job by looking at every slot, and not by the queue.
    #[inline(always)]
    pub(crate) fn occupy(&self, priority: usize, bits: u32) {
        let word = ((priority as u32) << PRIORITY_SHIFT) | bits;
        self.0.store(word, Ordering::Release);
    }

    /// Takes over a stale slot that is queued at `priority`. The caller is `BUSY` then, and goes on
    /// to `occupy_taken_over` or to `leave`. False if the slot is not stale, or not queued at that
    /// priority.
    pub(crate) fn take_over(&self, priority: usize) -> bool {
        self.rare_transition(|s| {
            if s.is_stale_at(priority) {
                Ok(((s.0 & !RUNNER) | BUSY, true))
            } else {
                Err(false)
            }
        })
    }

    /// Writes the first word of the new tenant of a slot that was taken over. `bits` has `QUEUED`.
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

    /// Takes back a job that no party has begun and whose handle no other party has seen. The job
    /// counts as cancelled. The caller empties the payload, and then `leave`s as `BUSY` and as the
    /// handle. False if a party has begun the job.
    ///
    /// A job is taken back if the pool ends, or if its port has no worker. Those parts have marked
    /// `OUT_OF_ORDER`.
    pub(crate) fn take_back(&self) -> bool {
        self.rare_transition(|s| {
            // A task that was polled is or was SUSPENDED, and must not be moved.
            if s.has(QUEUED) && s.lacks(SUSPENDED | BUSY | DONE) {
                Ok((s.0 | BUSY | Outcome::Cancelled.published(), true))
            } else {
                Err(false)
            }
        })
    }
}
