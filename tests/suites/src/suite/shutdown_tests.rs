//! `shutdown`, and what dropping an executor does. CPython: `test_shutdown.py`.

use std::{
    cell::RefCell,
    future::{Future as _, poll_fn},
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use corepool::{BrokenReason, Executor, JobError, JobState, ShutdownError, SubmitError};

use crate::{
    CountingWaker, Drops, EndsWhenDropped, Fixture, Gate, LONG, Methods, Pool, Recorder, SMALL,
    Token, drain, fixture::PLACES,
};

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
        crate::block_on(pool.submit_async(|| ())),
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

/// With a deadline, too, what is queued is cancelled if that is asked for, and only then.
pub fn shutdown_with_a_deadline_cancels_only_if_told_so<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let future = fx.pool().submit(|| 1).unwrap();
    for (cancel_futures, state) in [(false, JobState::Pending), (true, JobState::Cancelled)] {
        let ended = fx.pool().shutdown_timeout(TINY, cancel_futures);
        let still_runs = matches!(ended, Err(ShutdownError::StillRunning { .. }));
        // Where there is no worker to hold, nothing is left of what was cancelled.
        assert!(still_runs || cancel_futures);
        assert_eq!(future.state(), state);
    }
    drop(hold);
    fx.pool().shutdown_timeout(LONG, false).unwrap();
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

/// Without waiting, all that was queued is done all the same, before the workers leave, and whether
/// or not somebody asks for it. CPython: `ThreadPoolShutdownTest.test_shutdown_no_wait`.
pub fn shutdown_no_wait<F: Fixture>() {
    let fx = F::start(5);
    let map = fx.pool().map(-5..5, |n: i32| n.abs());
    fx.pool().shutdown(false, false).unwrap();
    while fx.pool().workers() > 0 {
        crate::yield_now();
    }
    let results: Result<Vec<_>, _> = map.collect();
    assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
}

/// Workers that sleep are told, though nobody waits for them.
pub fn shutdown_no_wait_sends_idle_workers_away<F: Fixture>() {
    let fx = F::start(3);
    drop(fx.hold_workers());
    drain(&fx);
    fx.until_idle(3);
    fx.pool().shutdown(false, false).unwrap();
    while fx.pool().workers() > 0 {
        crate::yield_now();
    }
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

thread_local! {
    /// Dropped when the thread ends.
    static OF_THREAD: RefCell<Option<Token>> = const { RefCell::new(None) };
}

/// The traces of the jobs of an executor that is dropped, and of its threads.
struct Traces {
    ran: Recorder<i32>,
    threads: Drops,
}

impl Traces {
    fn new() -> Self {
        Self {
            ran: Recorder::new(),
            threads: Drops::new(),
        }
    }

    /// A function for jobs that take long enough to be unfinished when the executor is dropped.
    fn abs(&self) -> impl Fn(i32) -> i32 + Clone + Send + 'static {
        let (ran, threads) = (self.ran.clone(), self.threads);
        move |n| {
            OF_THREAD.with_borrow_mut(|token| {
                token.get_or_insert_with(|| threads.token());
            });
            (0..100).for_each(|_| crate::yield_now());
            ran.note(n.abs());
            n.abs()
        }
    }

    /// Has the executor call it ten times, and lets go of the futures.
    fn submit_to(&self, executor: &impl Executor) {
        for number in -5..5 {
            let abs = self.abs();
            drop(executor.submit(move || abs(number)).unwrap());
        }
    }

    /// Each job has run, once, and no thread that has run one is left.
    fn assert_all_over(&self) {
        let mut ran = self.ran.take();
        ran.sort_unstable();
        assert_eq!(ran, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]);
        assert!(self.threads.made() > 0);
        assert_eq!(self.threads.dropped(), self.threads.made());
    }
}

/// The program's end, which drops the executor, waits for its work: here what is printed in CPython
/// is noted. CPython: `ExecutorShutdownTest.test_interpreter_shutdown`.
pub fn interpreter_shutdown<F: EndsWhenDropped>() {
    let traces = Traces::new();
    let executor = F::start_owned(5);
    traces.submit_to(&executor);
    drop(executor);
    traces.assert_all_over();
}

/// So it does after a shutdown that did not wait. CPython:
/// `ExecutorShutdownTest.test_hang_gh83386`.
pub fn hang_gh83386<F: EndsWhenDropped>() {
    let traces = Traces::new();
    let executor = F::start_owned(3);
    traces.submit_to(&executor);
    executor.shutdown(false, false).unwrap();
    drop(executor);
    traces.assert_all_over();
}

/// At the end of the executor's scope, all is done and no thread is left. CPython:
/// `ThreadPoolShutdownTest.test_context_manager_shutdown`.
pub fn context_manager_shutdown<F: EndsWhenDropped>() {
    let traces = Traces::new();
    {
        let executor = F::start_owned(5);
        let results: Result<Vec<_>, _> = executor.map(-5..5, traces.abs()).collect();
        assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
    }
    traces.assert_all_over();
}

/// Dropped, the executor computes what is queued before its threads end. CPython takes the results
/// after that, from the `map`; here futures do not outlive their executor, so the jobs leave them.
/// CPython: `ThreadPoolShutdownTest.test_del_shutdown`.
pub fn del_shutdown<F: EndsWhenDropped>() {
    let traces = Traces::new();
    let executor = F::start_owned(1);
    traces.submit_to(&executor);
    drop(executor);
    assert_eq!(traces.ran.take(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
    assert_eq!((traces.threads.made(), traces.threads.dropped()), (1, 1));
}

/// An executor that never had any work ends, too.
pub fn dropped_without_work<F: EndsWhenDropped>() {
    drop(F::start_owned(3));
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

/// A submit that waits for room is told of the shutdown, though there is none.
///
/// If a fixture's port does not tell when the submitter sleeps, the submitter may be told before;
/// `awaited_submit_is_told_of_the_shutdown` is sure that it waits.
pub fn blocked_submit_is_told_of_the_shutdown<F: Fixture>() {
    let fx = F::Small::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    while pool.submit_detached(|| ()).is_ok() {}
    let blocked = thread::spawn(move || {
        let Err(SubmitError::ShutDown(job)) = pool.submit_blocking(|| 7) else {
            panic!("a full pool that was shut down took a job");
        };
        job()
    });
    if let Some(port) = fx.port() {
        port.parking().wait();
    }
    pool.shutdown(false, false).unwrap();
    assert_eq!(blocked.join().unwrap(), 7);
    drop(hold);
}

/// So is one that is awaited: its waker is woken, and it has its closure back. A worker that leaves may wake it once
/// more.
pub fn awaited_submit_is_told_of_the_shutdown<F: Fixture>() {
    let fx = F::Small::start(1);
    let pool = fx.pool();
    let kept: Vec<_> = (0..SMALL).map(|_| pool.promise::<()>().unwrap()).collect();
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut cx = Context::from_waker(&as_waker);
    let mut submit = std::pin::pin!(pool.submit_async(|| 7));
    assert!(submit.as_mut().poll(&mut cx).is_pending());
    pool.shutdown(false, false).unwrap();
    assert!(waker.count() > 0);
    let Poll::Ready(Err(SubmitError::ShutDown(job))) = submit.poll(&mut cx) else {
        panic!("a pool that was shut down has room");
    };
    assert_eq!(job(), 7);
    drop(kept);
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

/// An async caller awaits the end of all work.
pub fn shutdown_is_awaited<F: Fixture>() {
    let fx = F::start(1);
    let gate = Gate::new();
    let wait = gate.clone();
    let mut job = fx.pool().submit(move || wait.wait()).unwrap();
    let waker = Waker::from(Arc::new(CountingWaker::default()));
    let mut end = Box::pin(fx.pool().shutdown_async(false));
    assert!(
        end.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    assert!(fx.pool().is_shut_down() && !job.done());
    gate.open();
    crate::block_on(end).unwrap();
    assert!(job.try_result().unwrap().is_ok());
}

/// It can be given up, as often as there are places and more: the pool stays shut down, the job goes on,
/// and the end can be awaited later.
pub fn awaited_shutdown_can_be_given_up<F: Fixture>() {
    let fx = F::start(1);
    let gate = Gate::new();
    let wait = gate.clone();
    let mut job = fx.pool().submit(move || wait.wait()).unwrap();
    let waker = Arc::new(CountingWaker::default());
    for _ in 0..2 * PLACES {
        let waker = Waker::from(Arc::clone(&waker));
        let mut end = Box::pin(fx.pool().shutdown_async(false));
        let polled = end.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    assert_eq!(Arc::strong_count(&waker), 1);
    assert!(fx.pool().is_shut_down() && !job.done());
    gate.open();
    crate::block_on(fx.pool().shutdown_async(false)).unwrap();
    assert!(job.try_result().unwrap().is_ok());
    assert_eq!(waker.count(), 0);
}

/// It ends what is queued, if it is told so.
pub fn awaited_shutdown_cancels_futures<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let queued = fx.pool().submit(|| 1).unwrap();
    let end = fx.pool().shutdown_async(true);
    assert!(queued.cancelled());
    drop(hold);
    crate::block_on(end).unwrap();
}

/// A task of the pool does not wait for its own end.
pub fn awaited_shutdown_in_a_task_would_deadlock<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let task = fx
        .pool()
        .spawn(async move { Box::pin(pool.shutdown_async(false)).await });
    assert_eq!(
        task.unwrap().result().unwrap(),
        Err(ShutdownError::WouldDeadlock)
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
        shutdown_with_a_deadline_cancels_only_if_told_so,
        hang_gh94440,
        cancel_after_shutdown,
        shutdown_no_wait,
        cancel_futures_wait_false,
        awaited_submit_is_told_of_the_shutdown,
        shutdown_from_a_job_would_deadlock,
        shutdown_from_a_callback_would_deadlock,
        shutdown_from_a_job_without_wait,
    ]
    in_parallel [
        cancel_futures_leaves_running_jobs,
        shutdown_is_awaited,
        awaited_shutdown_cancels_futures,
        awaited_shutdown_can_be_given_up,
        awaited_shutdown_in_a_task_would_deadlock,
        threads_terminate,
        shutdown_no_wait_sends_idle_workers_away,
        blocked_submit_is_told_of_the_shutdown,
    ]
    dropped [
        interpreter_shutdown,
        hang_gh83386,
        context_manager_shutdown,
        del_shutdown,
        dropped_without_work,
    ]
);
