//! `submit`. CPython: `executor.py`, `test_thread_pool.py`; what `map` does, only the pools that have
//! one for jobs that travel can say: see the test binary `process_pool`.

use std::thread;

use super::{FileGate, Fixture, Ledger, NoteAtGate, Notes, Number, Pool, Pow, hold};

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

crate::list::trials!(executor_tests:
    submit,
    first_in_first_out,
    shutdown_race_issue12456,
    no_stale_references,
    blocking,
    blocking_with_limited_workers,
    saturation,
    many_threads_submit,
);
