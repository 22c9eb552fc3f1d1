//! `shutdown`, and what dropping an executor does. CPython: `test_shutdown.py`.

use std::thread;

use corepool::{JobError, JobState, ShutdownError, SubmitError};

use super::{FileGate, Fixture, Notes, Number, Pool, SeesCancel, hold};
use crate::{Recorder, SMALL};

/// A pool that was shut down takes nothing, and gives the job back. CPython:
/// `ExecutorShutdownTest.test_run_after_shutdown`.
pub fn run_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    fx.pool().shutdown(true, false).unwrap();
    assert!(matches!(
        fx.pool().submit(Number(7)),
        Err(SubmitError::ShutDown(Number(7)))
    ));
    assert!(matches!(
        fx.pool().submit_blocking(Number(8)),
        Err(SubmitError::ShutDown(Number(8)))
    ));
}

/// Queued jobs run although the pool was shut down. CPython:
/// `ExecutorShutdownTest.test_hang_issue12364`.
pub fn hang_issue12364<F: Fixture>() {
    let fx = F::start(2);
    let hold = hold(&fx, 2);
    let futures: Vec<_> = (0..50)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    fx.pool().shutdown(false, false).unwrap();
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    for (number, mut future) in (0..).zip(futures) {
        assert!(matches!(future.try_result(), Some(Ok(n)) if n == number));
    }
}

/// With `cancel_futures`, what is queued is cancelled at once, and nothing is left pending. CPython:
/// `ExecutorShutdownTest.test_cancel_futures`.
pub fn cancel_futures<F: Fixture>() {
    let fx = F::start(2);
    let notes = Notes::new();
    let hold = hold(&fx, 2);
    let futures: Vec<_> = (0..50)
        .map(|n| fx.pool().submit(notes.job(n)).unwrap())
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    assert!(futures.iter().all(|future| future.cancelled()));
    drop(hold);
    fx.pool().shutdown(true, true).unwrap();
    assert_eq!(notes.read(), []);
}

/// With `cancel_futures`, what runs goes on to its end, and is not asked to stop.
pub fn cancel_futures_leaves_running_jobs<F: Fixture>() {
    let fx = F::start(1);
    let gate = FileGate::new();
    let running = fx.pool().submit(SeesCancel(gate.path())).unwrap();
    gate.wait_until_begun();
    fx.pool().shutdown(false, true).unwrap();
    assert_eq!(running.state(), JobState::Running);
    gate.open();
    fx.pool().shutdown(true, true).unwrap();
    assert!(!running.result().unwrap());
}

/// A second call may cancel what the first left. Any number of calls is one.
pub fn shutdown_is_idempotent<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let future = fx.pool().submit(Number(1)).unwrap();
    fx.pool().shutdown(false, false).unwrap();
    fx.pool().shutdown(false, false).unwrap();
    assert!(!future.done());
    fx.pool().shutdown(false, true).unwrap();
    assert!(future.cancelled());
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    fx.pool().shutdown(true, true).unwrap();
}

/// A cancel just before the shutdown does not make it hang. CPython:
/// `ExecutorShutdownTest.test_hang_gh94440`.
pub fn hang_gh94440<F: Fixture>() {
    let fx = F::start(1);
    fx.pool().submit(Number(0)).unwrap().result().unwrap();
    fx.pool().submit(Number(0)).unwrap().cancel();
    fx.pool().shutdown(true, false).unwrap();
}

/// A queued job can be cancelled after the shutdown, too.
pub fn cancel_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let future = fx.pool().submit(Number(1)).unwrap();
    fx.pool().shutdown(false, false).unwrap();
    assert!(future.cancel());
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
}

/// Without waiting, all that was queued is done all the same. CPython:
/// `ThreadPoolShutdownTest.test_shutdown_no_wait`.
pub fn shutdown_no_wait<F: Fixture>() {
    let fx = F::start(3);
    let futures = [5, 4, 3, 2, 1].map(|n| fx.pool().submit(Number(n)).unwrap());
    fx.pool().shutdown(false, false).unwrap();
    let results = futures.map(|future| future.result().unwrap());
    assert_eq!(results, [5, 4, 3, 2, 1]);
}

/// Cancelling and not waiting: each job has run or was cancelled, none is left. CPython:
/// `ThreadPoolShutdownTest.test_cancel_futures_wait_false`.
pub fn cancel_futures_wait_false<F: Fixture>() {
    let fx = F::start(1);
    let futures: Vec<_> = (0..10)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    for (number, future) in (0..).zip(futures) {
        assert!(match future.result() {
            Ok(result) => result == number,
            Err(error) => matches!(error, JobError::Cancelled),
        });
    }
}

/// A callback that waits for its own pool's end gets an error, and the pool is shut down.
pub fn shutdown_from_a_callback_would_deadlock<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let said = Recorder::new();
    let hold = hold(&fx, 1);
    let mut future = pool.submit(Number(1)).unwrap();
    let note = said.clone();
    future
        .add_done_callback(move |_| note.note(pool.shutdown(true, false)))
        .unwrap();
    drop(hold);
    assert_eq!(future.result().unwrap(), 1);
    assert_eq!(said.take(), [Err(ShutdownError::WouldDeadlock)]);
    assert!(matches!(
        pool.submit(Number(2)),
        Err(SubmitError::ShutDown(_))
    ));
}

/// Without waiting, a callback may shut its own pool down.
pub fn shutdown_from_a_callback_without_wait<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let said = Recorder::new();
    let hold = hold(&fx, 1);
    let mut future = pool.submit(Number(1)).unwrap();
    let queued = pool.submit(Number(2)).unwrap();
    let note = said.clone();
    future
        .add_done_callback(move |_| note.note(pool.shutdown(false, false)))
        .unwrap();
    drop(hold);
    assert_eq!(queued.result().unwrap(), 2);
    assert_eq!(said.take(), [Ok(())]);
    pool.shutdown(true, false).unwrap();
}

/// A submit that waits for room is told of the shutdown, though there is none, and has its job back.
///
/// If a fixture's port does not tell when the submitter sleeps, the submitter may be told before.
pub fn blocked_submit_is_told_of_the_shutdown<F: Fixture>() {
    let fx = F::start_small();
    let pool = fx.pool();
    let hold = hold(&fx, 1);
    for _ in 1..SMALL {
        pool.submit(Number(0)).map(drop).unwrap();
    }
    let blocked = thread::spawn(move || pool.submit_blocking(Number(7)));
    if let Some(port) = fx.port() {
        port.parking().wait();
    }
    pool.shutdown(false, false).unwrap();
    let refused = blocked.join().unwrap();
    assert!(matches!(refused, Err(SubmitError::ShutDown(Number(7)))));
    drop(hold);
}

crate::list::trials!(shutdown_tests:
    run_after_shutdown,
    hang_issue12364,
    cancel_futures,
    cancel_futures_leaves_running_jobs,
    shutdown_is_idempotent,
    hang_gh94440,
    cancel_after_shutdown,
    shutdown_no_wait,
    cancel_futures_wait_false,
    shutdown_from_a_callback_would_deadlock,
    shutdown_from_a_callback_without_wait,
    blocked_submit_is_told_of_the_shutdown,
);
