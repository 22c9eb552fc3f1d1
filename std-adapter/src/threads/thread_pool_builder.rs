//! How a thread pool is built.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use corepool::{InitError, PoolConfig};

use super::{
    host_pool::{HostPool, ThreadOptions},
    run_jobs::{Initializer, RunJobs},
    thread_pool::ThreadPool,
};
use crate::spin::SPINS;

/// Why a thread pool could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum ThreadPoolBuildError {
    /// `max_workers` must be 1 to 1,000.
    MaxWorkers(usize),
    /// `capacity` must be 1 to 65,000.
    Capacity(usize),
    /// `priorities` must be 1 to 16.
    Priorities(usize),
    /// `thread_name_prefix` has a NUL in it, which no thread's name may have.
    ThreadName(String),
    /// `stack_size` must be 1 to [`MAX_STACK_SIZE`].
    StackSize(usize),
}

/// The largest stack that a thread can be asked to have. The system has room for less.
pub const MAX_STACK_SIZE: usize = isize::MAX as usize / 2;

impl fmt::Display for ThreadPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxWorkers(n) => write!(f, "max_workers must be 1 to 1,000, not {n}"),
            Self::Capacity(n) => write!(f, "capacity must be 1 to 65,000, not {n}"),
            Self::Priorities(n) => write!(f, "priorities must be 1 to 16, not {n}"),
            Self::ThreadName(prefix) => write!(
                f,
                "thread_name_prefix must have no NUL, as {prefix:?} has: leave it out"
            ),
            Self::StackSize(n) => {
                write!(f, "stack_size must be 1 to {MAX_STACK_SIZE} bytes, not {n}")
            }
        }
    }
}

impl std::error::Error for ThreadPoolBuildError {}

/// Options of a [`ThreadPool`].
///
/// ```
/// use corepool_std::ThreadPool;
///
/// let pool = ThreadPool::builder()
///     .max_workers(2)
///     .thread_name_prefix("reader")
///     .capacity(100)
///     .build()
///     .unwrap();
/// let name = pool.submit(|| std::thread::current().name().map(String::from)).unwrap();
/// assert_eq!(name.result().unwrap().as_deref(), Some("reader-0"));
/// ```
#[derive(Clone)]
pub struct ThreadPoolBuilder {
    max_workers: usize,
    thread_name_prefix: Option<String>,
    stack_size: Option<usize>,
    initializer: Option<Initializer>,
    capacity: usize,
    priorities: usize,
    waiters: usize,
    spins: u32,
}

impl ThreadPoolBuilder {
    /// How many threads at most: 1 to 1,000. By default, the number of cores plus 4, at most 32.
    pub fn max_workers(mut self, max_workers: usize) -> Self {
        self.max_workers = max_workers;
        self
    }

    /// The beginning of the threads' names; `-` and a number follow. By default `ThreadPool-` and a
    /// number that no other pool of the process has, as in `ThreadPool-0-1`.
    pub fn thread_name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.thread_name_prefix = Some(prefix.into());
        self
    }

    /// How many bytes of stack each thread has, 1 to [`MAX_STACK_SIZE`]; the system rounds up to what it can
    /// do. By default as many as [`std::thread`] gives, 2 MiB unless `RUST_MIN_STACK` says otherwise. A job
    /// runs on its thread's stack, and a job that it waits for may run on top of it.
    ///
    /// If the system has no room for such a stack, it refuses the thread: the submit that wanted it fails.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// A function that each thread calls before its first job. If it fails or panics, the pool is
    /// broken: what is queued, and every later submit, fails with its error.
    pub fn initializer(
        mut self,
        initializer: impl Fn() -> Result<(), InitError> + Send + Sync + 'static,
    ) -> Self {
        self.initializer = Some(Arc::new(initializer));
        self
    }

    /// How many jobs can be in flight, queued, running, or done with the result not taken: 1 to
    /// 65,000. By default 1,024.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// How many levels of urgency there are: 1, the default, to 16.
    pub fn priorities(mut self, priorities: usize) -> Self {
        self.priorities = priorities;
        self
    }

    /// How often an idle worker looks for a job again before its thread parks. More looks begin the
    /// next job sooner; fewer save power.
    ///
    /// By default 1,050 looks, which take two to six tenths of a millisecond; with 0 the thread
    /// parks at once. A blocked caller looks as often for its result, but 128 times at most.
    pub fn spins(mut self, spins: u32) -> Self {
        self.spins = spins;
        self
    }

    /// Builds the pool. No thread starts before the first job.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity × priorities + max_workers): all memory of the pool, in one piece of
    ///   the heap.
    ///
    /// # Errors
    ///
    /// [`ThreadPoolBuildError`] says which option is out of bounds.
    pub fn build(self) -> Result<ThreadPool, ThreadPoolBuildError> {
        if !(1..=1_000).contains(&self.max_workers) {
            return Err(ThreadPoolBuildError::MaxWorkers(self.max_workers));
        }
        if !(1..=65_000).contains(&self.capacity) {
            return Err(ThreadPoolBuildError::Capacity(self.capacity));
        }
        if !(1..=16).contains(&self.priorities) {
            return Err(ThreadPoolBuildError::Priorities(self.priorities));
        }
        if let Some(prefix) = &self.thread_name_prefix
            && prefix.contains('\0')
        {
            return Err(ThreadPoolBuildError::ThreadName(prefix.clone()));
        }
        if let Some(bytes) = self.stack_size
            && !(1..=MAX_STACK_SIZE).contains(&bytes)
        {
            return Err(ThreadPoolBuildError::StackSize(bytes));
        }
        Ok(self.build_checked())
    }

    /// Builds the pool. Its options are in bounds.
    fn build_checked(self) -> ThreadPool {
        let config = PoolConfig {
            slots: self.capacity,
            priorities: self.priorities,
            workers: self.max_workers,
            waiters: self.waiters,
        };
        let options = ThreadOptions {
            max: self.max_workers,
            name_prefix: self.thread_name_prefix.unwrap_or_else(default_prefix),
            stack_size: self.stack_size,
            spins: self.spins,
        };
        let main = RunJobs::new(self.initializer, self.max_workers);
        ThreadPool::of(HostPool::new(config, options, main))
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("thread_name_prefix", &self.thread_name_prefix)
            .field("stack_size", &self.stack_size)
            .field("capacity", &self.capacity)
            .field("priorities", &self.priorities)
            .field("spins", &self.spins)
            .finish_non_exhaustive()
    }
}

impl ThreadPool {
    /// A pool with default options.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`ThreadPoolBuilder::build`].
    pub fn new() -> Self {
        Self::builder().build_checked()
    }

    /// Options for a pool.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), and a call of the system for the number of cores.
    pub fn builder() -> ThreadPoolBuilder {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        ThreadPoolBuilder {
            max_workers: default_workers(cores),
            thread_name_prefix: None,
            stack_size: None,
            initializer: None,
            capacity: 1_024,
            priorities: 1,
            waiters: 32,
            spins: SPINS,
        }
    }
}

impl Default for ThreadPool {
    fn default() -> Self {
        Self::new()
    }
}

/// How many workers a pool has on a machine with so many cores, if nobody says.
fn default_workers(cores: usize) -> usize {
    cores.saturating_add(4).min(32)
}

/// What the names of a pool's threads begin with, if nobody says. Each pool has another.
fn default_prefix() -> String {
    static POOLS: AtomicUsize = AtomicUsize::new(0);
    format!("ThreadPool-{}", POOLS.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CPython: `ThreadPoolExecutorTest.test_default_workers`, on any machine.
    #[test]
    fn there_are_four_workers_more_than_cores_and_32_at_most() {
        let workers = [1, 2, 27, 28, 29, usize::MAX].map(default_workers);
        assert_eq!(workers, [5, 6, 31, 32, 32, 32]);
    }
}
