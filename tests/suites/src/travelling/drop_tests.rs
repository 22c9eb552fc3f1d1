//! Every job, result and callback is dropped once, on every path, in the address space of the pool.

use std::thread;

use corepool::{FutureSet, JobError, SubmitError, as_completed};

use super::{
    Carry, CarryAndFail, CarryAway, CarryToGate, FileGate, Fixture, Ledger, Number, Pool, hold,
};
use crate::{Gate, SMALL};

/// When the executor is gone, all that was made was dropped, once. At least so much was made: copies
/// that travelled count, too.
#[track_caller]
fn all_dropped<F: Fixture>(fx: F, ledger: Ledger, least: usize) {
    fx.pool().shutdown(true, false).unwrap();
    drop(fx);
    assert!(ledger.made() >= least);
    assert_eq!(ledger.dropped(), ledger.made());
}

/// Run: the job is dropped before its result is there.
pub fn run<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let future = fx.pool().submit(Carry(ledger.counted())).unwrap();
    future.result().unwrap();
    assert_eq!(ledger.dropped(), ledger.made());
    all_dropped(fx, ledger, 1);
}

/// Run, result taken: it is the taker's to drop.
pub fn run_and_taken<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let future = fx.pool().submit(CarryAway(ledger.counted())).unwrap();
    let result = future.result().unwrap();
    fx.pool().shutdown(true, false).unwrap();
    assert!(ledger.dropped() < ledger.made());
    drop(result);
    all_dropped(fx, ledger, 1);
}

/// Run, then the handle dropped with the result in it.
pub fn handle_dropped_after_the_run<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let mut future = fx.pool().submit(CarryAway(ledger.counted())).unwrap();
    assert!(future.error().is_none());
    fx.pool().shutdown(true, false).unwrap();
    assert!(ledger.dropped() < ledger.made());
    drop(future);
    all_dropped(fx, ledger, 1);
}

/// Handle dropped before the run: the worker drops the result.
pub fn handle_dropped_before_the_run<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let hold = hold(&fx, 1);
    drop(fx.pool().submit(CarryAway(ledger.counted())).unwrap());
    assert_eq!(ledger.dropped(), 0);
    drop(hold);
    all_dropped(fx, ledger, 1);
}

/// Handle dropped during the run.
pub fn handle_dropped_during_the_run<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let gate = FileGate::new();
    let job = CarryToGate(ledger.counted(), gate.path());
    let future = fx.pool().submit(job).unwrap();
    gate.wait_until_begun();
    drop(future);
    gate.open();
    all_dropped(fx, ledger, 1);
}

/// Cancelled while queued: the job is dropped by the canceller, at once.
pub fn cancelled_while_queued<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let hold = hold(&fx, 1);
    let future = fx.pool().submit(Carry(ledger.counted())).unwrap();
    assert!(future.cancel());
    assert_eq!((ledger.made(), ledger.dropped()), (1, 1));
    drop(future);
    drop(hold);
    all_dropped(fx, ledger, 1);
}

/// Failed, and asked about.
pub fn panicked<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let future = fx.pool().submit(CarryAndFail(ledger.counted())).unwrap();
    assert!(matches!(future.result(), Err(JobError::Panicked(_))));
    assert_eq!(ledger.dropped(), ledger.made());
    all_dropped(fx, ledger, 1);
}

/// Failed, and nobody asks.
pub fn panicked_unobserved<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    drop(fx.pool().submit(CarryAndFail(ledger.counted())).unwrap());
    all_dropped(fx, ledger, 1);
}

/// Pool shut down with cancel: queued jobs are dropped by that call.
pub fn shut_down_with_cancel<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let hold = hold(&fx, 1);
    let futures: Vec<_> = (0..5)
        .map(|_| fx.pool().submit(Carry(ledger.counted())).unwrap())
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    assert_eq!((ledger.made(), ledger.dropped()), (5, 5));
    drop(futures);
    drop(hold);
    all_dropped(fx, ledger, 5);
}

/// Refused: the job is in the error, whichever it is.
pub fn refused<F: Fixture>() {
    let (fx, ledger) = (F::start_small(), Ledger::new());
    let hold = hold(&fx, 1);
    for _ in 1..SMALL {
        fx.pool().submit(Number(0)).map(drop).unwrap();
    }
    let Err(SubmitError::Full(job)) = fx.pool().submit(Carry(ledger.counted())) else {
        panic!("a full pool took a job");
    };
    let Err(SubmitError::NoSuchPriority(job)) = fx.pool().submit_at(2, job) else {
        panic!("a pool of two priorities took a job of a third");
    };
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    let Err(SubmitError::ShutDown(job)) = fx.pool().submit(job) else {
        panic!("a pool that was shut down took a job");
    };
    assert_eq!((ledger.made(), ledger.dropped()), (1, 0));
    drop(job);
    all_dropped(fx, ledger, 1);
}

/// A callback of a future whose handle was dropped still runs, and is dropped.
pub fn callback_of_a_detached_job<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let ran = Gate::new();
    let hold = hold(&fx, 1);
    let mut future = fx.pool().submit(Carry(ledger.counted())).unwrap();
    let (held, run) = (ledger.counted(), ran.clone());
    future
        .add_done_callback(move |_| {
            drop(held);
            run.open();
        })
        .unwrap();
    drop(future);
    drop(hold);
    ran.wait();
    all_dropped(fx, ledger, 2);
}

/// A set that is dropped early detaches what is in it.
pub fn set_dropped_early<F: Fixture>() {
    let (fx, ledger) = (F::start(1), Ledger::new());
    let hold = hold(&fx, 1);
    let set: FutureSet<'_, _, 4> = (0..4)
        .map(|_| fx.pool().submit(CarryAway(ledger.counted())).unwrap())
        .collect();
    let mut completed = as_completed(set, Some(std::time::Duration::ZERO));
    assert!(completed.next().unwrap().is_err());
    drop(completed);
    assert_eq!(ledger.dropped(), 0);
    drop(hold);
    all_dropped(fx, ledger, 4);
}

/// Jobs that race with their cancellation are dropped once, whoever wins.
pub fn cancel_races<F: Fixture>() {
    let (fx, ledger) = (F::start(2), Ledger::new());
    let pool = fx.pool();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                for round in 0..100 {
                    let job = CarryAway(ledger.counted());
                    let future = pool.submit_blocking(job).unwrap();
                    if round % 2 == 0 {
                        future.cancel();
                    }
                    if round % 3 == 0 {
                        drop(future);
                    } else {
                        let _ = future.result();
                    }
                }
            });
        }
    });
    all_dropped(fx, ledger, 200);
}

/// Submits that race with a shutdown: each job runs, is cancelled, or comes back.
pub fn shutdown_races<F: Fixture>() {
    for cancel in [true, false] {
        let (fx, ledger) = (F::start(2), Ledger::new());
        let pool = fx.pool();
        let start = Gate::new();
        thread::scope(|scope| {
            for _ in 0..2 {
                let start = start.clone();
                scope.spawn(move || {
                    start.wait();
                    let submit = |_| pool.submit(Carry(ledger.counted())).ok();
                    let futures: Vec<_> = (0..50).filter_map(submit).collect();
                    for future in futures {
                        let ended = future.result();
                        assert!(matches!(ended, Ok(0) | Err(JobError::Cancelled)));
                    }
                });
            }
            start.open();
            pool.shutdown(false, cancel).unwrap();
        });
        all_dropped(fx, ledger, 100);
    }
}

crate::list::trials!(drop_tests:
    run,
    run_and_taken,
    handle_dropped_after_the_run,
    handle_dropped_before_the_run,
    handle_dropped_during_the_run,
    cancelled_while_queued,
    panicked,
    panicked_unobserved,
    shut_down_with_cancel,
    refused,
    callback_of_a_detached_job,
    set_dropped_early,
    cancel_races,
    shutdown_races,
);
