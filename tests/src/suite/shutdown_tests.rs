//! `shutdown`, and what dropping an executor does. CPython: `test_shutdown.py`.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use corepool::{BrokenReason, JobError, JobState, ShutdownError, SubmitError};

use crate::{Fixture, Gate, LONG, Methods, Pool, Recorder, drain};

const TINY: Duration = Duration::from_millis(2);

/// A pool that was shut down takes nothing, and gives the closure back. CPython:
/// `ExecutorShutdownTest.test_run_after_shutdown`.
pub fn run_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    fx.pool().shutdown(true, false).unwrap();
    assert!(fx.pool().is_shut_down());
    let Err(SubmitError::ShutDown(job)) = fx.pool().submit(|| 2 + 5) else {
        panic!("a pool that was shut down took a job");
    };
    assert_eq!(job(), 7);
}

/// So it does inside a job that still runs.
pub fn submit_in_a_job_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    let job = pool.submit(move || matches!(pool.submit(|| 1), Err(SubmitError::ShutDown(_))));
    pool.shutdown(false, false).unwrap();
    drop(hold);
    assert!(job.unwrap().result().unwrap());
}

/// Every other way to hand work in says so too.
pub fn nothing_is_taken_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    pool.shutdown(true, false).unwrap();
    assert!(matches!(
        pool.submit_detached(|| ()),
        Err(SubmitError::ShutDown(_))
    ));
    assert!(matches!(
        pool.submit_cancellable(|_| ()),
        Err(SubmitError::ShutDown(_))
    ));
    assert!(matches!(
        pool.submit_blocking(|| ()),
        Err(SubmitError::ShutDown(_))
    ));
    assert!(matches!(
        pool.submit_timeout(|| (), LONG),
        Err(SubmitError::ShutDown(_))
    ));
    assert!(matches!(
        pool.spawn(async {}),
        Err(SubmitError::ShutDown(_))
    ));
    assert!(matches!(
        pool.promise::<()>(),
        Err(SubmitError::ShutDown(()))
    ));
    assert!(matches!(
        futures_lite::future::block_on(pool.submit_async(|| ())),
        Err(SubmitError::ShutDown(_))
    ));
}

/// Queued jobs run although the pool was shut down. CPython:
/// `ExecutorShutdownTest.test_hang_issue12364`.
pub fn hang_issue12364<F: Fixture>() {
    let fx = F::start(2);
    let hold = fx.hold_workers();
    let futures: Vec<_> = (0..50)
        .map(|n| fx.pool().submit(move || n).unwrap())
        .collect();
    fx.pool().shutdown(false, false).unwrap();
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    for (number, mut future) in futures.into_iter().enumerate() {
        assert!(future.done());
        assert!(matches!(future.try_result(), Some(Ok(n)) if n == number));
    }
}

/// With `cancel_futures`, what is queued is cancelled at once, and nothing is left pending. CPython:
/// `ExecutorShutdownTest.test_cancel_futures`.
pub fn cancel_futures<F: Fixture>() {
    let fx = F::start(2);
    let ran = Recorder::new();
    let hold = fx.hold_workers();
    let futures: Vec<_> = (0..50)
        .map(|n| {
            let ran = ran.clone();
            fx.pool().submit(move || ran.note(n)).unwrap()
        })
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    assert!(futures.iter().all(|future| future.cancelled()));
    drop(hold);
    fx.pool().shutdown(true, true).unwrap();
    assert_eq!(ran.take(), []);
}

/// With `cancel_futures`, what runs goes on to its end.
pub fn cancel_futures_leaves_running_jobs<F: Fixture>() {
    let fx = F::start(1);
    let (started, go_on) = (Gate::new(), Gate::new());
    let (start, wait) = (started.clone(), go_on.clone());
    let running = fx.pool().submit_cancellable(move |token| {
        start.open();
        wait.wait();
        token.is_cancelled()
    });
    let running = running.unwrap();
    started.wait();
    fx.pool().shutdown(false, true).unwrap();
    assert_eq!(running.state(), JobState::Running);
    go_on.open();
    fx.pool().shutdown(true, true).unwrap();
    assert!(!running.result().unwrap());
}

/// A task that waits for its waker is cancelled with the pool; without that, shutdown waits for it.
pub fn cancel_futures_drops_suspended_tasks<F: Fixture>() {
    let fx = F::start(1);
    let task = fx.pool().spawn(std::future::pending::<()>()).unwrap();
    drain(&fx);
    assert!(matches!(
        fx.pool().shutdown_timeout(TINY, false),
        Err(ShutdownError::StillRunning { jobs: 1, .. })
    ));
    fx.pool().shutdown(true, true).unwrap();
    assert!(matches!(task.result(), Err(JobError::Cancelled)));
}

/// A callback that waits is no job of its own, in none of the counts.
pub fn a_waiting_callback_is_no_job<F: Fixture>() {
    let fx = F::start(1);
    let mut task = fx.pool().spawn(std::future::pending::<()>()).unwrap();
    task.add_done_callback(|_| ()).unwrap();
    drain(&fx);
    assert_eq!(fx.pool().unfinished(), 0);
    assert!(matches!(
        fx.pool().shutdown_timeout(TINY, false),
        Err(ShutdownError::StillRunning { jobs: 1, .. })
    ));
    fx.pool().shutdown(true, true).unwrap();
}

/// A second call may cancel what the first left. Any number of calls is one.
pub fn shutdown_is_idempotent<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let future = fx.pool().submit(|| 1).unwrap();
    fx.pool().shutdown(false, false).unwrap();
    fx.pool().shutdown(false, false).unwrap();
    assert!(!future.done());
    fx.pool().shutdown(false, true).unwrap();
    assert!(future.cancelled());
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    fx.pool().shutdown(true, true).unwrap();
}

/// A cancel just before the shutdown does not make it hang. CPython:
/// `ExecutorShutdownTest.test_hang_gh94440`.
pub fn hang_gh94440<F: Fixture>() {
    let fx = F::start(1);
    fx.pool().submit(|| 0).unwrap().result().unwrap();
    fx.pool().submit(|| 0).unwrap().cancel();
    fx.pool().shutdown(true, false).unwrap();
}

/// A queued job can be cancelled after the shutdown, too.
pub fn cancel_after_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let future = fx.pool().submit(|| 1).unwrap();
    fx.pool().shutdown(false, false).unwrap();
    assert!(future.cancel());
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    assert!(matches!(future.result(), Err(JobError::Cancelled)));
}

/// When a shutdown that waits returns, no worker is left. CPython:
/// `ThreadPoolShutdownTest.test_threads_terminate`.
pub fn threads_terminate<F: Fixture>() {
    let fx = F::start(3);
    let hold = fx.hold_workers();
    assert_eq!(fx.pool().workers(), 3);
    drop(hold);
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!(fx.pool().workers(), 0);
}

/// Without waiting, all that was queued is done all the same. CPython:
/// `ThreadPoolShutdownTest.test_shutdown_no_wait`.
pub fn shutdown_no_wait<F: Fixture>() {
    let fx = F::start(5);
    let map = fx.pool().map(-5..5, |n: i32| n.abs());
    fx.pool().shutdown(false, false).unwrap();
    let results: Result<Vec<_>, _> = map.collect();
    assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
}

/// Cancelling and not waiting: each job has run or was cancelled, none is left. CPython:
/// `ThreadPoolShutdownTest.test_cancel_futures_wait_false`.
pub fn cancel_futures_wait_false<F: Fixture>() {
    let fx = F::start(1);
    let futures: Vec<_> = (0..10)
        .map(|n| fx.pool().submit(move || n).unwrap())
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    for (number, future) in futures.into_iter().enumerate() {
        assert!(match future.result() {
            Ok(result) => result == number,
            Err(error) => matches!(error, JobError::Cancelled),
        });
    }
}

/// The program's end, which drops the executor, waits for its work. CPython:
/// `ExecutorShutdownTest.test_interpreter_shutdown`.
pub fn interpreter_shutdown<F: Fixture>() {
    let ran = Recorder::new();
    let fx = F::start(5);
    let hold = fx.hold_workers();
    let note = ran.clone();
    fx.pool()
        .submit_detached(move || note.note("apple"))
        .unwrap();
    drop(hold);
    drop(fx);
    assert_eq!(ran.take(), ["apple"]);
}

/// So it does after a shutdown that did not wait. CPython:
/// `ExecutorShutdownTest.test_hang_gh83386`.
pub fn hang_gh83386<F: Fixture>() {
    let ran = Recorder::new();
    let fx = F::start(3);
    let hold = fx.hold_workers();
    let note = ran.clone();
    fx.pool()
        .submit_detached(move || note.note("apple"))
        .unwrap();
    fx.pool().shutdown(false, false).unwrap();
    drop(hold);
    drop(fx);
    assert_eq!(ran.take(), ["apple"]);
}

/// At the end of the executor's scope, all is done and no worker is left. CPython:
/// `ThreadPoolShutdownTest.test_context_manager_shutdown`.
pub fn context_manager_shutdown<F: Fixture>() {
    let pool = {
        let fx = F::start(5);
        let pool = fx.pool();
        let results: Result<Vec<_>, _> = pool.map(-5..5, |n: i32| n.abs()).collect();
        assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
        pool
    };
    assert!(pool.is_shut_down());
    assert_eq!(pool.workers(), 0);
}

/// Results that were computed before the executor was dropped can be had after. CPython:
/// `ThreadPoolShutdownTest.test_del_shutdown`.
pub fn del_shutdown<F: Fixture>() {
    let fx = F::start(5);
    let map = fx.pool().map(-5..5, |n: i32| n.abs());
    drop(fx);
    let results: Result<Vec<_>, _> = map.collect();
    assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
}

/// A job that waits for its own pool's end gets an error, and the pool is shut down.
pub fn shutdown_from_a_job_would_deadlock<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let said = pool.submit(move || pool.shutdown(true, false)).unwrap();
    assert_eq!(said.result().unwrap(), Err(ShutdownError::WouldDeadlock));
    assert!(pool.is_shut_down());
}

/// So does a callback.
pub fn shutdown_from_a_callback_would_deadlock<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let said = Recorder::new();
    let hold = fx.hold_workers();
    let mut future = pool.submit(|| 1).unwrap();
    let note = said.clone();
    future
        .add_done_callback(move |_| note.note(pool.shutdown(true, false)))
        .unwrap();
    drop(hold);
    assert_eq!(future.result().unwrap(), 1);
    assert_eq!(said.take(), [Err(ShutdownError::WouldDeadlock)]);
}

/// Without waiting, a job may shut its own pool down.
pub fn shutdown_from_a_job_without_wait<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let said = pool.submit(move || pool.shutdown(false, false)).unwrap();
    assert_eq!(said.result().unwrap(), Ok(()));
    fx.pool().shutdown(true, false).unwrap();
}

/// Submits that wait for room are told of the shutdown, though there is none.
pub fn blocked_submit_is_told_of_the_shutdown<F: Fixture>() {
    let fx = F::Small::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    while pool.submit_detached(|| ()).is_ok() {}
    let blocked = std::thread::spawn(move || {
        matches!(pool.submit_blocking(|| ()), Err(SubmitError::ShutDown(_)))
    });
    pool.shutdown(false, false).unwrap();
    assert!(blocked.join().unwrap());
    drop(hold);
}

/// A task ends its own pool in its first poll, and is pending: how it ends, and that it is not polled
/// again.
fn after_a_poll_that_ends_the_pool<F: Fixture>(
    end: fn(Pool<F>, &mut Context<'_>),
    is_right: fn(&JobError) -> bool,
) {
    let fx = F::start(1);
    let pool = fx.pool();
    let polls = Recorder::new();
    let note = polls.clone();
    let task = poll_fn(move |cx| {
        note.note(());
        end(pool, cx);
        Poll::<()>::Pending
    });
    let mut task = pool.spawn(task).unwrap();
    let error = task.error().unwrap();
    assert!(is_right(&error), "{error}");
    assert_eq!(task.cancelled(), matches!(error, JobError::Cancelled));
    assert_eq!(polls.take().len(), 1);
}

/// A task that suspends in a pool that was ended meanwhile ends like the queued ones.
pub fn task_that_suspends_after_the_end_is_not_polled_again<F: Fixture>() {
    after_a_poll_that_ends_the_pool::<F>(
        |pool, _| pool.shutdown(false, true).unwrap(),
        |error| matches!(error, JobError::Cancelled),
    );
    after_a_poll_that_ends_the_pool::<F>(
        |pool, _| pool.break_pool("out of power"),
        |error| matches!(error, JobError::Broken(BrokenReason::Application(_))),
    );
}

/// So does one that was woken before it suspended.
pub fn task_that_is_woken_after_the_end_is_not_polled_again<F: Fixture>() {
    after_a_poll_that_ends_the_pool::<F>(
        |pool, cx| {
            pool.shutdown(false, true).unwrap();
            cx.waker().wake_by_ref();
        },
        |error| matches!(error, JobError::Cancelled),
    );
    after_a_poll_that_ends_the_pool::<F>(
        |pool, cx| {
            pool.break_pool("out of power");
            cx.waker().wake_by_ref();
        },
        |error| matches!(error, JobError::Broken(BrokenReason::Application(_))),
    );
}

crate::suite!(shutdown_tests:
    everywhere [
        run_after_shutdown,
        submit_in_a_job_after_shutdown,
        nothing_is_taken_after_shutdown,
        hang_issue12364,
        cancel_futures,
        cancel_futures_drops_suspended_tasks,
        task_that_suspends_after_the_end_is_not_polled_again,
        task_that_is_woken_after_the_end_is_not_polled_again,
        a_waiting_callback_is_no_job,
        shutdown_is_idempotent,
        hang_gh94440,
        cancel_after_shutdown,
        shutdown_no_wait,
        cancel_futures_wait_false,
        interpreter_shutdown,
        hang_gh83386,
        context_manager_shutdown,
        del_shutdown,
        shutdown_from_a_job_would_deadlock,
        shutdown_from_a_callback_would_deadlock,
        shutdown_from_a_job_without_wait,
    ]
    in_parallel [
        cancel_futures_leaves_running_jobs,
        threads_terminate,
        blocked_submit_is_told_of_the_shutdown,
    ]
);
