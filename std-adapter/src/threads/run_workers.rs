//! Threads that are lent to a static pool.

use std::{
    fmt, io,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use corepool::{InitError, PoolRef, ShutdownError, StaticPool, WorkerId};

use super::{
    host_port::HostPort,
    list::ThreadList,
    worker::{Hooked, ThreadWorker},
};
use crate::spin::turn::SoleSpinner;

/// Why [`run_workers`] failed. The pool is as before, and no thread is left: the caller may try again.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// At least one worker is needed.
    NoWorkers,
    /// The pool has room for fewer workers: raise its WORKERS.
    TooManyWorkers,
    /// The prefix has a NUL in it. No thread's name may have one.
    ThreadName(String),
    /// The operating system refused to start a thread.
    Spawn(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("the number of workers must be at least 1"),
            Self::TooManyWorkers => {
                f.write_str("the pool has room for fewer workers: raise its WORKERS")
            }
            Self::ThreadName(prefix) => write!(
                f,
                "the threads' names must have no NUL, as {prefix:?} has: leave it out"
            ),
            Self::Spawn(error) => write!(f, "cannot start a worker thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Spawn(error) => Some(error),
            Self::NoWorkers | Self::TooManyWorkers | Self::ThreadName(_) => None,
        }
    }
}

/// Threads that are lent to a static pool: what [`run_workers`] returns.
///
/// Dropping it shuts the pool down, lets the threads finish the queued jobs, and waits until the threads
/// have ended. If a job of the pool, or other code on one of the threads, drops it, the drop does not
/// wait. The threads end when the work is done.
#[must_use = "dropping it shuts the pool down"]
pub struct Workers {
    /// Shuts the pool down. True if the caller may wait for the threads.
    shut_down: Box<dyn Fn() -> bool + Send + Sync>,
    threads: Arc<ThreadList>,
}

impl Workers {
    /// How many threads there are.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1): one atomic load.
    pub fn count(&self) -> usize {
        self.threads.started()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if (self.shut_down)() {
            // It fails in one of the threads, which end all the same.
            let _ = self.threads.wait_for_end(None);
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("count", &self.count())
            .finish()
    }
}

/// The order for a thread that has started.
#[derive(Clone, Copy)]
enum Order {
    /// Join the pool: all threads have started.
    Join,
    /// End: the system has refused a thread.
    End,
}

/// Gives the threads that have started their order. No thread joins the pool before all have started. So the pool need
/// not be shut down if the system refuses one.
#[derive(Clone, Default)]
struct Start(Arc<OnceLock<Order>>);

impl Start {
    fn give(&self, order: Order) {
        // The first order counts.
        let _ = self.0.set(order);
    }

    fn wait(&self) -> Order {
        *self.0.wait()
    }
}

/// When it is dropped, orders the threads to end if they have no order yet.
struct EndOtherwise(Start);

impl Drop for EndOtherwise {
    fn drop(&mut self) {
        self.0.give(Order::End);
    }
}

/// Lends `count` OS threads to a static pool, named `corepool-0`, `corepool-1`, and so on, and
/// installs [`HostPort`].
///
/// The call stands in the host's `main` where the firmware starts its other cores.
///
/// * **Context**: any thread.
/// * **Cost**: O(count): it starts the threads, and waits for none of their jobs.
///
/// # Errors
///
/// [`StartError::NoWorkers`] for a `count` of 0; [`StartError::TooManyWorkers`] if the pool has
/// fewer places left; [`StartError::Spawn`] if the system refuses a thread. Then the call waits
/// until the threads that have started have ended.
///
/// ```
/// use corepool::StaticPool;
/// use corepool_std::run_workers;
///
/// static POOL: StaticPool<16, 64> = StaticPool::new();
///
/// let workers = run_workers(&POOL, 2).unwrap();
/// assert_eq!(POOL.submit(|| 6 * 7).unwrap().result().unwrap(), 42);
/// drop(workers); // shuts the pool down and joins the threads
/// ```
pub fn run_workers<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
>(
    pool: &'static StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>,
    count: usize,
) -> Result<Workers, StartError> {
    run_workers_with(pool.pool_ref(), "corepool", count, |_| Ok(()))
}

/// [`run_workers`] with a prefix for the threads' names and a start hook. Each thread calls the hook
/// before its first job. If the hook fails, the pool is broken.
///
/// * **Context**: any thread.
/// * **Cost**: as for [`run_workers`]. The call does not wait for the hooks.
///
/// # Errors
///
/// As for [`run_workers`]; [`StartError::ThreadName`] for a prefix with a NUL in it.
pub fn run_workers_with<const BYTES: usize, H>(
    pool: PoolRef<'static, BYTES>,
    name_prefix: &str,
    count: usize,
    on_start: H,
) -> Result<Workers, StartError>
where
    H: Fn(WorkerId) -> Result<(), InitError> + Clone + Send + 'static,
{
    if count == 0 {
        return Err(StartError::NoWorkers);
    }
    if pool.workers() + count > pool.max_workers() {
        return Err(StartError::TooManyWorkers);
    }
    if name_prefix.contains('\0') {
        return Err(StartError::ThreadName(name_prefix.to_owned()));
    }
    pool.install(&HostPort);
    let threads = Arc::new(ThreadList::default());
    let spinner = SoleSpinner::among(count);
    let start = EndOtherwise(Start::default());
    for number in 0..count {
        let (spinner, on_start, order) = (spinner.clone(), on_start.clone(), start.0.clone());
        let main = move || {
            match order.wait() {
                Order::Join => {}
                Order::End => return,
            }
            let worker = Hooked {
                worker: ThreadWorker::default().taking_turns(spinner),
                on_start: &on_start,
            };
            // A broken pool gives its reason to those who submit to it.
            let _ = pool.run(&worker);
        };
        let builder = thread::Builder::new().name(format!("{name_prefix}-{number}"));
        if let Err(error) = threads.start(|_, _| Some((builder, main))) {
            drop(start);
            // It does not fail: the caller is none of the threads, and sets no deadline.
            let _ = threads.wait_for_end(None);
            return Err(StartError::Spawn(error));
        }
    }
    start.0.give(Order::Join);
    Ok(Workers {
        shut_down: Box::new(move || {
            let _ = pool.shutdown(false, false);
            // Only the answer is of use here: a job cannot wait for its pool, on whichever thread it runs.
            let looked = pool.shutdown_timeout(Duration::ZERO, false);
            looked != Err(ShutdownError::WouldDeadlock)
        }),
        threads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_refusal_is_the_source_of_the_error() {
        let refusal = || io::Error::from(io::ErrorKind::OutOfMemory);
        let error = StartError::Spawn(refusal());
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), refusal().to_string());
        assert!(std::error::Error::source(&StartError::NoWorkers).is_none());
    }
}
