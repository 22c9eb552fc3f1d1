//! The state word of a slot.
//!
//! One 32-bit word holds everything that several parties must agree on about a slot. Every
//! transition is one compare-and-swap of it.
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
//!     submit    `State::occupy`        the submitter has moved the job in; the handle is there, the index is queued
//!     begin     `State::begin`         a worker has popped the index, and runs or polls the job
//!     suspend   `State::suspend`       a task returned `Pending`; `wake` queues it again
//!     claim     `State::claim`         cancel, shutdown and break take a job that no worker is at work on
//!     complete  `State::publish`       the outcome is there, for a handle that has left no waker
//!               `State::settle`        the same for all other jobs: callbacks run, waiters are woken
//!     take over `State::take_over`     a submitter takes a stale slot: DONE | QUEUED → DONE | QUEUED | BUSY
//!               `State::occupy_taken_over`  the new job is there: QUEUED | HANDLE, as after a submit
//!     reap      `State::reap`          marks DONE | QUEUED, or a canceller's BUSY | QUEUED, before its index is popped
//!               `State::leave_queue`   the index has left the queue
//! ```
//!
//! # Parties
//!
//! Five parties can need a slot, each with a bit:
//!
//! * the queue (`QUEUED`);
//! * the party at work on the slot (`BUSY`): a worker, a canceller, a promise's holder, or a
//!   submitter that takes the slot back or over;
//! * the handle (`HANDLE`), which is the job's `JobFuture`;
//! * a completer that has a waiter to wake (`TELLING`);
//! * a worker that was declared lost (`LOST`).
//!
//! The party that leaves last frees the slot of an ended job: it finds the bits of the others
//! clear. Its own bit may stay in the word. The word of a free slot is stale but inert. `QUEUED`
//! alone never stays: so no reaper, and no submitter that takes slots over, swaps the word of a
//! free slot. That lets the next submitter store its first word instead of swapping it.
//!
//! A slot is *stale* if its job has ended and only its index in the queue keeps it. A submitter
//! that finds no free slot takes over a stale one. Its job then has the old job's place in the
//! queue.
//!
//! The completer publishes the outcome and takes the waiter in one swap. So a handle never finds a
//! job that has ended and is not ready, except while the job's callbacks run. The holders of a shared
//! handle look at the outcome meanwhile.
//!
//! Any party may load the word, in any context. The payload belongs to the party that is `BUSY`,
//! until `DONE`. An interrupt handler that submits or cancels takes the same transitions as a
//! thread, and waits for no other party.
//!
//! # Bits
//!
//! | bit | set when | while set |
//! |---|---|---|
//! | `QUEUED` | the index goes into a run queue | the index is in the queue; the party that pops it clears the bit. A take-over keeps it |
//! | `BUSY` | a worker, a canceller or a promise's holder takes the job | that party alone touches the payload, until `DONE`. With `DONE`: a submitter takes its job back or takes the slot over, the completer runs callbacks or drops the payload, or the worker was declared lost |
//! | `SUSPENDED` | a task returned `Pending` | the task waits for its waker |
//! | the same bit with `BUSY` or `DONE`: `REAPED` | a party is about to pop an index that stands for no job | no submitter takes the slot over |
//! | `NOTIFIED` | the waker was woken while `BUSY` | the task is queued again after this poll. With `DONE` it means nothing |
//! | `CANCEL` | a handle cancelled the job while `BUSY` | the job's `CancelToken` reads it; a task ends at its next suspension |
//! | `HANDLE` | submit | a `JobFuture` refers to the slot |
//! | `LISTENING` | the handle left a waker | the listener cell is full; the party that clears the bit owns its content |
//! | `TELLING` | the completer published the outcome and cleared `LISTENING` | the listener cell belongs to the completer, which adds the slot to a set's list by the slot's link |
//! | the same bit until the job is ready: `SHARED` | the handle is shared | with `DONE`, the holders look at the outcome, even while callbacks run, and no party declares the job lost |
//! | `CALLBACKS` | the handle left a callback | the chain of callbacks belongs to the completer. With `DONE`: they run now, and the result is not to be taken yet |
//! | `SCOPED` | submit by a scope | the payload ends with the scope's address, and the completer counts the job out of the scope at last |
//! | `TASK` | submit of a task | until `DONE`, the pool's end waits for the task: the worker that polls it may queue it again |
//! | `PROMISED` | submit of a promise | the promise's holder ends the job. `QUEUED` stands for that holder: the index is in no queue |
//! | `CLONED` | a party clones the waker of a task | the pool does not know which parties may wake the task |
//! | `LOST` | the worker that is `BUSY` was declared lost | the payload is that worker's; the slot is kept until the worker comes back, if it does |
//! | `DONE` | the outcome is decided | the payload is final, and belongs to the handle. `State::lose` may put `WorkerLost` in place of the outcome, until it is shown |
//!
//! The word also has the outcome and the priority. A panic has a second value, for a panic that a holder
//! of the shared handle has been given. While a worker is `BUSY`, it has the worker's
//! number. While a canceller is `BUSY`, it has `CANCELLER`. So the swap that declares a worker lost
//! (`State::lose`) takes that worker's jobs and no others. It sets `DONE` and `LOST` together, with
//! the outcome `WorkerLost`.

mod handle;
mod queue;
mod runner;
mod snapshot;
mod submitter;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
#[cfg_attr(
    any(feature = "critical-section", not(target_has_atomic = "ptr")),
    path = "../locked/transition.rs"
)]
mod transition;
mod waker;

pub(crate) use self::{
    handle::{Detached, TakenBack},
    queue::LeftTo,
    runner::{Begin, Loss, Settle, Suspension, Unbegun},
    snapshot::*,
    submitter::Occupied,
};
use super::part;
use super::sync::{AtomicU32, Ordering, const_unless_loom};

/// The state word.
pub(crate) struct State(AtomicU32);

impl State {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(0))
        }
    }

    /// Acquire: pairs with the Release of every transition. The caller sees what the bits of the
    /// snapshot stand for.
    #[inline(always)]
    pub(crate) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }
}
