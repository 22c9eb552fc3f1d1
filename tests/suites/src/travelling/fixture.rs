//! The executors that take jobs that travel.

use std::{
    panic::resume_unwind,
    thread::{self, JoinHandle},
    time::Duration,
};

use corepool::{
    JobFuture, PoolRef, ShutdownError, Spill, StaticPool, SubmitError,
    remote::{
        Buffers, RemoteConfig, RemoteEnd, RemoteExecutor, RemoteJob, RemoteWorker, serve_catching,
    },
};
use corepool_std::{ThreadParker, ThreadPool, ThreadWorker, process::ProcessPool, remote_panic};

use super::jobs::JOBS;
use crate::{
    BYTES, SLOTS, SMALL, TestPort,
    fixture::keep,
    wire::{End, Wire, catch_panic},
};

/// A pool under test. It lives for ever, so that callbacks can hold it, and has two priorities.
pub trait Pool: Copy + Send + Sync + 'static {
    /// The pool as what all executors of such jobs are.
    fn executor(&self) -> &impl RemoteExecutor;

    /// Queues a job, at a priority.
    fn submit_at<J: RemoteJob>(self, priority: usize, job: J) -> Submitted<J>;

    /// Queues a job.
    fn submit<J: RemoteJob>(self, job: J) -> Submitted<J> {
        self.submit_at(0, job)
    }

    /// Queues a job, and waits for room if there is none.
    fn submit_blocking<J: RemoteJob>(self, job: J) -> Submitted<J>;

    /// Ends the pool.
    fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError>;
}

/// The answer to a submit.
pub type Submitted<J> = Result<JobFuture<'static, <J as RemoteJob>::Output>, SubmitError<J>>;

impl<S: Spill + 'static> Pool for PoolRef<'static, BYTES, S> {
    fn executor(&self) -> &impl RemoteExecutor {
        self
    }

    fn submit_at<J: RemoteJob>(self, priority: usize, job: J) -> Submitted<J> {
        self.at(priority).submit_remote(job)
    }

    fn submit_blocking<J: RemoteJob>(self, job: J) -> Submitted<J> {
        self.submit_remote_blocking(job)
    }

    fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        PoolRef::shutdown(self, wait, cancel_futures)
    }
}

impl Pool for &'static ThreadPool {
    fn executor(&self) -> &impl RemoteExecutor {
        *self
    }

    fn submit_at<J: RemoteJob>(self, priority: usize, job: J) -> Submitted<J> {
        self.at(priority).submit_remote(job)
    }

    fn submit_blocking<J: RemoteJob>(self, job: J) -> Submitted<J> {
        RemoteExecutor::submit_remote_blocking(self, job)
    }

    fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        ThreadPool::shutdown(self, wait, cancel_futures)
    }
}

impl Pool for &'static ProcessPool {
    fn executor(&self) -> &impl RemoteExecutor {
        *self
    }

    fn submit_at<J: RemoteJob>(self, priority: usize, job: J) -> Submitted<J> {
        ProcessPool::submit_at(self, priority, job)
    }

    fn submit_blocking<J: RemoteJob>(self, job: J) -> Submitted<J> {
        ProcessPool::submit_blocking(self, job)
    }

    fn shutdown(self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        ProcessPool::shutdown(self, wait, cancel_futures)
    }
}

/// An executor under test. Dropped, it shuts down, and waits for all work and all workers.
pub trait Fixture: Sized + 'static {
    /// The view of its pool.
    type Pool: Pool;

    /// An executor with so many workers and so many slots, [`SLOTS`] or [`SMALL`].
    fn start_with(workers: usize, slots: usize) -> Self;

    /// An executor with so many workers.
    fn start(workers: usize) -> Self {
        Self::start_with(workers, SLOTS)
    }

    /// An executor with a worker and [`SMALL`] slots.
    fn start_small() -> Self {
        Self::start_with(1, SMALL)
    }

    /// The pool.
    fn pool(&self) -> Self::Pool;

    /// The pool's port, if it is the fixture's own: then it can be asked what it was told.
    fn port(&self) -> Option<&TestPort> {
        None
    }
}

/// Waits for a pool's end, unless a test has failed and its jobs may wait for ever.
fn finish(pool: impl Pool) -> bool {
    let failing = thread::panicking();
    let _ = pool.shutdown(!failing, failing);
    !failing
}

/// Child processes, which run this program: its `main` makes workers of them.
#[derive(Debug)]
pub struct Processes(&'static ProcessPool);

impl Fixture for Processes {
    type Pool = &'static ProcessPool;

    fn start_with(workers: usize, slots: usize) -> Self {
        let builder = ProcessPool::builder(&JOBS).max_workers(workers);
        let builder = builder.capacity(slots).priorities(2);
        // A test that has failed may leave jobs that wait for ever.
        let pool = builder.finish_at_exit(false).build();
        Self(keep(pool.unwrap()))
    }

    fn pool(&self) -> Self::Pool {
        self.0
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        finish(self.0);
    }
}

/// The host's thread pool: jobs that could travel run there and then.
#[derive(Debug)]
pub struct LocalThreads(&'static ThreadPool);

impl Fixture for LocalThreads {
    type Pool = &'static ThreadPool;

    fn start_with(workers: usize, slots: usize) -> Self {
        let builder = ThreadPool::builder().max_workers(workers);
        let builder = builder.capacity(slots).priorities(2);
        // A test that has failed may leave jobs that wait for ever.
        let pool = builder.finish_at_exit(false).build();
        Self(keep(pool.unwrap()))
    }

    fn pool(&self) -> Self::Pool {
        self.0
    }
}

impl Drop for LocalThreads {
    fn drop(&mut self) {
        finish(self.0);
    }
}

/// A static pool whose only workers are remote: each has a wire to a thread that serves.
#[derive(Debug)]
pub struct RemoteThreads {
    pool: PoolRef<'static, BYTES>,
    port: &'static TestPort,
    threads: Vec<JoinHandle<()>>,
}

/// For workers, and for waits. More waits than the tests have threads: the place of one that is over
/// may be taken for a moment longer.
const PLACES: usize = 16;
/// How many bytes the buffers of each side have.
const BUFFER: usize = 1_024;

impl Fixture for RemoteThreads {
    type Pool = PoolRef<'static, BYTES>;

    fn start_with(workers: usize, slots: usize) -> Self {
        let pool = if slots == SMALL {
            keep(StaticPool::<SMALL, BYTES, 2, PLACES, PLACES>::new()).pool_ref()
        } else {
            keep(StaticPool::<SLOTS, BYTES, 2, PLACES, PLACES>::new()).pool_ref()
        };
        let port = keep(TestPort::new(None));
        pool.install(port);
        let threads = (0..workers).flat_map(|_| {
            let wire = Wire::new(true);
            let server = wire.server.clone();
            [
                thread::spawn(move || work(pool, &wire)),
                thread::spawn(move || serve(server)),
            ]
        });
        let threads = threads.collect();
        Self {
            pool,
            port,
            threads,
        }
    }

    fn pool(&self) -> Self::Pool {
        self.pool
    }

    fn port(&self) -> Option<&TestPort> {
        Some(self.port)
    }
}

impl Drop for RemoteThreads {
    fn drop(&mut self) {
        if finish(self.pool) {
            for thread in self.threads.drain(..) {
                if let Err(payload) = thread.join() {
                    resume_unwind(payload);
                }
            }
        }
    }
}

/// The life of a remote worker.
fn work(pool: PoolRef<'static, BYTES>, wire: &Wire) {
    let (mut outbox, mut inbox) = ([0; BUFFER], [0; BUFFER]);
    let buffers = Buffers {
        outbox: &mut outbox,
        inbox: &mut inbox,
    };
    let config = RemoteConfig {
        // One job is there at a time, so that a test knows what is queued.
        prefetch: Some(Duration::ZERO),
        panic: remote_panic,
        ..RemoteConfig::default()
    };
    let mut worker = RemoteWorker::<_>::new(wire.client.clone(), &JOBS, buffers, config);
    let end = RemoteWorker::run(&mut worker, pool, &ThreadWorker::default());
    assert_eq!(end, Ok(RemoteEnd::ShutDown));
}

/// The life of its other side.
fn serve(mut link: End) {
    let (mut outbox, mut inbox) = ([0; BUFFER], [0; BUFFER]);
    let buffers = Buffers {
        outbox: &mut outbox,
        inbox: &mut inbox,
    };
    let end = serve_catching(&mut link, &JOBS, buffers, &ThreadParker::new(), catch_panic);
    // It is said goodbye to, even if the worker leaves before the two have met.
    assert_eq!(end, Ok(()));
}
