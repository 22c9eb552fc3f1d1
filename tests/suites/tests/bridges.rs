//! Event loops that await work in a pool: tokio's, futures-lite's and embassy's. CPython:
//! `test_asyncio/test_futures.py`, `test_threads.py`, `test_events.py`.

use std::{
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use corepool::{DynExecutor, JobError, Shutdown, StaticPool, SubmitError};
use corepool_std::{
    Runs, ThreadPool, default_executor, run_in_executor, set_default_executor, to_thread,
    to_thread_in,
};
use corepool_tests::{
    CountingWaker, Drops, Gate, PATIENCE, Recorder, is_child, must_pass_in_child, run_for,
};
use embassy_time::with_timeout;
use futures_lite::future::{poll_once, yield_now, zip};
use tokio::time::timeout;

/// A time that is soon over.
const TINY: Duration = Duration::from_millis(2);

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

fn on_tokio(test: Test) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::spawn(test).await.unwrap() });
}

fn on_futures_lite(test: Test) {
    futures_lite::future::block_on(test);
}

#[embassy_executor::task(pool_size = 32)]
async fn run_test(test: Test, ended: Sender<()>) {
    test.await;
    let _ = ended.send(());
}

fn on_embassy(test: Test) {
    let (ended, end) = channel();
    // Embassy's executor never returns; the thread ends with the process.
    thread::spawn(move || {
        let executor = Box::leak(Box::new(embassy_executor::Executor::new()));
        executor.run(|spawner| spawner.spawn(run_test(test, ended).unwrap()))
    });
    end.recv().expect("the test has panicked");
}

fn pool(max_workers: usize) -> &'static ThreadPool {
    let pool = ThreadPool::builder().max_workers(max_workers).capacity(4);
    Box::leak(Box::new(pool.build().unwrap()))
}

/// Opens the gate on a later turn of the event loop, which comes only if nothing blocks it.
async fn open_later(gate: Gate) {
    for _ in 0..10 {
        yield_now().await;
    }
    gate.open();
}

/// Keeps the pool's only worker busy until the gate is opened.
fn occupy(pool: &'static ThreadPool) -> Gate {
    let (started, release) = (Gate::new(), Gate::new());
    let (start, held) = (started.clone(), release.clone());
    pool.submit_detached(move || {
        start.open();
        held.wait();
    })
    .unwrap();
    started.wait();
    release
}

/// The loop goes on while a job blocks: the job waits for what only the loop can do.
async fn loop_keeps_ticking() {
    let pool = pool(1);
    let gate = Gate::new();
    let held = gate.clone();
    let job = run_in_executor(pool, move || {
        held.wait();
        42
    });
    let (result, ()) = zip(job.unwrap(), open_later(gate)).await;
    assert_eq!(result.unwrap(), 42);
}

/// So it does while `to_thread` blocks.
async fn loop_keeps_ticking_with_to_thread() {
    let pool = pool(1);
    let gate = Gate::new();
    let held = gate.clone();
    let job = to_thread_in(pool.pool_ref(), move || held.wait());
    let (result, ()) = zip(job, open_later(gate)).await;
    result.unwrap();
}

/// So it does while `to_thread` waits for room in a full pool.
async fn loop_keeps_ticking_while_the_pool_is_full() {
    let pool = pool(1);
    let gate = occupy(pool);
    while pool.submit_detached(|| ()).is_ok() {}
    let job = to_thread_in(pool.pool_ref(), || 42);
    let (result, ()) = zip(job, open_later(gate)).await;
    assert_eq!(result.unwrap(), 42);
}

/// A job's future can be awaited as it is. CPython: `FutureTests.test_wrap_future`.
async fn wrap_future() {
    let pool = pool(1);
    let future = pool.submit(|| thread::current().id()).unwrap();
    assert_ne!(future.await.unwrap(), thread::current().id());
    let (promise, future) = pool.promise().unwrap();
    let (result, ()) = zip(future, async {
        yield_now().await;
        promise.set_result(42).unwrap();
    })
    .await;
    assert_eq!(result.unwrap(), 42);
}

/// Giving up the await cancels the work. CPython: `FutureTests.test_wrap_future_cancel`.
async fn wrap_future_cancel() {
    let pool = pool(1);
    let (promise, future) = pool.promise::<u32>().unwrap();
    let mut awaited = Box::pin(future.cancel_on_drop());
    assert!(poll_once(&mut awaited).await.is_none());
    assert!(!promise.is_cancelled());
    drop(awaited);
    assert!(promise.is_cancelled());
    assert_eq!(promise.set_result(42), Err(42));
}

/// Giving up the await of what is done already changes nothing. CPython:
/// `FutureTests.test_wrap_future_cancel2`.
async fn wrap_future_cancel2() {
    let pool = pool(1);
    let drops = Drops::new();
    let (promise, future) = pool.promise().unwrap();
    let awaited = future.cancel_on_drop();
    assert!(promise.set_result(drops.token()).is_ok());
    assert_eq!(drops.dropped(), 0);
    drop(awaited);
    assert_eq!(drops.dropped(), 1);
}

/// CPython: `EventLoopTestsMixin.test_run_in_executor`.
async fn executor_runs_it() {
    let pool = pool(1);
    let here = thread::current().id();
    let job = run_in_executor(pool, || ("yo", thread::current().id()));
    let (text, there) = job.unwrap().await.unwrap();
    assert_eq!(text, "yo");
    assert_ne!(there, here);
}

/// A pool that is shut down fails at the call, not at the await.
async fn executor_refuses_at_the_call() {
    let pool = pool(1);
    pool.shutdown(true, false).unwrap();
    let refused = run_in_executor(pool, || 42).map(drop);
    let Err(SubmitError::ShutDown(job)) = refused else {
        panic!("a pool that was shut down took a job");
    };
    assert_eq!(job(), 42);
}

/// Queued work is cancelled when its await is given up.
async fn executor_cancels_queued_work() {
    let pool = pool(1);
    let drops = Drops::new();
    let gate = occupy(pool);
    let token = drops.token();
    let mut job = Box::pin(run_in_executor(pool, move || token).unwrap());
    assert!(poll_once(&mut job).await.is_none());
    drop(job);
    assert_eq!(drops.dropped(), 1);
    gate.open();
}

/// CPython: `ToThreadTests.test_to_thread`.
async fn thread_result() {
    let sum = to_thread_in(pool(1).pool_ref(), || 40 + 2).await;
    assert_eq!(sum.unwrap(), 42);
}

/// CPython: `ToThreadTests.test_to_thread_exception`.
async fn thread_exception() {
    let failed = to_thread_in(pool(1).pool_ref(), || -> u32 {
        resume_unwind(Box::new("test"))
    });
    assert!(matches!(failed.await, Err(JobError::Panicked(_))));
}

/// The function is called once, and not before the first poll. CPython:
/// `ToThreadTests.test_to_thread_once`.
async fn thread_once() {
    let pool = pool(1);
    let calls = Recorder::new();
    let note = calls.clone();
    let job = to_thread_in(pool.pool_ref(), move || note.note("called"));
    yield_now().await;
    assert_eq!(pool.threads_started(), 0);
    job.await.unwrap();
    assert_eq!(calls.take(), ["called"]);
}

/// Several run at the same time. CPython: `ToThreadTests.test_to_thread_concurrent`.
async fn thread_concurrent() {
    let pool = pool(3);
    let met = Gate::new();
    let meet = || {
        let met = met.clone();
        to_thread_in(pool.pool_ref(), move || {
            met.open();
            met.wait_for(3);
            1
        })
    };
    let ((first, second), third) = zip(zip(meet(), meet()), meet()).await;
    assert_eq!(first.unwrap() + second.unwrap() + third.unwrap(), 3);
}

/// After a shutdown, it says so.
async fn thread_after_shutdown() {
    let pool = pool(1);
    pool.shutdown(true, false).unwrap();
    let refused = to_thread_in(pool.pool_ref(), || 42).await;
    assert!(matches!(refused, Err(JobError::ShutDown)));
}

/// Given up, queued work is cancelled; not begun, nothing was submitted.
async fn thread_given_up() {
    let pool = pool(1);
    let drops = Drops::new();
    let gate = occupy(pool);
    let token = drops.token();
    let mut queued = Box::pin(to_thread_in(pool.pool_ref(), move || drop(token)));
    let token = drops.token();
    let unpolled = to_thread_in(pool.pool_ref(), move || drop(token));
    assert!(poll_once(&mut queued).await.is_none());
    drop((queued, unpolled));
    assert_eq!(drops.dropped(), 2);
    gate.open();
}

/// A limit of a shutdown, by the event loop's own timer: whether the pool came to its end before it.
type Limited = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A shutdown with a time limit: when the time is over, the pool is still shut down, and its job still
/// runs. A later call awaits the end.
async fn shutdown_has_a_time_limit(limit: impl Fn(Shutdown<'static>) -> Limited) {
    let pool = pool(1);
    let gate = occupy(pool);
    assert!(!limit(pool.shutdown_async(false)).await);
    assert!(matches!(pool.submit(|| ()), Err(SubmitError::ShutDown(_))));
    assert_eq!(pool.unfinished(), 1);
    open_later(gate).await;
    pool.shutdown_async(false).await.unwrap();
    assert!(limit(pool.shutdown_async(false)).await);
}

#[test]
fn shutdown_with_tokios_timeout() {
    let limit = |end: Shutdown<'static>| -> Limited {
        let limited = async { timeout(TINY, end).await };
        Box::pin(async { limited.await.is_ok_and(|end| end.is_ok()) })
    };
    run_for(PATIENCE, move || {
        on_tokio(Box::pin(shutdown_has_a_time_limit(limit)));
    });
}

#[test]
fn shutdown_with_embassys_with_timeout() {
    let limit = |end: Shutdown<'static>| -> Limited {
        let limited = with_timeout(TINY.try_into().unwrap(), end);
        Box::pin(async { limited.await.is_ok_and(|end| end.is_ok()) })
    };
    run_for(PATIENCE, move || {
        on_embassy(Box::pin(shutdown_has_a_time_limit(limit)));
    });
}

macro_rules! on_each_loop {
    ($($name:ident: $test:ident,)*) => {
        on_each_loop!(@ tokio_loop on_tokio: $($name: $test,)*);
        on_each_loop!(@ futures_lite_loop on_futures_lite: $($name: $test,)*);
        on_each_loop!(@ embassy_loop on_embassy: $($name: $test,)*);
    };
    (@ $module:ident $run:ident: $($name:ident: $test:ident,)*) => {
        mod $module {
            $(#[test]
            fn $name() {
                super::run_for(super::PATIENCE, || super::$run(Box::pin(super::$test())));
            })*
        }
    };
}

on_each_loop! {
    loop_keeps_ticking: loop_keeps_ticking,
    loop_keeps_ticking_with_to_thread: loop_keeps_ticking_with_to_thread,
    loop_keeps_ticking_while_the_pool_is_full: loop_keeps_ticking_while_the_pool_is_full,
    wrap_future: wrap_future,
    wrap_future_cancel: wrap_future_cancel,
    wrap_future_cancel2: wrap_future_cancel2,
    run_in_executor: executor_runs_it,
    to_thread: thread_result,
    to_thread_exception: thread_exception,
    to_thread_once: thread_once,
    to_thread_concurrent: thread_concurrent,
    to_thread_after_shutdown: thread_after_shutdown,
    to_thread_given_up: thread_given_up,
    run_in_executor_refuses_at_the_call: executor_refuses_at_the_call,
    run_in_executor_cancels_queued_work: executor_cancels_queued_work,
}

/// The name of the thread that calls it.
fn thread_name() -> Option<String> {
    thread::current().name().map(String::from)
}

/// Work goes to a pool that nobody has built, and to the one that the application has set from then on. asyncio:
/// `test_set_default_executor`.
#[test]
fn to_thread_goes_to_the_default_executor() {
    if !is_child() {
        // No other test sees the default executor that this one sets.
        return must_pass_in_child("to_thread_goes_to_the_default_executor");
    }
    let by_default = futures_lite::future::block_on(to_thread(thread_name));
    assert_eq!(by_default.unwrap().as_deref(), Some("ThreadPool-0-0"));
    assert_eq!(default_executor().workers(), 1);
    let builder = ThreadPool::builder().thread_name_prefix("chosen");
    let chosen = Box::leak(Box::new(builder.capacity(7).build().unwrap()));
    set_default_executor(chosen.pool_ref());
    assert_eq!(default_executor().capacity(), 7);
    let there = futures_lite::future::block_on(to_thread(thread_name));
    assert_eq!(there.unwrap().as_deref(), Some("chosen-0"));
}

#[test]
fn to_thread_says_why_the_pool_did_not_take_the_work() {
    static POOL: StaticPool<1, 64, 1, 1, 1> = StaticPool::new();
    let _the_only_slot = POOL.promise::<()>().unwrap();
    let mut first = pin!(POOL.submit_async(|| ()));
    futures_lite::future::block_on(async {
        // It waits for room, in the only place.
        assert!(poll_once(&mut first).await.is_none());
        let refused = to_thread_in(POOL.pool_ref(), || 7).await;
        assert!(matches!(refused, Err(JobError::TooManyWaiters)));
        let refused = to_thread_in(POOL.at(1), || 7).await;
        assert!(matches!(refused, Err(JobError::NoSuchPriority)));
    });
}

/// The default executor is asked for by the first poll, not by the call.
#[test]
fn to_thread_asks_for_the_default_executor_at_its_first_poll() {
    if !is_child() {
        return must_pass_in_child("to_thread_asks_for_the_default_executor_at_its_first_poll");
    }
    let job = to_thread(thread_name);
    let chosen = ThreadPool::builder().thread_name_prefix("chosen").build();
    set_default_executor(Box::leak(Box::new(chosen.unwrap())).pool_ref());
    let there = futures_lite::future::block_on(job);
    assert_eq!(there.unwrap().as_deref(), Some("chosen-0"));
}

/// An executor of no known type takes work of an event loop.
#[test]
fn run_in_executor_of_any_type() {
    let pool = pool(1);
    let executor: &dyn DynExecutor = pool;
    let job = run_in_executor(executor, || 6 * 7).unwrap();
    assert_eq!(futures_lite::future::block_on(job).unwrap(), 42);
    let job = Runs::submit_job(executor, || 6 * 7).unwrap();
    assert_eq!(job.result().unwrap(), 42);
}

/// Running work goes on when its await is given up; its result is dropped, and the waker of a loop
/// that may be gone by then is not woken. CPython:
/// `EventLoopTestsMixin.test_run_in_executor_cancel`.
#[test]
fn run_in_executor_cancel() {
    run_for(PATIENCE, || {
        let pool = pool(1);
        let drops = Drops::new();
        let (started, release) = (Gate::new(), Gate::new());
        let (start, held) = (started.clone(), release.clone());
        let job = move || {
            start.open();
            held.wait();
            drops.token()
        };
        let waker = Arc::new(CountingWaker::default());
        {
            let mut future = pin!(run_in_executor(pool, job).unwrap());
            let waker = Waker::from(Arc::clone(&waker));
            let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(matches!(poll, Poll::Pending));
            started.wait();
        }
        release.open();
        pool.shutdown(true, false).unwrap();
        assert_eq!((drops.made(), drops.dropped()), (1, 1));
        assert_eq!((waker.count(), Arc::strong_count(&waker)), (0, 1));
    });
}
