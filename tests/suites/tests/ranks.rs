//! Workers with a rank, on threads: some of them are kept for urgent jobs.

use std::thread::{self, Scope, ThreadId};

use corepool::{Ranked, StaticPool};
use corepool_std::{HostPort, ThreadWorker};
use corepool_tests::Gate;

type Pool = StaticPool<6, 64, 2, 2>;

/// A worker that takes any job.
const USUAL: usize = 0;

/// A worker that is kept for urgent jobs.
const KEPT: usize = 1;

/// Starts workers, each kept for jobs of a priority, and waits until they sleep.
fn start<'scope>(scope: &'scope Scope<'scope, '_>, pool: &'static Pool, kept_for: &[usize]) {
    pool.install(&HostPort);
    for &kept_for in kept_for {
        scope.spawn(move || {
            let worker = Ranked {
                worker: ThreadWorker::new(0),
                urgency: 0,
                kept_for,
            };
            pool.run(&worker).unwrap();
        });
    }
    while pool.idle_workers() < kept_for.len() {
        thread::yield_now();
    }
}

fn this_thread() -> ThreadId {
    thread::current().id()
}

#[test]
fn an_urgent_job_finds_the_worker_that_is_kept_for_it() {
    static POOL: Pool = Pool::new();
    thread::scope(|scope| {
        start(scope, &POOL, &[USUAL, KEPT]);
        let (begun, release) = (Gate::new(), Gate::new());
        let (begins, released) = (begun.clone(), release.clone());
        let long = POOL.submit(move || {
            begins.open();
            released.wait();
            this_thread()
        });
        begun.wait();
        let queued = POOL.submit(this_thread).unwrap();
        for _ in 0..20 {
            let urgent = POOL.at(1).submit(this_thread).unwrap();
            let kept = urgent.result().unwrap();
            assert!(!queued.done());
            assert_ne!(kept, this_thread());
        }
        release.open();
        assert_eq!(long.unwrap().result().unwrap(), queued.result().unwrap());
        POOL.shutdown(true, false).unwrap();
    });
}

#[test]
fn each_job_of_any_priority_ends_beside_a_kept_worker() {
    static POOL: Pool = Pool::new();
    thread::scope(|scope| {
        start(scope, &POOL, &[USUAL, KEPT]);
        for round in 0..2_000 {
            let jobs = [round % 2, 1, 0, round % 3 % 2].map(|priority| {
                let job = POOL.at(priority).submit(move || round);
                job.unwrap()
            });
            for job in jobs {
                assert_eq!(job.result().unwrap(), round);
            }
        }
        POOL.shutdown(true, false).unwrap();
    });
}

/// There is no other worker for them, and there will be none.
#[test]
fn a_kept_worker_runs_the_other_jobs_at_the_shutdown() {
    static POOL: Pool = Pool::new();
    thread::scope(|scope| {
        start(scope, &POOL, &[KEPT, KEPT]);
        let usual = POOL.submit(|| 1).unwrap();
        let urgent = POOL.at(1).submit(|| 2).unwrap();
        assert_eq!(urgent.result().unwrap(), 2);
        assert!(!usual.done());
        POOL.shutdown(true, false).unwrap();
        assert_eq!(usual.result().unwrap(), 1);
    });
}

/// The job waits for a promise that a queued job keeps. The worker that is not blocked does not take
/// that one.
#[test]
fn a_blocked_worker_takes_the_job_that_a_kept_one_leaves() {
    static POOL: Pool = Pool::new();
    thread::scope(|scope| {
        start(scope, &POOL, &[USUAL, KEPT]);
        let (promise, promised) = POOL.promise().unwrap();
        let waits = POOL.submit(move || (this_thread(), promised.result().unwrap()));
        let keeps = POOL.submit(move || promise.set_result(this_thread()).unwrap());
        let (own, keeper) = waits.unwrap().result().unwrap();
        assert_eq!(own, keeper);
        assert!(keeps.unwrap().result().is_ok());
        POOL.shutdown(true, false).unwrap();
    });
}

/// The pool would stand still otherwise.
#[test]
fn the_last_worker_that_blocks_takes_any_job() {
    static POOL: Pool = Pool::new();
    thread::scope(|scope| {
        start(scope, &POOL, &[KEPT]);
        let (promise, promised) = POOL.promise::<u32>().unwrap();
        let waits = POOL.at(1).submit(move || promised.result().unwrap());
        let keeps = POOL.submit(move || promise.set_result(7).unwrap());
        assert_eq!(waits.unwrap().result().unwrap(), 7);
        assert!(keeps.unwrap().result().is_ok());
        POOL.shutdown(true, false).unwrap();
    });
}
