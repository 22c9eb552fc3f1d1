//! Waits for several shared futures. In CPython each future is one that several callers may wait for.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use corepool::{
    ReturnWhen::{AllCompleted, FirstCompleted, FirstException},
    SharedFuture, WaitError, WaitSharedAsync, wait_shared, wait_shared_async,
};

use crate::{
    CountingWaker, Fixture, Gate, Methods, Recorder, cancelled_future, done_future, failed_future,
};

/// More than any executor here has places.
const MORE_THAN_PLACES: usize = 128;

/// A promise's shared future never ends here. The other one has ended.
fn never_and_done<F: Fixture>(
    fx: &F,
) -> (
    corepool::Promise<'static, u32>,
    [SharedFuture<'static, u32>; 2],
) {
    let (promise, never) = fx.pool().promise().unwrap();
    (promise, [never.share(), done_future(fx, 5).share()])
}

/// The first that is done ends the wait, and is in front. CPython: `WaitTests.test_first_completed`.
pub fn the_first_ends_the_wait<F: Fixture>() {
    let fx = F::start(1);
    let (_promise, mut shared) = never_and_done(&fx);
    let waited = wait_shared(&mut shared, None, FirstCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    assert_eq!(waited.done[0].result().unwrap(), &5);
}

/// A failure ends the wait, and a cancellation does not. CPython: `WaitTests.test_first_exception`.
pub fn the_first_failure_ends_the_wait<F: Fixture>() {
    let fx = F::start(1);
    let (_promise, never) = fx.pool().promise::<u32>().unwrap();
    let cancelled = cancelled_future::<F, u32>(&fx);
    let mut shared = [never.share(), cancelled.share()];
    let waited = wait_shared(&mut shared, Some(Duration::ZERO), FirstException).unwrap();
    assert_eq!(waited.not_done.len(), 1);
    let [never, cancelled] = shared;
    let mut shared = [never, cancelled, failed_future::<F, u32>(&fx).share()];
    let waited = wait_shared(&mut shared, None, FirstException).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (2, 1));
}

/// The wait for all ends with the last. CPython: `WaitTests.test_all_completed`.
pub fn all_end_the_wait<F: Fixture>() {
    let fx = F::start(1);
    let mut shared = [1, 2, 3].map(|n| fx.pool().submit(move || n).unwrap().share());
    let waited = wait_shared(&mut shared, None, AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (3, 0));
}

/// Other holders wait for the same jobs meanwhile.
pub fn each_holder_may_wait_for_the_same_jobs<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let shared = [1, 2].map(|n| fx.pool().submit(move || n).unwrap().share());
    let waits = [(); 2].map(|()| {
        let mut shared = shared.clone();
        std::thread::spawn(move || {
            let waited = wait_shared(&mut shared, None, AllCompleted).unwrap();
            waited
                .done
                .iter()
                .map(|job| *job.result().unwrap())
                .sum::<u32>()
        })
    });
    drop(hold);
    assert_eq!(waits.map(|wait| wait.join().unwrap()), [3, 3]);
}

/// A time limit that is over gives both parts. CPython: `WaitTests.test_timeout`.
pub fn a_time_out_gives_both_parts<F: Fixture>() {
    let fx = F::start(1);
    let (_promise, mut shared) = never_and_done(&fx);
    for timeout in [Duration::ZERO, Duration::from_millis(2)] {
        let waited = wait_shared(&mut shared, Some(timeout), AllCompleted).unwrap();
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    }
}

/// A wait for nothing is over.
pub fn no_futures<F: Fixture>() {
    let mut none: [SharedFuture<'static, u32>; 0] = [];
    let waited = wait_shared(&mut none, None, AllCompleted).unwrap();
    assert!(waited.done.is_empty() && waited.not_done.is_empty());
    let waited = crate::block_on(wait_shared_async(&mut none, FirstCompleted)).unwrap();
    assert!(waited.done.is_empty() && waited.not_done.is_empty());
}

/// Four pools are enough for the wait, and five are too many.
pub fn the_jobs_of_four_pools<F: Fixture>() {
    let executors = [(); 5].map(|()| F::start(1));
    let mut shared = executors
        .each_ref()
        .map(|fx| fx.pool().submit(|| 5).unwrap().share());
    let waited = wait_shared(&mut shared[..4], None, AllCompleted).unwrap();
    assert_eq!((waited.done.len(), waited.not_done.len()), (4, 0));

    let promises = executors
        .each_ref()
        .map(|fx| fx.pool().promise::<u32>().unwrap());
    let (_promises, futures): (Vec<_>, Vec<_>) = promises.into_iter().unzip();
    let mut shared: Vec<_> = futures.into_iter().map(|future| future.share()).collect();
    let refused = wait_shared(&mut shared, None, AllCompleted);
    assert_eq!(refused.unwrap_err(), WaitError::TooManyPools);
    let refused = crate::block_on(wait_shared_async(&mut shared, FirstCompleted));
    assert_eq!(refused.unwrap_err(), WaitError::TooManyPools);
}

/// A job runs the shared jobs that it waits for: one worker is enough.
pub fn a_job_runs_the_shared_jobs_that_it_waits_for<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let outer = pool.submit(move || {
        let mut inner = [1, 2].map(|n| pool.submit(move || n).unwrap().share());
        wait_shared(&mut inner, None, AllCompleted).unwrap();
        inner.iter().map(|job| *job.result().unwrap()).sum::<u32>()
    });
    assert_eq!(outer.unwrap().result().unwrap(), 3);
}

/// A job that waits for all of some jobs, and is one of them itself, is told so.
pub fn a_job_that_waits_for_itself_among_others<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let own = Arc::new(Mutex::new(None::<SharedFuture<'static, ()>>));
    let (inside, said) = (Arc::clone(&own), Recorder::new());
    let note = said.clone();
    let pool = fx.pool();
    let job = pool.submit(move || {
        let own = inside.lock().unwrap().take().unwrap();
        let mut both = [pool.submit(|| ()).unwrap().share(), own];
        note.note(wait_shared(&mut both, None, AllCompleted).map(drop));
    });
    let shared = job.unwrap().share();
    *own.lock().unwrap() = Some(shared.clone());
    drop(hold);
    shared.result().unwrap();
    assert_eq!(said.take(), [Err(WaitError::WouldDeadlock)]);
}

/// A wait takes one place in each pool, and gives it back. Without a place it is refused.
pub fn a_wait_takes_one_place<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise::<u32>().unwrap();
    let never = never.share();
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut both = [(); MORE_THAN_PLACES].map(|()| [never.clone(), never.clone()]);
    let mut waits: Vec<_> = both
        .iter_mut()
        .map(|both| Box::pin(wait_shared_async(both, FirstCompleted)))
        .collect();
    let mut cx = Context::from_waker(&as_waker);
    let refused =
        |wait: &mut Pin<Box<WaitSharedAsync<'_, '_, u32>>>| wait.as_mut().poll(&mut cx).is_ready();
    let refused = waits
        .iter_mut()
        .map(refused)
        .filter(|refused| *refused)
        .count();
    assert!(refused > 0 && refused < MORE_THAN_PLACES);
    let mut another = [never.clone()];
    let refused = wait_shared(&mut another, None, AllCompleted);
    assert_eq!(refused.unwrap_err(), WaitError::TooManyWaiters);
    drop(waits);
    drop(as_waker);
    assert_eq!(Arc::strong_count(&waker), 1);
    promise.set_result(5).unwrap();
    assert!(wait_shared(&mut another, None, AllCompleted).is_ok());
}

/// An async wait is woken by the end, and only then ready.
pub fn an_async_wait_is_woken_by_the_end<F: Fixture>() {
    let fx = F::start(1);
    let promises = [(); 2].map(|()| fx.pool().promise::<u32>().unwrap());
    let [(one, first), (other, second)] = promises;
    let mut shared = [first.share(), second.share()];
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut cx = Context::from_waker(&as_waker);
    {
        let mut wait = pin!(wait_shared_async(&mut shared, FirstCompleted));
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        other.set_result(5).unwrap();
        assert_eq!(waker.count(), 1);
        assert!(wait.as_mut().poll(&mut cx).is_ready());
    }
    assert_eq!(shared[0].result().unwrap(), &5);
    one.set_result(6).unwrap();
    // The place is given back with the wait's end.
    assert_eq!(waker.count(), 1);
}

/// A slow callback of a job delays no wait for it.
pub fn a_slow_callback_delays_no_wait<F: Fixture>() {
    let fx = F::start(1);
    let release = Gate::new();
    let (held, slow) = (release.clone(), fx.hold_workers());
    let job = fx.pool().submit(|| 5).unwrap().share();
    let added = job.add_done_callback(move |_| held.wait());
    assert!(added.is_ok());
    drop(slow);
    let mut one = [job];
    let waited = wait_shared(&mut one, None, AllCompleted).unwrap();
    assert_eq!(waited.done.len(), 1);
    release.open();
}

crate::suite!(wait_shared_tests:
    everywhere [
        the_first_ends_the_wait,
        the_first_failure_ends_the_wait,
        all_end_the_wait,
        a_time_out_gives_both_parts,
        no_futures,
        a_job_runs_the_shared_jobs_that_it_waits_for,
        a_job_that_waits_for_itself_among_others,
        a_wait_takes_one_place,
        an_async_wait_is_woken_by_the_end,
    ]
    in_parallel [
        the_jobs_of_four_pools,
        each_holder_may_wait_for_the_same_jobs,
        a_slow_callback_delays_no_wait,
    ]
);
