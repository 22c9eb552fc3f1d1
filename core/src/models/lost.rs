//! A worker is declared lost and comes back: its jobs fail, and no other worker's do.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Context,
};

use super::{Counted, MACHINE, Sleeper, explore, spawn, spawn_worker_for_one, with_pool};
use crate::{
    FutureSet, JobError, OnLoss, Parker, Port, SpinWorker, StaticPool, WorkerId, as_completed,
    engine::run, memory::joined::Stay, memory::seat::SeatRef,
};

/// Worker 0 is declared lost while it is anywhere in its job, and worker 1 runs another. The slots
/// come back, since worker 0 does.
#[test]
fn nobody_elses_job() {
    explore("lost: 2 workers run, one is declared lost", Some(2), || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 2, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: both leave below.
            let seats = [(); 2]
                .map(|()| unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap());
            let runners = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
            let jobs = [0, 1].map(|number| {
                let (captured, runners) = (Counted::new(&alive), runners.clone());
                pool.submit(move || {
                    runners[number].store(MACHINE.context().get(), Relaxed);
                    Counted::new(&captured.0)
                })
                .unwrap()
            });
            let healthy = spawn(move || {
                run::one(erased, seats[1].runner(), None);
            });
            let lost = spawn(move || {
                run::one(erased, seats[0].runner(), None);
                MACHINE.context().get()
            });
            // SAFETY: no scopes here.
            unsafe {
                pool.pool_ref()
                    .worker_lost(WorkerId::FIRST, OnLoss::Continue)
            };
            healthy.join().unwrap();
            let lost = lost.join().unwrap();
            for (job, runner) in jobs.into_iter().zip(runners.iter()) {
                match job.result() {
                    Ok(_) => {}
                    Err(JobError::WorkerLost(_)) => assert_eq!(runner.load(Relaxed), lost),
                    Err(error) => panic!("{error}"),
                }
            }
            for seat in seats {
                // SAFETY: joined above.
                unsafe { seat.leave() };
            }
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

/// A worker is declared lost while it completes a job and its callback, and comes back. The waiter
/// is woken, and the result is dropped once.
#[test]
fn while_it_completes() {
    explore("lost: complete, callback, waiter", Some(1), || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: left below.
            let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            let captured = Counted::new(&alive);
            let mut job = pool.submit(move || Counted::new(&captured.0)).unwrap();
            let captured = Counted::new(&alive);
            let callback = move |_: Result<&Counted, &JobError>| drop(captured);
            assert!(job.add_done_callback(callback).is_ok());
            let worker = spawn(move || {
                run::one(erased, seat.runner(), None);
            });
            let waiter = spawn(move || job.result());
            // SAFETY: no scopes here.
            unsafe {
                pool.pool_ref()
                    .worker_lost(WorkerId::FIRST, OnLoss::Continue)
            };
            match waiter.join().unwrap() {
                Ok(_) => {}
                Err(error) => assert!(matches!(error, JobError::WorkerLost(_)), "{error}"),
            }
            worker.join().unwrap();
            // SAFETY: joined above.
            unsafe { seat.leave() };
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

/// A worker is declared lost after it has taken the waiter of its job, and before it looks at it.
/// It finds that waiter, although the future waits as a member of a set by then.
#[test]
fn while_it_collects() {
    explore("lost: complete, wait anew", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: left below.
            let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            let mut job = pool.submit(|| ()).unwrap();
            let waker = Sleeper::new().waker();
            assert!(!job.poll_ready(&waker));
            let worker = spawn(move || {
                run::one(erased, seat.runner(), None);
            });
            // SAFETY: no scopes here.
            unsafe {
                pool.pool_ref()
                    .worker_lost(WorkerId::FIRST, OnLoss::Continue)
            };
            let mut set = as_completed(FutureSet::<_, 1>::from_iter([job]), None);
            // It does not matter whether it is ready.
            let _ = pin!(set.next_done()).poll(&mut Context::from_waker(&waker));
            worker.join().unwrap();
            drop(set);
            // SAFETY: joined above.
            unsafe { seat.leave() };
        });
    });
}

/// A worker that was declared lost while it went to sleep is claimed for work. It hands the wake-up
/// on when it leaves.
#[test]
fn woken_for_work() {
    explore("lost: woken for work, another sleeps", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 2, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: left below.
            let lost = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            // SAFETY: no scopes here.
            unsafe { pool.pool_ref().worker_lost(lost.id(), OnLoss::Continue) };
            lost.announce();
            let worker = spawn_worker_for_one(erased);
            let going = spawn(move || {
                lost.retract();
                // SAFETY: joined above.
                unsafe { lost.leave() };
            });
            pool.submit_detached(|| ()).unwrap();
            going.join().unwrap();
            worker.join().unwrap();
        });
    });
}

/// A worker is declared lost while it leaves and another takes its seat. The other worker's job is
/// not lost.
#[test]
fn not_in_the_place_of_the_next() {
    explore("lost: leaves, another comes", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let erased = pool.pool_ref().erased;
            // SAFETY: left below.
            let first = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
            let id = first.id();
            let mut job = pool.submit(|| 7).unwrap();
            let others = spawn(move || {
                // SAFETY: joined above.
                unsafe { first.leave() };
                // SAFETY: left below. The thread that declares the first worker lost may still hold
                // the seat.
                let next = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) };
                run::one(erased, next.map_or(0, SeatRef::runner), None);
                if let Some(next) = next {
                    assert!(!next.is_lost());
                    // SAFETY: joined above.
                    unsafe { next.leave() };
                }
            });
            // SAFETY: no scopes here.
            unsafe { pool.pool_ref().worker_lost(id, OnLoss::Continue) };
            others.join().unwrap();
            assert_eq!(job.try_result().unwrap().unwrap(), 7);
        });
    });
}
