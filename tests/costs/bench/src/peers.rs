//! The best pools of the host, each used as its documentation has it.
//!
//! | peer | how it is used |
//! |---|---|
//! | rayon spawn, threadpool, executors | `spawn` or `execute`, which give no result: the job sends it by a [`oneshot`] channel |
//! | rayon scope | the job writes to its place in the submitter's memory; a scope for all that may be under way |
//! | crossbeam-channel, kanal | threads that take boxed closures from a bounded channel; result by `oneshot` |
//! | rusty_pool | `evaluate`, which has a handle with the result |
//! | tokio spawn_blocking, tokio spawn | handles of Tokio, awaited without its runtime |
//! | async-executor | threads that run a `StaticExecutor` |
//! | blocking | `unblock`; its number of threads is the process's, so that it has 2 or does not take part |
//! | affinitypool | `spawn`, which gives a future |
//!
//! A thread waits for a future by `futures_lite::future::block_on`, which keeps its parker.

use std::thread::{self, JoinHandle};

use async_executor::StaticExecutor;
use executors::{Executor, crossbeam_workstealing_pool as workstealing, parker};
use futures_lite::future::block_on;

use crate::{
    pool::{Job, Pool},
    statistics::Slice,
    workloads::{Effort, Workload, scopes},
};

/// A pool that takes closures and gives no results.
pub trait Execute: Sized + Sync {
    /// The name of its row.
    const NAME: &'static str;

    /// A pool of this many threads.
    fn start(workers: usize) -> Self;

    /// Hands a closure over.
    fn execute(&self, job: impl FnOnce() + Send + 'static);
}

impl Job for oneshot::Receiver<u64> {
    fn wait(self) -> u64 {
        self.recv().expect("a result")
    }
}

/// With a channel for each result.
pub struct Oneshot<E>(E);

impl<E: Execute> Pool for Oneshot<E> {
    const NAME: &'static str = E::NAME;

    fn start(workers: usize) -> Option<Self> {
        Some(Self(E::start(workers)))
    }

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Job {
        let (sender, receiver) = oneshot::channel();
        self.0.execute(move || {
            // Fails only if nobody wants the result.
            let _ = sender.send(job());
        });
        receiver
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        let (sender, receiver) = oneshot::async_channel();
        self.0.execute(move || {
            // Fails only if nobody wants the result.
            let _ = sender.send(job());
        });
        async { receiver.await.expect("a result") }
    }
}

impl Execute for rayon::ThreadPool {
    const NAME: &'static str = "rayon spawn";

    fn start(workers: usize) -> Self {
        rayon(workers)
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.spawn(job);
    }
}

/// Rayon's pool.
pub fn rayon(workers: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .build()
        .expect("threads start")
}

/// The name of the row of rayon's scopes.
pub const RAYON_SCOPE: &str = "rayon scope";

/// Scopes of Rayon's.
pub fn rayon_scope(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    scopes::run(workload, effort, || {
        let pool = rayon(workers);
        move |job, results| {
            pool.in_place_scope(|scope| {
                for (number, result) in results.iter_mut().enumerate() {
                    scope.spawn(move |_| *result = job(number as u64));
                }
            });
        }
    })
}

impl Execute for threadpool::ThreadPool {
    const NAME: &'static str = "threadpool";

    fn start(workers: usize) -> Self {
        Self::new(workers)
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.execute(job);
    }
}

/// The work-stealing pool of `executors`, which wants to be shut down.
pub struct Workstealing(workstealing::ThreadPool<parker::StaticParker<parker::SmallThreadData>>);

impl Execute for Workstealing {
    const NAME: &'static str = "executors workstealing";

    fn start(workers: usize) -> Self {
        Self(workstealing::small_pool(workers))
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.0.execute(job);
    }
}

impl Drop for Workstealing {
    fn drop(&mut self) {
        self.0.shutdown_borrowed().expect("it shuts down");
    }
}

/// A job on its way through a channel.
pub type Boxed = Box<dyn FnOnce() + Send>;

/// As many jobs as a `ThreadPool` of this repository has room for.
const CAPACITY: usize = 1024;

/// Threads that take closures from a channel: what is written by hand where there is no pool.
pub struct Channel<S> {
    /// `None` only while it is dropped.
    sender: Option<S>,
    threads: Vec<JoinHandle<()>>,
}

impl<S> Channel<S> {
    fn new<T: FnOnce() + Send + 'static>(sender: S, workers: usize, work: impl Fn() -> T) -> Self {
        Self {
            sender: Some(sender),
            threads: (0..workers).map(|_| thread::spawn(work())).collect(),
        }
    }

    fn sender(&self) -> &S {
        self.sender
            .as_ref()
            .expect("there is a sender until the end")
    }
}

impl<S> Drop for Channel<S> {
    fn drop(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            thread.join().expect("a worker does not panic");
        }
    }
}

impl Execute for Channel<crossbeam_channel::Sender<Boxed>> {
    const NAME: &'static str = "crossbeam-channel + oneshot";

    fn start(workers: usize) -> Self {
        let (sender, receiver) = crossbeam_channel::bounded::<Boxed>(CAPACITY);
        Self::new(sender, workers, || {
            let receiver = receiver.clone();
            move || receiver.into_iter().for_each(|job| job())
        })
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        let sent = self.sender().send(Box::new(job));
        sent.unwrap_or_else(|_| panic!("the threads are there"));
    }
}

impl Execute for Channel<kanal::Sender<Boxed>> {
    const NAME: &'static str = "kanal + oneshot";

    fn start(workers: usize) -> Self {
        let (sender, receiver) = kanal::bounded::<Boxed>(CAPACITY);
        Self::new(sender, workers, || {
            let receiver = receiver.clone();
            move || {
                while let Ok(job) = receiver.recv() {
                    job();
                }
            }
        })
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        self.sender()
            .send(Box::new(job))
            .expect("the threads are there");
    }
}

impl Job for rusty_pool::JoinHandle<u64> {
    fn wait(self) -> u64 {
        self.await_complete()
    }
}

impl Pool for rusty_pool::ThreadPool {
    const NAME: &'static str = "rusty_pool";

    fn start(workers: usize) -> Option<Self> {
        let builder = rusty_pool::Builder::new();
        Some(builder.core_size(workers).max_size(workers).build())
    }

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Job {
        self.evaluate(job)
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        let job = self.evaluate(job);
        async { job.receiver.await.expect("a result") }
    }
}

/// Tokio's pool for blocking work.
pub struct TokioBlocking(tokio::runtime::Runtime);

impl Pool for TokioBlocking {
    const NAME: &'static str = "tokio spawn_blocking";

    fn start(workers: usize) -> Option<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.max_blocking_threads(workers).build().ok().map(Self)
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        let job = self.0.spawn_blocking(job);
        async { job.await.expect("a result") }
    }
}

/// Tokio's executor for tasks.
pub struct TokioTasks(tokio::runtime::Runtime);

impl Pool for TokioTasks {
    const NAME: &'static str = "tokio spawn";

    fn start(workers: usize) -> Option<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(workers).build().ok().map(Self)
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        let job = self.0.spawn(async { job() });
        async { job.await.expect("a result") }
    }
}

/// Threads that run an executor that lives for ever.
pub struct AsyncExecutor {
    executor: &'static StaticExecutor,
    /// Each dropped, they end the threads.
    stop: Vec<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool for AsyncExecutor {
    const NAME: &'static str = "async-executor";

    fn start(workers: usize) -> Option<Self> {
        let executor: &'static StaticExecutor = Box::leak(Box::new(StaticExecutor::new()));
        let start = |_| {
            let (stop, stopped) = oneshot::async_channel();
            let work = move || {
                // An error: the sender is gone, and that is the sign to stop.
                let _ = block_on(executor.run(stopped));
            };
            (stop, thread::spawn(work))
        };
        let (stop, threads) = (0..workers).map(start).unzip();
        Some(Self {
            executor,
            stop,
            threads,
        })
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        self.executor.spawn(async { job() })
    }
}

impl Drop for AsyncExecutor {
    fn drop(&mut self) {
        self.stop.clear();
        for thread in self.threads.drain(..) {
            thread.join().expect("a worker does not panic");
        }
    }
}

/// The pool of the crate `blocking`: one for the process.
pub struct Blocking;

/// The size of the process's one pool, as the environment says it.
fn blocking_threads() -> Option<usize> {
    std::env::var("BLOCKING_MAX_THREADS").ok()?.parse().ok()
}

impl Pool for Blocking {
    const NAME: &'static str = "blocking";

    fn start(workers: usize) -> Option<Self> {
        (blocking_threads() == Some(workers)).then_some(Self)
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        blocking::unblock(job)
    }
}

impl Pool for affinitypool::Threadpool {
    const NAME: &'static str = "affinitypool";

    fn start(workers: usize) -> Option<Self> {
        Some(Self::new(workers))
    }

    fn call(&self, job: impl FnOnce() -> u64 + Send + 'static) -> impl Future<Output = u64> {
        self.spawn(job)
    }
}
