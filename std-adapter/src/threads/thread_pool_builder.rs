//! How a thread pool is built.

use std::{fmt, num::NonZeroUsize, sync::Arc, thread};

use corepool::InitError;

use super::{
    host_pool::{HostPool, ThreadOptions},
    names::unique_prefix,
    run_jobs::{Initializer, RunJobs},
    thread_pool::ThreadPool,
};
use crate::spin::worker::SPINS;

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
    /// `thread_name_prefix` has a NUL in it. No thread's name may have one.
    ThreadName(String),
    /// `stack_size` must be 1 to [`MAX_STACK_SIZE`].
    StackSize(usize),
}

/// The largest `stack_size` that can be asked for. No system has room for it.
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
///     .stack_size(256 << 10)
///     .initializer(|| Ok(())) // an error breaks the pool
///     .capacity(100)
///     .priorities(2)
///     .spins(0) // a thread without work parks at once
///     .finish_at_exit(false)
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
    spins: u32,
    finish_at_exit: bool,
}

impl ThreadPoolBuilder {
    /// How many threads the pool has at most: 1 to 1,000. By default, the number of cores plus 4, and at
    /// most 32.
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

    /// How many bytes of stack each thread has: 1 to [`MAX_STACK_SIZE`]. The system rounds them up. By
    /// default, the choice of [`std::thread`]: 2 MiB unless `RUST_MIN_STACK` says otherwise.
    ///
    /// A job runs on its thread's stack, and a job that it waits for may run on top of it. If the system
    /// has no room for such a stack, it refuses the thread. A submit fails if there is no other thread.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// A function that each thread calls before its first job. If it fails or panics, the pool is
    /// broken: all queued jobs and every later submit fail with its error.
    pub fn initializer(
        mut self,
        initializer: impl Fn() -> Result<(), InitError> + Send + Sync + 'static,
    ) -> Self {
        self.initializer = Some(Arc::new(initializer));
        self
    }

    /// How many jobs can be in flight: 1 to 65,000. By default 1,024. A job is in flight while it is
    /// queued, while it runs, and until its result is taken.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// How many levels of urgency there are: 1, the default, to 16.
    pub fn priorities(mut self, priorities: usize) -> Self {
        self.priorities = priorities;
        self
    }

    /// How often a thread that waits looks again before it parks: more looks find the next job or result
    /// sooner, fewer save power. By default 1,050: two to six tenths of a millisecond.
    pub fn spins(mut self, spins: u32) -> Self {
        self.spins = spins;
        self
    }

    /// Whether the [end of the process](crate#the-end-of-the-process) waits for the pool's work. True by default.
    /// If false, the process's end loses work that is not done by then.
    pub fn finish_at_exit(mut self, finish: bool) -> Self {
        self.finish_at_exit = finish;
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
        let options = ThreadOptions {
            max: self.max_workers,
            name_prefix: self
                .thread_name_prefix
                .unwrap_or_else(|| unique_prefix("ThreadPool")),
            stack_size: self.stack_size,
            spins: self.spins,
            finish_at_exit: self.finish_at_exit,
        };
        let main = RunJobs::new(self.initializer, self.max_workers);
        ThreadPool::of(HostPool::new(self.capacity, self.priorities, options, main))
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
            .field("finish_at_exit", &self.finish_at_exit)
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

    /// The default options, to be changed.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), and a system call for the number of cores.
    ///
    /// ```
    /// use corepool_std::ThreadPool;
    ///
    /// let pool = ThreadPool::builder().max_workers(2).build().unwrap();
    /// assert_eq!(pool.max_workers(), 2);
    /// ```
    pub fn builder() -> ThreadPoolBuilder {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        ThreadPoolBuilder {
            max_workers: default_workers(cores),
            thread_name_prefix: None,
            stack_size: None,
            initializer: None,
            capacity: 1_024,
            priorities: 1,
            spins: SPINS,
            finish_at_exit: true,
        }
    }
}

impl Default for ThreadPool {
    fn default() -> Self {
        Self::new()
    }
}

/// How many threads a pool has by default, at most, on a machine with `cores` cores.
fn default_workers(cores: usize) -> usize {
    cores.saturating_add(4).min(32)
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
