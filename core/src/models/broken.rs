//! The pool breaks while another thread acts on a job: each job ends once, with its outcome, no
//! thread waits for ever, and nothing leaks.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{Counted, MACHINE, Sleeper, explore, run_one, spawn, with_pool};
use crate::{
    FutureSet, JobError, JobFuture, ReturnWhen, ShutdownError, StaticPool, as_completed, wait,
};

type Pool = StaticPool<2, 32, 1, 1, 1>;

/// In every interleaving: submits a job whose closure and result are counted, and breaks the pool
/// while `race` acts on the job. Both are dropped exactly once.
fn with_job(
    name: &str,
    preemptions: usize,
    race: impl Fn(&'static Pool, JobFuture<'static, Counted>) + Send + Sync + 'static,
) {
    explore(name, Some(preemptions), move || {
        let alive = Arc::new(AtomicUsize::new(0));
        with_pool(&MACHINE, |pool: &'static Pool| {
            let captured = Counted::new(&alive);
            let job = pool.submit(move || Counted::new(&captured.0)).unwrap();
            let breaker = spawn(move || pool.break_pool("model"));
            race(pool, job);
            breaker.join().unwrap();
        });
        assert_eq!(alive.load(Relaxed), 0, "something was not dropped");
    });
}

fn is_broken<T>(outcome: Result<T, JobError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(error) => {
            assert!(matches!(error, JobError::Broken(_)), "{error}");
            true
        }
    }
}

#[test]
fn run() {
    with_job("broken: run, result", 3, |pool, job| {
        let ran = run_one(pool);
        assert!(is_broken(job.result()) || ran);
    });
}

#[test]
fn sleep_for_the_result() {
    with_job("broken: sleep for the result", 3, |_, job| {
        assert!(is_broken(job.result()));
    });
}

#[test]
fn cancel() {
    with_job("broken: cancel, result", 3, |_, job| {
        if job.cancel() {
            assert!(matches!(job.result(), Err(JobError::Cancelled)));
        } else {
            assert!(is_broken(job.result()));
        }
    });
}

#[test]
fn drop_the_handle() {
    with_job("broken: drop", 3, |_, job| drop(job));
}

#[test]
fn add_a_callback() {
    with_job("broken: callback", 2, |_, mut job| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = seen.clone();
        let callback = move |outcome: Result<&Counted, &JobError>| {
            theirs.lock().unwrap().push(outcome.is_err());
        };
        // The callback may find no slot while the job's own index is in the queue.
        let added = job.add_done_callback(callback).is_ok();
        assert!(is_broken(job.result()));
        assert_eq!(*seen.lock().unwrap(), vec![true; usize::from(added)]);
    });
}

#[test]
fn wait_for_a_set() {
    with_job("broken: wait", 2, |_, job| {
        let mut jobs = [job];
        let waited = wait(&mut jobs, None, ReturnWhen::AllCompleted).unwrap();
        assert_eq!(waited.done.len(), 1);
        let [job] = jobs;
        assert!(is_broken(job.result()));
    });
}

#[test]
fn take_as_completed() {
    with_job("broken: as_completed", 2, |_, job| {
        let mut jobs = FutureSet::<'_, Counted, 1>::new();
        assert!(jobs.push(job).is_ok());
        let mut set = as_completed(jobs, None);
        assert!(is_broken(set.next().unwrap().unwrap().result()));
        assert!(set.next().is_none());
    });
}

#[test]
fn shut_down() {
    with_job("broken: shutdown", 2, |pool, job| {
        assert_eq!(pool.shutdown(true, false), Ok::<(), ShutdownError>(()));
        assert!(is_broken(job.result()));
    });
}

#[test]
fn a_worker_leaves() {
    with_job("broken: worker", 2, |pool, job| {
        assert!(pool.run(&Sleeper::new()).is_err());
        is_broken(job.result());
    });
}
