//! The interface of all pools, and the pools of this repository.

use std::{
    sync::{Arc, Barrier},
    thread::{self, JoinHandle},
};

use corepool::{JobFuture, SpinWorker, StaticPool};
use corepool_std::{HostPort, ThreadPool, Workers, run_workers};
use futures_lite::future::block_on;

/// A pool that takes a small closure and gives its result back.
pub trait Pool: Sized + Sync {
    /// The name of its row.
    const NAME: &'static str;

    /// A pool of this many threads. `None` if it cannot have just so many.
    fn start(workers: usize) -> Option<Self>;

    /// Hands a job over, by the call, and not by the first poll; the result is to be awaited.
    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64>;

    /// Hands a job over; a thread may wait for the result.
    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Job {
        Awaited(self.call(job))
    }
}

/// A job for whose result a thread can wait.
pub trait Job {
    /// Blocks until the result is there.
    fn wait(self) -> u64;
}

/// The job of a pool that has only futures.
struct Awaited<F>(F);

impl<F: Future<Output = u64>> Job for Awaited<F> {
    fn wait(self) -> u64 {
        block_on(self.0)
    }
}

impl Job for JobFuture<'_, u64> {
    fn wait(self) -> u64 {
        self.result().expect("a result")
    }
}

/// A pool of this many threads, which all run.
pub fn started<P: Pool>(workers: usize) -> Option<P> {
    Some(started_as(workers, P::start(workers)?))
}

/// This pool, when all of its threads run: as many jobs as there are threads have met.
pub fn started_as<P: Pool>(workers: usize, pool: P) -> P {
    let meeting = Arc::new(Barrier::new(workers));
    let jobs: Vec<_> = (0..workers)
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            pool.submit(move || {
                meeting.wait();
                0
            })
        })
        .collect();
    for job in jobs {
        job.wait();
    }
    pool
}

/// With its default configuration, but for the number of threads.
impl Pool for ThreadPool {
    const NAME: &'static str = "corepool ThreadPool";

    fn start(workers: usize) -> Option<Self> {
        ThreadPool::builder().max_workers(workers).build().ok()
    }

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Job {
        self.submit(job).expect("there is room")
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        let job = ThreadPool::submit(self, job).expect("there is room");
        async { job.await.expect("a result") }
    }
}

/// A pool as large as a [`ThreadPool`] is by default.
type Static = StaticPool<1024, 64>;

/// The threads that are lent to a static pool.
pub trait Crew: Sized + Sync {
    /// The name of the pool's row.
    const NAME: &'static str;

    /// Starts this many, if there can be so many.
    fn start(pool: &'static Static, workers: usize) -> Option<Self>;
}

/// A static pool, as the firmware has it, on threads.
pub struct StaticOn<C> {
    pool: &'static Static,
    _crew: C,
}

impl<C: Crew> Pool for StaticOn<C> {
    const NAME: &'static str = C::NAME;

    fn start(workers: usize) -> Option<Self> {
        // A pool can be shut down only once, so that each measurement needs a new one. Never freed,
        // since threads are lent only to what lives for ever.
        let pool = Box::leak(Box::new(Static::new()));
        let _crew = C::start(pool, workers)?;
        Some(Self { pool, _crew })
    }

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Job {
        self.pool.submit(job).expect("there is room")
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        let job = self.pool.submit(job).expect("there is room");
        async { job.await.expect("a result") }
    }
}

/// Threads that park when there is nothing to do.
impl Crew for Workers {
    const NAME: &'static str = "corepool StaticPool, parking";

    fn start(pool: &'static Static, workers: usize) -> Option<Self> {
        run_workers(pool, workers).ok()
    }
}

/// Threads that never sleep, of which there is at most one for each core but the submitter's.
pub struct Spinning {
    pool: &'static Static,
    threads: Vec<JoinHandle<()>>,
}

impl Crew for Spinning {
    const NAME: &'static str = "corepool StaticPool, spinning";

    fn start(pool: &'static Static, workers: usize) -> Option<Self> {
        if workers >= thread::available_parallelism().map_or(1, usize::from) {
            return None;
        }
        // So that the submitter waits for its job and does not run it itself.
        pool.install(&HostPort);
        let work = move || pool.run(&SpinWorker).expect("the pool does not break");
        let threads = (0..workers).map(|_| thread::spawn(work)).collect();
        Some(Self { pool, threads })
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        // Only a wait could fail.
        let _ = self.pool.shutdown(false, false);
        for thread in self.threads.drain(..) {
            thread.join().expect("a worker does not panic");
        }
    }
}
