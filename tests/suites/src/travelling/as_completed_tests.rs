//! `as_completed`. CPython: `test_as_completed.py`.

use std::{
    collections::HashSet,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use corepool::{AsCompletedError, FutureSet, JobError, JobFuture, JobState, as_completed};

use super::{FileGate, Fixture, Mixed, Number, Pool, hold, mixed, wait_for};
use crate::{CountingWaker, SMALL};

const NOW: Duration = Duration::ZERO;

/// How many can come at most: those that are left, and an error.
pub fn size_hint<F: Fixture>() {
    let fx = F::start(1);
    let futures = [1, 2].map(|n| fx.pool().submit(Number(n)).unwrap());
    let mut completed = as_completed(FutureSet::<'_, u32, 4>::from_iter(futures), None);
    assert_eq!(completed.size_hint(), (0, Some(3)));
    assert!(completed.next().is_some());
    assert_eq!(completed.size_hint(), (0, Some(2)));
}

/// Futures that were done before come first, the others as they complete. CPython:
/// `AsCompletedTests.test_no_timeout`.
pub fn no_timeout<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate,
        cancelled,
        done,
        running,
        ..
    } = mixed::<F>();
    let futures = FutureSet::<'_, u32, 3>::from_iter([running, cancelled, done]);
    let mut completed = as_completed(futures, None);
    let before: HashSet<_> = completed
        .by_ref()
        .take(2)
        .map(|future| format!("{:?}", future.unwrap().state()))
        .collect();
    assert_eq!(before, ["Cancelled", "Finished"].map(String::from).into());
    gate.open();
    let id = completed.next().unwrap().unwrap().result().unwrap();
    assert_eq!(id, gate.wait_until_begun());
    assert!(completed.next().is_none());
}

/// A failed job comes like any other.
pub fn failures_come_like_results<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate: _gate,
        failed,
        done,
        ..
    } = mixed::<F>();
    let futures = FutureSet::<'_, u32, 2>::from_iter([failed, done]);
    let results: Vec<_> = as_completed(futures, None)
        .map(|future| future.unwrap().result())
        .collect();
    assert!(matches!(results[..], [Err(JobError::Panicked(_)), Ok(5)]));
}

/// Futures come in the order of their completion.
pub fn completion_order<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let [a, b, c, d] = [0, 1, 2, 3].map(|n| fx.pool().submit(Number(n)).unwrap());
    let futures = FutureSet::<'_, u32, 4>::from_iter([c, a, d, b]);
    let mut completed = as_completed(futures, None);
    {
        // The first look finds nothing, and registers.
        let mut next = std::pin::pin!(completed.next_done());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending());
    }
    drop(hold);
    let results: Result<Vec<_>, _> = completed.map(|future| future.unwrap().result()).collect();
    assert_eq!(results.unwrap(), [0, 1, 2, 3]);
}

/// The results that are there come, even with no time at all; then an error, and not before the time is over; then nothing
/// more. CPython: `AsCompletedTests.test_future_times_out`.
pub fn future_times_out<F: Fixture>() {
    for timeout in [NOW, Duration::from_millis(20)] {
        let Mixed {
            executor: _executor,
            gate: _gate,
            cancelled,
            failed,
            done,
            running,
        } = mixed::<F>();
        let futures = FutureSet::<'_, u32, 4>::from_iter([cancelled, running, failed, done]);
        let start = Instant::now();
        let mut completed = as_completed(futures, Some(timeout));
        assert_eq!(completed.by_ref().take(3).filter(Result::is_ok).count(), 3);
        assert_eq!(
            completed.next().unwrap().unwrap_err(),
            AsCompletedError::TimedOut {
                unfinished: 1,
                total: 4
            }
        );
        assert!(start.elapsed() >= timeout);
        assert!(completed.next().is_none());
    }
}

/// Each future comes once. That a set holds one twice is ruled out by its type. CPython:
/// `AsCompletedTests.test_duplicate_futures`.
pub fn duplicate_futures<F: Fixture>() {
    let fx = F::start(2);
    let futures: FutureSet<'_, u32, 8> = (0..8)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    let mut results: Vec<_> = as_completed(futures, None)
        .map(|future| future.unwrap().result().unwrap())
        .collect();
    results.sort_unstable();
    assert_eq!(results, [0, 1, 2, 3, 4, 5, 6, 7]);
}

/// A future that was handed out and dropped has freed its slot, while the iteration goes on.
/// CPython: `AsCompletedTests.test_free_reference_yielded_future`.
pub fn free_reference_yielded_future<F: Fixture>() {
    let fx = F::start_small();
    let futures: FutureSet<'_, u32, SMALL> = (0..)
        .take(SMALL)
        .map(|n| {
            let mut future = fx.pool().submit(Number(n)).unwrap();
            wait_for(&mut future);
            future
        })
        .collect();
    assert!(fx.pool().submit(Number(0)).is_err(), "the pool is full");
    let mut completed = as_completed(futures, None);
    let mut others = Vec::new();
    for _ in 0..SMALL {
        drop(completed.next().unwrap().unwrap());
        others.push(fx.pool().submit_blocking(Number(0)).unwrap());
    }
    assert!(completed.next().is_none());
}

/// The error counts. CPython: `AsCompletedTests.test_correct_timeout_exception_msg`.
pub fn correct_timeout_exception_msg<F: Fixture>() {
    let Mixed {
        executor: _executor,
        gate: _gate,
        done,
        running,
        ..
    } = mixed::<F>();
    let futures = FutureSet::<'_, u32, 2>::from_iter([done, running]);
    let error = as_completed(futures, Some(NOW))
        .find_map(Result::err)
        .unwrap();
    assert_eq!(error.to_string(), "1 (of 2) futures unfinished");
}

/// After a time-out, the rest can be had back and completes all the same.
pub fn unfinished_can_be_had_back<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let futures: FutureSet<'_, u32, 3> = (1..4)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    let mut completed = as_completed(futures, Some(NOW));
    assert!(completed.next().unwrap().is_err());
    let rest = completed.into_unfinished();
    assert_eq!(rest.len(), 3);
    drop(hold);
    let sum: Result<u32, _> = rest.into_iter().map(JobFuture::result).sum();
    assert_eq!(sum.unwrap(), 6);
}

/// Dropped early, it takes its registrations with it: there is room for any number of others after.
pub fn dropped_early_removes_its_waiters<F: Fixture>() {
    let fx = F::start(1);
    let _hold = hold(&fx, 1);
    for _ in 0..40 {
        let futures = [1, 2].map(|n| fx.pool().submit(Number(n)).unwrap());
        let set = FutureSet::<'_, u32, 2>::from_iter(futures);
        assert_eq!(
            as_completed(set, Some(NOW)).next().unwrap().unwrap_err(),
            AsCompletedError::TimedOut {
                unfinished: 2,
                total: 2
            }
        );
    }
}

/// It can be awaited instead of iterated over.
pub fn next_done_is_awaited<F: Fixture>() {
    let fx = F::start(2);
    let futures: FutureSet<'_, u32, 8> = (1..9)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    let mut completed = as_completed(futures, None);
    futures_lite::future::block_on(async move {
        let mut sum = 0;
        while let Some(future) = completed.next_done().await {
            sum += future.unwrap().await.unwrap();
        }
        assert_eq!(sum, 36);
    });
}

/// A completion is one notification, whatever the size of the set.
pub fn one_notification_per_completion<F: Fixture>() {
    let fx = F::start(1);
    let hold = hold(&fx, 1);
    let gate = FileGate::new();
    let mut futures: Vec<_> = (0..20)
        .map(|n| fx.pool().submit(Number(n)).unwrap())
        .collect();
    futures.push(fx.pool().submit(gate.job()).unwrap());
    let first = futures.remove(0);
    let set = FutureSet::<'_, u32, 20>::from_iter(futures.drain(19..).chain([first]));
    let mut completed = as_completed(set, None);
    let waker = Arc::new(CountingWaker::default());
    let as_waker = Waker::from(Arc::clone(&waker));
    let mut next = std::pin::pin!(completed.next_done());
    let mut cx = Context::from_waker(&as_waker);
    assert!(next.as_mut().poll(&mut cx).is_pending());
    drop(hold);
    // Those that are in no set are of no concern.
    futures.iter_mut().for_each(wait_for);
    assert_eq!(waker.count(), 1);
    assert!(
        matches!(next.poll(&mut cx), Poll::Ready(Some(Ok(future))) if future.state() == JobState::Finished)
    );
}

crate::list::trials!(as_completed_tests:
    size_hint,
    no_timeout,
    failures_come_like_results,
    completion_order,
    future_times_out,
    duplicate_futures,
    free_reference_yielded_future,
    correct_timeout_exception_msg,
    unfinished_can_be_had_back,
    dropped_early_removes_its_waiters,
    next_done_is_awaited,
    one_notification_per_completion,
);
