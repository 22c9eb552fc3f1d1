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

mod handle;
mod queue;
mod runner;
mod snapshot;
mod submitter;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
mod waker;

pub(crate) use self::{
    handle::{Detached, TakenBack},
    queue::LeftTo,
    runner::{Begin, Settle, Suspension, Unbegun},
    snapshot::*,
    submitter::Occupied,
};
use super::sync::{AtomicU32, Ordering, const_unless_loom};

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
}
