//! The hook that workers call before their first job. CPython: `test_init.py`.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use corepool::{BrokenReason, InitError, JobError, SubmitError};

use crate::{Fixture, Gate, Methods, drain};

thread_local! {
    static STATUS: Cell<&'static str> = const { Cell::new("uninitialized") };
}

const REASON: InitError = InitError("no such device");
const BROKEN: BrokenReason = BrokenReason::Initializer(REASON);

/// Each worker is initialized once, before its first job. CPython:
/// `InitializerMixin.test_initializer`; interpreter pool: `test_init_func`.
pub fn initializer<F: Fixture>() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let fx = F::start_with(
        2,
        Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            STATUS.set("initialized");
            Ok(())
        }),
    );
    drop(fx.hold_workers());
    for _ in 0..20 {
        let status = fx.pool().submit(|| STATUS.get()).unwrap();
        assert_eq!(status.result().unwrap(), "initialized");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

/// If an initializer fails, what is queued and what is submitted later fails with its reason.
/// CPython: `FailingInitializerMixin.test_initializer`.
pub fn failing_initializer<F: Fixture>() {
    let go = Gate::new();
    let wait = go.clone();
    let fx = F::start_with(
        1,
        Arc::new(move || {
            wait.wait();
            Err(REASON)
        }),
    );
    let future = fx.pool().submit(|| 1).unwrap();
    go.open();
    assert!(matches!(future.result(), Err(JobError::Broken(BROKEN))));
    assert!(matches!(
        fx.pool().submit(|| 2),
        Err(SubmitError::Broken(_, BROKEN))
    ));
    assert_eq!(fx.pool().broken_reason(), Some(BROKEN));
    let later: Vec<_> = fx.pool().map(0..2, |n: u32| n).collect();
    assert!(matches!(
        later[..],
        [Err(JobError::Broken(BROKEN)), Err(JobError::Broken(BROKEN))]
    ));
}

/// A healthy worker's job completes although another worker could not start.
pub fn healthy_job_completes_in_a_broken_pool<F: Fixture>() {
    let (calls, go, release) = (Arc::new(AtomicUsize::new(0)), Gate::new(), Gate::new());
    let (count, wait) = (Arc::clone(&calls), go.clone());
    let fx = F::start_with(
        2,
        Arc::new(move || {
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                return Ok(());
            }
            wait.wait();
            Err(REASON)
        }),
    );
    let started = Gate::new();
    let (start, held) = (started.clone(), release.clone());
    let healthy = fx
        .pool()
        .submit(move || {
            start.open();
            held.wait();
            42
        })
        .unwrap();
    started.wait();
    let queued = fx.pool().submit(|| 1).unwrap();
    go.open();
    assert!(matches!(queued.result(), Err(JobError::Broken(BROKEN))));
    assert!(!healthy.done());
    release.open();
    assert_eq!(healthy.result().unwrap(), 42);
}

/// A pool that is broken can be shut down.
pub fn broken_pool_can_be_shut_down<F: Fixture>() {
    let fx = F::start_with(2, Arc::new(|| Err(REASON)));
    let _ = fx.pool().submit(|| 1);
    drain(&fx);
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(fx.pool().workers(), 0);
}

crate::suite!(initializer_tests:
    everywhere []
    in_parallel [
        initializer,
        failing_initializer,
        healthy_job_completes_in_a_broken_pool,
        broken_pool_can_be_shut_down,
    ]
);
