//! The lines of the `log` facade in which a pool says that a worker or the pool is lost.
#![cfg(feature = "log")]

use std::{cell::RefCell, sync::Once, task::Waker, time::Duration};

use corepool::{
    BrokenReason, InitError, OnLoss, Parker, RunError, SpinWorker, StaticPool, Worker, WorkerId,
};
use log::{Level, LevelFilter, Log, Metadata, Record};

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the warnings, for each thread by itself.
struct Keeps;

impl Log for Keeps {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("{}: {}", record.level(), record.args());
            SAID.with_borrow_mut(|said| said.push(line));
        }
    }

    fn flush(&self) {}
}

/// The warnings of this thread while `f` runs.
fn said(f: impl FnOnce()) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeps).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    SAID.take();
    f();
    SAID.take()
}

type Pool = StaticPool<2, 16>;

/// Calls a function as it starts.
struct Starts<F>(F);

impl<F> Parker for Starts<F> {
    fn waker(&self) -> Waker {
        SpinWorker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        SpinWorker.park(deadline);
    }
}

impl<F: Fn(WorkerId) -> Result<(), InitError>> Worker for Starts<F> {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        (self.0)(worker)
    }
}

/// CPython: the log of `FailingInitializerMixin.test_initializer`.
#[test]
fn an_initializer_that_fails_is_logged_and_so_is_the_pools_end() {
    let pool = Pool::new();
    let error = InitError("no such device");
    let lines = said(|| {
        let broken = RunError::Broken(BrokenReason::Initializer(error));
        assert_eq!(pool.run(&Starts(|_| Err(error))), Err(broken));
    });
    assert_eq!(
        lines,
        [
            "WARN: worker 0 could not start: no such device",
            "WARN: pool broken"
        ]
    );
}

#[test]
fn a_lost_worker_is_logged_once() {
    let pool = Pool::new();
    let lose_twice = |worker| {
        for _ in 0..2 {
            // SAFETY: no scopes here.
            unsafe { pool.worker_lost(worker, OnLoss::Continue) };
        }
        Ok(())
    };
    let lines = said(|| assert_eq!(pool.run(&Starts(lose_twice)), Err(RunError::DeclaredLost)));
    assert_eq!(lines, ["WARN: worker 0 lost"]);
}

#[test]
fn nothing_is_warned_of_where_all_goes_well() {
    let pool = Pool::new();
    let lines = said(|| {
        let job = pool.submit(|| 42).unwrap();
        pool.shutdown(false, false).unwrap();
        pool.run(&SpinWorker).unwrap();
        assert_eq!(job.result().unwrap(), 42);
    });
    assert!(lines.is_empty(), "{lines:?}");
}
