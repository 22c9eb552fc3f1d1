//! `wait`. CPython: `test_wait.py`.
//!
//! The futures of a set are told apart by what they are: `wait` changes their order.

use std::{panic::resume_unwind, thread, time::Duration};

use corepool::{
    FutureSet, JobError, JobFuture, JobState, ReturnWhen, WaitError, gather, wait, wait_async,
};

use crate::{Fixture, Gate, LONG, Methods, cancelled_future, done_future, drain, failed_future};

const TINY: Duration = Duration::from_millis(2);

fn states<T>(futures: &[JobFuture<'_, T>]) -> Vec<JobState> {
    let mut states: Vec<_> = futures.iter().map(JobFuture::state).collect();
    states.sort_by_key(|state| format!("{state:?}"));
    states
}

/// A future counts once, however often it is waited for. That one set holds it twice is ruled out
/// by its type. CPython: `WaitTests.test_20369`.
pub fn issue_20369<F: Fixture>() {
    let fx = F::start(1);
    let mut future = [fx.pool().submit(|| 2).unwrap()];
    for _ in 0..2 {
        let waited = wait(&mut future, None, ReturnWhen::AllCompleted).unwrap();
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
    }
}

/// Returns with the first that is done; a cancelled one is done at once. CPython:
/// `WaitTests.test_first_completed`.
pub fn first_completed<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise().unwrap();
    let mut futures = [never, fx.pool().submit(|| 42).unwrap()];
    let waited = wait(&mut futures, None, ReturnWhen::FirstCompleted).unwrap();
    assert_eq!(states(waited.done), [JobState::Finished]);
    assert_eq!(states(waited.not_done), [JobState::Pending]);

    let [_, never] = futures;
    let mut futures = [never, cancelled_future(&fx)];
    let waited = wait(&mut futures, None, ReturnWhen::FirstCompleted).unwrap();
    assert_eq!(states(waited.done), [JobState::Cancelled]);
    assert_eq!(states(waited.not_done), [JobState::Pending]);
    drop(promise);
}

/// All that were done before are in `done`. CPython:
/// `WaitTests.test_first_completed_some_already_completed`.
pub fn first_completed_some_already_completed<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise().unwrap();
    let mut futures = [cancelled_future(&fx), never, done_future(&fx, 42)];
    let waited = wait(&mut futures, None, ReturnWhen::FirstCompleted).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Cancelled, JobState::Finished]
    );
    assert_eq!(states(waited.not_done), [JobState::Pending]);
    drop(promise);
}

/// Goes on past a result, and returns with the first failure. CPython:
/// `WaitTests.test_first_exception`.
pub fn first_exception<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise::<u32>().unwrap();
    let hold = fx.hold_workers();
    // One worker runs them in this order.
    let good = fx.pool().submit(|| 42).unwrap();
    let bad = fx
        .pool()
        .submit(|| -> u32 { resume_unwind(Box::new("this is a panic")) })
        .unwrap();
    drop(hold);
    let mut futures = [good, bad, never];
    let waited = wait(&mut futures, None, ReturnWhen::FirstException).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Finished, JobState::Finished]
    );
    assert_eq!(states(waited.not_done), [JobState::Pending]);
    drop(promise);
}

/// A cancellation and a result are no failures. CPython:
/// `WaitTests.test_first_exception_some_already_complete`.
pub fn first_exception_some_already_complete<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise::<u32>().unwrap();
    let hold = fx.hold_workers();
    let bad = fx
        .pool()
        .submit(|| -> u32 { resume_unwind(Box::new("this is a panic")) })
        .unwrap();
    let mut futures = [done_future(&fx, 42), cancelled_future(&fx), bad, never];
    let waited = wait(&mut futures, Some(TINY), ReturnWhen::FirstException).unwrap();
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
    assert_eq!(states(waited.not_done), [JobState::Pending]);
    drop(promise);
}

/// Returns at once if one had failed before. CPython:
/// `WaitTests.test_first_exception_one_already_failed`.
pub fn first_exception_one_already_failed<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise::<u32>().unwrap();
    let mut futures = [never, failed_future(&fx)];
    let waited = wait(&mut futures, None, ReturnWhen::FirstException).unwrap();
    assert_eq!(states(waited.done), [JobState::Finished]);
    assert_eq!(states(waited.not_done), [JobState::Pending]);
    drop(promise);
}

/// Without any failure, FIRST_EXCEPTION waits for all.
pub fn first_exception_without_any_waits_for_all<F: Fixture>() {
    let fx = F::start(2);
    let mut futures = [1, 2, 3].map(|n| fx.pool().submit(move || n).unwrap());
    let waited = wait(&mut futures, None, ReturnWhen::FirstException).unwrap();
    assert_eq!(waited.done.len(), 3);
}

/// Waits for all, whatever becomes of them. CPython: `WaitTests.test_all_completed`.
pub fn all_completed<F: Fixture>() {
    let fx = F::start(2);
    let bad = fx
        .pool()
        .submit(|| -> u32 { resume_unwind(Box::new("this is a panic")) })
        .unwrap();
    let good = fx.pool().submit(|| 42).unwrap();
    let mut futures = [
        done_future(&fx, 5),
        cancelled_future(&fx),
        failed_future(&fx),
        bad,
        good,
    ];
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (5, 0));
}

/// A time-out is no error, and says what is done. CPython: `WaitTests.test_timeout`.
pub fn timeout<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise::<u32>().unwrap();
    let mut futures = [
        cancelled_future(&fx),
        failed_future(&fx),
        never,
        done_future(&fx, 42),
    ];
    let waited = wait(&mut futures, Some(TINY), ReturnWhen::AllCompleted).unwrap();
    assert_eq!(
        states(waited.done),
        [JobState::Cancelled, JobState::Finished, JobState::Finished]
    );
    assert_eq!(states(waited.not_done), [JobState::Pending]);
    drop(promise);
}

/// After a time-out, the same futures can be waited for again.
pub fn wait_again_after_timeout<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let mut futures = [1, 2].map(|n| fx.pool().submit(move || n).unwrap());
    let waited = wait(&mut futures, Some(TINY), ReturnWhen::FirstCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (0, 2));
    drop(hold);
    let waited = wait(&mut futures, Some(LONG), ReturnWhen::AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
}

/// Nothing to wait for: returns at once.
pub fn empty<F: Fixture>() {
    for when in [
        ReturnWhen::FirstCompleted,
        ReturnWhen::FirstException,
        ReturnWhen::AllCompleted,
    ] {
        let waited = wait::<u32>(&mut [], None, when).unwrap();
        assert!(waited.done.is_empty() && waited.not_done.is_empty());
    }
}

/// Completions that all come at once are all seen. CPython:
/// `ThreadPoolWaitTests.test_pending_calls_race`.
pub fn pending_calls_race<F: Fixture>() {
    let fx = F::start(4);
    let hold = fx.hold_workers();
    let mut futures: Vec<_> = (0..100)
        .map(|n| fx.pool().submit(move || n).unwrap())
        .collect();
    drop(hold);
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (100, 0));
    let sum: u32 = futures
        .into_iter()
        .map(|future| future.result().unwrap())
        .sum();
    assert_eq!(sum, 4950);
}

/// A job may wait on jobs of its own pool, even if it has the only worker.
pub fn wait_from_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let job = pool.submit(move || {
        let mut futures = [1, 2, 3].map(|n| pool.submit(move || n).unwrap());
        let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
        waited.done.len()
    });
    assert_eq!(job.unwrap().result().unwrap(), 3);
}

/// Results are still there after a wait.
pub fn wait_takes_no_result<F: Fixture>() {
    let fx = F::start(1);
    let mut futures = [fx.pool().submit(|| String::from("kept")).unwrap()];
    wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    let [future] = futures;
    assert_eq!(future.result().unwrap(), "kept");
}

/// More waits at a time than the pool has places for are refused, and the futures are as before.
pub fn too_many_waits_are_refused<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    let mut waits = Vec::new();
    let first_refused = loop {
        let mut set = corepool::as_completed(
            corepool::FutureSet::<'_, u32, 1>::from_iter([pool.submit(|| 42).unwrap()]),
            Some(Duration::ZERO),
        );
        match set.next() {
            Some(Err(corepool::AsCompletedError::TimedOut { .. })) => waits.push(set),
            Some(Err(corepool::AsCompletedError::Wait(WaitError::TooManyWaiters))) => break set,
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
    let waited = wait(one, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!(waited.done.len(), 1);
    assert_eq!(future.result().unwrap(), 42);
    drop(waits);
    drain(&fx);
}

/// Many threads wait at the same time, each for its own.
pub fn waits_in_parallel<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    let start = Gate::new();
    let threads: Vec<_> = (0..4_u32)
        .map(|thread| {
            let start = start.clone();
            thread::spawn(move || {
                start.wait();
                for round in 0..50 {
                    let mut futures =
                        [1, 2, 3].map(|n| pool.submit(move || thread + round + n).unwrap());
                    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
                    assert_eq!(waited.done.len(), 3);
                    let sum: Result<u32, JobError> =
                        futures.into_iter().map(JobFuture::result).sum();
                    assert_eq!(sum.unwrap(), 3 * (thread + round) + 6);
                }
            })
        })
        .collect();
    start.open();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// The futures of a set may be of several executors.
pub fn futures_of_several_pools<F: Fixture>() {
    let (fx, other) = (F::start(1), F::start(1));
    let hold = other.hold_workers();
    let mut jobs = [
        other.pool().submit(|| 2).unwrap(),
        fx.pool().submit(|| 1).unwrap(),
    ];
    let waited = wait(&mut jobs, None, ReturnWhen::FirstCompleted).unwrap();
    assert!(!waited.done.is_empty());
    drop(hold);
    let waited = wait(&mut jobs, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 0));
    drop(jobs);
    // No place among the waiters was taken.
    let mut one = [fx.pool().submit(|| 1).unwrap()];
    assert!(wait(&mut one, None, ReturnWhen::AllCompleted).is_ok());
}

/// Async callers wait for the same.
pub fn wait_is_awaited<F: Fixture>() {
    let (fx, other) = (F::start(1), F::start(1));
    let (promise, never) = other.pool().promise().unwrap();
    let mut jobs = [never, fx.pool().submit(|| 1).unwrap()];
    let first = wait_async(&mut jobs, ReturnWhen::FirstCompleted);
    let waited = crate::block_on(first);
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    // Given up, it leaves the futures as they are.
    drop(wait_async(&mut jobs, ReturnWhen::AllCompleted));
    promise.set_result(2).unwrap();
    let all = wait_async(&mut jobs, ReturnWhen::AllCompleted);
    assert_eq!(crate::block_on(all).done.len(), 2);
}

/// `gather` gives each job's end in the set's order. CPython: `asyncio.gather`, with `return_exceptions`.
pub fn gather_gives_each_end_in_order<F: Fixture>() {
    let (fx, other) = (F::start(1), F::start(1));
    let job = || -> u32 { resume_unwind(Box::new("doh!")) };
    let set = FutureSet::<'_, u32, 3>::from_iter([
        other.pool().submit(|| 1).unwrap(),
        fx.pool().submit(job).unwrap(),
        fx.pool().submit(|| 3).unwrap(),
    ]);
    let results = crate::block_on(gather(set));
    let results: Vec<_> = results.into_iter().collect();
    assert_eq!(*results[0].as_ref().unwrap(), 1);
    assert!(matches!(results[1], Err(JobError::Panicked(_))));
    assert_eq!(*results[2].as_ref().unwrap(), 3);
    assert!(crate::block_on(gather(FutureSet::<'_, u32, 1>::new())).is_empty());
}

crate::suite!(wait_tests:
    everywhere [
        issue_20369,
        first_completed,
        first_completed_some_already_completed,
        first_exception,
        first_exception_some_already_complete,
        first_exception_one_already_failed,
        first_exception_without_any_waits_for_all,
        all_completed,
        timeout,
        wait_again_after_timeout,
        empty,
        pending_calls_race,
        wait_from_a_job,
        wait_takes_no_result,
        too_many_waits_are_refused,
    ]
    in_parallel [
        waits_in_parallel,
        futures_of_several_pools,
        wait_is_awaited,
        gather_gives_each_end_in_order,
    ]
);
