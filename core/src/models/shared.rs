//! A shared future: each holder that waits is woken, and the last one drops the result.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use loom::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread::yield_now,
};

use super::{Counted, MACHINE, explore, run_one, spawn, with_pool};
use crate::{
    JobError, OnLoss, SharedFuture, SpinWorker, StaticPool, WorkerId, engine::run,
    memory::joined::Stay,
};

/// With places for two waiters.
type Pool = StaticPool<2, 32, 1, 1, 2>;

fn with_shared(
    name: &str,
    preemptions: usize,
    race: impl Fn(&'static Pool, SharedFuture<'static, Counted>) + Send + Sync + 'static,
) {
    explore(name, Some(preemptions), move || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let value = Counted::new(&alive);
            race(pool, pool.submit(move || value).unwrap().share());
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

#[test]
fn two_wait() {
    with_shared("shared: wait, wait, run", 2, |pool, one| {
        let other = one.clone();
        let waiter = spawn(move || assert!(other.result().is_ok()));
        let worker = spawn(move || assert!(run_one(pool)));
        assert!(one.result().is_ok());
        waiter.join().unwrap();
        worker.join().unwrap();
    });
}

/// A holder waits while another cancels the job.
#[test]
fn wait_and_cancel() {
    with_shared("shared: wait, cancel, run", 2, |pool, one| {
        let other = one.clone();
        let canceller = spawn(move || other.cancel());
        let worker = spawn(move || run_one(pool));
        let cancelled = matches!(one.result(), Err(JobError::Cancelled));
        assert_eq!(canceller.join().unwrap(), cancelled);
        worker.join().unwrap();
    });
}

/// Holders look at the result and leave. The last one drops the result.
#[test]
fn look_and_leave() {
    with_shared(
        "shared: look, leave; clone, look, leave; leave",
        3,
        |pool, one| {
            assert!(run_one(pool));
            let others = [one.clone(), one.clone()];
            let threads = others.map(|other| {
                spawn(move || {
                    let another = other.clone();
                    drop(other);
                    assert!(another.try_result().unwrap().is_ok());
                })
            });
            drop(one);
            for thread in threads {
                thread.join().unwrap();
            }
        },
    );
}

/// The holders leave while the job ends.
#[test]
fn leave_and_run() {
    with_shared("shared: leave, leave, run", 3, |pool, one| {
        let other = one.clone();
        let worker = spawn(move || assert!(run_one(pool)));
        let holder = spawn(move || drop(other));
        drop(one);
        holder.join().unwrap();
        worker.join().unwrap();
    });
}

/// A future with a waker is shared while its job ends.
#[test]
fn share_and_run() {
    explore("shared: poll, share, wait, run", Some(3), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let mut future = pool.submit(|| 1).unwrap();
            let worker = spawn(move || assert!(run_one(pool)));
            let polled = pin!(&mut future).poll(&mut Context::from_waker(Waker::noop()));
            let shared = future.share();
            match shared.result() {
                Ok(result) => assert_eq!(*result, 1),
                Err(error) => assert!(polled.is_ready(), "{error}"),
            }
            worker.join().unwrap();
        });
    });
}

/// An await is given up while the job ends, and another holder waits.
#[test]
fn give_up_and_run() {
    with_shared("shared: await, give up; wait, run", 2, |pool, one| {
        let other = one.clone();
        let worker = spawn(move || assert!(run_one(pool)));
        let waiter = spawn(move || assert!(other.result().is_ok()));
        {
            let wait = pin!(one.result_async());
            let _ = wait.poll(&mut Context::from_waker(Waker::noop()));
        }
        waiter.join().unwrap();
        worker.join().unwrap();
    });
}

/// A callback goes on after a holder has the result. So the holder is woken before the callback.
#[test]
fn a_callback_waits_for_a_holder() {
    with_shared("shared: wait, run, callback", 2, |pool, one| {
        let went_on = Arc::new(AtomicBool::new(false));
        let awaited = went_on.clone();
        let callback = move |outcome: Result<&Counted, &JobError>| {
            while !awaited.load(SeqCst) {
                yield_now();
            }
            assert!(outcome.is_ok());
        };
        assert!(one.add_done_callback(callback).is_ok());
        let worker = spawn(move || assert!(run_one(pool)));
        assert!(one.result().is_ok());
        went_on.store(true, SeqCst);
        worker.join().unwrap();
    });
}

/// The holders look and leave while a callback looks. The result is dropped once, after all of them.
#[test]
fn holders_leave_during_a_callback() {
    with_shared("shared: look, leave, callback, run", 2, |pool, one| {
        let callback = |outcome: Result<&Counted, &JobError>| {
            assert_eq!(outcome.unwrap().0.load(Relaxed), 1);
        };
        assert!(one.add_done_callback(callback).is_ok());
        let other = one.clone();
        let worker = spawn(move || assert!(run_one(pool)));
        let holder = spawn(move || {
            if let Some(result) = other.try_result() {
                assert_eq!(result.unwrap().0.load(Relaxed), 1);
            }
        });
        drop(one);
        holder.join().unwrap();
        worker.join().unwrap();
    });
}

/// A future is shared while its callback runs or is about to.
#[test]
fn share_during_a_callback() {
    explore("shared: callback, run, share, wait", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let mut future = pool.submit(|| 1).unwrap();
            assert!(future.add_done_callback(|_| ()).is_ok());
            let worker = spawn(move || assert!(run_one(pool)));
            assert_eq!(*future.share().result().unwrap(), 1);
            worker.join().unwrap();
        });
    });
}

/// A worker is declared lost while it completes a shared job and its callback, and comes back. A
/// holder is woken, and looks at the result meanwhile.
#[test]
fn lost_in_a_callback() {
    with_shared("shared: callback, lost, wait", 1, |pool, one| {
        let erased = pool.pool_ref().erased;
        // SAFETY: left below.
        let seat = unsafe { erased.seats().join(&SpinWorker, Stay::Worker) }.unwrap();
        assert!(one.add_done_callback(|_| ()).is_ok());
        let worker = spawn(move || {
            run::one(erased, seat.runner(), None);
        });
        let holder = spawn(move || match one.result() {
            Ok(result) => assert_eq!(result.0.load(Relaxed), 1),
            Err(error) => assert!(matches!(error, JobError::WorkerLost(_)), "{error}"),
        });
        // SAFETY: no scopes here.
        unsafe {
            pool.pool_ref()
                .worker_lost(WorkerId::FIRST, OnLoss::Continue)
        };
        holder.join().unwrap();
        worker.join().unwrap();
        // SAFETY: joined above.
        unsafe { seat.leave() };
    });
}
