//! A scope ends after its jobs, and uses none of their memory later. Nor do they use its frame.

use loom::{cell::UnsafeCell, thread};

use super::{MACHINE, explore, run_one, spawn, with_pool};
use crate::StaticPool;

/// A value on the scope's frame that a job uses.
struct Borrowed(UnsafeCell<u32>);

// SAFETY: the models check that no two threads use it at the same time.
unsafe impl Sync for Borrowed {}

fn with_scope(name: &str, preemptions: usize, cancel: bool) {
    explore(name, Some(preemptions), move || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 1>| {
            let worker = spawn(move || {
                run_one(pool);
            });
            let borrowed = Borrowed(UnsafeCell::new(0));
            pool.scope(|scope| {
                let borrowed = &borrowed;
                let job = scope
                    .submit(move || {
                        let borrowed = borrowed;
                        // SAFETY: only this job uses it now.
                        borrowed.0.with_mut(|value| unsafe { *value += 1 });
                    })
                    .unwrap();
                if cancel {
                    job.cancel();
                } else if job.running() {
                    drop(job);
                } else {
                    // Waits for the scope to see that the job runs.
                    thread::yield_now();
                    while !job.done() {
                        if !run_one(pool) {
                            thread::yield_now();
                        }
                    }
                }
            });
            // SAFETY: the scope has ended, and so has its job.
            let value = borrowed.0.with_mut(|value| unsafe { *value });
            assert!(value == 1 || (cancel && value == 0));
            worker.join().unwrap();
        });
    });
}

#[test]
fn run_and_end() {
    with_scope("scope: run, end", 3, false);
}

#[test]
fn cancel_and_end() {
    with_scope("scope: run, cancel, end", 3, true);
}

/// The scope's own count shows that the job has ended, and its future is gone.
#[test]
fn drop_and_end() {
    explore("scope: run, drop, end", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<1, 32, 1, 1, 1>| {
            let worker = spawn(move || {
                run_one(pool);
            });
            let borrowed = Borrowed(UnsafeCell::new(0));
            pool.scope(|scope| {
                let borrowed = &borrowed;
                let job = scope.submit(move || {
                    let borrowed = borrowed;
                    // SAFETY: only this job uses it now.
                    borrowed.0.with_mut(|value| unsafe { *value += 1 });
                });
                drop(job.unwrap());
                run_one(pool);
            });
            // SAFETY: the scope has ended, and so has its job.
            assert_eq!(borrowed.0.with_mut(|value| unsafe { *value }), 1);
            worker.join().unwrap();
        });
    });
}
