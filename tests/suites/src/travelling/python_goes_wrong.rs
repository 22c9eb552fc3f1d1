//! Where Python's `concurrent.futures` goes wrong, and this does not, of jobs that travel.

use std::{panic::resume_unwind, thread};

use corepool::{FutureSet, ReturnWhen, SubmitError, as_completed, wait};

use super::{FileGate, Fixture, Notes, Number, Pool, UntilCancelled, hold};
use crate::SMALL;

/// Python: after `shutdown(cancel_futures=True)`, `wait` hangs on the cancelled futures (#92001,
/// #136655).
pub fn wait_after_cancelling_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let _hold = hold(&fx, 1);
    let mut futures = [1, 2, 3].map(|n| fx.pool().submit(Number(n)).unwrap());
    fx.pool().shutdown(false, true).unwrap();
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!(waited.done.len(), 3);
}

/// So does `as_completed`.
pub fn as_completed_after_cancelling_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let _hold = hold(&fx, 1);
    let futures: FutureSet<'_, u32, 3> = (0..3)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    let cancelled = as_completed(futures, None)
        .filter(|future| future.as_ref().unwrap().cancelled())
        .count();
    assert_eq!(cancelled, 3);
}

/// A wait that is under way when the shutdown cancels ends, too.
pub fn cancelling_shutdown_ends_a_wait<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let _hold = hold(&fx, 1);
    let mut futures = [1, 2, 3].map(|n| pool.submit(Number(n)).unwrap());
    let cancels = thread::spawn(move || pool.shutdown(false, true).unwrap());
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!(waited.done.len(), 3);
    assert!(futures.iter().all(|future| future.cancelled()));
    cancels.join().unwrap();
}

/// Python: a callback that raises `BaseException` kills the worker, and a pool of one hangs.
pub fn callback_panic_leaves_the_worker<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Number(1)).unwrap();
    future
        .add_done_callback(|_| resume_unwind(Box::new("doh!")))
        .unwrap();
    drop(hold);
    assert_eq!(future.result().unwrap(), 1);
    let next = fx.pool().submit(Number(2)).unwrap();
    assert_eq!(next.result().unwrap(), 2);
}

/// Python: the queue is unbounded. Here a full pool gives the job back.
pub fn full_pool_gives_the_job_back<F: Fixture>() {
    let fx = F::start_small();
    let _hold = hold(&fx, 1);
    for _ in 1..SMALL {
        fx.pool().submit(Number(1)).map(drop).unwrap();
    }
    assert!(matches!(
        fx.pool().submit(Number(7)),
        Err(SubmitError::Full(Number(7)))
    ));
}

/// A blocking submit waits for room.
pub fn blocking_submit_waits_for_room<F: Fixture>() {
    let fx = F::start_small();
    let notes = Notes::new();
    let numbers: Vec<_> = (0..).take(10 * SMALL).collect();
    for &number in &numbers {
        let future = fx.pool().submit_blocking(notes.job(number)).unwrap();
        drop(future);
    }
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(notes.read(), numbers);
}

/// Python: running work cannot be cancelled (#107505). Here a job can look at its context.
pub fn running_job_is_cancelled_by_its_context<F: Fixture>() {
    let fx = F::start(1);
    let gate = FileGate::new();
    let future = fx.pool().submit(UntilCancelled(gate.path())).unwrap();
    gate.wait_until_begun();
    assert!(!future.cancel());
    future.result().unwrap();
}

/// Nor does work that runs for nobody: its handle was given up.
pub fn running_job_is_cancelled_when_it_is_given_up<F: Fixture>() {
    let fx = F::start(1);
    let gate = FileGate::new();
    let future = fx.pool().submit(UntilCancelled(gate.path())).unwrap();
    gate.wait_until_begun();
    drop(future.cancel_on_drop());
    fx.pool().shutdown(true, false).unwrap();
}

/// Python: no priorities (#118852).
pub fn urgent_jobs_overtake<F: Fixture>() {
    let fx = F::start(1);
    let notes = Notes::new();
    let hold = hold(&fx, 1);
    for (priority, number) in [(0, 3), (1, 1), (0, 4), (1, 2)] {
        let job = notes.job(number);
        fx.pool().submit_at(priority, job).map(drop).unwrap();
    }
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(notes.read(), [1, 2, 3, 4]);
}

crate::list::trials!(python_goes_wrong:
    wait_after_cancelling_shutdown,
    as_completed_after_cancelling_shutdown,
    cancelling_shutdown_ends_a_wait,
    callback_panic_leaves_the_worker,
    full_pool_gives_the_job_back,
    blocking_submit_waits_for_room,
    running_job_is_cancelled_by_its_context,
    running_job_is_cancelled_when_it_is_given_up,
    urgent_jobs_overtake,
);
