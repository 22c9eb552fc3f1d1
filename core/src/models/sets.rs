//! `wait` and `as_completed`: every completion is reported once, even if futures and waits come and
//! go meanwhile.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use loom::thread;

use super::{MACHINE, Sleeper, explore, run_one, spawn, with_pool};
use crate::{
    AsCompleted, FutureSet, JobFuture, Parker, Port, ReturnWhen, StaticPool, as_completed, wait,
};

type Pool = StaticPool<2, 32, 1, 1, 1>;

fn run_in_thread(pool: &'static Pool, jobs: usize) -> thread::JoinHandle<()> {
    spawn(move || {
        for _ in 0..jobs {
            run_one(pool);
        }
    })
}

/// Polls the set once: it registers, or finds a future that is done. True if it finds one.
fn poll_once<const N: usize>(set: &mut AsCompleted<'static, u32, N>, waker: &Waker) -> bool {
    let next = pin!(set.next_done()).poll(&mut Context::from_waker(waker));
    matches!(next, Poll::Ready(Some(Ok(_))))
}

/// A set of two queued jobs, which return 1 and 2. It is registered. Futures that are done before
/// that come in any order.
fn registered_pair(pool: &'static Pool) -> AsCompleted<'static, u32, 2> {
    let jobs: FutureSet<'_, u32, 2> = [1, 2]
        .map(|n| pool.submit(move || n).unwrap())
        .into_iter()
        .collect();
    let mut set = as_completed(jobs, None);
    MACHINE.with_parker(&mut |parker| assert!(!poll_once(&mut set, &parker.waker())));
    set
}

/// The result of a job that is ready: its completer has left.
fn take(mut job: JobFuture<'_, u32>) -> u32 {
    job.try_result().unwrap().unwrap()
}

#[test]
fn wait_for_all() {
    explore("sets: wait for 2, run 2", Some(1), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let mut jobs = [1, 2].map(|n| pool.submit(move || n).unwrap());
            let workers = [run_in_thread(pool, 1), run_in_thread(pool, 1)];
            let waited = wait(&mut jobs, None, ReturnWhen::AllCompleted).unwrap();
            assert!(waited.not_done.is_empty());
            for worker in workers {
                worker.join().unwrap();
            }
        });
    });
}

/// A set is given up while the completer of its member reports to it. The member is shared then, and
/// the link of its slot counts the holders.
#[test]
fn share_after_the_set() {
    explore("sets: give up, share, clone, leave; run", Some(3), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let jobs: FutureSet<'_, u32, 1> = [pool.submit(|| 1).unwrap()].into_iter().collect();
            let mut set = as_completed(jobs, None);
            MACHINE.with_parker(&mut |parker| assert!(!poll_once(&mut set, &parker.waker())));
            let worker = run_in_thread(pool, 1);
            for job in set.into_unfinished() {
                let one = job.share();
                let other = one.clone();
                drop(other);
                assert!(one.try_result().is_none_or(|result| *result.unwrap() == 1));
            }
            worker.join().unwrap();
            assert_eq!(pool.free_slots(), 2);
        });
    });
}

/// The wait ends with the first completion. The second is late, and its future is dropped.
#[test]
fn wait_for_the_first() {
    explore("sets: wait for the first of 2, drop", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let mut jobs = [1, 2].map(|n| pool.submit(move || n).unwrap());
            let worker = run_in_thread(pool, 2);
            let waited = wait(&mut jobs, None, ReturnWhen::FirstCompleted).unwrap();
            assert!(!waited.done.is_empty());
            drop(jobs);
            worker.join().unwrap();
        });
    });
}

/// A future fails while the wait for a failure begins. The other future does not end at all.
#[test]
fn wait_for_a_failure() {
    explore("sets: wait for a failure of 2, fail", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let (failing, first) = pool.promise::<u32>().unwrap();
            let (_pending, second) = pool.promise().unwrap();
            let holder = spawn(move || drop(failing));
            let mut jobs = [first, second];
            let waited = wait(&mut jobs, None, ReturnWhen::FirstException).unwrap();
            assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
            holder.join().unwrap();
        });
    });
}

#[test]
fn each_as_it_completes() {
    explore("sets: as_completed of 2, run 2", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let set = registered_pair(pool);
            let worker = run_in_thread(pool, 2);
            let results: Vec<u32> = set.map(|job| take(job.unwrap())).collect();
            assert_eq!(results, [1, 2], "in the order of completion");
            worker.join().unwrap();
        });
    });
}

/// One completer has reported and has not left when the other has. Neither future is returned
/// before it is ready, and neither is lost.
#[test]
fn a_late_completer() {
    explore("sets: as_completed of 2, run 1 and 1", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let set = registered_pair(pool);
            let worker = run_in_thread(pool, 1);
            run_one(pool);
            let mut results: Vec<u32> = set.map(|job| take(job.unwrap())).collect();
            results.sort();
            assert_eq!(results, [1, 2]);
            worker.join().unwrap();
        });
    });
}

/// The set is dropped while a completer reports to it. The next set uses the place again.
#[test]
fn dropped_meanwhile() {
    explore("sets: as_completed, run, drop, again", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 2>| {
            let worker = spawn(move || {
                run_one(pool);
                run_one(pool);
            });
            for n in [1, 2] {
                let Ok(job) = pool.submit(move || n) else {
                    continue;
                };
                let mut jobs = FutureSet::<'_, u32, 1>::new();
                let _ = jobs.push(job);
                let mut set = as_completed(jobs, None);
                poll_once(&mut set, Waker::noop());
            }
            worker.join().unwrap();
        });
    });
}

/// The waker changes while completers report to the place of the old one.
#[test]
fn another_waker() {
    explore("sets: as_completed, run, another waker", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 2>| {
            let mut jobs = FutureSet::<'_, u32, 1>::new();
            let _ = jobs.push(pool.submit(|| 1).unwrap());
            let worker = spawn(move || {
                run_one(pool);
            });
            let mut set = as_completed(jobs, None);
            let got = poll_once(&mut set, &Sleeper::new().waker());
            assert!(got || set.next().is_some_and(|job| job.is_ok()));
            drop(set);
            worker.join().unwrap();
        });
    });
}

/// A wait begins while a completer reports to a set that was given up.
#[test]
fn another_wait() {
    explore("sets: as_completed, run, give up, wait", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 2>| {
            let mut jobs = FutureSet::<'_, u32, 1>::new();
            let _ = jobs.push(pool.submit(|| 1).unwrap());
            let worker = spawn(move || {
                run_one(pool);
            });
            let mut set = as_completed(jobs, None);
            if !poll_once(&mut set, Waker::noop()) {
                let mut jobs = set.into_unfinished();
                let waited = wait(&mut jobs, None, ReturnWhen::AllCompleted).unwrap();
                assert_eq!(waited.done.len(), 1);
            }
            worker.join().unwrap();
        });
    });
}
