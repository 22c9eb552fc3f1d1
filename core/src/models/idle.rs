//! Idle workers: no wake-up is lost. A lost wake-up is a deadlock, which loom reports.

use std::task::Waker;

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{GUESTS, MACHINE, Sleeper, explore, spawn, spawn_worker_for_one, with_pool};
use crate::{Kept, Parker, SpinWorker, StaticPool, Worker, engine::run, memory::joined::Stay};

/// Workers sleep as soon as they can, while a job comes, its result is waited for, and the pool is
/// shut down.
fn sleepy_workers<const WORKERS: usize>(name: &str, preemptions: usize, jobs: usize) {
    explore(name, Some(preemptions), move || {
        with_pool(
            &MACHINE,
            |pool: &'static StaticPool<2, 32, 1, WORKERS, 1>| {
                let workers =
                    [(); WORKERS].map(|()| spawn(move || pool.run(&Sleeper::new()).unwrap()));
                let submitted: Vec<_> =
                    (0..jobs).map(|n| pool.submit(move || n).unwrap()).collect();
                for (n, job) in submitted.into_iter().enumerate() {
                    assert_eq!(job.result().unwrap(), n);
                }
                pool.shutdown(false, false).unwrap();
                for worker in workers {
                    worker.join().unwrap();
                }
            },
        );
    });
}

#[test]
fn one_worker() {
    sleepy_workers::<1>("idle: 1 worker, 1 job", 3, 1);
}

#[test]
fn one_worker_two_jobs() {
    sleepy_workers::<1>("idle: 1 worker, 2 jobs", 1, 2);
}

/// Two jobs come while two workers go to sleep. Each worker works until it has run one job.
#[test]
fn two_workers() {
    explore("idle: 2 workers, 2 jobs", Some(1), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 2, 1>| {
            let erased = pool.pool_ref().erased;
            let workers = [(); 2].map(|()| spawn_worker_for_one(erased));
            assert!(pool.submit_detached(|| ()).is_ok());
            assert!(pool.submit_detached(|| ()).is_ok());
            for worker in workers {
                worker.join().unwrap();
            }
        });
    });
}

/// The first job waits for the second, so it takes both workers, or one on top of the other.
#[test]
fn both_are_woken() {
    explore("idle: a job waits for another", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 1>| {
            let worker = spawn(move || pool.run(&Sleeper::new()).unwrap());
            let outer = pool
                .submit(move || pool.submit(|| 7).unwrap().result().unwrap())
                .unwrap();
            assert_eq!(outer.result().unwrap(), 7);
            pool.shutdown(false, false).unwrap();
            worker.join().unwrap();
        });
    });
}

/// A pool has no workers, and its blocked callers run the jobs as guests. The guest that leaves
/// first does not leave the other asleep.
fn guests_run_jobs<const SEATS: usize>(name: &str, preemptions: usize) {
    explore(name, Some(preemptions), || {
        with_pool(&GUESTS, |pool: &'static StaticPool<2, 32, 1, SEATS, 1>| {
            let other = spawn(move || {
                assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1);
            });
            assert_eq!(pool.submit(|| 2).unwrap().result().unwrap(), 2);
            other.join().unwrap();
        });
    });
}

#[test]
fn a_seat_for_each_caller() {
    guests_run_jobs::<2>("idle: 2 guests, 2 seats", 1);
}

#[test]
fn one_seat_for_two_callers() {
    guests_run_jobs::<1>("idle: 2 guests, 1 seat", 1);
}

/// A guest leaves the only seat while another thread wakes it there, and holds the seat's shared
/// waker. The next guest is woken when the seat is free.
#[test]
fn a_seat_that_is_woken_late() {
    explore("idle: a guest's seat is left, and woken", Some(2), || {
        with_pool(&GUESTS, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: left below.
            let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Guest) }.unwrap();
            let waker = spawn(move || erased.seats().wake(seat.seat()));
            let next = spawn(move || {
                assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1);
            });
            // SAFETY: joined above.
            unsafe { seat.leave() };
            waker.join().unwrap();
            next.join().unwrap();
        });
    });
}

/// The same race with a worker, while another thread declares it lost.
#[test]
fn a_seat_that_is_lost_late() {
    explore("idle: a worker's seat is left, and lost", Some(2), || {
        with_pool(&GUESTS, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            // SAFETY: left below.
            let seat = unsafe {
                pool.pool_ref()
                    .erased
                    .seats()
                    .join(&SpinWorker, Stay::Worker)
            }
            .unwrap();
            let held = seat.lose(seat.id()).unwrap();
            // SAFETY: the guard of `lose` is a hold.
            unsafe { seat.tell_of_loss() };
            let next = spawn(move || {
                assert_eq!(pool.submit(|| 1).unwrap().result().unwrap(), 1);
            });
            // SAFETY: joined above.
            unsafe { seat.leave() };
            drop(held);
            next.join().unwrap();
        });
    });
}

/// Both races at once, while a thread without a seat runs a job. That thread does not hide that the
/// seat is free.
#[test]
fn a_seat_that_is_woken_late_and_a_caller_without_one() {
    explore(
        "idle: a worker's seat is left, a caller has none",
        Some(2),
        || {
            with_pool(&GUESTS, |pool: &'static StaticPool<2, 32, 1, 1, 1>| {
                let erased = pool.pool_ref().erased;
                // SAFETY: left below.
                let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
                let held = seat.lose(seat.id()).unwrap();
                // SAFETY: the guard of `lose` is a hold.
                unsafe { seat.tell_of_loss() };
                pool.submit_detached(|| ()).unwrap();
                let job = pool.submit(|| 1).unwrap();
                let unseated = spawn(move || run::as_guest(erased, 1));
                let next = spawn(move || assert_eq!(job.result().unwrap(), 1));
                // SAFETY: joined above.
                unsafe { seat.leave() };
                drop(held);
                unseated.join().unwrap();
                next.join().unwrap();
            });
        },
    );
}

/// A worker that was claimed for a job, and leaves instead, sees that the job is queued.
#[test]
fn who_was_claimed_finds_the_job() {
    explore("idle: claimed for a job", None, || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: left below.
            let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            let worker = spawn(move || {
                seat.announce();
                assert!(!seat.retract() || erased.queues().has_any());
            });
            assert!(pool.submit_detached(|| ()).is_ok());
            worker.join().unwrap();
            // SAFETY: joined above.
            unsafe { seat.leave() };
        });
    });
}

/// A thread that sees that no worker is left sees all that the workers did.
#[test]
fn what_was_done_by_those_who_left() {
    explore("idle: leave, count", None, || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let erased = pool.pool_ref().erased;
            let done = Arc::new(UnsafeCell::new(()));
            // SAFETY: left below.
            let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            let worker = {
                let done = done.clone();
                spawn(move || {
                    done.with_mut(|_| ());
                    // SAFETY: joined above.
                    unsafe { seat.leave() };
                })
            };
            if pool.workers() == 0 {
                done.with_mut(|_| ());
            }
            worker.join().unwrap();
        });
    });
}

/// A worker that is sent away by a flag.
struct Lent {
    sleeper: Sleeper,
    is_sent_away: Arc<AtomicBool>,
    /// Sleeps where it should only look again, and so uses up a wake-up.
    naps: bool,
}

impl Parker for Lent {
    fn waker(&self) -> Waker {
        self.sleeper.waker()
    }

    fn park(&self, deadline: Option<std::time::Duration>) {
        self.sleeper.park(deadline);
    }
}

impl Worker for Lent {
    fn spin(&self, _round: u32) -> bool {
        if self.naps {
            self.sleeper.forget_wake_up();
        }
        false
    }

    fn stays(&self) -> bool {
        !self.is_sent_away.load(Ordering::Acquire)
    }
}

/// A worker is sent away while it goes to sleep, after a job was queued. It runs the job, and leaves.
fn sent_away(name: &str, naps: bool) {
    explore(name, Some(3), move || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let sleeper = Sleeper::new();
            let waker = sleeper.waker();
            let is_sent_away = Arc::new(AtomicBool::new(false));
            let worker = Lent {
                sleeper,
                is_sent_away: is_sent_away.clone(),
                naps,
            };
            let worker = spawn(move || pool.run(&worker).unwrap());
            let job = pool.submit(|| 1).unwrap();
            is_sent_away.store(true, Ordering::Release);
            waker.wake();
            worker.join().unwrap();
            assert!(job.done());
            assert_eq!(pool.workers(), 0);
        });
    });
}

#[test]
fn who_is_sent_away_runs_what_is_queued() {
    sent_away("idle: a worker is sent away, 1 job", false);
}

#[test]
fn who_is_sent_away_while_it_spins_leaves() {
    sent_away("idle: its wake-up is used up, sent away", true);
}

/// A worker that takes no job of priority 0.
fn kept() -> Kept<Sleeper> {
    Kept {
        worker: Sleeper::new(),
        least_priority: 1,
    }
}

/// One worker is kept for urgent jobs, and more urgent than the other. If a submit wakes the kept one
/// for a job that it does not take, the other one is woken.
#[test]
fn a_kept_worker_beside_another() {
    explore("idle: a kept worker and another", Some(1), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 2, 2, 1>| {
            let urgent = spawn(move || pool.run(&kept()).unwrap());
            let other = spawn_worker_for_one(pool.pool_ref().erased);
            pool.submit_detached(|| ()).unwrap();
            other.join().unwrap();
            pool.shutdown(false, false).unwrap();
            urgent.join().unwrap();
        });
    });
}

/// A pool with a kept worker alone is shut down while that worker goes to sleep.
#[test]
fn a_kept_worker_at_the_end() {
    explore("idle: a kept worker, shut down", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 2, 1, 1>| {
            let worker = spawn(move || pool.run(&kept()).unwrap());
            let job = pool.submit(|| 1).unwrap();
            pool.shutdown(false, false).unwrap();
            worker.join().unwrap();
            assert!(job.done());
        });
    });
}
