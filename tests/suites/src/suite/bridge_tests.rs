//! Tasks in the pool, seen from a plain thread: Python's `run_coroutine_threadsafe`, with the pool as
//! the event loop. CPython: `test_asyncio/test_tasks.py`. The test binary `bridges` has other event
//! loops with a pool.

use std::{
    future::Future,
    panic::resume_unwind,
    task::{Context, Poll, Waker},
    time::Duration,
};

use corepool::{JobError, JobFuture, NotInTask};
use futures_lite::future::{or, yield_now};

use crate::{Drops, Fixture, LONG, Methods, Pool, Recorder, cancelled_future, text_of};

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

/// So does its failure, with what it says. CPython:
/// `test_run_coroutine_threadsafe_with_exception`.
pub fn run_coroutine_threadsafe_with_exception<F: Fixture>() {
    let fx = F::start(1);
    let future = add::<F>(fx.pool(), 1, 2, true, None);
    assert_eq!(text_of(future.result().unwrap_err()), "fail");
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

/// The task cancels itself: the code after that does not run, what the task holds is dropped, and the
/// thread is told that it was cancelled. CPython: `test_run_coroutine_threadsafe_task_cancelled`.
pub fn run_coroutine_threadsafe_task_cancelled<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let drops = Drops::new();
    // In a box, so that the task fits a slot.
    let token = Box::new(drops.token());
    let hold = fx.hold_workers();
    let cancels = pool.cancel_current_task();
    let mut task = pool
        .spawn(async move {
            let _held = token;
            cancels.await;
            unreachable!("it was cancelled")
        })
        .unwrap();
    let seen = Recorder::new();
    let note = seen.clone();
    task.add_done_callback(move |outcome: Result<&u32, &JobError>| {
        note.note(matches!(outcome, Err(JobError::Cancelled)));
    })
    .unwrap();
    drop(hold);
    assert!(matches!(task.error(), Some(JobError::Cancelled)));
    assert!(task.cancelled());
    assert_eq!(drops.dropped(), 1);
    assert_eq!(seen.take(), [true]);
}

/// A task that cancels itself beside something that is ready has that result: it does not suspend any
/// more. CPython: a task that catches its `CancelledError`, and returns.
pub fn task_that_cancels_itself_and_returns_has_a_result<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let cancels = async move {
        pool.cancel_current_task().await;
        1
    };
    let task = pool.spawn(or(cancels, std::future::ready(2)));
    assert_eq!(task.unwrap().result().unwrap(), 2);
}

/// A thread, a task of another pool, and a future that is polled with a foreign waker do not end. The
/// pool tells them why, and they go on.
pub fn only_a_task_cancels_itself<F: Fixture>() {
    let (fx, other) = (F::start(1), F::start(1));
    let (pool, others) = (fx.pool(), other.pool());
    let here = crate::block_on(pool.cancel_current_task());
    assert_eq!(here, NotInTask);
    let task = others.spawn(async move { pool.cancel_current_task().await });
    assert_eq!(task.unwrap().result().unwrap(), NotInTask);
    let task = pool.spawn(async move {
        let mut inner = Box::pin(pool.cancel_current_task());
        let mut cx = Context::from_waker(Waker::noop());
        inner.as_mut().poll(&mut cx)
    });
    assert_eq!(task.unwrap().result().unwrap(), Poll::Ready(NotInTask));
}

/// A job that a task awaits is cancelled: the task is told, and goes on.
pub fn task_is_told_that_what_it_awaits_was_cancelled<F: Fixture>() {
    let fx = F::start(1);
    let inner = cancelled_future::<F, ()>(&fx);
    let task = fx
        .pool()
        .spawn(async move { matches!(inner.await, Err(JobError::Cancelled)) });
    assert!(task.unwrap().result().unwrap());
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
        crate::yield_now();
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
        task_that_cancels_itself_and_returns_has_a_result,
        only_a_task_cancels_itself,
        task_is_told_that_what_it_awaits_was_cancelled,
        run_coroutine_threadsafe_and_cancel,
        task_gives_up_a_job,
    ]
    in_parallel []
);
