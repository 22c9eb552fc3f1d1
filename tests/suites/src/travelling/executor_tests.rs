//! `submit`, `map`, and what generic code makes of an executor. CPython: `executor.py`, `test_thread_pool.py`. What
//! chunks do is in the test binary `process_pool`.

use std::{cell::Cell, thread, time::Duration};

use corepool::{JobError, MapError, MapOptions, SubmitError, remote::RemoteExecutor};
use futures_lite::future::{block_on, poll_once};

use super::{FileGate, Fixture, Hold, Ledger, NoteAtGate, Notes, Number, Pool, Pow, hold};

const TINY: Duration = Duration::from_millis(2);

fn options(buffer_size: usize, timeout: Option<Duration>) -> MapOptions {
    MapOptions {
        buffer_size,
        timeout,
    }
}

/// A small executor whose only worker is held and whose slots are taken, all by jobs that are queued.
fn full<F: Fixture>() -> (F, Hold) {
    let fx = F::start_small();
    let hold = hold(&fx, 1);
    while fx.pool().submit(Number(0)).is_ok() {}
    (fx, hold)
}

/// A job's result comes back. CPython: `ExecutorTest.test_submit`.
pub fn submit<F: Fixture>() {
    let fx = F::start(1);
    let future = fx.pool().submit(Pow(2, 8)).unwrap();
    assert_eq!(future.result().unwrap(), 256);
}

/// Jobs of one worker run in the order in which they were submitted.
pub fn first_in_first_out<F: Fixture>() {
    let fx = F::start(1);
    let notes = Notes::new();
    let hold = hold(&fx, 1);
    for number in 0..50 {
        fx.pool().submit(notes.job(number)).map(drop).unwrap();
    }
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(notes.read(), (0..50).collect::<Vec<_>>());
}

/// Shutting down while jobs are queued is no race. CPython:
/// `ExecutorTest.test_shutdown_race_issue12456`.
pub fn shutdown_race_issue12456<F: Fixture>() {
    let fx = F::start(2);
    let futures = [2, 3, 4].map(|n| fx.pool().submit(Pow(n, 1)).unwrap());
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(futures.map(|future| future.result().unwrap()), [2, 3, 4]);
}

/// A job's arguments are dropped when it has run, even if no party has its future. CPython:
/// `ExecutorTest.test_no_stale_references`.
pub fn no_stale_references<F: Fixture>() {
    let fx = F::start(1);
    let ledger = Ledger::new();
    let job = super::Carry(ledger.counted());
    drop(fx.pool().submit(job).unwrap());
    while ledger.dropped() == 0 {
        thread::yield_now();
    }
}

/// As many jobs run at the same time as there are workers. Interpreter pool: `test_blocking`.
pub fn blocking<F: Fixture>() {
    let fx = F::start(3);
    let gates = [(); 3].map(|()| FileGate::new());
    let futures = gates
        .each_ref()
        .map(|gate| fx.pool().submit(gate.job()).unwrap());
    let begun = gates.each_ref().map(FileGate::wait_until_begun);
    assert!(futures.iter().all(|future| future.running()));
    gates.iter().for_each(FileGate::open);
    assert_eq!(futures.map(|future| future.result().unwrap()), begun);
}

/// If there are not enough workers, the other jobs wait for their turn. Interpreter pool:
/// `test_blocking_with_limited_workers`.
pub fn blocking_with_limited_workers<F: Fixture>() {
    let fx = F::start(2);
    let gates = [(); 4].map(|()| FileGate::new());
    let futures = gates
        .each_ref()
        .map(|gate| fx.pool().submit(gate.job()).unwrap());
    gates[..2].iter().for_each(|gate| {
        gate.wait_until_begun();
    });
    let running = futures.each_ref().map(|future| future.running());
    assert_eq!(running, [true, true, false, false]);
    gates.iter().for_each(FileGate::open);
    let begun = gates.each_ref().map(FileGate::wait_until_begun);
    assert_eq!(futures.map(|future| future.result().unwrap()), begun);
}

/// However much is queued, there are no more workers than were asked for. CPython:
/// `ThreadPoolExecutorTest.test_saturation`.
pub fn saturation<F: Fixture>() {
    let fx = F::start(2);
    let (notes, gate) = (Notes::new(), FileGate::new());
    let futures: Vec<_> = (0..15 * 2)
        .map(|_| {
            let (notes, gate) = (notes.path(), gate.path());
            fx.pool().submit(NoteAtGate { notes, gate }).unwrap()
        })
        .collect();
    while notes.read().len() < 2 {
        thread::yield_now();
    }
    assert_eq!(futures.iter().filter(|future| future.running()).count(), 2);
    assert_eq!(notes.read().len(), 2);
    gate.open();
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(notes.read().len(), 15 * 2);
}

/// Every job that was accepted from any of several threads gives its own result, to that thread.
pub fn many_threads_submit<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for round in 0..50 {
                    let number = thread * 1_000 + round;
                    let future = pool.submit_blocking(Number(number)).unwrap();
                    assert_eq!(future.result().unwrap(), number);
                }
            });
        }
    });
}

/// Generic code gets the results of its jobs, however it hands them in.
pub fn through_the_trait<F: Fixture>() {
    fn work(executor: &impl RemoteExecutor) -> [u64; 4] {
        let timeout = crate::LONG;
        let jobs = [
            executor.submit_remote(Pow(2, 1)).unwrap(),
            executor.submit_remote_blocking(Pow(2, 2)).unwrap(),
            executor.submit_remote_timeout(Pow(2, 3), timeout).unwrap(),
            block_on(executor.submit_remote_async(Pow(2, 4))).unwrap(),
        ];
        let results = jobs.map(|job| job.result().unwrap());
        assert_eq!(RemoteExecutor::broken_reason(executor), None);
        RemoteExecutor::shutdown(executor, true, false).unwrap();
        let refused = executor.submit_remote(Pow(2, 5)).map(drop);
        assert_eq!(refused, Err(SubmitError::ShutDown(Pow(2, 5))));
        results
    }
    assert_eq!(work(F::start(1).pool().executor()), [2, 4, 8, 16]);
}

/// The job comes back if there is no room in time.
pub fn submit_timeout<F: Fixture>() {
    let (fx, _hold) = full::<F>();
    let pool = fx.pool();
    let refused = pool.executor().submit_remote_timeout(Number(1), TINY);
    assert_eq!(refused.map(drop), Err(SubmitError::Full(Number(1))));
}

/// An await waits for room, and submits when there is some.
pub fn submit_async<F: Fixture>() {
    let (fx, hold) = full::<F>();
    let pool = fx.pool();
    let mut submit = Box::pin(pool.executor().submit_remote_async(Number(7)));
    assert!(block_on(poll_once(&mut submit)).is_none());
    drop(hold);
    assert_eq!(block_on(submit).unwrap().result().unwrap(), 7);
}

/// A promise is waited for beside the jobs.
pub fn promise<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let (promise, promised) = RemoteExecutor::promise(pool.executor()).unwrap();
    let mut futures = [pool.submit(Number(1)).unwrap(), promised];
    promise.set_result(2).unwrap();
    let waited = corepool::wait(&mut futures, None, corepool::ReturnWhen::AllCompleted);
    assert_eq!(waited.unwrap().done.len(), 2);
    assert_eq!(futures.map(|future| future.result().unwrap()), [1, 2]);
}

/// CPython: `ExecutorTest.test_map`.
pub fn map<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    let results = pool.executor().map_remote((0..40).map(|n| Pow(n, 2)));
    let results: Result<Vec<_>, _> = results.collect();
    assert_eq!(results.unwrap(), (0..40).map(|n| n * n).collect::<Vec<_>>());
}

/// An error takes its own place. CPython: `ExecutorTest.test_map_exception`.
pub fn map_exception<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let jobs = [Pow(2, 2), Pow(10, 30), Pow(3, 2)];
    let results: Vec<_> = pool.executor().map_remote(jobs).collect();
    assert!(matches!(
        results[..],
        [Ok(4), Err(JobError::Panicked(_)), Ok(9)]
    ));
}

/// The time is that of the whole iteration, which ends with it. CPython: `ExecutorTest.test_map_timeout`.
pub fn map_timeout<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let gate = FileGate::new();
    let (first, second) = (Notes::new(), Notes::new());
    let jobs = [&first, &second].map(|notes| NoteAtGate {
        notes: notes.path(),
        gate: gate.path(),
    });
    let options = options(1, Some(TINY));
    let mut results = pool.executor().map_remote_with(options, jobs).unwrap();
    assert!(matches!(results.next(), Some(Err(JobError::TimedOut))));
    assert!(results.next().is_none());
    gate.open();
    pool.shutdown(true, false).unwrap();
    // The job that waited for its turn was cancelled.
    assert_eq!(second.read(), []);
}

/// A wait for room goes by the same time.
pub fn map_timeout_in_a_full_pool<F: Fixture>() {
    let (fx, hold) = full::<F>();
    let pool = fx.pool();
    let options = options(1, Some(TINY));
    let results = pool.executor().map_remote_with(options, [Number(1)]);
    let results: Vec<_> = results.unwrap().collect();
    assert!(matches!(results[..], [Err(JobError::TimedOut)]));
    drop(hold);
}

/// No more jobs are drawn than the buffer has, and one more for each result. CPython:
/// `ExecutorTest.test_map_buffersize_when_buffer_is_full`.
pub fn map_buffersize<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let drawn = Cell::new(0);
    let jobs = (0..).map(|n| {
        drawn.set(drawn.get() + 1);
        Number(n)
    });
    let mut results = pool
        .executor()
        .map_remote_with(options(3, None), jobs)
        .unwrap();
    assert_eq!(drawn.get(), 3);
    for expected in 0..5 {
        assert_eq!(results.next().unwrap().unwrap(), expected);
        assert_eq!(drawn.get(), expected + 4);
    }
}

/// CPython: `ExecutorTest.test_map_buffersize_value_validation`.
pub fn map_buffersize_value_validation<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    for (buffer_size, error) in [(0, MapError::ZeroBuffer), (17, MapError::BufferTooLarge)] {
        let options = options(buffer_size, None);
        let refused = pool.executor().map_remote_with(options, [Number(1)]);
        assert_eq!(refused.map(drop), Err(error));
    }
}

/// An executor with no room for the whole buffer takes jobs as it has room, and waits where it has none.
pub fn map_in_a_full_pool<F: Fixture>() {
    let (fx, hold) = full::<F>();
    let pool = fx.pool();
    let mut results = pool.executor().map_remote((0..20).map(Number));
    drop(hold);
    for expected in 0..20 {
        assert_eq!(results.next().unwrap().unwrap(), expected);
    }
    assert!(results.next().is_none());
}

/// Dropped early, the rest is cancelled. CPython: `ExecutorTest.test_map_close`.
pub fn map_close<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let notes = Notes::new();
    let hold = hold(&fx, 1);
    drop(pool.executor().map_remote([1, 2, 3].map(|n| notes.job(n))));
    drop(hold);
    pool.shutdown(true, false).unwrap();
    assert_eq!(notes.read(), []);
}

/// Each job has the reason for which the executor refused it.
pub fn map_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    pool.shutdown(true, false).unwrap();
    let results: Vec<_> = pool.executor().map_remote([1, 2].map(Number)).collect();
    assert!(matches!(
        results[..],
        [Err(JobError::ShutDown), Err(JobError::ShutDown)]
    ));
}

crate::list::trials!(executor_tests:
    submit,
    first_in_first_out,
    shutdown_race_issue12456,
    no_stale_references,
    blocking,
    blocking_with_limited_workers,
    saturation,
    many_threads_submit,
    through_the_trait,
    submit_timeout,
    submit_async,
    promise,
    map,
    map_exception,
    map_timeout,
    map_timeout_in_a_full_pool,
    map_buffersize,
    map_buffersize_value_validation,
    map_in_a_full_pool,
    map_close,
    map_after_shutdown,
);
