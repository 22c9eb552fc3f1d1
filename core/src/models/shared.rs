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

use super::{Counted, MACHINE, explore, run_one, spawn, with_pool};
use crate::{JobError, SharedFuture, StaticPool};

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
