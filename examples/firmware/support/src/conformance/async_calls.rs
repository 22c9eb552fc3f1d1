//! The calls for tasks, for several holders, and for code that takes any executor, on any board.

use core::{
    future::Future,
    hint::spin_loop,
    pin::pin,
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use corepool::{
    Ambient, DynExecutor, Executor, FutureSet, JobError, NotInTask, ReturnWhen, gather, wait_async,
    wait_shared, wait_shared_async,
};
use portable_atomic::{AtomicU8, Ordering::SeqCst};

use super::{BOTH, Bench, NOTES, NoteOnDrop, Outcome, THREAD, Test, failed, until};
use crate::BYTES;

/// The tests, in the order in which they run.
pub(super) const TESTS: &[Test] = tests![
    BOTH: several_holders_get_one_result,
    BOTH: a_callback_finds_its_shared_future_done,
    BOTH: a_task_awaits_a_shared_future,
    BOTH: a_task_ends_itself_as_cancelled,
    BOTH: a_context_that_is_no_task_is_told,
    BOTH: gather_has_all_results_in_order,
    BOTH: wait_async_is_ready_at_the_first,
    BOTH: a_wait_for_shared_futures_has_both_parts,
    BOTH: a_job_carries_the_value_of_its_submitter,
    BOTH: a_library_takes_any_executor,
    THREAD: the_pools_end_is_awaited,
];

/// Polls `future` until it is ready, and runs jobs meanwhile.
fn awaited<F: Future>(bench: &Bench<'_>, future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let polled = future
            .as_mut()
            .poll(&mut TaskContext::from_waker(Waker::noop()));
        if let Poll::Ready(output) = polled {
            return output;
        }
        if bench.pool.run_pending(1) == 0 {
            spin_loop();
        }
    }
}

fn several_holders_get_one_result(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    let job = accepted!(bench.hold(|| bench.call(|| pool.submit(|| NoteOnDrop(1)))));
    let one = bench.call(|| job.share());
    let other = bench.call(|| one.clone());
    check!(one.result().is_ok());
    check!(matches!(
        bench.call(|| other.try_result()),
        Some(Ok(NoteOnDrop(1)))
    ));
    bench.call(|| drop(one));
    check!(NOTES.count() == 0);
    bench.call(|| drop(other));
    check!(NOTES.are(&[1]));
    Ok(())
}

fn a_callback_finds_its_shared_future_done(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    let (promise, future) = accepted!(pool.promise::<u8>());
    let shared = bench.call(|| future.share());
    let seen = shared.clone();
    let added = bench.call(|| {
        let callback = move |_: Result<&u8, &JobError>| {
            NOTES.note(seen.result().copied().unwrap_or(0));
        };
        shared.add_done_callback(callback).is_ok()
    });
    check!(added && bench.call(|| promise.set_result(5).is_ok()));
    check!(NOTES.are(&[5]));
    Ok(())
}

fn a_task_awaits_a_shared_future(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let (promise, future) = accepted!(pool.promise::<u8>());
    let shared = future.share();
    check!(bench.call(|| promise.set_result(5).is_ok()));
    check!(matches!(awaited(bench, shared.result_async()), Ok(5)));
    Ok(())
}

fn a_task_ends_itself_as_cancelled(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    let dropped = NoteOnDrop(1);
    let task = bench.call(|| {
        pool.spawn(async move {
            let _owned = dropped;
            pool.cancel_current_task().await;
            NOTES.note(2);
        })
    });
    check!(matches!(accepted!(task).result(), Err(JobError::Cancelled)));
    check!(NOTES.are(&[1]));
    Ok(())
}

fn a_context_that_is_no_task_is_told(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let told = bench.call(|| awaited_at_once(pool.cancel_current_task()));
    check!(told == Some(NotInTask));
    Ok(())
}

fn awaited_at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn gather_has_all_results_in_order(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let jobs: FutureSet<'_, u8, 3> = bench.call(|| {
        (1..4)
            .filter_map(|n| pool.submit(move || n * n).ok())
            .collect()
    });
    let results = awaited(bench, gather(jobs));
    let squares = results.into_iter().map(Result::ok);
    check!(squares.eq([Some(1), Some(4), Some(9)]));
    Ok(())
}

fn wait_async_is_ready_at_the_first(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let (promise, future) = accepted!(pool.promise());
    let job = accepted!(bench.call(|| pool.submit(|| 1)));
    let mut both = [future, job];
    let waited = awaited(bench, wait_async(&mut both, ReturnWhen::FirstCompleted));
    check!(waited.done.len() == 1 && waited.not_done.len() == 1);
    check!(promise.set_result(2).is_ok());
    Ok(())
}

fn a_wait_for_shared_futures_has_both_parts(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let (promise, never) = accepted!(pool.promise());
    let job = accepted!(bench.call(|| pool.submit(|| 1)));
    let mut both = [never.share(), job.share()];
    let first = awaited(
        bench,
        wait_shared_async(&mut both, ReturnWhen::FirstCompleted),
    );
    check!(first.is_ok_and(|waited| waited.done.len() == 1 && waited.not_done.len() == 1));
    let now = Some(Duration::ZERO);
    let waited = bench.call(|| {
        wait_shared(&mut both, now, ReturnWhen::AllCompleted).map(|waited| waited.not_done.len())
    });
    check!(waited == Ok(1));
    check!(promise.set_result(2).is_ok());
    let waited = wait_shared(&mut both, None, ReturnWhen::AllCompleted);
    check!(waited.is_ok_and(|waited| waited.done.len() == 2));
    Ok(())
}

static LEVEL: AtomicU8 = AtomicU8::new(0);

/// The value of [`LEVEL`].
struct Level;

impl Ambient for Level {
    type Captured = u8;

    fn capture() -> u8 {
        LEVEL.load(SeqCst)
    }

    fn enter<R>(captured: &mut u8, work: impl FnOnce() -> R) -> R {
        let before = LEVEL.swap(*captured, SeqCst);
        let output = work();
        LEVEL.store(before, SeqCst);
        output
    }
}

fn a_job_carries_the_value_of_its_submitter(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool.carrying::<Level>();
    let job = bench.hold(|| {
        LEVEL.store(7, SeqCst);
        let job = bench.call(|| pool.submit(Level::capture));
        LEVEL.store(1, SeqCst);
        job
    });
    check!(matches!(accepted!(job).result(), Ok(7)));
    check!(LEVEL.load(SeqCst) == 1);
    Ok(())
}

fn a_library_takes_any_executor(bench: &Bench<'_>) -> Outcome {
    let executor: &dyn DynExecutor<BYTES> = &bench.pool;
    let job = bench.call(|| executor.submit(|| 42));
    check!(matches!(job.map(|job| job.result()), Ok(Ok(42))));
    Ok(())
}

fn the_pools_end_is_awaited(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    accepted!(bench.hold(|| pool.submit_detached(|| NOTES.note(1))));
    until(bench, || pool.unfinished() == 0);
    check!(awaited(bench, pool.shutdown_async(false)).is_ok());
    check!(NOTES.are(&[1]) && pool.workers() == 0);
    Ok(())
}
