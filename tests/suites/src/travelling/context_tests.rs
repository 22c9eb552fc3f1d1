//! Work may be handed in from a callback.

use corepool::SubmitError;

use super::{Fixture, Notes, Number, Pool, hold};
use crate::Recorder;

/// A callback submits a job.
pub fn submit_from_a_callback<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let notes = Notes::new();
    let hold = hold(&fx, 1);
    let mut future = pool.submit(Number(41)).unwrap();
    let job = notes.job(42);
    future
        .add_done_callback(move |_| pool.submit(job).map(drop).unwrap())
        .unwrap();
    drop(hold);
    assert_eq!(future.result().unwrap(), 41);
    pool.shutdown(true, false).unwrap();
    assert_eq!(notes.read(), [42]);
}

/// A callback cancels another job.
pub fn cancel_from_a_callback<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let _hold = hold(&fx, 1);
    let victim = fx.pool().submit(Number(1)).unwrap();
    let mut future = fx.pool().submit(Number(2)).unwrap();
    let note = seen.clone();
    future
        .add_done_callback(move |_| note.note(victim.cancel()))
        .unwrap();
    assert!(future.cancel());
    assert_eq!(seen.take(), [true]);
}

/// A priority that the pool has not got is refused.
pub fn no_such_priority<F: Fixture>() {
    let fx = F::start(1);
    for priority in [2, 1 << 14] {
        assert!(matches!(
            fx.pool().submit_at(priority, Number(7)),
            Err(SubmitError::NoSuchPriority(Number(7)))
        ));
    }
}

crate::list::trials!(context_tests: submit_from_a_callback, cancel_from_a_callback, no_such_priority);
