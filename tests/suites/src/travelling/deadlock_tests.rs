//! Nothing that goes wrong in a job may leave any party waiting. CPython: `test_deadlock.py`. The test
//! binaries `process_pool` and `remote` have what goes wrong with a process, or on the way there and
//! back.

use corepool::{JobError, SubmitError};

use super::{Bomb, Explodes, Fails, Fixture, Number, Panics, Pool, hold, text_of};
use crate::SMALL;

/// A job that fails fails its own future only, with what it says. CPython:
/// `ExecutorDeadlockTest.test_error_during_func_exec_on_worker`; interpreter pool:
/// `test_submit_exception_in_func`.
pub fn error_during_func_exec_on_worker<F: Fixture>() {
    let fx = F::start(1);
    let bad = fx.pool().submit(Fails(String::from("error"))).unwrap();
    let good = fx.pool().submit(Number(42)).unwrap();
    assert_eq!(text_of(bad.result().unwrap_err()), "error");
    assert_eq!(good.result().unwrap(), 42);
}

/// A panic with a message, through the panic hook, is as good as any.
pub fn ordinary_panic<F: Fixture>() {
    let fx = F::start(1);
    let bad = fx
        .pool()
        .submit(Panics(String::from("as asked for")))
        .unwrap();
    assert_eq!(text_of(bad.result().unwrap_err()), "as asked for");
}

/// A destructor that panics, of what a job carries, is contained like any panic of a job's.
pub fn panic_in_a_jobs_destructor<F: Fixture>() {
    let fx = F::start(1);
    let bad = fx.pool().submit(Explodes(Bomb)).unwrap();
    assert!(matches!(bad.result(), Err(JobError::Panicked(_))));
    let good = fx.pool().submit(Number(42)).unwrap();
    assert_eq!(good.result().unwrap(), 42);
}

/// A shutdown after a failure comes to its end. CPython:
/// `ExecutorDeadlockTest.test_shutdown_deadlock`.
pub fn shutdown_deadlock<F: Fixture>() {
    let fx = F::start(2);
    let bad = fx.pool().submit(Fails(String::from("error"))).unwrap();
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(text_of(bad.result().unwrap_err()), "error");
}

/// A submit to a full pool returns at once. CPython:
/// `ExecutorDeadlockTest.test_gh105829_should_not_deadlock_if_wakeup_pipe_full`.
pub fn gh105829_should_not_deadlock_if_wakeup_pipe_full<F: Fixture>() {
    let fx = F::start_small();
    let hold = hold(&fx, 1);
    let queued: Vec<_> = (1..SMALL)
        .map(|_| fx.pool().submit(Number(1)).unwrap())
        .collect();
    for _ in 0..100 {
        let refused = fx.pool().submit(Number(2));
        assert!(matches!(refused, Err(SubmitError::Full(Number(2)))));
    }
    drop(hold);
    for future in queued {
        assert_eq!(future.result().unwrap(), 1);
    }
    let next = fx.pool().submit_blocking(Number(3)).unwrap();
    assert_eq!(next.result().unwrap(), 3);
}

crate::list::trials!(deadlock_tests:
    error_during_func_exec_on_worker,
    ordinary_panic,
    panic_in_a_jobs_destructor,
    shutdown_deadlock,
    gh105829_should_not_deadlock_if_wakeup_pipe_full,
);
