//! The state word of a slot.
//!
//! One 32-bit word says everything that more than one party must agree on. Every transition is one
//! compare-and-swap of it.
//!
//! ```text
//!                   submit                begin                        complete
//!     free ──────────────► QUEUED ─────────────► BUSY ───────────────────────► DONE ──► free
//!                            │                    │ ▲                           ▲
//!                            │         suspend    ▼ │ begin                     │
//!                            │        (a task)  SUSPENDED ──wake──► SUSPENDED|QUEUED
//!                            │                    │                     │       │
//!                            └────────────────────┴──── claim ──────────┘       │
//!                                                 ▼                             │
//!                                    BUSY (the canceller drops the job) ────────┘
//!
//!     submit    `submit::put`          moves the job in; the handle is there, the index is queued
//!     begin     `State::begin`         a worker takes the job out of the queue to poll it
//!     suspend   `State::suspend`       a task returned `Pending`; `wake` queues it again
//!     claim     `State::claim`         cancel, shutdown and break take a job that nobody polls
//!     complete  `State::publish`       the outcome is there, for a handle that does not wait yet
//!               `State::settle`        the same for everybody else: callbacks run; waiters are woken
//!     take over `State::take_over`      a submitter takes a stale slot: DONE | QUEUED → DONE | QUEUED | BUSY
//!               `occupy_taken_over`     the new job is there: QUEUED | HANDLE, as after a submit
//!     reap      `State::reap`           marks DONE | QUEUED, or a canceller's BUSY | QUEUED, before its index is popped
//!               `State::leave_queue`    the index is out
//! ```
//!
//! A free slot's word still says how its last job ended, in which nobody finds anything to do, until the
//! next job occupies it.
//!
//! A slot that only the queue keeps, since its job has ended before its index came to the head, is *stale*. A
//! submitter that finds no free slot takes over a stale one: the new job then has the old one's place in the queue.
//!
//! Five parties can need a slot: the queue (`QUEUED`), whoever is at work on it (`BUSY`), the handle
//! (`HANDLE`), a completer that has someone to tell (`TELLING`), and a worker that was declared lost
//! (`LOST`). A done slot is freed by the one that leaves last: the one that finds the others' bits
//! clear, whose own may stay in the free word. `QUEUED` never does: so nobody who reaps or takes over swaps the word of a
//! free slot, and its next tenant may store.
//!
//! The completer publishes the outcome and takes the waiter in one swap. So nobody finds a job that has
//! ended and is not ready, but while its callbacks run: there is nothing to wait for between the two.
//!
//! | bit | set when | while set |
//! |---|---|---|
//! | `QUEUED` | the index goes into a run queue | the index is in the queue; the party that pops it clears it. A take-over keeps it |
//! | `BUSY` | a worker or a canceller takes the job | that party alone touches the payload, until `DONE`; also after: a submitter that takes its job back or takes the slot over, and a worker that was declared lost |
//! | `SUSPENDED` | a task returned `Pending` | the task waits for its waker |
//! | the same with `BUSY` or `DONE`: `REAPED` | somebody is about to take an index out of the queue that stands for nothing | nobody takes the slot over |
//! | `NOTIFIED` | the waker fired while `BUSY` | the task is queued again after this poll |
//! | `CANCEL` | cancel came while `BUSY` | the token says so; a task ends at its next suspension |
//! | `HANDLE` | submit | a `JobFuture` refers to the slot |
//! | `LISTENING` | the handle left a waker | the cell is full; its owner is who clears the bit |
//! | `TELLING` | the completer published the outcome and cleared `LISTENING` | the cell belongs to the completer, which reports to a set by way of the slot's link |
//! | `CALLBACKS` | the handle left a callback | the chain of callbacks belongs to the completer; with `DONE`: they run now, the result is not to be taken yet |
//! | `SCOPED` | submit by a scope | the payload ends with the scope's address, and the completer leaves it at last |
//! | `TASK` | submit of a task | until `DONE`, the pool's end waits for it: whoever polls it may queue it again |
//! | `PROMISED` | submit of a promise | whoever holds the promise ends it, and `QUEUED` stands for that holder: the index is in no queue |
//! | `CLONED` | somebody clones the waker of a task | the pool does not know who may wake it |
//! | `LOST` | the worker that is `BUSY` was declared lost | the payload is that worker's; the slot is kept until it comes back, if it ever does |
//! | `DONE` | the outcome is decided | outcome and payload are final; the payload belongs to the handle |
//!
//! Beside the bits, the word has the outcome, the priority, and, while a worker is `BUSY`, that
//! worker's number, or that it is a canceller, so that a lost worker's jobs are told from all others in the same swap that
//! takes them. That swap (`lose`) sets `DONE` and `LOST` together: the outcome is `WorkerLost`.

use super::sync::{AtomicU32, Ordering, const_unless_loom};

/// A snapshot of a slot's state word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot(u32);

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
const OUTCOME_SHIFT: u32 = 10;
const OUTCOME: u32 = 0b111 << OUTCOME_SHIFT;
const PRIORITY_SHIFT: u32 = 13;
const PRIORITY: u32 = 0b1111 << PRIORITY_SHIFT;
const RUNNER_SHIFT: u32 = 17;
pub(crate) const RUNNER_BITS: u32 = 10;
const RUNNER: u32 = ((1 << RUNNER_BITS) - 1) << RUNNER_SHIFT;
/// In place of a worker's number plus one, which is 1,000 at most: a canceller is `BUSY`.
const CANCELLER: u16 = (1 << RUNNER_BITS) - 1;
pub(crate) const TELLING: u32 = 1 << 27;
pub(crate) const TASK: u32 = 1 << 28;
pub(crate) const LOST: u32 = 1 << 29;
pub(crate) const PROMISED: u32 = 1 << 30;
pub(crate) const CLONED: u32 = 1 << 31;
/// A task that is `BUSY` or `DONE` does not wait for its waker. A reaper that is slow may set it while the index is no
/// longer at the head: nobody takes the slot over then before the index comes there.
const REAPED: u32 = SUSPENDED;

/// Who may need a slot.
const PARTIES: u32 = QUEUED | BUSY | HANDLE | TELLING | LOST;

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
    /// The payload holds a `Panic`.
    Panicked = 2,
    WorkerLost = 3,
    Broken = 4,
    /// The payload holds a `Failure`.
    Failed = 5,
}

impl Outcome {
    /// The bits that say that the job has ended so.
    #[inline(always)]
    fn published(self) -> u32 {
        DONE | ((self as u32) << OUTCOME_SHIFT)
    }
}

impl Snapshot {
    #[inline(always)]
    pub(crate) fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    #[inline(always)]
    pub(crate) fn lacks(self, bits: u32) -> bool {
        self.0 & bits == 0
    }

    /// Whether the result may be taken: done, and the completer has left.
    #[inline(always)]
    pub(crate) fn is_ready(self) -> bool {
        self.0 & (DONE | BUSY) == DONE
    }

    /// Whether a job is there that has not begun, or a task between two polls.
    #[inline(always)]
    pub(crate) fn is_claimable(self) -> bool {
        self.has(QUEUED | SUSPENDED) && self.lacks(BUSY | DONE)
    }

    pub(crate) fn outcome(self) -> Outcome {
        match (self.0 & OUTCOME) >> OUTCOME_SHIFT {
            0 => Outcome::Returned,
            1 => Outcome::Cancelled,
            2 => Outcome::Panicked,
            3 => Outcome::WorkerLost,
            4 => Outcome::Broken,
            _ => Outcome::Failed,
        }
    }

    /// Whether nobody but `party` needs the slot.
    #[inline(always)]
    pub(crate) fn is_left_to(self, party: u32) -> bool {
        self.lacks(PARTIES & !party)
    }

    /// The word after somebody has begun the job.
    #[inline(always)]
    fn begun_by(self, runner: u16) -> u32 {
        debug_assert!(u32::from(runner) <= RUNNER >> RUNNER_SHIFT);
        (self.0 & !(SUSPENDED | NOTIFIED | RUNNER)) | BUSY | (u32::from(runner) << RUNNER_SHIFT)
    }

    /// Ended, otherwise than with a result or by cancellation.
    pub(crate) fn failed(self) -> bool {
        self.has(DONE) && !matches!(self.outcome(), Outcome::Returned | Outcome::Cancelled)
    }

    /// Whether it has ended so, whether or not its callbacks have run.
    pub(crate) fn has_ended_with(self, outcome: Outcome) -> bool {
        self.has(DONE) && self.outcome() == outcome
    }

    /// The number plus one of the worker that is `BUSY`; that of no worker, if it is none.
    #[inline(always)]
    pub(crate) fn runner(self) -> u16 {
        ((self.0 & RUNNER) >> RUNNER_SHIFT) as u16
    }

    /// Whether its index, which is in a queue, stands for nothing any more: the job has ended, or somebody has taken
    /// it to end it, and may have been stopped for ever.
    fn is_queued_in_vain(self) -> bool {
        self.has(QUEUED) && (self.has(DONE) || self.has(BUSY) && self.runner() == CANCELLER)
    }

    /// Whether only the queue keeps the slot.
    pub(crate) fn is_left_to_queue(self) -> bool {
        self.0 & (PARTIES | DONE | PROMISED) == QUEUED | DONE
    }

    /// Whether only the queue keeps the slot, and nobody is taking the index out.
    fn is_stale(self) -> bool {
        self.is_left_to_queue() && self.lacks(REAPED)
    }

    /// Whether a new job may have the place that an ended one has in the queue of this priority.
    pub(crate) fn is_stale_at(self, priority: usize) -> bool {
        self.is_stale() && self.priority() == priority
    }

    #[inline(always)]
    pub(crate) fn priority(self) -> usize {
        ((self.0 & PRIORITY) >> PRIORITY_SHIFT) as usize
    }
}

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

/// The parties that keep a slot after one has left it. `Queue` is a hint: a promise's holder may be meant, or the index
/// may be on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeftTo {
    /// To others, of whom the last frees the slot.
    Others,
    /// To the queue of this priority alone, or to who keeps the promise.
    Queue(usize),
    /// The slot is the caller's, to free it.
    Nobody,
}

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

/// The state word.
pub(crate) struct State(AtomicU32);

impl State {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Acquire: pairs with the Release of every transition, so that what the snapshot says is there
    /// can be seen.
    #[inline(always)]
    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Swaps `from` for `to`. AcqRel: every transition hands over what its bits stand for (payload,
    /// waker cell, chain) and takes over what the others' bits stand for.
    ///
    /// Relaxed on failure: who finds that there is nothing to swap touches nothing but what is its own
    /// already, before it has looked again.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn swap(&self, from: Snapshot, to: u32) -> Result<(), Snapshot> {
        match self
            .0
            .compare_exchange_weak(from.0, to, Ordering::AcqRel, Ordering::Relaxed)
        {
            Ok(_) => Ok(()),
            Err(now) => Err(Snapshot(now)),
        }
    }

    /// [`swap`](Self::swap) as one piece of code, for all the transitions that are rare.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    fn swap_rarely(&self, from: Snapshot, to: u32) -> Result<(), Snapshot> {
        self.swap(from, to)
    }

    /// Repeats `step` until its swap succeeds. `step` returns the new word and what to report, or
    /// just what to report.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn transition<R>(&self, step: impl Fn(Snapshot) -> Result<(u32, R), R>) -> R {
        self.transition_by(Self::swap, step)
    }

    /// [`transition`](Self::transition) for what not every job goes through: on a chip it takes less
    /// code.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn rare_transition<R>(&self, step: impl Fn(Snapshot) -> Result<(u32, R), R>) -> R {
        self.transition_by(Self::swap_rarely, step)
    }

    #[inline(always)]
    fn transition_by<R>(
        &self,
        swap: impl Fn(&Self, Snapshot, u32) -> Result<(), Snapshot>,
        step: impl Fn(Snapshot) -> Result<(u32, R), R>,
    ) -> R {
        let mut now = self.load();
        loop {
            match step(now) {
                Err(report) => return report,
                Ok((to, report)) => match swap(self, now, to) {
                    Ok(()) => return report,
                    Err(other) => now = other,
                },
            }
        }
    }

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

    /// Whether the index, which is in the queue, stands for nothing there. If so, nobody takes the slot over before
    /// the index has left the queue.
    pub(crate) fn reap(&self) -> bool {
        loop {
            // Anew after a swap that failed, which acquires nothing: who finds that the index has left the queue finds
            // the head moved.
            let now = self.load();
            if !now.is_queued_in_vain() {
                return false;
            }
            if now.has(REAPED) || self.swap_rarely(now, now.0 | REAPED).is_ok() {
                return true;
            }
        }
    }

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

    /// The index that the caller has [`reap`](Self::reap)ed has left the queue. True: it was the last that kept the
    /// slot, which is the caller's to free.
    pub(crate) fn leave_queue(&self) -> bool {
        self.rare_transition(|s| Ok((s.0 & !QUEUED, s.lacks(PARTIES & !QUEUED))))
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

    /// A waker fired. `Some`: the caller queues the task.
    pub(crate) fn wake(&self) -> Option<Snapshot> {
        self.rare_transition(|s| {
            if s.has(SUSPENDED) && s.lacks(QUEUED | BUSY | DONE) {
                let to = s.0 | QUEUED;
                Ok((to, Some(Snapshot(to))))
            } else if s.has(BUSY) && s.lacks(DONE | NOTIFIED) {
                Ok((s.0 | NOTIFIED, None))
            } else {
                Err(None)
            }
        })
    }

    /// Somebody has a waker of the task.
    pub(crate) fn set_cloned(&self) {
        if self.load().lacks(CLONED) {
            // Relaxed: a hint of who may wake the task, which hands nothing over. Of a task that has ended, it
            // marks the slot's next tenant: of that one less is known then.
            self.0.fetch_or(CLONED, Ordering::Relaxed);
        }
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

    /// A party other than the queue leaves the slot of a job that has ended or is about to.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn leave(&self, party: u32) -> LeftTo {
        loop {
            // Anew after a swap that failed, which acquires nothing: who frees the slot has seen what the
            // others did with it.
            let now = self.load();
            let others = now.0 & PARTIES & !party;
            if others == 0 {
                // Nobody else refers to the slot, so nobody else changes the word: no swap needed.
                return LeftTo::Nobody;
            }
            if self.swap_rarely(now, now.0 & !party).is_ok() {
                return if others == QUEUED {
                    LeftTo::Queue(now.priority())
                } else {
                    LeftTo::Others
                };
            }
        }
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

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
