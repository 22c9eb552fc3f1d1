//! The bits of the state word, and a snapshot of them.

pub(crate) const QUEUED: u32 = 1 << 0;
pub(crate) const BUSY: u32 = 1 << 1;
pub(crate) const SUSPENDED: u32 = 1 << 2;
pub(crate) const NOTIFIED: u32 = 1 << 3;
pub(crate) const CANCEL: u32 = 1 << 4;
pub(crate) const HANDLE: u32 = 1 << 5;
pub(crate) const LISTENING: u32 = 1 << 6;
pub(crate) const CALLBACKS: u32 = 1 << 7;
pub(crate) const DONE: u32 = 1 << 8;
pub(crate) const SCOPED: u32 = 1 << 9;
pub(crate) const OUTCOME_SHIFT: u32 = 10;
pub(crate) const OUTCOME: u32 = 0b111 << OUTCOME_SHIFT;
pub(crate) const PRIORITY_SHIFT: u32 = 13;
pub(crate) const PRIORITY: u32 = 0b1111 << PRIORITY_SHIFT;
pub(crate) const RUNNER_SHIFT: u32 = 17;
pub(crate) const RUNNER_BITS: u32 = 10;
pub(crate) const RUNNER: u32 = ((1 << RUNNER_BITS) - 1) << RUNNER_SHIFT;
/// The runner's number if a canceller is `BUSY`. A worker's number plus one is 1,000 at most.
pub(crate) const CANCELLER: u16 = (1 << RUNNER_BITS) - 1;
pub(crate) const TELLING: u32 = 1 << 27;
pub(crate) const TASK: u32 = 1 << 28;
pub(crate) const LOST: u32 = 1 << 29;
pub(crate) const PROMISED: u32 = 1 << 30;
pub(crate) const CLONED: u32 = 1 << 31;
/// A reaper is about to take the slot's index out of the queue, so no submitter takes the slot over.
///
/// The bit is that of `SUSPENDED`: a task that is `BUSY` or `DONE` does not wait for its waker. A slow
/// reaper may set it when the index is not at the queue's head any more. Then the slot is reaped when the
/// index comes to the head, and not before.
pub(crate) const REAPED: u32 = SUSPENDED;
/// Until the job is ready: the handle is shared. With `DONE` its holders look at the outcome, even if
/// callbacks run. The bit is that of `TELLING`, which comes with the swap that makes a job ready.
pub(crate) const SHARED: u32 = TELLING;
/// In place of the outcome `Panicked`: a holder of the shared handle has been given the panic.
pub(super) const PANICKED_AND_TOLD: u32 = 6 << OUTCOME_SHIFT;
/// The bits of the parties that may need a slot.
pub(crate) const PARTIES: u32 = QUEUED | BUSY | HANDLE | TELLING | LOST;
/// The number of priorities that the state word has room for.
pub(crate) const MAX_PRIORITIES: usize = 16;

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u32)]
pub(crate) enum Outcome {
    /// The payload holds the result.
    Returned = 0,
    Cancelled = 1,
    WorkerLost = 2,
    Broken = 3,
    /// The payload holds a `Failure`.
    Failed = 4,
    /// The payload holds a `Panic`.
    Panicked = 5,
}

impl Outcome {
    /// The bits of the word after a job has ended with this outcome.
    #[inline(always)]
    pub(super) fn published(self) -> u32 {
        DONE | ((self as u32) << OUTCOME_SHIFT)
    }
}

/// A snapshot of a slot's state word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot(pub(super) u32);

impl Snapshot {
    #[inline(always)]
    pub(crate) fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    #[inline(always)]
    pub(crate) fn lacks(self, bits: u32) -> bool {
        self.0 & bits == 0
    }

    /// Whether the result may be taken: the job is done, and its completer has left.
    #[inline(always)]
    pub(crate) fn is_ready(self) -> bool {
        self.0 & (DONE | BUSY) == DONE
    }

    /// Whether the outcome may be looked at by reference: the job is ready, or it is done and its
    /// handle is shared.
    #[inline(always)]
    pub(crate) fn is_shown(self) -> bool {
        self.has(DONE) && (self.lacks(BUSY) || self.has(SHARED))
    }

    /// Whether a party is `BUSY` with a job whose handle is shared.
    pub(crate) fn is_busy_and_shared(self) -> bool {
        self.0 & (BUSY | SHARED) == BUSY | SHARED
    }

    /// Whether the job is ready, and its completer is about to report it to the set of its handle.
    pub(crate) fn is_reported(self) -> bool {
        self.lacks(BUSY) && self.0 & (DONE | TELLING | HANDLE) == DONE | TELLING | HANDLE
    }

    /// Whether the job has panicked, and a holder of its shared handle has been given the panic.
    pub(crate) fn is_told(self) -> bool {
        self.0 & OUTCOME == PANICKED_AND_TOLD
    }

    /// Whether the job has still a party at work on it: it runs the job or its callbacks.
    pub(crate) fn is_held_up(self) -> bool {
        self.has(BUSY) && self.lacks(LOST) && !self.is_shown()
    }

    /// Whether the slot has a job that no party has begun, or a task between two polls.
    #[inline(always)]
    pub(crate) fn is_claimable(self) -> bool {
        self.has(QUEUED | SUSPENDED) && self.lacks(BUSY | DONE)
    }

    pub(crate) fn outcome(self) -> Outcome {
        match (self.0 & OUTCOME) >> OUTCOME_SHIFT {
            0 => Outcome::Returned,
            1 => Outcome::Cancelled,
            2 => Outcome::WorkerLost,
            3 => Outcome::Broken,
            4 => Outcome::Failed,
            _ => Outcome::Panicked,
        }
    }

    /// Whether no party but `party` needs the slot.
    #[inline(always)]
    pub(crate) fn is_left_to(self, party: u32) -> bool {
        self.lacks(PARTIES & !party)
    }

    /// The word after a party has begun the job.
    #[inline(always)]
    pub(super) fn begun_by(self, runner: u16) -> u32 {
        debug_assert!(u32::from(runner) <= RUNNER >> RUNNER_SHIFT);
        (self.0 & !(SUSPENDED | NOTIFIED | RUNNER)) | BUSY | (u32::from(runner) << RUNNER_SHIFT)
    }

    /// Whether the job has ended, neither with a result nor by cancellation.
    pub(crate) fn failed(self) -> bool {
        self.has(DONE) && !matches!(self.outcome(), Outcome::Returned | Outcome::Cancelled)
    }

    /// Whether the job has ended with this outcome. Its callbacks may not have run yet.
    pub(crate) fn has_ended_with(self, outcome: Outcome) -> bool {
        self.has(DONE) && self.outcome() == outcome
    }

    /// The number plus one of the worker that is `BUSY`. For any other party that is `BUSY`, it is
    /// a number that no worker has.
    #[inline(always)]
    pub(crate) fn runner(self) -> u16 {
        ((self.0 & RUNNER) >> RUNNER_SHIFT) as u16
    }

    /// Whether the index, which is in a queue, stands for no job any more. Either the job has
    /// ended, or a canceller has claimed it, and may have been stopped for ever.
    pub(super) fn is_queued_in_vain(self) -> bool {
        self.has(QUEUED) && (self.has(DONE) || self.has(BUSY) && self.runner() == CANCELLER)
    }

    /// Whether only the queue keeps the slot.
    pub(crate) fn is_left_to_queue(self) -> bool {
        self.0 & (PARTIES | DONE | PROMISED) == QUEUED | DONE
    }

    /// Whether only the queue keeps the slot, and no party is taking the index out.
    pub(super) fn is_stale(self) -> bool {
        self.is_left_to_queue() && self.lacks(REAPED)
    }

    /// Whether a new job may take over the slot, with its place in the queue of this priority.
    pub(crate) fn is_stale_at(self, priority: usize) -> bool {
        self.is_stale() && self.priority() == priority
    }

    #[inline(always)]
    pub(crate) fn priority(self) -> usize {
        ((self.0 & PRIORITY) >> PRIORITY_SHIFT) as usize
    }
}
