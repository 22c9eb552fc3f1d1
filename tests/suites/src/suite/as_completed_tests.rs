//! `as_completed`. CPython: `test_as_completed.py`.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use corepool::{AsCompletedError, FutureSet, JobState, as_completed};

use crate::{
    CountingWaker, Fixture, Methods, all_slots_come_back, cancelled_future, done_future,
    failed_future, text_of,
};

const TINY: Duration = Duration::from_millis(2);

/// How many can come at most: those that are left, and an error.
pub fn size_hint<F: Fixture>() {
    let fx = F::start(1);
    let futures = [done_future(&fx, 1), done_future(&fx, 2)];
    let mut completed = as_completed(FutureSet::<'_, u32, 4>::from_iter(futures), None);
    assert_eq!(completed.size_hint(), (0, Some(3)));
    assert!(completed.next().is_some());
    assert_eq!(completed.size_hint(), (0, Some(2)));
}

/// Futures that were done before come first, the others as they complete. CPython:
/// `AsCompletedTests.test_no_timeout`.
pub fn no_timeout<F: Fixture>() {
    let fx = F::start(2);
    let hold = fx.hold_workers();
    let futures = FutureSet::<'_, u32, 5>::from_iter([
        fx.pool().submit(|| 42).unwrap(),
        cancelled_future(&fx),
        done_future(&fx, 5),
        fx.pool().submit(|| 43).unwrap(),
    ]);
    let mut completed = as_completed(futures, None);
    let before: Vec<_> = completed
        .by_ref()
        .take(2)
        .map(|future| future.unwrap().state())
        .collect();
    assert_eq!(before, [JobState::Cancelled, JobState::Finished]);
    drop(hold);
    let mut after: Vec<_> = completed
        .map(|future| future.unwrap().result().unwrap())
        .collect();
    after.sort_unstable();
    assert_eq!(after, [42, 43]);
}

/// A failed job comes like any other.
pub fn failures_come_like_results<F: Fixture>() {
    let fx = F::start(1);
    let futures = FutureSet::<'_, u32, 2>::from_iter([failed_future(&fx), done_future(&fx, 5)]);
    let mut completed = as_completed(futures, None);
    let mut next = || completed.next().unwrap().unwrap().result();
    assert_eq!(text_of(next().unwrap_err()), "doh!");
    assert_eq!(next().unwrap(), 5);
}

/// Futures come in the order of their completion.
pub fn completion_order<F: Fixture>() {
    let fx = F::start(1);
    let (promises, futures): (Vec<_>, Vec<_>) = (0..4)
        .map(|_| fx.pool().promise::<usize>().unwrap())
        .unzip();
    let mut promises: Vec<_> = promises.into_iter().map(Some).collect();
    let mut completed = as_completed(FutureSet::<'_, _, 4>::from_iter(futures), None);
    let waker = Waker::from(Arc::new(CountingWaker::default()));
    let mut next = || {
        let mut next = std::pin::pin!(completed.next_done());
        match next.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(future) => future.unwrap().unwrap().result().ok(),
            Poll::Pending => None,
        }
    };
    // The first look finds nothing, and registers.
    assert_eq!(next(), None);
    for number in [2, 0, 3, 1] {
        promises[number].take().unwrap().set_result(number).unwrap();
    }
    assert_eq!([(); 4].map(|()| next().unwrap()), [2, 0, 3, 1]);
}

/// Futures that are done come, even with no time at all; then an error, then nothing more. CPython:
/// `AsCompletedTests.test_future_times_out`.
pub fn future_times_out<F: Fixture>() {
    let fx = F::start(1);
    for timeout in [Duration::ZERO, TINY] {
        let (promise, never) = fx.pool().promise().unwrap();
        let futures = FutureSet::<'_, u32, 4>::from_iter([
            cancelled_future(&fx),
            never,
            failed_future(&fx),
            done_future(&fx, 5),
        ]);
        let mut completed = as_completed(futures, Some(timeout));
        assert_eq!(completed.by_ref().take(3).filter(Result::is_ok).count(), 3);
        assert_eq!(
            completed.next().unwrap().unwrap_err(),
            AsCompletedError::TimedOut {
                unfinished: 1,
                total: 4
            }
        );
        assert!(completed.next().is_none());
        drop(promise);
    }
}

/// Each future comes once. That a set holds one twice is ruled out by its type. CPython:
/// `AsCompletedTests.test_duplicate_futures`.
pub fn duplicate_futures<F: Fixture>() {
    let fx = F::start(1);
    let futures: FutureSet<'_, u32, 8> = (0..8)
        .map(|n| fx.pool().submit(move || n).unwrap())
        .collect();
    let mut results: Vec<_> = as_completed(futures, None)
        .map(|future| future.unwrap().result().unwrap())
        .collect();
    results.sort_unstable();
    assert_eq!(results, [0, 1, 2, 3, 4, 5, 6, 7]);
}

/// A future that was handed out and dropped has freed its slot, while the iteration goes on: up to a
/// time-out, and where each result is set when the one before has come. CPython:
/// `AsCompletedTests.test_free_reference_yielded_future`.
pub fn free_reference_yielded_future<F: Fixture>() {
    let fx = F::start(1);
    let capacity = fx.pool().capacity();
    let (mut promises, nevers): (Vec<_>, Vec<_>) =
        (0..8).map(|_| fx.pool().promise::<u32>().unwrap()).unzip();
    let done = [cancelled_future(&fx), done_future(&fx, 42)];
    let futures: FutureSet<'_, u32, 10> = nevers.into_iter().chain(done).collect();
    let mut completed = as_completed(futures, Some(Duration::ZERO));
    for left in [9, 8] {
        drop(completed.next().unwrap().unwrap());
        assert_eq!(fx.pool().free_slots(), capacity - left);
    }
    assert_eq!(
        completed.next().unwrap().unwrap_err(),
        AsCompletedError::TimedOut {
            unfinished: 8,
            total: 10
        }
    );
    let mut completed = as_completed(completed.into_unfinished(), None);
    for left in (0..8).rev() {
        promises.pop().unwrap().set_result(1).unwrap();
        drop(completed.next().unwrap().unwrap());
        assert_eq!(fx.pool().free_slots(), capacity - left);
    }
    assert!(completed.next().is_none());
}

/// The error counts. CPython: `AsCompletedTests.test_correct_timeout_exception_msg`.
pub fn correct_timeout_exception_msg<F: Fixture>() {
    let fx = F::start(1);
    let (promise, never) = fx.pool().promise().unwrap();
    let futures = FutureSet::<'_, u32, 2>::from_iter([done_future(&fx, 5), never]);
    let error = as_completed(futures, Some(Duration::ZERO))
        .find_map(Result::err)
        .unwrap();
    assert_eq!(error.to_string(), "1 (of 2) futures unfinished");
    drop(promise);
}

/// After a time-out, the rest can be had back and completes all the same.
pub fn unfinished_can_be_had_back<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    let futures: FutureSet<'_, u32, 3> = (1..4)
        .map(|n| fx.pool().submit(move || n).unwrap())
        .collect();
    let mut completed = as_completed(futures, Some(Duration::ZERO));
    assert!(completed.next().unwrap().is_err());
    let rest = completed.into_unfinished();
    assert_eq!(rest.len(), 3);
    drop(hold);
    let sum: Result<u32, _> = rest.into_iter().map(corepool::JobFuture::result).sum();
    assert_eq!(sum.unwrap(), 6);
}

/// Dropped early, it takes its registrations with it: there is room for any number of others after.
pub fn dropped_early_removes_its_waiters<F: Fixture>() {
    let fx = F::start(1);
    let hold = fx.hold_workers();
    for _ in 0..40 {
        let futures = FutureSet::<'_, u32, 2>::from_iter([
            fx.pool().submit(|| 1).unwrap(),
            fx.pool().submit(|| 2).unwrap(),
        ]);
        let mut completed = as_completed(futures, Some(Duration::ZERO));
        assert_eq!(
            completed.next().unwrap().unwrap_err(),
            AsCompletedError::TimedOut {
                unfinished: 2,
                total: 2
            }
        );
    }
    drop(hold);
    all_slots_come_back(&fx);
}

/// An empty set is at its end at once.
pub fn empty<F: Fixture>() {
    let none = FutureSet::<'_, u32, 2>::new();
    assert!(as_completed(none, Some(TINY)).next().is_none());
}

/// A job may iterate over jobs of its own pool, even if it has the only worker.
pub fn as_completed_from_a_job<F: Fixture>() {
    let fx = F::start(1);
    let pool = fx.pool();
    let job = pool.submit(move || {
        let futures: FutureSet<'_, u32, 4> =
            (1..5).map(|n| pool.submit(move || n).unwrap()).collect();
        as_completed(futures, None)
            .map(|future| future.unwrap().result().unwrap())
            .sum::<u32>()
    });
    assert_eq!(job.unwrap().result().unwrap(), 10);
}

/// It can be awaited instead of iterated over.
pub fn next_done_is_awaited<F: Fixture>() {
    let fx = F::start(2);
    let futures: FutureSet<'_, u32, 8> = (1..9)
        .map(|n| fx.pool().submit(move || n).unwrap())
        .collect();
    let mut completed = as_completed(futures, None);
    crate::block_on(async move {
        let mut sum = 0;
        while let Some(future) = completed.next_done().await {
            sum += future.unwrap().await.unwrap();
        }
        assert_eq!(sum, 36);
    });
}

/// The futures of a set may be of several executors.
pub fn futures_of_several_pools<F: Fixture>() {
    let (fx, other) = (F::start(1), F::start(1));
    let (promise, kept) = other.pool().promise().unwrap();
    let jobs = [kept, fx.pool().submit(|| 1).unwrap()];
    let mut completed = as_completed(FutureSet::<'_, u32, 2>::from_iter(jobs), None);
    assert_eq!(completed.next().unwrap().unwrap().result().unwrap(), 1);
    promise.set_result(2).unwrap();
    assert_eq!(completed.next().unwrap().unwrap().result().unwrap(), 2);
    assert!(completed.next().is_none());
}

/// The futures that are left of several executors can be had back, and end.
pub fn unfinished_of_several_pools_can_be_had_back<F: Fixture>() {
    let (fx, other) = (F::start(1), F::start(1));
    let (first, one) = other.pool().promise().unwrap();
    let (second, two) = fx.pool().promise().unwrap();
    let set = FutureSet::<'_, u32, 2>::from_iter([one, two]);
    let mut completed = as_completed(set, Some(Duration::ZERO));
    assert!(completed.next().unwrap().is_err());
    let unfinished = completed.into_unfinished();
    first.set_result(1).unwrap();
    second.set_result(2).unwrap();
    let results = unfinished
        .into_iter()
        .map(|future| future.result().unwrap());
    assert_eq!(results.collect::<Vec<_>>(), [1, 2]);
}

crate::suite!(as_completed_tests:
    everywhere [
        no_timeout,
        failures_come_like_results,
        completion_order,
        future_times_out,
        duplicate_futures,
        free_reference_yielded_future,
        correct_timeout_exception_msg,
        unfinished_can_be_had_back,
        dropped_early_removes_its_waiters,
        empty,
        as_completed_from_a_job,
        size_hint,
        unfinished_of_several_pools_can_be_had_back,
    ]
    in_parallel [
        next_done_is_awaited,
        futures_of_several_pools,
    ]
);
