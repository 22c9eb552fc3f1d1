//! A job: submit, run, cancel, result and drop, against each other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Wake, Waker},
};

use loom::thread;

use super::{Counted, MACHINE, Sleeper, explore, run_one, spawn, with_pool};
use crate::{JobError, JobFuture, StaticPool, memory::joined::Stay};

type Pool = StaticPool<2, 32, 1, 1, 1>;

/// In every interleaving: submits a job whose closure and result are counted, and runs `race` with
/// it. Both are dropped exactly once, and the slot is free again.
fn with_job(
    name: &str,
    preemptions: Option<usize>,
    race: impl Fn(&'static Pool, JobFuture<'static, Counted>) + Send + Sync + 'static,
) {
    explore(name, preemptions, move || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let captured = Counted::new(&alive);
            let job = pool.submit(move || Counted::new(&captured.0)).unwrap();
            race(pool, job);
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

fn run_in_thread(pool: &'static Pool) -> thread::JoinHandle<()> {
    spawn(move || {
        run_one(pool);
    })
}

#[test]
fn run_and_result() {
    with_job("job: run, result", None, |pool, job| {
        let worker = run_in_thread(pool);
        assert!(job.result().is_ok());
        worker.join().unwrap();
    });
}

/// The waker changes while the completer wakes the old one, which no thread waits for any more.
#[test]
fn another_waker() {
    with_job("job: run, another waker", Some(3), |pool, mut job| {
        let worker = run_in_thread(pool);
        job.poll_ready(Waker::noop());
        assert!(job.result().is_ok());
        worker.join().unwrap();
    });
}

#[test]
fn run_and_drop() {
    with_job("job: run, drop", None, |pool, job| {
        let worker = run_in_thread(pool);
        drop(job);
        worker.join().unwrap();
    });
}

/// A waiter goes away while a completer is about to wake it. Its waker is dropped once, by either.
#[test]
fn run_and_drop_who_waits() {
    with_job("job: run, drop who waits", None, |pool, mut job| {
        let waits = Arc::new(NeverMind);
        assert!(!job.poll_ready(&waits.clone().into()));
        let worker = run_in_thread(pool);
        drop(job);
        worker.join().unwrap();
        assert_eq!(Arc::strong_count(&waits), 1);
    });
}

struct NeverMind;

impl Wake for NeverMind {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn run_and_cancel() {
    with_job("job: run, cancel", None, |pool, mut job| {
        let worker = run_in_thread(pool);
        let cancelled = job.cancel();
        assert!(!cancelled || matches!(job.try_result(), Some(Err(JobError::Cancelled))));
        worker.join().unwrap();
        assert_eq!(job.result().is_err(), cancelled);
    });
}

#[test]
fn run_and_cancel_and_drop() {
    with_job("job: run, cancel then drop", None, |pool, job| {
        let worker = run_in_thread(pool);
        job.cancel();
        drop(job);
        worker.join().unwrap();
    });
}

/// One of two cancellers drops the job, and each call returns the right answer.
#[test]
fn run_and_two_cancels() {
    with_job("job: run, cancel, cancel", Some(2), |pool, job| {
        let job = Arc::new(job);
        let worker = run_in_thread(pool);
        let other = {
            let job = job.clone();
            spawn(move || job.cancel())
        };
        let mine = job.cancel();
        let theirs = other.join().unwrap();
        worker.join().unwrap();
        let job = Arc::into_inner(job).unwrap();
        assert_eq!(job.result().is_err(), mine || theirs);
    });
}

#[test]
fn cancel_and_result() {
    with_job("job: run, cancel, result", Some(2), |pool, job| {
        let worker = run_in_thread(pool);
        let job = Arc::new(job);
        // One thread cancels by a shared handle while the main thread looks for a result.
        let canceller = {
            let job = job.clone();
            spawn(move || job.cancel())
        };
        let _ = (job.done(), job.state());
        let cancelled = canceller.join().unwrap();
        let job = Arc::into_inner(job).unwrap();
        assert_eq!(job.result().is_err(), cancelled);
        worker.join().unwrap();
    });
}

/// A slot goes from one job to the next while the worker may still be in its last steps.
#[test]
fn the_next_tenant() {
    explore("job: slot's next tenant", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let worker = spawn(move || {
                run_one(pool);
                run_one(pool);
            });
            for value in [1, 2] {
                if let Ok(mut job) = pool.submit(move || value)
                    && !job.cancel()
                    && let Some(result) = job.try_result()
                {
                    assert_eq!(result.unwrap(), value);
                }
            }
            worker.join().unwrap();
        });
    });
}

/// A full pool takes back the slots of cancelled jobs while a worker pops them.
#[test]
fn reap_and_run() {
    with_job(
        "job: submit to a pool full of cancelled jobs",
        Some(3),
        |pool, job| {
            let second = pool.submit(|| ()).unwrap();
            assert!(job.cancel());
            drop(job);
            let worker = run_in_thread(pool);
            match pool.submit(|| ()) {
                Ok(third) => drop(third),
                // The worker has popped the index and is about to free the slot.
                Err(error) => assert!(matches!(error, crate::SubmitError::Full(_))),
            }
            drop(second);
            worker.join().unwrap();
        },
    );
}

/// Two threads submit to two slots while a worker runs. Both jobs run once.
#[test]
fn two_submit() {
    explore("job: submit, submit, run", Some(2), || {
        let ran = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let submit = |ran: &Arc<AtomicUsize>| {
                let ran = ran.clone();
                move || {
                    let job = move || {
                        ran.fetch_add(1, Relaxed);
                    };
                    assert!(pool.submit_detached(job).is_ok());
                }
            };
            let other = spawn(submit(&ran));
            let worker = run_in_thread(pool);
            submit(&ran)();
            other.join().unwrap();
            worker.join().unwrap();
        });
        assert_eq!(ran.load(Relaxed), 2);
    });
}

/// A worker waits for a job in the queue, and may run it. Another worker pops its index, and a
/// third thread ends it. One of them does.
#[test]
fn run_by_who_waits() {
    explore("job: run by who waits, pop, cancel", Some(1), || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let sleeper = Sleeper::new();
            // SAFETY: left below, before the sleeper goes.
            let seat =
                unsafe { pool.pool_ref().erased.seats().join(&sleeper, Stay::Worker) }.unwrap();
            let captured = Counted::new(&alive);
            let job = pool.submit(move || Counted::new(&captured.0)).unwrap();
            let popper = spawn(move || run_one(pool));
            let canceller = spawn(move || pool.shutdown(false, true).unwrap());
            if let Err(error) = job.result() {
                assert!(matches!(error, JobError::Cancelled), "{error}");
            }
            popper.join().unwrap();
            canceller.join().unwrap();
            // SAFETY: joined above.
            unsafe { seat.leave() };
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}
