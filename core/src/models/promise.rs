//! A promise: its result is taken, comes back, or is dropped, and that once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{Counted, MACHINE, explore, spawn, with_pool};
use crate::{JobError, JobFuture, Promise, StaticPool};

fn with_promise(
    name: &str,
    race: impl Fn(Promise<'static, Counted>, JobFuture<'static, Counted>, Counted)
    + Send
    + Sync
    + 'static,
) {
    explore(name, None, move || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let (promise, future) = pool.promise().unwrap();
            race(promise, future, Counted::new(&alive));
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

#[test]
fn set_and_result() {
    with_promise("promise: set, result", |promise, future, value| {
        let setter = spawn(move || promise.set_result(value).is_ok());
        assert!(future.result().is_ok());
        assert!(setter.join().unwrap());
    });
}

#[test]
fn set_and_cancel() {
    with_promise(
        "promise: set, cancel then drop",
        |promise, future, value| {
            let setter = spawn(move || promise.set_result(value).is_ok());
            let cancelled = future.cancel();
            drop(future);
            assert_ne!(setter.join().unwrap(), cancelled);
        },
    );
}

/// The holder has begun, or the future is cancelled: one of the two, and not both.
#[test]
fn start_and_cancel() {
    with_promise(
        "promise: start, cancel, set",
        |mut promise, future, value| {
            let holder = spawn(move || {
                let started = promise.start();
                assert_eq!(promise.set_result(value).is_ok(), started);
                started
            });
            let cancelled = future.cancel();
            let result = future.result();
            assert_ne!(holder.join().unwrap(), cancelled);
            assert_eq!(result.is_ok(), !cancelled);
        },
    );
}

/// The holder grants the request if it sees the request in time.
#[test]
fn honoured_and_cancel() {
    with_promise(
        "promise: honour a cancel, drop",
        |mut promise, future, value| {
            assert!(promise.start());
            let holder = spawn(move || {
                if promise.cancel_requested() {
                    promise.set_cancelled()
                } else {
                    promise.set_result(value).is_ok()
                }
            });
            future.cancel();
            drop(future);
            assert!(holder.join().unwrap());
        },
    );
}

#[test]
fn abandoned_and_result() {
    with_promise("promise: drop, result", |promise, future, _| {
        let holder = spawn(move || drop(promise));
        assert!(matches!(future.result(), Err(JobError::PromiseDropped)));
        holder.join().unwrap();
    });
}
