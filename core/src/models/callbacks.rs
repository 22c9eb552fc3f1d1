//! Callbacks: each runs once, in the order in which they were added, after the outcome is
//! published.

use std::sync::{Arc, Mutex};

use super::{MACHINE, explore, run_one, spawn, with_pool};
use crate::StaticPool;

type Pool = StaticPool<3, 32, 1, 1, 1>;

/// Callbacks are added while the job ends, by a worker or by `cancel`.
fn added_meanwhile(name: &str, preemptions: Option<usize>, cancel: bool) {
    explore(name, preemptions, move || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let mut job = pool.submit(|| 5_u8).unwrap();
            let worker = spawn(move || {
                run_one(pool);
            });
            for number in 0..2 {
                let seen = seen.clone();
                let callback = move |outcome: Result<&u8, &crate::JobError>| {
                    seen.lock().unwrap().push((number, outcome.copied().ok()));
                };
                assert!(job.add_done_callback(callback).is_ok());
            }
            let cancelled = cancel && job.cancel();
            worker.join().unwrap();
            let expected = (!cancelled).then_some(5);
            assert_eq!(*seen.lock().unwrap(), [(0, expected), (1, expected)]);
            assert_eq!(job.result().ok(), expected);
        });
    });
}

#[test]
fn added_while_the_job_ends() {
    added_meanwhile("callbacks: add, add, run", Some(4), false);
}

#[test]
fn added_while_the_job_ends_or_is_cancelled() {
    added_meanwhile("callbacks: add, add, run, cancel", Some(3), true);
}

/// The handle detaches while callbacks are about to run. They run all the same, and see the result.
#[test]
fn dropped_meanwhile() {
    explore("callbacks: add, run, drop", Some(4), || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let mut job = pool.submit(|| 5_u8).unwrap();
            let worker = spawn(move || {
                run_one(pool);
            });
            let theirs = seen.clone();
            let callback = move |outcome: Result<&u8, &crate::JobError>| {
                theirs.lock().unwrap().push(outcome.copied().ok());
            };
            assert!(job.add_done_callback(callback).is_ok());
            drop(job);
            worker.join().unwrap();
        });
        assert_eq!(*seen.lock().unwrap(), [Some(5)]);
    });
}
