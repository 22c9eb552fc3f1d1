//! The pool's end: every accepted job ends, every worker leaves, and no thread waits for ever.

use std::{
    future::{pending, poll_fn},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Poll, Waker},
};

use super::{GUESTS, MACHINE, Sleeper, explore, run_one, spawn, with_pool, with_pool_without_port};
use crate::{
    JobError, JobFuture, OnLoss, SpinWorker, StaticPool, SubmitError,
    engine::{end, run},
    lockfree::state::DONE,
    memory::joined::Stay,
};

type Pool = StaticPool<1, 32, 1, 1, 1>;

/// One thread submits while another shuts down, and a worker sleeps, works or leaves.
fn submit_and_shutdown(name: &str, preemptions: usize, wait: bool, cancel: bool) {
    explore(name, Some(preemptions), move || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let worker = spawn(move || pool.run(&Sleeper::new()).unwrap());
            let submitter = spawn(move || match pool.submit(|| 7) {
                Ok(job) => match job.result() {
                    Ok(value) => assert_eq!(value, 7),
                    Err(error) => assert!(cancel && matches!(error, JobError::Cancelled)),
                },
                Err(error) => assert!(matches!(error, SubmitError::ShutDown(_))),
            });
            pool.shutdown(wait, cancel).unwrap();
            submitter.join().unwrap();
            worker.join().unwrap();
        });
    });
}

#[test]
fn no_wait() {
    submit_and_shutdown("shutdown: submit, worker", 2, false, false);
}

#[test]
fn cancelling() {
    submit_and_shutdown("shutdown: cancelling, submit, worker", 1, false, true);
}

#[test]
fn waiting() {
    submit_and_shutdown("shutdown: waiting, submit, worker", 1, true, false);
}

#[test]
fn waiting_and_cancelling() {
    submit_and_shutdown(
        "shutdown: waiting, cancelling, submit, worker",
        1,
        true,
        true,
    );
}

/// The pool breaks while one thread submits and a worker works.
#[test]
fn broken() {
    explore("shutdown: break, submit, worker", Some(1), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let worker = spawn(move || {
                let _ = pool.run(&Sleeper::new());
            });
            let submitter = spawn(move || match pool.submit(|| 7) {
                Ok(job) => match job.result() {
                    Ok(value) => assert_eq!(value, 7),
                    Err(error) => assert!(matches!(error, JobError::Broken(_))),
                },
                Err(error) => assert!(matches!(error, SubmitError::Broken(..))),
            });
            pool.break_pool("model");
            submitter.join().unwrap();
            worker.join().unwrap();
        });
    });
}

/// A worker that finds the pool at its end leaves. The pool may not have accepted a job that this
/// worker has not seen.
#[test]
fn over_is_over() {
    explore("shutdown: submit, leave", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let submitter = spawn(move || pool.submit_detached(|| ()).is_ok());
            let ending = spawn(move || pool.shutdown(false, false).unwrap());
            let over = end::is_over(pool.pool_ref().erased);
            assert!(!(submitter.join().unwrap() && over));
            ending.join().unwrap();
        });
    });
}

/// The thread that ends the pool finds a job that is not in the queue yet.
#[test]
fn cancelled_before_it_is_queued() {
    explore("shutdown: cancelling, submit", Some(3), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let submitter = spawn(move || {
                let _ = pool.submit_detached(|| ());
            });
            pool.shutdown(false, true).unwrap();
            submitter.join().unwrap();
        });
    });
}

/// A job is refused, and taken back, while a thread waits for the pool's end. The job was in the
/// queue meanwhile.
#[test]
fn who_waits_is_told_of_a_job_that_was_taken_back() {
    explore("shutdown: waiting, a submit is refused", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let submitter = spawn(move || match pool.submit_detached(|| ()) {
                Ok(()) => assert_eq!(pool.run_pending(1), 1),
                Err(error) => assert!(matches!(error, SubmitError::ShutDown(_))),
            });
            pool.shutdown(true, false).unwrap();
            submitter.join().unwrap();
        });
    });
}

/// Two jobs are refused, and taken back, at the same time: neither stays in the queue.
#[test]
fn jobs_that_were_taken_back_are_not_queued() {
    explore("shutdown: two submits are refused", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 1>| {
            let submit = move || pool.submit_detached(|| ()).is_ok();
            let other = spawn(submit);
            let ending = spawn(move || pool.shutdown(false, false).unwrap());
            let mine = submit();
            if other.join().unwrap() || mine {
                pool.run_pending(usize::MAX);
            }
            ending.join().unwrap();
            assert!(!pool.pool_ref().erased.queues().has_any());
        });
    });
}

/// A job that was cancelled in the queue keeps no thread, even if no worker comes to take it out.
#[test]
fn who_waits_is_told_of_a_job_that_was_cancelled() {
    explore("shutdown: waiting, cancel the last job", Some(3), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let job = pool.submit(|| ()).unwrap();
            let canceller = spawn(move || assert!(job.cancel()));
            pool.shutdown(true, false).unwrap();
            canceller.join().unwrap();
        });
    });
}

/// The last worker leaves while a thread goes to sleep until then.
#[test]
fn who_waits_is_told_of_the_last_worker() {
    explore("shutdown: wait, leave", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let worker = spawn(move || {
                // SAFETY: left at once.
                let seat = unsafe {
                    pool.pool_ref()
                        .erased
                        .seats()
                        .join(&SpinWorker, Stay::Worker)
                }
                .unwrap();
                // SAFETY: joined above.
                unsafe { seat.leave() };
            });
            pool.shutdown(true, false).unwrap();
            worker.join().unwrap();
        });
    });
}

/// A task that is never woken.
fn endless_task(pool: &'static Pool) -> JobFuture<'static, ()> {
    let task = pool.spawn(pending::<()>()).unwrap();
    run_one(pool);
    task
}

/// The last task of a pool that is shut down is cancelled while a thread goes to sleep until then.
fn last_task_cancelled(name: &str, preemptions: usize, sleep: fn(&'static Pool)) {
    explore(name, Some(preemptions), move || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let task = endless_task(pool);
            pool.shutdown(false, false).unwrap();
            let canceller = spawn(move || assert!(task.cancel()));
            sleep(pool);
            canceller.join().unwrap();
        });
    });
}

#[test]
fn who_waits_is_told_of_the_last_task() {
    last_task_cancelled("shutdown: wait, cancel the last task", 2, |pool| {
        pool.shutdown(true, false).unwrap();
    });
}

#[test]
fn a_worker_is_told_of_the_last_task() {
    last_task_cancelled("shutdown: worker, cancel the last task", 2, |pool| {
        pool.run(&Sleeper::new()).unwrap();
    });
}

/// The last task is cancelled while the pool is shut down.
#[test]
fn the_last_task_is_cancelled_meanwhile() {
    explore("shutdown: waiting, cancel the last task", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let task = endless_task(pool);
            let canceller = spawn(move || assert!(task.cancel()));
            pool.shutdown(true, false).unwrap();
            canceller.join().unwrap();
        });
    });
}

/// A task that ends at its last poll of `polls`, and wakes itself at each poll before.
fn task(pool: &'static StaticPool<1, 32, 1, 2, 1>, mut polls: u32) -> JobFuture<'static, ()> {
    let task = poll_fn(move |cx| {
        polls -= 1;
        if polls == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    pool.spawn(task).unwrap()
}

/// A guest polls the last task once while the pool is shut down, and leaves. The worker stays until
/// the task has ended, and not for ever.
fn a_caller_polls_the_last_task(name: &str, polls: u32) {
    explore(name, Some(2), move || {
        with_pool(&MACHINE, |pool| {
            let task = task(pool, polls);
            pool.shutdown(false, false).unwrap();
            let caller = spawn(move || pool.run_pending(1));
            pool.run(&Sleeper::new()).unwrap();
            caller.join().unwrap();
            assert!(task.result().is_ok());
        });
    });
}

#[test]
fn a_worker_stays_for_a_task_that_a_caller_polls() {
    a_caller_polls_the_last_task("shutdown: worker, a caller polls the last task", 2);
}

#[test]
fn a_worker_is_told_of_the_last_task_that_a_caller_ends() {
    a_caller_polls_the_last_task("shutdown: worker, a caller ends the last task", 1);
}

/// A worker has popped the last task and is declared lost, while the other goes to sleep until the
/// task's end. With `begun` the lost worker has begun to poll the task, which ends as lost. Without
/// it, the worker polls the task when it comes back.
fn the_last_task_is_with_a_lost_worker(name: &str, begun: bool) {
    explore(name, Some(2), move || {
        with_pool_without_port(|pool| {
            let erased = pool.pool_ref().erased;
            // SAFETY: left below.
            let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            // The port comes after the join, so that the seat has no context, and this context can
            // be the other worker's.
            pool.install(&MACHINE);
            let task = task(pool, 1);
            let slot = erased.slot(erased.queues().pop().unwrap());
            let begin = move || run::begin(erased, slot, seat.runner()).unwrap();
            let polled = begun.then(begin);
            pool.shutdown(false, false).unwrap();
            let lost = spawn(move || {
                // SAFETY: no scopes here.
                unsafe { pool.pool_ref().worker_lost(seat.id(), OnLoss::Continue) };
                run::step(erased, slot, polled.unwrap_or_else(begin), None);
                // SAFETY: joined above.
                unsafe { seat.leave() };
            });
            pool.run(&Sleeper::new()).unwrap();
            // The thread that declares the worker lost may not have woken the waiters yet.
            assert!(slot.state.load().has(DONE));
            lost.join().unwrap();
            assert_eq!(task.result().is_err(), begun);
        });
    });
}

#[test]
fn a_worker_is_told_of_the_last_task_that_is_lost() {
    the_last_task_is_with_a_lost_worker("shutdown: worker, the last task is lost", true);
}

#[test]
fn a_worker_is_told_of_the_last_task_that_a_lost_worker_ends() {
    the_last_task_is_with_a_lost_worker(
        "shutdown: worker, a lost worker ends the last task",
        false,
    );
}

/// A worker ends the last task while it blocks for another job. A second worker, which sleeps, is
/// woken and leaves.
#[test]
fn a_worker_is_told_of_the_last_task_that_another_ends_while_it_blocks() {
    explore(
        "shutdown: worker, a blocked one ends the task",
        Some(2),
        || {
            with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 2, 1>| {
                let erased = pool.pool_ref().erased;
                let (promise, promised) = pool.promise::<()>().unwrap();
                drop(pool.spawn(async {}).unwrap());
                let blocked = spawn(move || {
                    // SAFETY: left below.
                    let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
                    promised.result().unwrap();
                    // SAFETY: joined above.
                    unsafe { seat.leave() };
                });
                pool.shutdown(false, false).unwrap();
                pool.run(&Sleeper::new()).unwrap();
                promise.set_result(()).unwrap();
                blocked.join().unwrap();
            });
        },
    );
}

/// A guest that waits for something else does not keep a thread that waits for the pool's end.
#[test]
fn who_waits_is_told_of_a_guest() {
    explore("shutdown: waiting, another is a guest", Some(2), || {
        with_pool(&GUESTS, |pool: &'static StaticPool<1, 32, 1, 2, 2>| {
            let (promise, promised) = pool.promise::<()>().unwrap();
            let guest = spawn(move || promised.result().unwrap());
            pool.shutdown(true, false).unwrap();
            promise.set_result(()).unwrap();
            guest.join().unwrap();
        });
    });
}

/// A guest polls a task, queues it again, and leaves, while the pool is shut down and queued jobs
/// are cancelled.
#[test]
fn a_task_that_a_caller_queues_again_is_cancelled() {
    explore(
        "shutdown: cancelling, a caller polls a task",
        Some(2),
        || {
            with_pool(&MACHINE, |pool| {
                let task = task(pool, 2);
                let caller = spawn(move || pool.run_pending(1));
                pool.shutdown(true, true).unwrap();
                caller.join().unwrap();
                assert!(task.done());
            });
        },
    );
}

/// A task that is cancelled while it is woken is not queued after.
#[test]
fn a_task_that_is_woken_and_cancelled_is_not_queued() {
    explore("shutdown: cancelling, wake", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let waker = Arc::new(Mutex::new(None));
            let left = waker.clone();
            let task = poll_fn(move |cx| {
                *left.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            });
            drop(pool.spawn(task).unwrap());
            run_one(pool);
            let waker: Waker = waker.lock().unwrap().take().unwrap();
            let waking = spawn(move || waker.wake());
            pool.shutdown(true, true).unwrap();
            waking.join().unwrap();
            assert!(!pool.pool_ref().erased.queues().has_any());
        });
    });
}

/// A job that sets a flag when it has ended.
fn telling_job(pool: &'static Pool) -> (JobFuture<'static, ()>, Arc<AtomicBool>) {
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let job = pool.submit(move || end.store(true, Relaxed)).unwrap();
    (job, ended)
}

/// A guest without a seat, since there is no port, runs the last job while the pool is shut down.
#[test]
fn the_last_job_is_run_without_a_seat() {
    explore("shutdown: waiting, run without a seat", Some(2), || {
        with_pool_without_port(|pool: &'static Pool| {
            let (job, ended) = telling_job(pool);
            drop(job);
            let caller = spawn(move || pool.run_pending(1));
            pool.shutdown(true, false).unwrap();
            assert!(ended.load(Relaxed));
            caller.join().unwrap();
        });
    });
}

/// The same race with a guest that blocks for the job.
#[test]
fn the_last_job_is_run_by_who_waits_for_it() {
    explore("shutdown: waiting, run by who waits", Some(2), || {
        with_pool_without_port(|pool: &'static Pool| {
            let (job, ended) = telling_job(pool);
            let caller = spawn(move || job.result());
            pool.shutdown(true, false).unwrap();
            assert!(ended.load(Relaxed));
            caller.join().unwrap().unwrap();
        });
    });
}

/// The same race with a guest that has found no seat.
#[test]
fn the_last_job_is_run_where_every_seat_is_taken() {
    explore("shutdown: waiting, every seat is taken", Some(1), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let (job, ended) = telling_job(pool);
            drop(job);
            // SAFETY: left below.
            let seat = unsafe {
                pool.pool_ref()
                    .erased
                    .seats()
                    .join(&SpinWorker, Stay::Worker)
            }
            .unwrap();
            let caller = spawn(move || pool.run_pending(1));
            let waiter = spawn(move || {
                pool.shutdown(true, false).unwrap();
                assert!(ended.load(Relaxed));
            });
            // SAFETY: joined above.
            unsafe { seat.leave() };
            waiter.join().unwrap();
            caller.join().unwrap();
        });
    });
}
