//! `wait`. CPython: `test_wait.py`.
//!
//! The futures of a set are told apart by what they are: `wait` changes their order.

use std::{thread, time::Duration};

use corepool::{
    AsCompletedError, FutureSet, JobFuture, JobState, ReturnWhen, WaitError, as_completed, wait,
};

use super::{Fails, FileGate, Fixture, Mixed, Number, Pool, hold, mixed, wait_for};
use crate::{Gate, LONG};

const NOW: Duration = Duration::ZERO;

fn states<T>(futures: &[JobFuture<'_, T>]) -> Vec<JobState> {
    let mut states: Vec<_> = futures.iter().map(JobFuture::state).collect();
    states.sort_by_key(|state| format!("{state:?}"));
    states
}

/// A future counts once, however often it is waited for. That one set holds it twice is ruled out
/// by its type. CPython: `WaitTests.test_20369`.
pub fn issue_20369<F: Fixture>() {
    let fx = F::start(1);
    let mut future = [fx.pool().submit(Number(2)).unwrap()];
    for _ in 0..2 {
        let waited = wait(&mut future, None, ReturnWhen::AllCompleted).unwrap();
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
    }
}

/// Returns with the first that is done, while another goes on. CPython:
/// `WaitTests.test_first_completed`.
pub fn first_completed<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let gate = FileGate::new();
    let first = fx.pool().submit(Number(42)).unwrap();
    let second = fx.pool().submit(gate.job()).unwrap();
    drop(hold);
    let mut futures = [second, first];
    let waited = wait(&mut futures, None, ReturnWhen::FirstCompleted).unwrap();
    assert_eq!(states(waited.done), [JobState::Finished]);
    assert_eq!(waited.not_done.len(), 1);
}

/// A cancelled future is done at once.
pub fn first_completed_is_cancelled<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate: _gate,
        cancelled,
        running,
        ..
    } = mixed::<F>();
    let mut futures = [running, cancelled];
    let waited = wait(&mut futures, None, ReturnWhen::FirstCompleted).unwrap();
    assert_eq!(states(waited.done), [JobState::Cancelled]);
    assert_eq!(states(waited.not_done), [JobState::Running]);
}

/// All that were done before are in `done`. CPython:
/// `WaitTests.test_first_completed_some_already_completed`.
pub fn first_completed_some_already_completed<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate: _gate,
        cancelled,
        running,
        done,
        ..
    } = mixed::<F>();
    let mut futures = [cancelled, running, done];
    let waited = wait(&mut futures, None, ReturnWhen::FirstCompleted).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Cancelled, JobState::Finished]
    );
    assert_eq!(states(waited.not_done), [JobState::Running]);
}

/// Goes on past a result, and returns with the first failure. CPython:
/// `WaitTests.test_first_exception`.
pub fn first_exception<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let gate = FileGate::new();
    // One worker runs them in this order.
    let good = fx.pool().submit(Number(42)).unwrap();
    let bad = fx.pool().submit(Fails(String::from("doh!"))).unwrap();
    let never = fx.pool().submit(gate.job()).unwrap();
    drop(hold);
    let mut futures = [good, bad, never];
    let waited = wait(&mut futures, None, ReturnWhen::FirstException).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Finished, JobState::Finished]
    );
    assert_eq!(waited.not_done.len(), 1);
}

/// A cancellation and a result, which are there, are no failures; the failure that comes then ends the
/// wait, while a job goes on. CPython: `WaitTests.test_first_exception_some_already_complete`.
pub fn first_exception_some_already_complete<F: Fixture>() {
    let fx = F::start(1);
    let mut done = fx.pool().submit(Number(5)).unwrap();
    wait_for(&mut done);
    let hold = hold(&fx, 1);
    let gate = FileGate::new();
    // After a short job, a child process is sent some ahead of time, which are not queued any more.
    let mut jobs = std::iter::repeat_with(|| fx.pool().submit(Number(2)).unwrap());
    let cancelled = jobs.find(|job| job.cancel()).unwrap();
    // One worker runs them in this order.
    let bad = fx.pool().submit(Fails(String::from("doh!"))).unwrap();
    let never = fx.pool().submit(gate.job()).unwrap();
    let mut futures = [cancelled, done, bad, never];
    let waited = wait(&mut futures, Some(NOW), ReturnWhen::FirstException).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Cancelled, JobState::Finished]
    );
    drop(hold);
    let waited = wait(&mut futures, None, ReturnWhen::FirstException).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Cancelled, JobState::Finished, JobState::Finished]
    );
    assert_eq!(waited.not_done.len(), 1);
}

/// Returns at once if one had failed before. CPython:
/// `WaitTests.test_first_exception_one_already_failed`.
pub fn first_exception_one_already_failed<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate: _gate,
        failed,
        running,
        ..
    } = mixed::<F>();
    let mut futures = [running, failed];
    let waited = wait(&mut futures, None, ReturnWhen::FirstException).unwrap();
    assert_eq!(states(waited.done), [JobState::Finished]);
    assert_eq!(states(waited.not_done), [JobState::Running]);
}

/// Without any failure, FIRST_EXCEPTION waits for all.
pub fn first_exception_without_any_waits_for_all<F: Fixture>() {
    let fx = F::start(2);
    let mut futures = [1, 2, 3].map(|n| fx.pool().submit(Number(n)).unwrap());
    let waited = wait(&mut futures, None, ReturnWhen::FirstException).unwrap();
    assert_eq!(waited.done.len(), 3);
}

/// Waits for all, whatever becomes of them. CPython: `WaitTests.test_all_completed`.
pub fn all_completed<F: Fixture>() {
    let Mixed {
        executor,
        gate,
        cancelled,
        failed,
        done,
        running,
    } = mixed::<F>();
    let bad = executor.pool().submit(Fails(String::from("doh!"))).unwrap();
    gate.open();
    let mut futures = [cancelled, failed, done, running, bad];
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (5, 0));
}

/// A time-out is no error, and says what is done. CPython: `WaitTests.test_timeout`.
pub fn timeout<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate: _gate,
        cancelled,
        failed,
        done,
        running,
    } = mixed::<F>();
    let mut futures = [cancelled, failed, running, done];
    let waited = wait(&mut futures, Some(NOW), ReturnWhen::AllCompleted).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Cancelled, JobState::Finished, JobState::Finished]
    );
    assert_eq!(states(waited.not_done), [JobState::Running]);
}

/// After a time-out, the same futures can be waited for again.
pub fn wait_again_after_timeout<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let mut futures = [1, 2].map(|n| fx.pool().submit(Number(n)).unwrap());
    let waited = wait(&mut futures, Some(NOW), ReturnWhen::FirstCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (0, 2));
    drop(hold);
    let waited = wait(&mut futures, Some(LONG), ReturnWhen::AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
}

/// Completions that all come at once are all seen. CPython:
/// `ThreadPoolWaitTests.test_pending_calls_race`.
pub fn pending_calls_race<F: Fixture>() {
    let fx = F::start(4);
    let hold = hold(&fx, 4);
    let mut futures: Vec<_> = (0..100)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    drop(hold);
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (100, 0));
    let sum: Result<u32, _> = futures.into_iter().map(JobFuture::result).sum();
    assert_eq!(sum.unwrap(), 4950);
}

/// Results are still there after a wait.
pub fn wait_takes_no_result<F: Fixture>() {
    let fx = F::start(1);
    let mut future = fx.pool().submit(Number(42)).unwrap();
    wait_for(&mut future);
    assert!(matches!(future.try_result(), Some(Ok(42))));
}

/// More waits at a time than the pool has places for are refused, and the futures are as before.
pub fn too_many_waits_are_refused<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let hold = hold(&fx, 1);
    let mut waits = Vec::new();
    let first_refused = loop {
        let one = FutureSet::<'_, u32, 1>::from_iter([pool.submit(Number(42)).unwrap()]);
        let mut set = as_completed(one, Some(NOW));
        match set.next() {
            Some(Err(AsCompletedError::TimedOut { .. })) => waits.push(set),
            Some(Err(AsCompletedError::Wait(WaitError::TooManyWaiters))) => break set,
            _ => panic!("a job that is held was done"),
        }
        assert!(waits.len() < 100);
    };
    let mut future = first_refused.into_unfinished().pop().unwrap();
    let one = std::slice::from_mut(&mut future);
    let refused = wait(one, None, ReturnWhen::AllCompleted);
    assert_eq!(refused.unwrap_err(), WaitError::TooManyWaiters);
    drop(waits.pop());
    drop(hold);
    wait_for(&mut future);
    assert_eq!(future.result().unwrap(), 42);
}

/// Many threads wait at the same time, each for its own.
pub fn waits_in_parallel<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    let start = Gate::new();
    thread::scope(|scope| {
        for thread in 0..4 {
            let start = start.clone();
            scope.spawn(move || {
                start.wait();
                for round in 0..20 {
                    let mut futures =
                        [1, 2, 3].map(|n| pool.submit(Number(thread + round + n)).unwrap());
                    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
                    assert_eq!(waited.done.len(), 3);
                    let sum: Result<u32, _> = futures.into_iter().map(JobFuture::result).sum();
                    assert_eq!(sum.unwrap(), 3 * (thread + round) + 6);
                }
            });
        }
        start.open();
    });
}

crate::list::trials!(wait_tests:
    issue_20369,
    first_completed,
    first_completed_is_cancelled,
    first_completed_some_already_completed,
    first_exception,
    first_exception_some_already_complete,
    first_exception_one_already_failed,
    first_exception_without_any_waits_for_all,
    all_completed,
    timeout,
    wait_again_after_timeout,
    pending_calls_race,
    wait_takes_no_result,
    too_many_waits_are_refused,
    waits_in_parallel,
);
