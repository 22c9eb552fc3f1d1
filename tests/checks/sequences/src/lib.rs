//! Sequences of a pool's calls, made of bytes and checked against the model.
//!
//! [`Sequence`] is what the bytes stand for: a small pool, and calls, some of them made in jobs and
//! callbacks. [`run`] makes the calls on a pool of `corepool`, all on one thread, and tells the model
//! what happens when it happens; whatever the pool answers must be what the model says. Beyond
//! answers, it checks that each value is dropped once, and that no slot is missing at the end.
//!
//! `tests/checks/fuzz` finds sequences by coverage; `tests/corpus.rs` replays what it found.
#![deny(missing_docs)]

mod answers;
mod bodies;
mod call;
mod machine;
mod perform;
mod pool;
mod run;
mod values;
mod world;

pub use crate::{call::Sequence, run::run};
