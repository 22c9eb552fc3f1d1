//! Each call of the pool, on any board.

use core::{
    future::poll_fn,
    hint::spin_loop,
    mem::MaybeUninit,
    task::{Poll, Waker},
    time::Duration,
};

use corepool::{
    BrokenReason, FutureSet, InitError, JobError, JobState, LentPool, MemoryTooSmall, Parker,
    PoolConfig, ReturnWhen, RunError, ShutdownError, SpinWorker, SubmitError, Worker, WorkerId,
    as_completed, wait,
};

use super::{BOTH, Bench, INTERRUPT, NOTES, NoteOnDrop, Outcome, THREAD, Test, failed, until};
use crate::{BoardPool, Context, in_context};

/// The tests, in the order in which they run.
pub(super) const TESTS: &[Test] = tests![
    BOTH: a_result_is_waited_for,
    BOTH: a_result_is_polled_for,
    BOTH: jobs_run_in_the_order_of_submission,
    BOTH: the_most_urgent_job_is_first,
    BOTH: a_priority_that_is_not_there_is_refused,
    BOTH: a_full_pool_gives_the_job_back,
    BOTH: a_full_pool_has_room_when_jobs_have_ended,
    BOTH: a_queued_job_is_cancelled,
    BOTH: cancelled_jobs_make_room,
    BOTH: a_job_that_has_ended_is_not_cancelled,
    BOTH: a_detached_job_runs_once_and_is_dropped_once,
    BOTH: callbacks_run_in_the_order_they_were_added,
    BOTH: a_callback_added_late_runs_at_once,
    BOTH: a_callback_sees_a_cancellation,
    BOTH: as_completed_yields_all,
    BOTH: wait_returns_at_the_first,
    BOTH: wait_returns_at_the_last,
    BOTH: a_wait_times_out_and_the_result_comes_later,
    BOTH: a_promise_is_kept,
    BOTH: a_promise_is_abandoned,
    BOTH: a_task_awaits_a_promise,
    THREAD: a_task_that_wakes_itself_is_polled_again,
    THREAD: a_suspended_task_is_cancelled,
    THREAD: a_job_submits_a_job,
    THREAD: a_job_waits_for_a_job,
    THREAD: a_handler_submits_while_a_job_runs,
    THREAD: jobs_borrow_in_a_scope,
    THREAD: map_is_in_order,
    THREAD: submit_waits_for_room,
    INTERRUPT: a_handler_that_would_wait_for_a_result_is_told,
    INTERRUPT: a_handler_that_would_wait_while_a_job_runs_is_told,
    INTERRUPT: a_handler_that_would_wait_for_room_has_its_job_back,
    INTERRUPT: a_handler_that_would_wait_for_the_pools_end_is_told,
    BOTH workers: workers_run_what_nobody_waits_for,
    THREAD: shutdown_ends_the_workers,
    BOTH: shutdown_runs_what_is_queued,
    BOTH: shutdown_cancels_what_is_queued,
    BOTH: a_pool_that_is_shut_down_gives_the_job_back,
    THREAD: a_job_cannot_wait_for_its_own_pools_end,
    BOTH: a_broken_pool_fails_what_is_queued,
    BOTH: a_broken_pool_gives_the_job_back,
    THREAD: a_worker_that_cannot_start_breaks_the_pool,
    THREAD: a_lent_pool_larger_than_the_address_space_is_refused,
];

fn a_result_is_waited_for(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let factor = 6;
    let job = bench.call(|| pool.submit(move || factor * 7));
    check!(matches!(job.map(|job| job.result()), Ok(Ok(42))));
    Ok(())
}

fn a_result_is_polled_for(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let mut job = accepted!(bench.hold(|| {
        let job = bench.call(|| pool.submit(|| 42));
        pool.run_pending(1);
        job
    }));
    check!(matches!(bench.call(|| job.try_result()), Some(Ok(42))));
    let again = bench.call(|| job.try_result());
    check!(matches!(again, Some(Err(JobError::AlreadyTaken))));
    Ok(())
}

fn jobs_run_in_the_order_of_submission(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        for number in 1..4 {
            accepted!(bench.call(|| pool.submit_detached(move || NOTES.note(number))));
        }
        check!(pool.run_pending(usize::MAX) == 3);
        check!(NOTES.are(&[1, 2, 3]));
        Ok(())
    })
}

fn the_most_urgent_job_is_first(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        accepted!(bench.call(|| pool.at(0).submit_detached(|| NOTES.note(1))));
        accepted!(bench.call(|| pool.at(1).submit_detached(|| NOTES.note(2))));
        pool.run_pending(1);
        check!(NOTES.are(&[2]));
        pool.run_pending(1);
        check!(NOTES.are(&[2, 1]));
        Ok(())
    })
}

fn a_priority_that_is_not_there_is_refused(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let refused = bench.call(|| pool.at(2).submit_detached(|| ()));
    check!(matches!(refused, Err(SubmitError::NoSuchPriority(_))));
    Ok(())
}

/// Submits `job` until it is refused; how often it was accepted, and why not once more.
fn fill<F: Fn() + Copy + Send + 'static>(pool: BoardPool, job: F) -> (usize, SubmitError<F>) {
    let mut accepted = 0;
    loop {
        match pool.submit_detached(job) {
            Ok(()) => accepted += 1,
            Err(error) => return (accepted, error),
        }
    }
}

fn a_full_pool_gives_the_job_back(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    let (accepted, error) = bench.hold(|| bench.call(|| fill(pool, || NOTES.note(1))));
    check!(accepted > 0 && matches!(error, SubmitError::Full(_)));
    until(bench, || NOTES.count() == accepted);
    error.into_inner()();
    check!(NOTES.count() == accepted + 1);
    Ok(())
}

fn a_full_pool_has_room_when_jobs_have_ended(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    bench.hold(|| bench.call(|| fill(pool, || ())));
    until(bench, || pool.unfinished() == 0 && pool.free_slots() > 0);
    accepted!(bench.call(|| pool.submit_detached(|| ())));
    Ok(())
}

fn a_queued_job_is_cancelled(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        let dropped = NoteOnDrop(1);
        let job = bench.call(|| {
            pool.submit(move || {
                NOTES.note(2);
                drop(dropped);
            })
        });
        let job = accepted!(job);
        check!(job.state() == JobState::Pending);
        check!(bench.call(|| job.cancel()));
        check!(job.state() == JobState::Cancelled && NOTES.are(&[1]));
        check!(matches!(job.result(), Err(JobError::Cancelled)));
        pool.run_pending(1);
        check!(NOTES.are(&[1]));
        Ok(())
    })
}

fn cancelled_jobs_make_room(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    bench.hold(|| {
        let mut jobs = FutureSet::<'_, (), 8>::new();
        bench.call(|| {
            while let Ok(job) = pool.submit(|| ()) {
                let _ = jobs.push(job);
            }
            jobs.iter().for_each(|job| {
                job.cancel();
            });
        });
        check!(!jobs.is_empty() && jobs.iter().all(|job| job.cancelled()));
        drop(jobs);
        accepted!(bench.call(|| pool.submit_detached(|| ())));
        Ok(())
    })
}

fn a_job_that_has_ended_is_not_cancelled(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let job = accepted!(pool.submit(|| 3));
    until(bench, || job.done());
    check!(!bench.call(|| job.cancel()));
    check!(matches!(job.result(), Ok(3)));
    Ok(())
}

fn a_detached_job_runs_once_and_is_dropped_once(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    let dropped = NoteOnDrop(2);
    accepted!(bench.call(|| {
        pool.submit_detached(move || {
            NOTES.note(1);
            drop(dropped);
        })
    }));
    until(bench, || pool.unfinished() == 0);
    check!(NOTES.are(&[1, 2]));
    Ok(())
}

fn callbacks_run_in_the_order_they_were_added(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    let mut job = accepted!(bench.hold(|| {
        let mut job = pool.submit(|| 5_u8)?;
        bench.call(|| {
            for number in 0..3 {
                let added =
                    job.add_done_callback(move |result| NOTES.note(result.unwrap_or(&0) + number));
                assert!(added.is_ok(), "there is room");
            }
        });
        Ok::<_, SubmitError<_>>(job)
    }));
    check!(job.error().is_none() && NOTES.are(&[5, 6, 7]));
    check!(matches!(job.try_result(), Some(Ok(5))));
    Ok(())
}

fn a_callback_added_late_runs_at_once(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    let mut job = accepted!(pool.submit(|| 5_u8));
    check!(job.error().is_none());
    let noted = bench.call(|| {
        let added = job.add_done_callback(|result| NOTES.note(*result.unwrap_or(&0)));
        added.is_ok() && NOTES.are(&[5])
    });
    check!(noted);
    Ok(())
}

fn a_callback_sees_a_cancellation(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        let mut job = accepted!(pool.submit(|| ()));
        let added = job.add_done_callback(|result| {
            if let Err(JobError::Cancelled) = result {
                NOTES.note(1);
            }
        });
        check!(added.is_ok() && NOTES.count() == 0);
        check!(bench.call(|| job.cancel()));
        check!(NOTES.are(&[1]));
        Ok(())
    })
}

fn as_completed_yields_all(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let jobs: FutureSet<'_, u32, 4> = bench.call(|| {
        (0..4)
            .filter_map(|n| pool.submit(move || 1 << n).ok())
            .collect()
    });
    let mut sum = 0;
    for job in as_completed(jobs, None) {
        sum += accepted!(accepted!(job).result());
    }
    check!(sum == 0b1111);
    Ok(())
}

fn wait_returns_at_the_first(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let (promise, future) = accepted!(pool.promise());
    let job = accepted!(bench.call(|| pool.submit(|| 1)));
    let mut both = [future, job];
    let waited = accepted!(wait(&mut both, None, ReturnWhen::FirstCompleted));
    check!(waited.done.len() == 1 && waited.not_done.len() == 1);
    check!(promise.set_result(2).is_ok());
    Ok(())
}

fn wait_returns_at_the_last(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let (promise, future) = accepted!(pool.promise());
    let mut both = [future, accepted!(pool.submit(|| 1))];
    check!(bench.call(|| promise.set_result(2).is_ok()));
    let waited = accepted!(wait(&mut both, None, ReturnWhen::AllCompleted));
    check!(waited.done.len() == 2 && waited.not_done.is_empty());
    Ok(())
}

fn a_wait_times_out_and_the_result_comes_later(bench: &Bench<'_>) -> Outcome {
    let (promise, mut future) = accepted!(bench.pool.promise());
    let early = future.result_timeout(Duration::from_millis(3));
    check!(matches!(early, Err(JobError::TimedOut)));
    check!(bench.call(|| promise.set_result(7).is_ok()));
    check!(matches!(future.result(), Ok(7)));
    Ok(())
}

fn a_promise_is_kept(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let (promise, future) = accepted!(bench.call(|| pool.promise()));
    check!(bench.call(|| promise.set_result(8).is_ok()));
    check!(matches!(future.result(), Ok(8)));
    Ok(())
}

fn a_promise_is_abandoned(bench: &Bench<'_>) -> Outcome {
    let (promise, future) = accepted!(bench.pool.promise::<u32>());
    bench.call(|| drop(promise));
    check!(matches!(future.result(), Err(JobError::PromiseDropped)));
    Ok(())
}

fn a_task_awaits_a_promise(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let (promise, future) = accepted!(pool.promise());
    let task = accepted!(bench.call(|| {
        pool.spawn(async move {
            match future.await {
                Ok(number) => number + 1,
                Err(_) => 0,
            }
        })
    }));
    pool.run_pending(1);
    check!(!task.done());
    check!(bench.call(|| promise.set_result(7).is_ok()));
    check!(matches!(task.result(), Ok(8)));
    Ok(())
}

fn a_task_that_wakes_itself_is_polled_again(bench: &Bench<'_>) -> Outcome {
    let mut polls = 0;
    let task = bench.pool.spawn(poll_fn(move |cx| {
        polls += 1;
        if polls == 4 {
            return Poll::Ready(polls);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    check!(matches!(accepted!(task).result(), Ok(4)));
    Ok(())
}

fn a_suspended_task_is_cancelled(bench: &Bench<'_>) -> Outcome {
    NOTES.clear();
    let dropped = NoteOnDrop(2);
    let task = accepted!(bench.pool.spawn(poll_fn(move |_| {
        let _owned = &dropped;
        NOTES.note(1);
        Poll::<()>::Pending
    })));
    until(bench, || NOTES.count() == 1 && !task.running());
    check!(task.cancel() && NOTES.are(&[1, 2]));
    check!(matches!(task.result(), Err(JobError::Cancelled)));
    Ok(())
}

fn a_job_submits_a_job(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let outer = accepted!(pool.submit(move || pool.submit(|| 5).ok()));
    let Ok(Some(inner)) = outer.result() else {
        return failed("the inner job was accepted");
    };
    check!(matches!(inner.result(), Ok(5)));
    Ok(())
}

fn a_job_waits_for_a_job(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let outer = accepted!(pool.submit(move || match pool.submit(|| 20) {
        Ok(inner) => inner.result().map_or(0, |number| number + 1),
        Err(_) => 0,
    }));
    check!(matches!(outer.result(), Ok(21)));
    Ok(())
}

fn a_handler_submits_while_a_job_runs(bench: &Bench<'_>) -> Outcome {
    let (pool, board) = (bench.pool, bench.board);
    let inner = pool.scope(|scope| {
        let submit = || in_context(board, Context::Interrupt, || pool.submit(|| 3).ok());
        scope.submit(submit).ok()?.result().ok()?
    });
    check!(matches!(inner.map(|inner| inner.result()), Some(Ok(3))));
    Ok(())
}

fn jobs_borrow_in_a_scope(bench: &Bench<'_>) -> Outcome {
    let mut numbers = [1, 2, 3, 4];
    let (left, right) = numbers.split_at_mut(2);
    let submitted = bench.pool.scope(|scope| {
        let double = |part: &mut [u32]| part.iter_mut().for_each(|number| *number *= 2);
        scope.submit(move || double(left)).is_ok() && scope.submit(move || double(right)).is_ok()
    });
    check!(submitted && numbers == [2, 4, 6, 8]);
    Ok(())
}

fn map_is_in_order(bench: &Bench<'_>) -> Outcome {
    let squares = bench.pool.map(1..=6, |n: u32| n * n);
    let mut next = 1;
    for square in squares {
        check!(matches!(square, Ok(square) if square == next * next));
        next += 1;
    }
    check!(next == 7);
    Ok(())
}

fn submit_waits_for_room(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    bench.hold(|| fill(pool, || ()));
    let job = accepted!(pool.submit_blocking(|| 9));
    check!(matches!(job.result(), Ok(9)));
    Ok(())
}

/// The job that it submits is queued all the same, and not run by the handler.
fn a_handler_that_would_wait_for_a_result_is_told(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        let told = bench.call(|| pool.submit(|| NOTES.note(1)).map(|job| job.result()));
        check!(matches!(told, Ok(Err(JobError::WouldDeadlock))));
        check!(NOTES.count() == 0);
        Ok(())
    })?;
    until(bench, || NOTES.are(&[1]));
    Ok(())
}

fn a_handler_that_would_wait_while_a_job_runs_is_told(bench: &Bench<'_>) -> Outcome {
    let (_promise, future) = accepted!(bench.pool.promise::<u32>());
    let told = bench.pool.scope(|scope| {
        let wait = || bench.call(|| future.result());
        scope.submit(wait).ok()?.result().ok()
    });
    check!(matches!(told, Some(Err(JobError::WouldDeadlock))));
    Ok(())
}

fn a_handler_that_would_wait_for_room_has_its_job_back(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    bench.hold(|| {
        let refused = bench.call(|| {
            fill(pool, || ());
            pool.submit_blocking(|| 7)
        });
        check!(matches!(refused, Err(SubmitError::WouldDeadlock(job)) if job() == 7));
        Ok(())
    })
}

fn a_handler_that_would_wait_for_the_pools_end_is_told(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    bench.hold(|| {
        accepted!(pool.submit_detached(|| ()));
        let told = bench.call(|| pool.shutdown(true, false));
        check!(told == Err(ShutdownError::WouldDeadlock));
        Ok(())
    })
}

fn workers_run_what_nobody_waits_for(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let job = accepted!(bench.call(|| pool.submit(|| 1)));
    while !job.done() {
        spin_loop();
    }
    Ok(())
}

fn shutdown_ends_the_workers(bench: &Bench<'_>) -> Outcome {
    check!(bench.pool.shutdown(true, false).is_ok());
    check!(bench.pool.workers() == 0);
    Ok(())
}

fn shutdown_runs_what_is_queued(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        accepted!(pool.submit_detached(|| NOTES.note(1)));
        check!(bench.call(|| pool.shutdown(false, false).is_ok()));
        check!(NOTES.count() == 0);
        Ok(())
    })?;
    check!(pool.shutdown(true, false).is_ok());
    check!(NOTES.are(&[1]));
    Ok(())
}

fn shutdown_cancels_what_is_queued(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    NOTES.clear();
    bench.hold(|| {
        let job = accepted!(pool.submit(|| NOTES.note(1)));
        check!(bench.call(|| pool.shutdown(false, true).is_ok()));
        check!(matches!(job.result(), Err(JobError::Cancelled)));
        Ok(())
    })?;
    check!(pool.shutdown(true, false).is_ok());
    check!(NOTES.count() == 0);
    Ok(())
}

fn a_pool_that_is_shut_down_gives_the_job_back(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    check!(bench.call(|| pool.shutdown(false, false).is_ok()));
    let refused = bench.call(|| pool.submit(|| 7));
    check!(matches!(refused, Err(SubmitError::ShutDown(job)) if job() == 7));
    Ok(())
}

fn a_job_cannot_wait_for_its_own_pools_end(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    let job = accepted!(pool.submit(move || pool.shutdown(true, false)));
    check!(matches!(
        job.result(),
        Ok(Err(ShutdownError::WouldDeadlock))
    ));
    Ok(())
}

const REASON: &str = "a reason";

fn a_broken_pool_fails_what_is_queued(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    bench.hold(|| {
        let job = accepted!(pool.submit(|| ()));
        bench.call(|| pool.break_pool(REASON));
        let Err(JobError::Broken(reason)) = job.result() else {
            return failed("the job fails as broken");
        };
        check!(reason == BrokenReason::Application(REASON));
        Ok(())
    })
}

fn a_broken_pool_gives_the_job_back(bench: &Bench<'_>) -> Outcome {
    let pool = bench.pool;
    bench.call(|| pool.break_pool(REASON));
    let refused = bench.call(|| pool.submit(|| 7));
    check!(matches!(refused, Err(SubmitError::Broken(job, _)) if job() == 7));
    Ok(())
}

fn a_worker_that_cannot_start_breaks_the_pool(bench: &Bench<'_>) -> Outcome {
    struct Unwilling;
    impl Parker for Unwilling {
        fn waker(&self) -> Waker {
            SpinWorker.waker()
        }
        fn park(&self, deadline: Option<Duration>) {
            SpinWorker.park(deadline);
        }
    }
    impl Worker for Unwilling {
        fn on_start(&self, _worker: WorkerId) -> Result<(), InitError> {
            Err(InitError(REASON))
        }
    }
    let reason = BrokenReason::Initializer(InitError(REASON));
    check!(bench.pool.run(&Unwilling) == Err(RunError::Broken(reason)));
    let refused = bench.pool.submit(|| ());
    check!(matches!(refused, Err(SubmitError::Broken(_, why)) if why == reason));
    Ok(())
}

/// Its size, if it went round at the end of `usize`, would be less than the memory that is lent.
fn a_lent_pool_larger_than_the_address_space_is_refused(_bench: &Bench<'_>) -> Outcome {
    const BYTES: usize = 1 << (usize::BITS - 4);
    let config = PoolConfig {
        slots: 16,
        priorities: 1,
        workers: 1,
        waiters: 1,
    };
    let mut memory = [MaybeUninit::uninit(); 256];
    let refused = LentPool::<BYTES>::new(&mut memory, config).map(drop);
    let Err(MemoryTooSmall { needed, lent }) = refused else {
        return failed("the pool is refused");
    };
    check!(lent == 256 && needed >= usize::MAX / 8);
    Ok(())
}
