//! Tasks in the pool, seen from a plain thread: Python's `run_coroutine_threadsafe`, with the pool as
//! the event loop. CPython: `test_asyncio/test_tasks.py`. What other event loops have to do with a
//! pool is in the test binary `bridges`.

use std::{panic::resume_unwind, time::Duration};

use corepool::{JobError, JobFuture};
use futures_lite::future::{or, yield_now};

use crate::{Drops, Fixture, LONG, Methods, Pool};

const TINY: Duration = Duration::from_millis(2);

/// A task that adds, with a suspension on its way; or fails; or waits for a future first.
fn add<F: Fixture>(
    pool: Pool<F>,
    a: u32,
    b: u32,
    fail: bool,
    before: Option<JobFuture<'static, ()>>,
) -> JobFuture<'static, u32> {
    let task = async move {
        yield_now().await;
        if let Some(before) = before {
            let _ = before.await;
        }
        if fail {
            resume_unwind(Box::new("fail"));
        }
        a + b
    };
    pool.spawn(task).unwrap()
}

/// The task's result comes to the thread. CPython:
/// `RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe`.
pub fn run_coroutine_threadsafe<F: Fixture>() {
    let fx = F::start(1);
    let future = add::<F>(fx.pool(), 1, 2, false, None);
    assert_eq!(future.result().unwrap(), 3);
}

/// So does its failure. CPython: `test_run_coroutine_threadsafe_with_exception`.
pub fn run_coroutine_threadsafe_with_exception<F: Fixture>() {
    let fx = F::start(1);
    let future = add::<F>(fx.pool(), 1, 2, true, None);
    assert!(matches!(future.result(), Err(JobError::Panicked(_))));
}

/// The thread gives up waiting; the task goes on, and ends if it is cancelled. CPython:
/// `test_run_coroutine_threadsafe_with_timeout`.
pub fn run_coroutine_threadsafe_with_timeout<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise().unwrap();
    let mut future = add::<F>(fx.pool(), 1, 2, false, Some(never));
    assert!(matches!(
        future.result_timeout(TINY),
        Err(JobError::TimedOut)
    ));
    assert!(!future.done());
    promise.set_result(()).unwrap();
    assert_eq!(future.result_timeout(LONG).unwrap(), 3);
}

/// What the task awaits is cancelled on its side: the thread is told by the task. CPython:
/// `test_run_coroutine_threadsafe_task_cancelled`.
pub fn run_coroutine_threadsafe_task_cancelled<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let inner = cancelled_soon::<F>(pool);
    let task = pool.spawn(async move { matches!(inner.await, Err(JobError::Cancelled)) });
    assert!(task.unwrap().result().unwrap());
}

/// A job that the only worker cancels before it can begin.
fn cancelled_soon<F: Fixture>(pool: Pool<F>) -> JobFuture<'static, ()> {
    let (promise, future) = pool.promise().unwrap();
    assert!(future.cancel());
    drop(promise);
    future
}

/// The thread cancels the task: it is dropped where it is suspended. CPython:
/// `test_run_coroutine_threadsafe` with `future.cancel()`.
pub fn run_coroutine_threadsafe_and_cancel<F: Fixture>() {
    let fx = F::start(1);
    let drops = Drops::new();
    let token = drops.token();
    let future = fx.pool().spawn(async move {
        let _held = token;
        std::future::pending::<()>().await;
    });
    let future = future.unwrap();
    while !future.cancel() {
        std::thread::yield_now();
    }
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
    assert_eq!(drops.dropped(), 1);
}

/// The task gives up on a part of its work by dropping it: that part is cancelled, the rest goes on.
pub fn task_gives_up_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let (never, given_up) = pool.promise::<u32>().unwrap();
    let given_up = given_up.cancel_on_drop();
    let task = pool.spawn(or(given_up, std::future::ready(Ok(2))));
    assert_eq!(task.unwrap().result().unwrap().unwrap(), 2);
    assert!(never.is_cancelled());
}

crate::suite!(bridge_tests:
    everywhere [
        run_coroutine_threadsafe,
        run_coroutine_threadsafe_with_exception,
        run_coroutine_threadsafe_with_timeout,
        run_coroutine_threadsafe_task_cancelled,
        run_coroutine_threadsafe_and_cancel,
        task_gives_up_a_job,
    ]
    in_parallel []
);
