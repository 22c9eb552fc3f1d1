//! Threads that are lent to a static pool.

use std::{
    cell::Cell,
    fmt, io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    task::Waker,
    thread,
};

use corepool::{BrokenReason, InitError, Parker as _, PoolRef, RunError, StaticPool, WorkerId};

use super::{
    host_port::HostPort,
    list::ThreadList,
    names::unique_prefix,
    worker::{Hooked, ThreadWorker},
};
use crate::spin::{parker::own_parker, turn::SoleSpinner};

/// Why [`run_workers`] failed. The pool is as before, and no thread is left: the caller may try again.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// At least one worker is needed.
    NoWorkers,
    /// The pool has room for fewer workers: raise its WORKERS.
    TooManyWorkers {
        /// How many workers the caller asked for.
        asked: usize,
        /// How many of the pool's WORKERS places were free.
        free: usize,
    },
    /// The pool is shut down, for good: no worker would get a job.
    ShutDown,
    /// The pool is broken, for good: no worker would get a job.
    Broken(BrokenReason),
    /// The prefix has a NUL in it. No thread's name may have one.
    ThreadName(String),
    /// The operating system refused to start a thread.
    Spawn(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("the number of workers must be at least 1"),
            Self::TooManyWorkers { asked, free } => write!(
                f,
                "{asked} workers are too many: the pool has {free} free places: raise its WORKERS"
            ),
            Self::ShutDown => f.write_str(
                "the pool is shut down, for good: use another pool, or shut it down later",
            ),
            Self::Broken(reason) => write!(f, "the pool is broken, for good: {reason}"),
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
            _ => None,
        }
    }
}

/// Threads that are lent to a static pool: what [`run_workers`] returns.
///
/// Dropping it sends the threads away, and waits until they have ended. They run the jobs that are queued,
/// and leave. The pool stays in service: it keeps its tasks that are suspended, it takes new jobs, and the
/// next [`run_workers`] lends it workers again. To end the pool and all its tasks as well, call
/// [`shutdown`](StaticPool::shutdown) before the drop.
///
/// The drop does not wait where a job may wait for the caller. That is so in a job of the pool, on one of the
/// threads, and in a thread that panics. The threads end when the work is done.
#[must_use = "dropping it sends the workers away"]
pub struct Workers {
    crew: Crew,
    /// Whether the caller is a job of the pool.
    is_job: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Threads that leave the pool together.
struct Crew {
    is_sent_away: Arc<AtomicBool>,
    /// Each wakes one thread.
    wakers: Vec<Waker>,
    threads: Arc<ThreadList>,
}

impl Crew {
    /// Has each thread leave when no job is queued.
    fn send_away(&self) {
        // Release: pairs with the Acquire in `run_workers_with`. A thread that sees it sees the jobs that
        // the caller has queued.
        self.is_sent_away.store(true, Ordering::Release);
        for waker in &self.wakers {
            waker.wake_by_ref();
        }
    }
}

impl Workers {
    /// How many threads there are.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1): one atomic load.
    pub fn count(&self) -> usize {
        self.crew.threads.started()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.crew.send_away();
        if !thread::panicking() && !(self.is_job)() {
            // It fails in one of the threads, which end all the same.
            let _ = self.crew.threads.wait_for_end(None);
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

/// Lends `count` OS threads to a static pool, and installs [`HostPort`]. The threads' names are `corepool-`,
/// a number that no other pool of the process has, and the thread's own, as in `corepool-0-1`.
///
/// The call stands in the host's `main` where the firmware starts its other cores. It may also stand in each
/// of several tests that share a pool: the workers leave when their guard is dropped, and the pool stays.
///
/// * **Context**: any thread.
/// * **Cost**: O(count): it starts the threads, waits until they have joined the pool, and waits for none of
///   their jobs.
///
/// # Errors
///
/// [`StartError::NoWorkers`] for a `count` of 0. [`StartError::TooManyWorkers`] if the pool has fewer
/// places left. [`StartError::ShutDown`] and [`StartError::Broken`] if the pool is over.
/// [`StartError::Spawn`] if the system refuses a thread: then the call waits until the threads that have
/// started have ended.
///
/// ```
/// use corepool::StaticPool;
/// use corepool_std::run_workers;
///
/// static POOL: StaticPool<16, 64> = StaticPool::new();
///
/// let workers = run_workers(&POOL, 2).unwrap();
/// assert_eq!(POOL.submit(|| 6 * 7).unwrap().result().unwrap(), 42);
/// drop(workers); // sends the threads away and joins them
///
/// let others = run_workers(&POOL, 1).unwrap();
/// assert_eq!(POOL.submit(|| 6 * 7).unwrap().result().unwrap(), 42);
/// # drop(others);
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
    run_workers_with(pool.pool_ref(), &unique_prefix("corepool"), count, |_| {
        Ok(())
    })
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
///
/// ```
/// use std::cell::Cell;
/// use corepool::StaticPool;
/// use corepool_std::run_workers_with;
///
/// thread_local! {
///     static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
/// }
///
/// static POOL: StaticPool<16, 64> = StaticPool::new();
/// let workers = run_workers_with(POOL.pool_ref(), "core", 1, |worker| {
///     NUMBER.set(worker.index());
///     Ok(())
/// }).unwrap();
/// assert_eq!(POOL.submit(|| NUMBER.get()).unwrap().result().unwrap(), 0);
/// # drop(workers);
/// ```
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
    if let Some(reason) = pool.broken_reason() {
        return Err(StartError::Broken(reason));
    }
    if pool.is_shut_down() {
        return Err(StartError::ShutDown);
    }
    let free = free_places(pool);
    if count > free {
        return Err(StartError::TooManyWorkers { asked: count, free });
    }
    if name_prefix.contains('\0') {
        return Err(StartError::ThreadName(name_prefix.to_owned()));
    }
    pool.install(&HostPort);
    let mut crew = Crew {
        is_sent_away: Arc::default(),
        wakers: Vec::with_capacity(count),
        threads: Arc::default(),
    };
    let spinner = SoleSpinner::among(count);
    let start = EndOtherwise(Start::default());
    let (tell, told) = channel();
    for number in 0..count {
        let (spinner, on_start, order) = (spinner.clone(), on_start.clone(), start.0.clone());
        let (tell, is_sent_away) = (tell.clone(), Arc::clone(&crew.is_sent_away));
        let main = move || {
            match order.wait() {
                Order::Join => {}
                Order::End => return,
            }
            lend_thread(pool, spinner, &on_start, tell, &is_sent_away);
        };
        let builder = thread::Builder::new().name(format!("{name_prefix}-{number}"));
        if let Err(error) = crew.threads.start(|_, _| Some((builder, main))) {
            drop(start);
            // It does not fail: the caller is none of the threads, and sets no deadline.
            let _ = crew.threads.wait_for_end(None);
            return Err(StartError::Spawn(error));
        }
    }
    start.0.give(Order::Join);
    drop(tell);
    let mut all_have_joined = true;
    for joined in told {
        match joined {
            Ok(waker) => crew.wakers.push(waker),
            Err(NoPlace) => all_have_joined = false,
        }
    }
    let workers = Workers {
        crew,
        is_job: Box::new(move || pool.runs_caller()),
    };
    if all_have_joined {
        Ok(workers)
    } else {
        drop(workers);
        let free = free_places(pool);
        Err(StartError::TooManyWorkers { asked: count, free })
    }
}

/// How many workers can join the pool.
fn free_places<const BYTES: usize>(pool: PoolRef<'static, BYTES>) -> usize {
    pool.max_workers().saturating_sub(pool.workers())
}

/// Other workers have taken the place for this one since the caller looked.
struct NoPlace;

/// The whole life of a lent thread in the pool. It tells the caller of [`run_workers_with`] when it has joined, with
/// the waker by which it is sent away, or that it cannot join.
fn lend_thread<const BYTES: usize, H>(
    pool: PoolRef<'static, BYTES>,
    spinner: Option<Arc<SoleSpinner>>,
    on_start: &H,
    tell: Sender<Result<Waker, NoPlace>>,
    is_sent_away: &AtomicBool,
) where
    H: Fn(WorkerId) -> Result<(), InitError>,
{
    let tell = Cell::new(Some(tell));
    let say = |joined| {
        if let Some(tell) = tell.take() {
            // The caller waits for it.
            let _ = tell.send(joined);
        }
    };
    let worker = Hooked {
        worker: ThreadWorker::default().taking_turns(spinner),
        on_start: &|id| {
            // The worker parks on the thread's own parker.
            say(Ok(own_parker().waker()));
            on_start(id)
        },
        // Acquire: pairs with the Release in `Crew::send_away`. A pool that is shut down keeps its workers until its
        // tasks have ended.
        stays: &|| !is_sent_away.load(Ordering::Acquire) || pool.is_shut_down(),
    };
    // A broken pool gives its reason to those who submit to it.
    if pool.run(&worker) == Err(RunError::TooManyWorkers) {
        say(Err(NoPlace));
    }
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
