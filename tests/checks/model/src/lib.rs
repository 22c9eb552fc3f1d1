//! The answers that a pool's calls must give, as a sequential specification: a queue per priority and
//! a table of jobs, and no concurrency.
//!
//! [`Model`] is what one thread sees that has the pool for itself: each method is one call, or one
//! step of a call that runs code of the user's in between, and says what the pool must answer.
//! [`history`] is the same for calls that overlap: it cuts each call into the moments at which it
//! takes effect, for a search for an order of these moments that explains what was observed.
//!
//! A job's slot is taken for as long as anybody refers to it: its future; the queue, where the index
//! of a cancelled job stays until it comes to the head; or who is at work on it. A callback that
//! waits takes a slot as well.
#![deny(missing_docs)]

pub mod history;
mod model;
mod record;

pub use crate::{
    model::{Model, Next, Refusal, Suspension},
    record::{End, JobState, Taken},
};

/// The name of a job, given by whoever submits it. A name is not given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job(pub u32);

/// The name of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Callback(pub u32);

/// The name of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker(pub u32);
