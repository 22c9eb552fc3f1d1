//! The suite of jobs that travel: what `concurrent.futures` promises, of jobs that can run in another
//! address space, on each executor that takes them.
//!
//! Tests are named as those in [`suite`](mod@crate::suite), which submit closures, where they say the same
//! of a job that is a named type. A job that travels shares no memory with the test: it waits at a
//! [`FileGate`], and leaves what it has done in [`Notes`], or in its result. The tests that are missing
//! here need a closure (a job that uses its own pool, tasks, scopes, `map` of a function) or a promise,
//! or do not depend on the executor (waiting for nothing at all).
//!
//! [`trials`] gives all tests for a [`Fixture`]. They are no test functions, since the program of the
//! tests is that of the worker processes, too, and so has a `main` of its own.

pub mod as_completed_tests;
pub mod context_tests;
pub mod deadlock_tests;
pub mod drop_tests;
pub mod executor_tests;
mod files;
mod fixture;
pub mod future_tests;
mod jobs;
pub mod python_goes_wrong;
pub mod shutdown_tests;
mod states;
pub mod wait_tests;

pub use self::{
    files::{FileGate, Notes},
    fixture::{Fixture, LocalThreads, Pool, Processes, RemoteThreads, Submitted},
    jobs::{
        AtGate, Bomb, Carry, CarryAndFail, CarryAway, CarryToGate, Counted, Explodes, Fails, JOBS,
        Ledger, Note, NoteAtGate, Number, Panics, Pow, SeesCancel, UntilCancelled,
    },
    states::{Hold, Mixed, hold, in_each_state, mixed, text_of, wait_for},
};

/// A test: its name and what it does.
pub type NamedTest = (&'static str, fn());

/// All tests, for one executor.
pub fn trials<F: Fixture>() -> Vec<NamedTest> {
    [
        as_completed_tests::trials::<F>,
        context_tests::trials::<F>,
        deadlock_tests::trials::<F>,
        drop_tests::trials::<F>,
        executor_tests::trials::<F>,
        future_tests::trials::<F>,
        python_goes_wrong::trials::<F>,
        shutdown_tests::trials::<F>,
        wait_tests::trials::<F>,
    ]
    .into_iter()
    .flat_map(|trials| trials())
    .collect()
}
