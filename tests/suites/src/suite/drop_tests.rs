//! Every closure, result, callback and task is dropped once, on every path.

use std::{
    panic::resume_unwind,
    sync::Arc,
    task::{Context, Waker},
    thread,
};

use corepool::{SubmitError, as_completed};

use crate::{CountingWaker, Drops, Fixture, Gate, Methods, SMALL, all_slots_come_back, drain};

/// Every slot comes back, and each token was dropped, once.
#[track_caller]
fn all_dropped<F: Fixture>(fx: F, drops: Drops, made: usize) {
    all_slots_come_back(&fx);
    while drops.dropped() < made {
        crate::yield_now();
    }
    fx.pool().shutdown(true, false).unwrap();
    drop(fx);
    assert_eq!((drops.made(), drops.dropped()), (made, made));
}

/// Run, result taken.
pub fn run_and_taken<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let token = drops.token();
    let future = fx.pool().submit(move || {
        drop(token);
        drops.token()
    });
    let result = future.unwrap().result().unwrap();
    assert_eq!((drops.made(), drops.dropped()), (2, 1));
    drop(result);
    all_dropped(fx, drops, 2);
}

/// Run, result moved through.
pub fn moved_through<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let token = drops.token();
    let token = fx.pool().submit(move || token).unwrap().result().unwrap();
    assert_eq!(drops.dropped(), 0);
    drop(token);
    all_dropped(fx, drops, 1);
}

/// Run, then the handle dropped with the result in it.
pub fn handle_dropped_after_the_run<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let mut future = fx.pool().submit(move || drops.token()).unwrap();
    assert!(future.error().is_none());
    assert_eq!((drops.made(), drops.dropped()), (1, 0));
    drop(future);
    assert_eq!(drops.dropped(), 1);
    all_dropped(fx, drops, 1);
}

/// Handle dropped before the run: the worker drops the result.
pub fn handle_dropped_before_the_run<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let hold = fx.hold_workers();
    let token = drops.token();
    let future = fx.pool().submit(move || (token, drops.token())).unwrap();
    drop(future);
    assert_eq!((drops.made(), drops.dropped()), (1, 0));
    drop(hold);
    all_dropped(fx, drops, 2);
}

/// Handle dropped during the run.
pub fn handle_dropped_during_the_run<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let (started, release) = (Gate::new(), Gate::new());
    let (start, held) = (started.clone(), release.clone());
    let future = fx.pool().submit(move || {
        start.open();
        held.wait();
        drops.token()
    });
    started.wait();
    drop(future.unwrap());
    release.open();
    all_dropped(fx, drops, 1);
}

/// Cancelled while queued: the closure is dropped by the canceller, at once.
pub fn cancelled_while_queued<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let hold = fx.hold_workers();
    let token = drops.token();
    let future = fx.pool().submit(move || token).unwrap();
    assert!(future.cancel());
    assert_eq!(drops.dropped(), 1);
    drop(future);
    drop(hold);
    all_dropped(fx, drops, 1);
}

/// Panicked: what the closure held and what it had made is dropped; the payload with the error.
pub fn panicked<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let token = drops.token();
    let future = fx.pool().submit(move || -> u32 {
        let _made = drops.token();
        let _held = token;
        resume_unwind(Box::new(drops.token()));
    });
    let error = future.unwrap().result().unwrap_err();
    assert_eq!((drops.made(), drops.dropped()), (3, 2));
    drop(error);
    all_dropped(fx, drops, 3);
}

/// Panicked, and nobody asks: the payload is dropped with the handle.
pub fn panicked_unobserved<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let job = move || -> u32 { resume_unwind(Box::new(drops.token())) };
    drop(fx.pool().submit(job).unwrap());
    while drops.made() == 0 {
        drain(&fx);
    }
    all_dropped(fx, drops, 1);
}

/// Pool shut down with cancel: queued closures are dropped by that call.
pub fn shut_down_with_cancel<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let hold = fx.hold_workers();
    let futures: Vec<_> = (0..5)
        .map(|_| {
            let token = drops.token();
            fx.pool().submit(move || token).unwrap()
        })
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    assert_eq!(drops.dropped(), 5);
    drop(futures);
    drop(hold);
    all_dropped(fx, drops, 5);
}

/// Pool shut down, handles dropped after.
pub fn handle_dropped_after_shutdown<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let future = fx.pool().submit(move || drops.token()).unwrap();
    fx.pool().shutdown(true, false).unwrap();
    assert_eq!((drops.made(), drops.dropped()), (1, 0));
    drop(future);
    all_dropped(fx, drops, 1);
}

/// Pool broken: queued closures are dropped by that call.
pub fn broken<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let hold = fx.hold_workers();
    let kept = {
        let token = drops.token();
        fx.pool().submit(move || token).unwrap()
    };
    let token = drops.token();
    fx.pool().submit_detached(move || drop(token)).unwrap();
    fx.pool().break_pool("out of power");
    assert_eq!(drops.dropped(), 2);
    drop(kept);
    drop(hold);
    drain(&fx);
    all_dropped(fx, drops, 2);
}

/// Refused: the closure is in the error, whichever it is.
pub fn refused<F: Fixture>() {
    let (fx, drops) = (F::Small::start(1), Drops::new());
    let hold = fx.hold_workers();
    for _ in 1..SMALL {
        fx.pool().submit_detached(|| ()).unwrap();
    }
    let token = drops.token();
    let error = fx.pool().submit(move || token).unwrap_err();
    assert!(matches!(error, SubmitError::Full(_)));
    assert_eq!(drops.dropped(), 0);
    let token = error.into_inner()();
    drop(hold);
    drain(&fx);
    fx.pool().shutdown(true, false).unwrap();
    let error = fx.pool().submit(move || token).unwrap_err();
    assert!(matches!(error, SubmitError::ShutDown(_)));
    let token = error.into_inner()();
    fx.pool().break_pool("out of power");
    let error = fx.pool().submit(move || token).unwrap_err();
    assert!(matches!(error, SubmitError::Broken(..)));
    assert_eq!(drops.dropped(), 0);
    drop(error);
    all_dropped(fx, drops, 1);
}

/// Callbacks: run, run at once, run by a cancel, refused for want of room.
pub fn callbacks<F: Fixture>() {
    let (fx, drops) = (F::Small::start(1), Drops::new());
    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let hold: Vec<_> = (0..SMALL - 3)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    for _ in 0..2 {
        let token = drops.token();
        let callback = move |_: Result<&u32, &_>| drop(token);
        future.add_done_callback(callback).unwrap();
    }
    let token = drops.token();
    let callback = move |_: Result<&u32, &_>| drop(token);
    let refused = future.add_done_callback(callback).unwrap_err();
    assert_eq!(drops.dropped(), 0);
    drop(refused);
    assert_eq!(drops.dropped(), 1);
    promise.set_result(1).unwrap();
    assert_eq!(drops.dropped(), 3);
    let token = drops.token();
    let callback = move |_: Result<&u32, &_>| drop(token);
    future.add_done_callback(callback).unwrap();
    assert_eq!(drops.dropped(), 4);
    drop(future);

    let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
    let token = drops.token();
    let callback = move |_: Result<&u32, &_>| drop(token);
    future.add_done_callback(callback).unwrap();
    assert!(future.cancel());
    assert_eq!(drops.dropped(), 5);
    drop((promise, future, hold));
    all_dropped(fx, drops, 5);
}

/// A callback of a future whose handle was dropped still runs, and is dropped.
pub fn callback_of_a_detached_job<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(move || drops.token()).unwrap();
    let token = drops.token();
    future.add_done_callback(move |_| drop(token)).unwrap();
    drop(future);
    drop(hold);
    all_dropped(fx, drops, 2);
}

/// A callback that panics is dropped, and so is the result.
pub fn callback_that_panics<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(move || drops.token()).unwrap();
    let token = drops.token();
    future
        .add_done_callback(move |_| {
            let _held = token;
            resume_unwind(Box::new(drops.token()))
        })
        .unwrap();
    drop(future);
    drop(hold);
    all_dropped(fx, drops, 3);
}

/// Promises: kept, broken, cancelled.
pub fn promises<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let (promise, future) = fx.pool().promise().unwrap();
    assert!(promise.set_result(drops.token()).is_ok());
    drop(future);
    assert_eq!(drops.dropped(), 1);

    let (promise, future) = fx.pool().promise().unwrap();
    drop(future);
    assert!(promise.set_result(drops.token()).is_ok());
    assert_eq!(drops.dropped(), 2);

    let (promise, future) = fx.pool().promise().unwrap();
    assert!(future.cancel());
    let token = promise.set_result(drops.token()).unwrap_err();
    assert_eq!(drops.dropped(), 2);
    drop((token, future));
    all_dropped(fx, drops, 3);
}

/// Tasks: run to their end, cancelled before a poll or between two, panicked.
pub fn tasks<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let token = drops.token();
    let task = fx.pool().spawn(async move {
        futures_lite::future::yield_now().await;
        token
    });
    drop(task.unwrap().result().unwrap());
    assert_eq!(drops.dropped(), 1);

    let hold = fx.hold_workers();
    let token = drops.token();
    let unpolled = fx.pool().spawn(async move { drop(token) }).unwrap();
    assert!(unpolled.cancel());
    assert_eq!(drops.dropped(), 2);
    drop(hold);

    let token = drops.token();
    let suspended = fx.pool().spawn(async move {
        std::future::pending::<()>().await;
        drop(token);
    });
    drain(&fx);
    assert!(suspended.unwrap().cancel());
    assert_eq!(drops.dropped(), 3);

    let token = drops.token();
    let panics = fx.pool().spawn(async move {
        futures_lite::future::yield_now().await;
        let _held = &token;
        resume_unwind(Box::new("doh!"))
    });
    let result: Result<(), _> = panics.unwrap().result();
    assert!(result.is_err());
    drop((unpolled, result));
    all_dropped(fx, drops, 4);
}

/// A task whose handle is dropped goes on, and is dropped with the pool if it never ends.
pub fn detached_task_that_never_ends<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let token = drops.token();
    let task = fx.pool().spawn(async move {
        std::future::pending::<()>().await;
        drop(token);
    });
    drop(task.unwrap());
    drain(&fx);
    assert_eq!(drops.dropped(), 0);
    fx.pool().shutdown(true, true).unwrap();
    all_dropped(fx, drops, 1);
}

/// A map that is dropped early: what was computed, what was cancelled, and the function.
pub fn map_dropped_early<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let kept = Arc::new(drops.token());
    let tokens: Vec<_> = (0..8).map(|_| drops.token()).collect();
    let mut map = fx.pool().map(tokens, move |token| {
        let _kept = &kept;
        (token, drops.token())
    });
    drop(map.next().unwrap().unwrap());
    drop(map);
    while drops.dropped() < drops.made() {
        drain(&fx);
    }
    let made = drops.made();
    all_dropped(fx, drops, made);
}

/// A set that is dropped early detaches what is in it.
pub fn set_dropped_early<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let hold = fx.hold_workers();
    let set: corepool::FutureSet<'_, _, 4> = (0..4)
        .map(|_| {
            let token = drops.token();
            fx.pool().submit(move || token).unwrap()
        })
        .collect();
    let mut completed = as_completed(set, Some(std::time::Duration::ZERO));
    assert!(completed.next().unwrap().is_err());
    drop(completed);
    drop(hold);
    all_dropped(fx, drops, 4);
}

/// An async submit that is dropped before it has room drops the closure.
pub fn async_submit_dropped<F: Fixture>() {
    let (fx, drops) = (F::Small::start(1), Drops::new());
    let kept: Vec<_> = (0..SMALL)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    let token = drops.token();
    let mut submit = Box::pin(fx.pool().submit_async(move || token));
    let waker = Arc::new(CountingWaker::default());
    let poll = submit
        .as_mut()
        .poll(&mut Context::from_waker(&Waker::from(Arc::clone(&waker))));
    assert!(poll.is_pending());
    assert_eq!(drops.dropped(), 0);
    drop(submit);
    assert_eq!(drops.dropped(), 1);
    drop(kept);
    assert_eq!(Arc::strong_count(&waker), 1);
    all_dropped(fx, drops, 1);
}

/// A waker that was left in a future is dropped with it, and when it was woken.
pub fn wakers<F: Fixture>() {
    let (fx, drops) = (F::start(1), Drops::new());
    let waker = Arc::new(CountingWaker::default());
    for keep_promise in [true, false] {
        let (promise, mut future) = fx.pool().promise::<u32>().unwrap();
        let as_waker = Waker::from(Arc::clone(&waker));
        let mut cx = Context::from_waker(&as_waker);
        let poll = std::pin::Pin::new(&mut future).poll(&mut cx);
        assert!(poll.is_pending());
        drop(as_waker);
        assert_eq!(Arc::strong_count(&waker), 2);
        if keep_promise {
            promise.set_result(1).unwrap();
            assert_eq!(waker.count(), 1);
            assert_eq!(Arc::strong_count(&waker), 1);
        } else {
            drop(future);
            assert_eq!(Arc::strong_count(&waker), 1);
            drop(promise);
        }
    }
    assert_eq!(waker.count(), 1);
    all_dropped(fx, drops, 0);
}

/// Jobs that race with their cancellation are dropped once, whoever wins.
pub fn cancel_races<F: Fixture>() {
    let (fx, drops) = (F::start(2), Drops::new());
    let pool = fx.pool();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                for round in 0..200 {
                    let token = drops.token();
                    let future = pool.submit_blocking(move || token).unwrap();
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
    all_dropped(fx, drops, 400);
}

/// Submits that race with a shutdown: each closure runs, is cancelled, or comes back.
pub fn shutdown_races<F: Fixture>() {
    for cancel in [true, false] {
        let (fx, drops) = (F::start(2), Drops::new());
        let pool = fx.pool();
        let start = Gate::new();
        thread::scope(|scope| {
            let submitters: Vec<_> = (0..2)
                .map(|_| {
                    let start = start.clone();
                    scope.spawn(move || {
                        start.wait();
                        let mut futures = Vec::new();
                        for _ in 0..50 {
                            let token = drops.token();
                            match pool.submit(move || token) {
                                Ok(future) => futures.push(future),
                                Err(error) => drop(error.into_inner()()),
                            }
                        }
                        futures
                    })
                })
                .collect();
            start.open();
            pool.shutdown(false, cancel).unwrap();
            for submitter in submitters {
                for future in submitter.join().unwrap() {
                    // It ends, one way or the other.
                    let _ = future.result();
                }
            }
        });
        all_dropped(fx, drops, 100);
    }
}

crate::suite!(drop_tests:
    everywhere [
        run_and_taken,
        moved_through,
        handle_dropped_after_the_run,
        handle_dropped_before_the_run,
        cancelled_while_queued,
        panicked,
        panicked_unobserved,
        shut_down_with_cancel,
        handle_dropped_after_shutdown,
        broken,
        refused,
        callbacks,
        callback_of_a_detached_job,
        callback_that_panics,
        promises,
        tasks,
        detached_task_that_never_ends,
        map_dropped_early,
        set_dropped_early,
        async_submit_dropped,
        wakers,
    ]
    in_parallel [handle_dropped_during_the_run, cancel_races, shutdown_races]
);
