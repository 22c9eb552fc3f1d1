//! Where Python's `concurrent.futures` goes wrong, and this does not: a test for each row of the
//! table. The failure that nobody asked for needs a port of its own and is with the static pool's own
//! tests, in the test binary `static_threads`.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use corepool::{
    BrokenReason, FutureSet, InitError, JobError, ReturnWhen, ShutdownError, SubmitError,
    as_completed, wait,
};

use crate::{CountingWaker, Fixture, Gate, LONG, Methods, Recorder, SMALL, drain};

const TINY: Duration = Duration::from_millis(2);

/// Python: nested submit and result on a full pool deadlocks (cpython #141617). Here the job that
/// waits runs what it waits for meanwhile.
pub fn nested_submit_and_result<F: Fixture>() {
    fn nest(pool: impl Methods, depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        let inner = pool.submit(move || nest(pool, depth - 1)).unwrap();
        1 + inner.result().unwrap()
    }
    let fx = F::start(1);
    let pool = fx.pool();
    let outer = pool.submit(move || nest(pool, 20)).unwrap();
    assert_eq!(outer.result().unwrap(), 20);
}

/// The same with every worker of several at it.
pub fn nested_submit_and_result_on_all_workers<F: Fixture>() {
    let fx = F::start(2);
    let pool = fx.pool();
    let fork = move || {
        pool.submit(move || {
            let inner = [1, 2].map(|n| pool.submit(move || n).unwrap());
            inner.map(|job| job.result().unwrap()).iter().sum::<u32>()
        })
        .unwrap()
    };
    let jobs = [(); 10].map(|()| fork());
    assert!(jobs.into_iter().all(|job| job.result().unwrap() == 3));
}

/// Python: after `shutdown(cancel_futures=True)`, `wait` hangs on the cancelled futures (#92001,
/// #136655).
pub fn wait_after_cancelling_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let mut futures = [1, 2, 3].map(|n| fx.pool().submit(move || n).unwrap());
    fx.pool().shutdown(false, true).unwrap();
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!(waited.done.len(), 3);
    drop(hold);
}

/// So does `as_completed`.
pub fn as_completed_after_cancelling_shutdown<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let futures: FutureSet<'_, u32, 3> = (0..3)
        .map(|n| fx.pool().submit(move || n).unwrap())
        .collect();
    fx.pool().shutdown(false, true).unwrap();
    let cancelled = as_completed(futures, None)
        .filter(|future| future.as_ref().unwrap().cancelled())
        .count();
    assert_eq!(cancelled, 3);
    drop(hold);
}

/// A wait that is under way when the shutdown cancels ends, too.
pub fn cancelling_shutdown_ends_a_wait<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let hold = fx.hold_workers();
    pool.submit_detached(move || pool.shutdown(false, true).unwrap())
        .unwrap();
    let mut futures = [1, 2, 3].map(|n| pool.submit(move || n).unwrap());
    drop(hold);
    let waited = wait(&mut futures, None, ReturnWhen::AllCompleted).unwrap();
    assert_eq!(waited.done.len(), 3);
    assert!(futures.iter().all(|future| future.cancelled()));
}

/// Python: if an initializer fails while a cancelled item is queued, later futures stay pending for
/// ever. Here every queued future fails as broken.
pub fn initializer_fails_with_a_cancelled_job_queued<F: Fixture>() {
    let go = Gate::new();
    let held = go.clone();
    let reason = InitError("no such device");
    let fx = F::start_with(
        1,
        Arc::new(move || {
            held.wait();
            Err(reason)
        }),
    );
    let futures = [1, 2, 3].map(|n| fx.pool().submit(move || n).unwrap());
    assert!(futures[0].cancel());
    go.open();
    let [first, second, third] = futures.map(|future| future.result().unwrap_err());
    assert!(matches!(first, JobError::Cancelled));
    let broken = BrokenReason::Initializer(reason);
    for error in [second, third] {
        assert!(matches!(error, JobError::Broken(reason) if reason == broken));
    }
}

/// Python: a callback that raises `BaseException` kills the worker, and a pool of one hangs.
pub fn callback_panic_leaves_the_worker<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let mut future = fx.pool().submit(|| 1).unwrap();
    future
        .add_done_callback(|_| resume_unwind(Box::new("doh!")))
        .unwrap();
    drop(hold);
    assert_eq!(future.result().unwrap(), 1);
    assert_eq!(fx.pool().submit(|| 2).unwrap().result().unwrap(), 2);
}

/// Python: the queue is unbounded. Here a full pool gives the job back.
pub fn full_pool_gives_the_job_back<F: Fixture>() {
    let fx = F::Small::start(1);
    let hold = fx.hold_workers();
    for _ in 1..SMALL {
        fx.pool().submit_detached(|| ()).unwrap();
    }
    let text = String::from("not lost");
    let Err(SubmitError::Full(job)) = fx.pool().submit(move || text) else {
        panic!("a full pool took a job");
    };
    assert_eq!(job(), "not lost");
    drop(hold);
}

/// A blocking submit waits for room.
pub fn blocking_submit_waits_for_room<F: Fixture>() {
    let fx = F::Small::start(1);
    let numbers: Vec<_> = Vec::from_iter(0..10 * SMALL);
    let seen = Recorder::new();
    for &number in &numbers {
        let note = seen.clone();
        let future = fx
            .pool()
            .submit_blocking(move || note.note(number))
            .unwrap();
        drop(future);
    }
    drain(&fx);
    assert_eq!(seen.take(), numbers);
}

/// With a time-out, a submit to a pool that stays full gives the job back.
pub fn submit_timeout_gives_the_job_back<F: Fixture>() {
    let fx = F::Small::start(1);
    let kept: Vec<_> = (0..SMALL)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    let Err(SubmitError::Full(job)) = fx.pool().submit_timeout(|| 7, TINY) else {
        panic!("a full pool took a job");
    };
    assert_eq!(job(), 7);
    drop(kept);
    let future = fx.pool().submit_timeout(job, LONG).unwrap();
    assert_eq!(future.result().unwrap(), 7);
}

/// An async submit waits for room, and is woken when there is some.
pub fn async_submit_waits_for_room<F: Fixture>() {
    let fx = F::Small::start(1);
    let mut kept: Vec<_> = (0..SMALL)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut cx = Context::from_waker(&as_waker);
    let mut submit = std::pin::pin!(fx.pool().submit_async(|| 7));
    assert!(submit.as_mut().poll(&mut cx).is_pending());
    assert_eq!(waker.count(), 0);
    kept.pop();
    assert!(waker.count() > 0);
    let Poll::Ready(future) = submit.as_mut().poll(&mut cx) else {
        panic!("there was room");
    };
    assert_eq!(future.unwrap().result().unwrap(), 7);
}

/// It wakes the waker that it was polled with last.
pub fn async_submit_wakes_its_last_waker<F: Fixture>() {
    let fx = F::Small::start(1);
    let mut kept: Vec<_> = (0..SMALL)
        .map(|_| fx.pool().promise::<()>().unwrap())
        .collect();
    let wakers = [(); 2].map(|()| Arc::new(CountingWaker::default()));
    let mut submit = std::pin::pin!(fx.pool().submit_async(|| 7));
    for waker in &wakers {
        let waker = Waker::from(Arc::clone(waker));
        let mut cx = Context::from_waker(&waker);
        assert!(submit.as_mut().poll(&mut cx).is_pending());
    }
    kept.pop();
    assert!(wakers[1].count() > 0);
}

/// Python: map consumes its whole input at once (#74028). Here there is a window.
pub fn map_draws_no_more_than_its_window<F: Fixture>() {
    let fx = F::start(1);
    let drawn = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&drawn);
    let items = (0..1_000_000).inspect(move |_: &u32| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let mut map = fx.pool().map(items, |n| n);
    for number in 0..3 {
        assert_eq!(map.next().unwrap().unwrap(), number);
    }
    assert_eq!(drawn.load(Ordering::SeqCst), corepool::DEFAULT_WINDOW + 3);
}

/// Python: running work cannot be cancelled (#107505). Here a job can look at its token, ...
pub fn running_job_is_cancelled_by_its_token<F: Fixture>() {
    let fx = F::start(1);
    let started = Gate::new();
    let start = started.clone();
    let future = fx
        .pool()
        .submit_cancellable(move |token| {
            start.open();
            while !token.is_cancelled() {
                crate::yield_now();
            }
            "stopped"
        })
        .unwrap();
    started.wait();
    future.cancel();
    assert_eq!(future.result().unwrap(), "stopped");
}

/// ... and a task ends at its next await.
pub fn running_task_is_cancelled_at_its_next_await<F: Fixture>() {
    let fx = F::start(1);
    let seen = Recorder::new();
    let (started, asked) = (Gate::new(), Gate::new());
    let (start, ask, note) = (started.clone(), asked.clone(), seen.clone());
    let task = fx
        .pool()
        .spawn(async move {
            start.open();
            ask.wait();
            note.note("until here");
            futures_lite::future::yield_now().await;
            note.note("not any more");
        })
        .unwrap();
    started.wait();
    assert!(!task.cancel());
    asked.open();
    assert!(matches!(task.result(), Err(JobError::Cancelled)));
    assert_eq!(seen.take(), ["until here"]);
}

/// Python: shutdown hangs on a long job (#86128, #111358). Here it can have a deadline, and says
/// what still runs.
pub fn shutdown_with_a_deadline_says_what_runs<F: Fixture>() {
    let fx = F::start(2);
    let hold = fx.hold_workers();
    assert_eq!(
        fx.pool().shutdown_timeout(TINY, false),
        Err(ShutdownError::StillRunning {
            jobs: 2,
            workers: 2
        })
    );
    drop(hold);
    fx.pool().shutdown_timeout(LONG, false).unwrap();
}

/// Python: no priorities (#118852).
pub fn urgent_jobs_overtake<F: Fixture>() {
    let fx = F::start(1);
    let order = Recorder::new();
    let hold = fx.hold_workers();
    for (priority, name) in [(0, "third"), (1, "first"), (0, "fourth"), (1, "second")] {
        let order = order.clone();
        fx.pool()
            .at(priority)
            .submit_detached(move || order.note(name))
            .unwrap();
    }
    drop(hold);
    drain(&fx);
    assert_eq!(order.take(), ["first", "second", "third", "fourth"]);
}

/// Python: `as_completed` costs a lock per future and side (#64496). Here it costs one notification
/// per completion.
pub fn one_notification_per_completion<F: Fixture>() {
    const COUNT: usize = 20;
    let fx = F::start(1);
    let (promises, futures): (Vec<_>, Vec<_>) = (0..COUNT)
        .map(|_| fx.pool().promise::<u32>().unwrap())
        .unzip();
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut cx = Context::from_waker(&as_waker);
    let mut completed = as_completed(FutureSet::<'_, _, COUNT>::from_iter(futures), None);
    for (number, promise) in promises.into_iter().enumerate() {
        {
            let mut next = std::pin::pin!(completed.next_done());
            assert!(next.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(waker.count(), number);
        promise.set_result(7).unwrap();
        assert_eq!(waker.count(), number + 1);
        let mut next = std::pin::pin!(completed.next_done());
        assert!(next.as_mut().poll(&mut cx).is_ready());
    }
    assert_eq!(waker.count(), COUNT);
}

crate::suite!(python_goes_wrong:
    everywhere [
        nested_submit_and_result,
        nested_submit_and_result_on_all_workers,
        wait_after_cancelling_shutdown,
        as_completed_after_cancelling_shutdown,
        cancelling_shutdown_ends_a_wait,
        callback_panic_leaves_the_worker,
        full_pool_gives_the_job_back,
        blocking_submit_waits_for_room,
        submit_timeout_gives_the_job_back,
        async_submit_waits_for_room,
        async_submit_wakes_its_last_waker,
        map_draws_no_more_than_its_window,
        urgent_jobs_overtake,
        one_notification_per_completion,
    ]
    in_parallel [
        initializer_fails_with_a_cancelled_job_queued,
        running_job_is_cancelled_by_its_token,
        running_task_is_cancelled_at_its_next_await,
        shutdown_with_a_deadline_says_what_runs,
    ]
);
