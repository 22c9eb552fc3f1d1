//! The pool's end: every job that was accepted ends, every worker leaves, and nobody waits for ever.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{MACHINE, Sleeper, explore, run_one, spawn, with_pool, with_pool_without_port};
use crate::{JobError, JobFuture, SpinWorker, StaticPool, SubmitError};

type Pool = StaticPool<1, 32, 1, 1, 1>;

/// One submits while another shuts down, and a worker sleeps, works or leaves.
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

/// The pool breaks while one submits and a worker works.
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

/// A worker that finds the pool over leaves: no job may be accepted that it has not seen.
#[test]
fn over_is_over() {
    explore("shutdown: submit, leave", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let submitter = spawn(move || pool.submit_detached(|| ()).is_ok());
            let ending = spawn(move || pool.shutdown(false, false).unwrap());
            let over = pool.handle().raw.is_over();
            assert!(!(submitter.join().unwrap() && over));
            ending.join().unwrap();
        });
    });
}

/// Who ends the pool comes upon a job that is not in the queue yet.
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

/// The last worker leaves while somebody goes to sleep until then.
#[test]
fn who_waits_is_told_of_the_last_worker() {
    explore("shutdown: wait, leave", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let worker = spawn(move || {
                // SAFETY: left at once.
                let seat = unsafe { pool.handle().raw.join(&SpinWorker, false) }.unwrap();
                // SAFETY: joined above.
                unsafe { seat.leave() };
            });
            pool.shutdown(true, false).unwrap();
            worker.join().unwrap();
        });
    });
}

/// A task that waits and that nobody wakes.
fn endless_task(pool: &'static Pool) -> JobFuture<'static, ()> {
    let task = pool.spawn(pending::<()>()).unwrap();
    run_one(pool);
    task
}

/// The last task of a pool that is shut down is cancelled while somebody goes to sleep until then.
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

/// A caller that has no seat, since there is no port, runs the last job while the pool is shut down.
#[test]
fn the_last_job_is_run_without_a_seat() {
    explore("shutdown: waiting, run without a seat", Some(2), || {
        with_pool_without_port(|pool: &'static Pool| {
            let ended = Arc::new(AtomicBool::new(false));
            let end = ended.clone();
            pool.submit_detached(move || end.store(true, Relaxed))
                .unwrap();
            let caller = spawn(move || pool.run_pending(1));
            pool.shutdown(true, false).unwrap();
            assert!(ended.load(Relaxed));
            caller.join().unwrap();
        });
    });
}
