//! Fork and join: a recursive function whose calls above a cut are jobs of their own.

use std::{hint::black_box, sync::LazyLock};

use corepool::SubmitError;
use corepool_std::{ThreadPool, ThreadPoolBuilder};

use super::{Effort, Workload};
use crate::{
    peers,
    statistics::{Slice, slice},
};

/// The call at the root.
const ROOT: u64 = 27;
/// Its result.
const RESULT: u64 = 196_418;
/// How many threads there are.
pub const WORKERS: usize = 2;
/// How many slots there are in a pool for forks: enough to keep each thread busy.
const SLOTS: usize = 4 * WORKERS;

/// The row of a thread that makes all calls itself.
pub const ALONE: &str = "half the time of one thread, no pool";
/// The row of a pool for forks.
pub const FEW: &str = "corepool ThreadPool, 8 slots";
/// The row of Rayon's `join`.
pub const RAYON: &str = "rayon join";
/// The row of Forte's `join`.
pub const FORTE: &str = "forte join";

/// A call that forks no more.
fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

/// How many calls fork.
fn forks(n: u64, cut: u64) -> usize {
    if n <= cut {
        0
    } else {
        1 + forks(n - 1, cut) + forks(n - 2, cut)
    }
}

/// A slice whose batches are calls of the root. Its time is that of a fork, with what is below the cut.
fn calls(cut: usize, effort: &Effort, mut root: impl FnMut(u64) -> u64) -> Slice {
    let cut = cut as u64;
    slice(effort.slice, forks(ROOT, cut), || {
        assert_eq!(
            root(black_box(cut)),
            RESULT,
            "a pool that gives wrong results"
        );
    })
}

/// A job for one call, and its result; where there is no room for a job, a call.
fn own(pool: &'static ThreadPool, cut: usize, effort: &Effort) -> Slice {
    fn fork(pool: &'static ThreadPool, n: u64, cut: u64) -> u64 {
        if n <= cut {
            return fib(n);
        }
        match pool.submit(move || fork(pool, n - 2, cut)) {
            Ok(other) => fork(pool, n - 1, cut) + other.result().expect("a result"),
            // Enough is on offer to the other threads.
            Err(SubmitError::Full(other)) => fork(pool, n - 1, cut) + other(),
            Err(error) => panic!("{error}"),
        }
    }
    calls(cut, effort, |cut| {
        let root = pool.submit(move || fork(pool, ROOT, cut));
        root.expect("there is room").result().expect("a result")
    })
}

fn pool(builder: ThreadPoolBuilder) -> ThreadPool {
    builder.max_workers(WORKERS).build().expect("threads start")
}

/// A pool of the default size, in which each fork is a job.
pub fn each(workload: Workload, cut: usize, effort: &Effort) -> Option<Slice> {
    static POOL: LazyLock<ThreadPool> = LazyLock::new(|| pool(ThreadPool::builder()));
    (workload == Workload::ForkJoin).then(|| own(&POOL, cut, effort))
}

/// A pool for forks, in which a few are jobs at a time.
pub fn few(workload: Workload, cut: usize, effort: &Effort) -> Option<Slice> {
    static POOL: LazyLock<ThreadPool> =
        LazyLock::new(|| pool(ThreadPool::builder().capacity(SLOTS)));
    (workload == Workload::ForkJoin).then(|| own(&POOL, cut, effort))
}

/// One thread, whose time is halved.
pub fn alone(workload: Workload, cut: usize, effort: &Effort) -> Option<Slice> {
    fn call(n: u64, cut: u64) -> u64 {
        if n <= cut {
            fib(n)
        } else {
            call(n - 1, cut) + call(n - 2, cut)
        }
    }
    (workload == Workload::ForkJoin).then(|| {
        let slice = calls(cut, effort, |cut| call(ROOT, cut));
        Slice {
            time: slice.time / WORKERS as f64,
            ..slice
        }
    })
}

/// Rayon's `join`.
pub fn rayon(workload: Workload, cut: usize, effort: &Effort) -> Option<Slice> {
    fn fork(n: u64, cut: u64) -> u64 {
        if n <= cut {
            return fib(n);
        }
        let (one, other) = rayon::join(|| fork(n - 1, cut), || fork(n - 2, cut));
        one + other
    }
    (workload == Workload::ForkJoin).then(|| {
        let pool = peers::rayon(WORKERS);
        calls(cut, effort, |cut| pool.install(|| fork(ROOT, cut)))
    })
}

/// Forte's `join`. The caller is one of the threads.
pub fn forte(workload: Workload, cut: usize, effort: &Effort) -> Option<Slice> {
    fn fork(worker: &forte::Worker, n: u64, cut: u64) -> u64 {
        if n <= cut {
            return fib(n);
        }
        let (one, other) = worker.join(|w| fork(w, n - 1, cut), |w| fork(w, n - 2, cut));
        one + other
    }
    static POOL: forte::ThreadPool = forte::ThreadPool::new();
    (workload == Workload::ForkJoin).then(|| {
        // Its threads stay: an attempt to end them may wait for ever in this version.
        POOL.resize_to(WORKERS - 1);
        calls(cut, effort, |cut| {
            POOL.with_worker(|worker| fork(worker, ROOT, cut))
        })
    })
}
