//! Futures in a given state.

use corepool::{JobError, JobFuture, ReturnWhen, wait};
use corepool_std::PanicExt;

use super::{Fails, FileGate, Fixture, Number, Pool};

/// Keeps every worker busy until it is dropped.
#[derive(Debug)]
#[must_use = "it holds the workers until it is dropped"]
pub struct Hold {
    _gates: Vec<FileGate>,
}

/// Gives each of so many workers a job that waits: what is submitted from now on is queued until the
/// hold is dropped. To be the first that a test does with its executor: to a worker that has been
/// quick, jobs may be sent ahead. Takes one slot for each worker.
///
/// # Panics
///
/// If the pool refuses.
pub fn hold<F: Fixture>(executor: &F, workers: usize) -> Hold {
    let gates: Vec<_> = (0..workers).map(|_| FileGate::new()).collect();
    for gate in &gates {
        executor.pool().submit(gate.job()).map(drop).unwrap();
    }
    for gate in &gates {
        gate.wait_until_begun();
    }
    Hold { _gates: gates }
}

/// Waits for a future, and leaves in it what it has.
///
/// # Panics
///
/// If the pool has no place for another wait.
pub fn wait_for<T>(future: &mut JobFuture<'static, T>) {
    let one = std::slice::from_mut(future);
    wait(one, None, ReturnWhen::AllCompleted).unwrap();
}

/// One of each: an executor with one worker, and futures of it.
#[derive(Debug)]
pub struct Mixed<F: Fixture> {
    /// Where the last job waits.
    pub gate: FileGate,
    /// Cancelled while it was queued.
    pub cancelled: JobFuture<'static, u32>,
    /// Its job has failed, with `"doh!"`.
    pub failed: JobFuture<'static, u32>,
    /// Its job has resulted in 5.
    pub done: JobFuture<'static, u32>,
    /// Its job runs, until the gate is opened.
    pub running: JobFuture<'static, u32>,
    /// Dropped last, when the gate is open.
    pub executor: F,
}

/// Makes one of each.
///
/// # Panics
///
/// If the pool refuses, or does not cancel what is queued.
pub fn mixed<F: Fixture>() -> Mixed<F> {
    mixed_after(|_| ())
}

/// [`mixed`], after `look` has seen a future whose job is queued.
fn mixed_after<F: Fixture>(look: impl FnOnce(&mut JobFuture<'static, u32>)) -> Mixed<F> {
    let executor = F::start(1);
    let pool = executor.pool();
    let hold = hold(&executor, 1);
    look(&mut pool.submit(Number(1)).unwrap());
    let cancelled = pool.submit(Number(2)).unwrap();
    assert!(cancelled.cancel());
    let mut failed = pool.submit(Fails(String::from("doh!"))).unwrap();
    let mut done = pool.submit(Number(5)).unwrap();
    let gate = FileGate::new();
    let running = pool.submit(gate.job()).unwrap();
    drop(hold);
    wait_for(&mut failed);
    wait_for(&mut done);
    gate.wait_until_begun();
    Mixed {
        gate,
        cancelled,
        failed,
        done,
        running,
        executor,
    }
}

/// The answers of `look` for a future that is pending, running, cancelled, failed, and done.
///
/// # Panics
///
/// As [`mixed`].
pub fn in_each_state<F: Fixture, R>(
    mut look: impl FnMut(&mut JobFuture<'static, u32>) -> R,
) -> [R; 5] {
    let mut pending = None;
    let mut mixed = mixed_after::<F>(|future| pending = Some(look(future)));
    [
        pending.unwrap(),
        look(&mut mixed.running),
        look(&mut mixed.cancelled),
        look(&mut mixed.failed),
        look(&mut mixed.done),
    ]
}

/// The text that a job has panicked with.
///
/// # Panics
///
/// If it has not, or not with a text.
pub fn text_of(error: JobError) -> String {
    let JobError::Panicked(panic) = error else {
        panic!("{error}");
    };
    *panic.payload().unwrap().downcast().unwrap()
}
