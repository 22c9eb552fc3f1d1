//! A submit takes over the slot of a job that has ended in the queue, while other threads pop its
//! index.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{Counted, MACHINE, explore, run_one, spawn, with_pool};
use crate::{JobFuture, StaticPool, SubmitError, engine::run};

/// A pool with room for two jobs.
type Pool = StaticPool<2, 32, 1, 1, 1>;
/// A pool with room for one job.
type Small = StaticPool<1, 32, 1, 1, 1>;

/// A job that counts how often it runs.
fn counting(runs: &Arc<AtomicUsize>) -> impl FnOnce() + Send + use<> {
    let runs = runs.clone();
    move || {
        runs.fetch_add(1, Relaxed);
    }
}

/// Leaves an ended job in the queue.
fn leave_ended<const S: usize>(pool: &'static StaticPool<S, 32, 1, 1, 1>) {
    let ended = pool.submit(|| ()).unwrap();
    assert!(ended.cancel());
}

/// In every interleaving: the queue has a job that waits, and an ended job behind it. Runs `race`
/// with the first. At the end, its jobs must have run as often as it returns.
fn with_stale_slot(
    name: &str,
    preemptions: Option<usize>,
    race: impl Fn(&'static Pool, JobFuture<'static, ()>, &Arc<AtomicUsize>) -> usize
    + Send
    + Sync
    + 'static,
) {
    explore(name, preemptions, move || {
        let runs = Arc::new(AtomicUsize::new(0));
        let mut submitted = 0;
        with_pool(&MACHINE, |pool: &'static Pool| {
            let waits = pool.submit(|| ()).unwrap();
            leave_ended(pool);
            submitted = race(pool, waits, &runs);
        });
        assert_eq!(runs.load(Relaxed), submitted);
    });
}

/// The index of the slot is popped before, while or after the new job takes its place.
#[test]
fn a_worker_comes_to_the_index() {
    with_stale_slot("stale: submit, run, run", Some(3), |pool, waits, runs| {
        let worker = spawn(move || {
            run_one(pool);
            run_one(pool);
        });
        // A worker that has just popped the index may not have freed the slot yet.
        let submitted = usize::from(pool.submit(counting(runs)).is_ok());
        worker.join().unwrap();
        drop(waits);
        submitted
    });
}

/// Two threads submit, and one of them gets the slot.
#[test]
fn two_submit() {
    with_stale_slot("stale: 2 x submit", Some(3), |pool, waits, runs| {
        let job = counting(runs);
        let other = spawn(move || pool.submit(job).is_ok());
        let mine = pool.submit(counting(runs)).is_ok();
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "one slot was to be had");
        drop(waits);
        1
    });
}

/// A job in a pool that had a stale slot before, and whose only slot is taken.
fn with_job_in_small_pool(
    name: &str,
    preemptions: Option<usize>,
    race: impl Fn(&'static Small, JobFuture<'static, ()>, &Arc<AtomicUsize>) -> usize
    + Send
    + Sync
    + 'static,
) {
    explore(name, preemptions, move || {
        let runs = Arc::new(AtomicUsize::new(0));
        let mut submitted = 0;
        with_pool(&MACHINE, |pool: &'static Small| {
            leave_ended(pool);
            run_one(pool);
            let job = pool.submit(|| ()).unwrap();
            submitted = race(pool, job, &runs);
        });
        assert_eq!(runs.load(Relaxed), submitted);
    });
}

/// A reaper meets the submitter that takes the slot over. One of them gives way.
#[test]
fn another_takes_the_index_out() {
    with_job_in_small_pool("stale: submit, reap", Some(3), |pool, ended, runs| {
        let captured = Counted::new(&Arc::new(AtomicUsize::new(0)));
        let job = counting(runs);
        let submitter = spawn(move || {
            let job = move || {
                let _dropped = captured;
                job();
            };
            match pool.submit(job) {
                Ok(_) => 1,
                Err(SubmitError::Full(_)) => 0,
                Err(error) => panic!("{error}"),
            }
        });
        ended.cancel();
        drop(ended);
        pool.pool_ref().erased.slots().reap();
        submitter.join().unwrap()
    });
}

/// A submit finds no stale slot, and records that, while a slot becomes stale. The next submit
/// finds it.
#[test]
fn a_slot_becomes_stale_while_one_looks() {
    explore("stale: submit, drop", Some(3), || {
        let runs = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            // The ended job makes the submit look for a stale slot.
            leave_ended(pool);
            run_one(pool);
            let waits = pool.submit(|| ()).unwrap();
            let ended = pool.submit(|| ()).unwrap();
            ended.cancel();
            let job = counting(&runs);
            let submitter = spawn(move || pool.submit(job).is_ok());
            drop(ended);
            if !submitter.join().unwrap() {
                assert!(pool.submit(counting(&runs)).is_ok(), "the slot is lost");
            }
            drop(waits);
        });
        assert_eq!(runs.load(Relaxed), 1);
    });
}

/// A submit waits for room while the future of a cancelled job behind another is dropped. Then
/// `meanwhile` happens.
fn with_waiting_submit(name: &str, preemptions: usize, meanwhile: fn(&'static Pool)) {
    explore(name, Some(preemptions), move || {
        let runs = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let first = pool.submit(|| ()).unwrap();
            let ended = pool.submit(|| ()).unwrap();
            ended.cancel();
            let job = counting(&runs);
            let submitter = spawn(move || drop(pool.submit_blocking(job).unwrap()));
            drop(ended);
            meanwhile(pool);
            submitter.join().unwrap();
            // The future has kept its slot.
            drop(first);
        });
        assert_eq!(runs.load(Relaxed), 1);
    });
}

/// A submit that waits is woken, although no worker pops the index.
#[test]
fn one_waits_for_room() {
    with_waiting_submit("stale: submit_blocking, drop", 2, |_| ());
}

/// The head moves while a submit that waits looks for a stale slot behind it.
#[test]
fn the_head_moves_while_one_waits_for_room() {
    with_waiting_submit("stale: submit_blocking, drop, run", 3, |pool| {
        run_one(pool);
    });
}

/// The head moves while a submit looks. If that submit finds no slot, the next one does.
#[test]
fn the_head_moves_while_one_looks() {
    explore("stale: submit, run, run, submit", Some(4), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<3, 32, 1, 1, 1>| {
            let [first, second] = [(); 2].map(|()| pool.submit(|| ()).unwrap());
            leave_ended(pool);
            let submitter = spawn(move || pool.submit(|| ()).is_ok());
            run_one(pool);
            run_one(pool);
            let submitted = submitter.join().unwrap();
            assert!(submitted || pool.submit(|| ()).is_ok(), "the slot is lost");
            drop((first, second));
        });
    });
}

/// Two slots become stale while a submit doubts that there is one. Another submit finds one.
#[test]
fn two_slots_become_stale_while_one_doubts_it() {
    explore("stale: submit, 2 x drop, submit", Some(3), || {
        with_pool(&MACHINE, |pool: &'static StaticPool<3, 32, 1, 1, 1>| {
            // The ended job makes the submit look for a stale slot.
            leave_ended(pool);
            run::one(pool.pool_ref().erased, 0, None);
            let waits = pool.submit(|| ()).unwrap();
            let ended = [(); 2].map(|()| pool.submit(|| ()).unwrap());
            for job in &ended {
                job.cancel();
            }
            let submitter = spawn(move || pool.submit(|| ()).is_ok());
            drop(ended);
            assert!(pool.submit(|| ()).is_ok(), "one other submits");
            submitter.join().unwrap();
            drop(waits);
        });
    });
}
