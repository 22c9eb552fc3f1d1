//! A submit that waits for room is woken for it, and for the pool's end.

use super::{MACHINE, explore, run_one, spawn, with_pool};
use crate::{StaticPool, SubmitError};

#[test]
fn one_waits() {
    explore("room: submit_blocking, drop", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let job = pool.submit(|| ()).unwrap();
            run_one(pool);
            let waiting = spawn(move || drop(pool.submit_blocking(|| ()).unwrap()));
            drop(job);
            waiting.join().unwrap();
        });
    });
}

/// The slot is in the queue, and no worker pops its index.
#[test]
fn one_waits_for_a_job_that_is_cancelled() {
    explore("room: submit_blocking, cancel", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let job = pool.submit(|| ()).unwrap();
            let waiting = spawn(move || drop(pool.submit_blocking(|| ()).unwrap()));
            job.cancel();
            drop(job);
            waiting.join().unwrap();
        });
    });
}

/// The slot is taken during the whole wait.
#[test]
fn one_waits_until_the_pool_ends() {
    explore("room: submit_blocking, shutdown", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let job = pool.submit(|| ()).unwrap();
            run_one(pool);
            let waiting = spawn(move || {
                let refused = pool.submit_blocking(|| ());
                assert!(matches!(refused, Err(SubmitError::ShutDown(_))));
            });
            pool.shutdown(false, false).unwrap();
            waiting.join().unwrap();
            drop(job);
        });
    });
}

/// Each of two threads that wait gets the slot, one after the other.
#[test]
fn two_wait() {
    explore("room: 2 x submit_blocking, drop, run", Some(1), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 2>| {
            let job = pool.submit(|| ()).unwrap();
            run_one(pool);
            let waiting = [(); 2].map(|()| {
                spawn(move || {
                    drop(pool.submit_blocking(|| ()).unwrap());
                    run_one(pool);
                })
            });
            drop(job);
            for waiting in waiting {
                waiting.join().unwrap();
            }
        });
    });
}
