//! Jobs that wait for each other: one of them is told, and nobody sleeps for ever.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use loom::thread::yield_now;

use super::{MACHINE, Sleeper, explore, spawn, with_pool};
use crate::{JobError, JobFuture, ReturnWhen, StaticPool, idle::Seated, wait};

type Pool = StaticPool<2, 32, 1, 2, 1>;

/// Two workers, each of which runs one job, and others while that one waits.
fn run_on_two_workers(pool: &'static Pool) {
    let raw = pool.handle().raw;
    let workers = [(); 2].map(|()| {
        spawn(move || {
            let sleeper = Sleeper::new();
            // SAFETY: left below, before the sleeper goes.
            let seat = unsafe { raw.join(&sleeper, false) }.unwrap();
            raw.run_one(Some(seat), None);
            // SAFETY: joined above.
            unsafe { seat.leave() };
        })
    });
    for worker in workers {
        worker.join().unwrap();
    }
}

/// Two workers close a circle at the same time, or one on top of itself.
#[test]
fn two_jobs() {
    explore("circle: 2 jobs wait for each other", Some(1), || {
        let told = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let others = Arc::new([Mutex::new(None), Mutex::new(None)]);
            for number in [0, 1] {
                let (told, theirs) = (told.clone(), others.clone());
                let job = pool.submit(move || {
                    let other: Option<JobFuture<'_, ()>> = theirs[number].lock().unwrap().take();
                    if matches!(other.unwrap().result(), Err(JobError::WouldDeadlock)) {
                        told.fetch_add(1, Relaxed);
                    }
                });
                *others[1 - number].lock().unwrap() = job.ok();
            }
            run_on_two_workers(pool);
        });
        assert_ne!(told.load(Relaxed), 0);
    });
}

/// A job waits for one that runs on top of what waits for the first: nothing keeps the one on top
/// from going on. Whoever lets the others go first makes that happen without many preemptions.
#[test]
fn no_circle() {
    explore("circle: none, on top of one that waits", Some(2), || {
        with_pool(&MACHINE, |pool: &'static Pool| {
            let raw = pool.handle().raw;
            let first = pool
                .submit(move || {
                    yield_now();
                    let second = pool.submit(|| {
                        yield_now();
                        7
                    });
                    second.unwrap().result().unwrap()
                })
                .unwrap();
            let as_worker = move |body: &mut dyn FnMut(&Sleeper, Seated<'static>)| {
                let sleeper = Sleeper::new();
                // SAFETY: left below, before the sleeper goes.
                let seat = unsafe { raw.join(&sleeper, false) }.unwrap();
                body(&sleeper, seat);
                // SAFETY: joined above.
                unsafe { seat.leave() };
            };
            let other = spawn(move || {
                as_worker(&mut |_, seat| {
                    raw.run_one(Some(seat), None);
                });
            });
            yield_now();
            let mut first = Some(first);
            as_worker(&mut |_, _| {
                assert_eq!(first.take().unwrap().result().unwrap(), 7);
            });
            other.join().unwrap();
        });
    });
}

/// A job waits until itself or another fails: it is not told, since the other does.
#[test]
fn a_failure_ends_the_wait() {
    explore("circle: none, since another fails", Some(2), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<2, 32, 1, 1, 2>| {
            let raw = pool.handle().raw;
            let (failing, other) = pool.promise::<()>().unwrap();
            let both = Arc::new(Mutex::new(None));
            let theirs = both.clone();
            let job = pool.submit(move || {
                let mut both: [JobFuture<'_, ()>; 2] = theirs.lock().unwrap().take().unwrap();
                let waited = wait(&mut both, None, ReturnWhen::FirstException).unwrap();
                assert_eq!(waited.done.len(), 1);
            });
            *both.lock().unwrap() = job.ok().map(|own| [own, other]);
            let holder = spawn(move || drop(failing));
            let sleeper = Sleeper::new();
            // SAFETY: left below, before the sleeper goes.
            let seat = unsafe { raw.join(&sleeper, false) }.unwrap();
            raw.run_one(Some(seat), None);
            // SAFETY: joined above.
            unsafe { seat.leave() };
            holder.join().unwrap();
        });
    });
}
