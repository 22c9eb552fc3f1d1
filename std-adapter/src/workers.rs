//! OS threads as the workers of a static pool.

use std::{
    cell::Cell,
    cmp::Ordering,
    fmt, hint, io,
    sync::{Arc, OnceLock},
    task::Waker,
    thread,
    time::Duration,
};

use corepool::{InitError, JobId, Parker, PoolRef, ShutdownError, StaticPool, Worker, WorkerId};

use crate::{
    crew::{Crew, Member},
    panic::start_by,
    port::{HostPort, SPINS, ThreadParker, own_parker, pause},
    thread_list::ThreadList,
};

/// An OS thread as a worker: parks when there is nothing to do. Where jobs come so quickly that it
/// finds one at each look, it lets some gather, for one to some microseconds.
///
/// Make it in the thread that is to be the worker. A worker of your own that has one inside passes
/// `spin`, `on_job_start` and `on_job_end` on to it.
#[derive(Clone, Debug)]
pub struct ThreadWorker {
    parker: ThreadParker,
    spins: u32,
    core: Core,
    stream: Stream,
    member: Member,
}

impl ThreadWorker {
    /// The current thread as a worker that looks `spins` times again at an empty queue before it
    /// parks.
    ///
    /// It looks 250 times in a row, for some ten microseconds, or ten times where its core is
    /// shared with the submitter. From then on it lets all others have the core before each look.
    /// By default it looks 1,050 times: two to six tenths of a millisecond.
    ///
    /// * **Context**: the thread that is to be the worker.
    /// * **Cost**: O(1). Heap once for each thread, for its parker.
    pub fn new(spins: u32) -> Self {
        Self {
            parker: own_parker(),
            spins,
            core: Core::default(),
            stream: Stream::default(),
            member: Member::default(),
        }
    }

    /// The same, as one of a crew.
    pub(crate) fn in_crew(self, crew: Option<Arc<Crew>>) -> Self {
        Self {
            member: Member::of(crew),
            ..self
        }
    }
}

impl Default for ThreadWorker {
    fn default() -> Self {
        Self::new(SPINS)
    }
}

impl Parker for ThreadWorker {
    fn waker(&self) -> Waker {
        self.parker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.parker.park(deadline);
    }
}

impl Worker for ThreadWorker {
    fn spin(&self, round: u32) -> bool {
        if self.stream.lets_jobs_gather(round) && self.spins > 0 {
            for _ in 0..GATHER {
                hint::spin_loop();
            }
        }
        let keeps_core = self.core.is_kept(round);
        let looks = round < self.spins && (keeps_core || self.member.goes_on(&self.parker));
        if looks {
            pause(keeps_core);
        } else {
            self.member.gives_up();
        }
        looks
    }

    fn on_job_start(&self, _job: JobId) {
        self.stream.job_starts();
        self.member.job_starts();
    }

    fn on_job_end(&self, _job: JobId) {
        self.member.job_ends();
    }
}

/// Whether a worker keeps its core while it looks for the next job.
///
/// One that gives it up gets it back too late for a job that comes within microseconds. But where who submits
/// has no other core, the job comes only when the worker has given its own up, and is there when it gets it
/// back: where the last job came so, the worker keeps its core for a few looks only.
#[derive(Clone, Debug)]
struct Core {
    /// The last round in which the queue was found empty.
    round: Cell<u32>,
    /// The first round after which the worker gives its core up.
    gives_up: Cell<u32>,
}

impl Default for Core {
    fn default() -> Self {
        Self {
            round: Cell::new(0),
            gives_up: Cell::new(Self::ALONE),
        }
    }
}

impl Core {
    const ALONE: u32 = 250;
    const SHARED: u32 = 10;

    /// The queue was found empty, as for [`Worker::spin`]. Whether to keep the core.
    fn is_kept(&self, round: u32) -> bool {
        let last_round = self.round.replace(round);
        if round == 0 {
            let gives_up = self.gives_up.get();
            match last_round.cmp(&gives_up) {
                Ordering::Less => {}
                Ordering::Equal => self.gives_up.set(Self::SHARED),
                // Others have had the core, and there was no job.
                Ordering::Greater => self.gives_up.set(Self::ALONE),
            }
        }
        round < self.gives_up.get()
    }
}

/// For how many pauses of the processor jobs may gather: 10 to 90 ns each.
const GATHER: u32 = 128;

/// How many jobs are worth it: more than somebody has under way who waits for them in between.
const WORTH: u32 = 8;

/// Whether jobs come in a stream.
///
/// A worker that is quicker than who submits finds the queue empty after each job, and with each look
/// at it takes the submitter's cache line away, which makes that one slow as well. So where the next
/// job is there at the second look, the worker lets some gather before it looks again, and goes on so
/// as long as each time there are enough. If not, somebody may be waiting for them before the next: the
/// worker tries again only after twice as many jobs that came at once.
#[derive(Clone, Debug)]
struct Stream {
    /// Since the queue was last found empty.
    jobs: Cell<u32>,
    /// The last round in which it was found empty.
    round: Cell<u32>,
    /// Whether the worker let jobs gather then.
    gathers: Cell<bool>,
    /// Times that the next job was there at the second look.
    at_once: Cell<u32>,
    /// So many of them are a stream.
    suffices: Cell<u32>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            jobs: Cell::new(0),
            round: Cell::new(u32::MAX),
            gathers: Cell::new(false),
            at_once: Cell::new(0),
            suffices: Cell::new(1),
        }
    }
}

impl Stream {
    /// What `suffices` at most.
    const MOST: u32 = 1024;

    fn job_starts(&self) {
        self.jobs.set(self.jobs.get().saturating_add(1));
    }

    /// The queue was found empty, as for [`Worker::spin`]. Whether to stay away from it for a while.
    fn lets_jobs_gather(&self, round: u32) -> bool {
        let last_round = self.round.replace(round);
        if round > 0 {
            return false;
        }
        let jobs = self.jobs.replace(0);
        if self.gathers.get() {
            self.gathers.set(jobs >= WORTH);
            let failed = self.suffices.get().saturating_mul(2).min(Self::MOST);
            self.suffices.set(if jobs >= WORTH { 1 } else { failed });
        } else if last_round == 0 {
            self.at_once.set(self.at_once.get() + 1);
            self.gathers.set(self.at_once.get() >= self.suffices.get());
        }
        if self.gathers.get() {
            self.at_once.set(0);
        }
        self.gathers.get()
    }
}

/// A worker with a start hook.
pub(crate) struct Hooked<'a, H> {
    pub(crate) worker: ThreadWorker,
    pub(crate) on_start: &'a H,
}

impl<H> Parker for Hooked<'_, H> {
    fn waker(&self) -> Waker {
        self.worker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.worker.park(deadline);
    }
}

impl<H: Fn(WorkerId) -> Result<(), InitError>> Worker for Hooked<'_, H> {
    fn spin(&self, round: u32) -> bool {
        self.worker.spin(round)
    }

    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        start_by("the start hook", || (self.on_start)(worker))
    }

    fn on_job_start(&self, job: JobId) {
        self.worker.on_job_start(job);
    }

    fn on_job_end(&self, job: JobId) {
        self.worker.on_job_end(job);
    }
}

/// Why [`run_workers`] failed. The pool is as before, and no thread is left: the call may be repeated.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// At least one worker is needed.
    NoWorkers,
    /// The pool has fewer places for workers than that: raise its WORKERS.
    TooManyWorkers,
    /// The prefix has a NUL in it, which no thread's name may have.
    ThreadName(String),
    /// The operating system refused to start a thread.
    Spawn(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkers => f.write_str("the number of workers must be at least 1"),
            Self::TooManyWorkers => {
                f.write_str("the pool has fewer places for workers: raise its WORKERS")
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
/// Dropping it shuts the pool down, lets it finish what is queued, and waits until the threads have
/// ended. Dropped by a job of the pool, or by other code in one of the threads, it does not wait.
/// The threads end when the work is done.
#[must_use = "dropping it shuts the pool down"]
pub struct Workers {
    /// Shuts the pool down. Whether the caller may wait for the workers.
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
            // Fails in one of the threads, which ends without this.
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

/// Says to threads whether to lend themselves to their pool. They wait for it, so that none does before all are
/// there: then no pool need be shut down if the system refuses one.
#[derive(Clone, Default)]
struct Start(Arc<OnceLock<bool>>);

impl Start {
    fn say(&self, go: bool) {
        // The first word counts.
        let _ = self.0.set(go);
    }

    /// Waits for the word.
    fn is_go(&self) -> bool {
        *self.0.wait()
    }
}

/// Says no when it is dropped, if nothing was said.
struct NoOtherwise(Start);

impl Drop for NoOtherwise {
    fn drop(&mut self) {
        self.0.say(false);
    }
}

/// Lends `count` OS threads to a static pool, named `corepool-0`, `corepool-1`, and so on, and
/// installs [`HostPort`].
///
/// This is what stands in the host's `main` where the firmware starts its other cores.
///
/// If there are more threads than cores, one goes on looking for work after it has found none for
/// some ten microseconds. The others sleep until it has some, for five milliseconds at most.
///
/// * **Context**: any thread.
/// * **Cost**: O(count): it starts the threads, and waits for none of their jobs.
///
/// # Errors
///
/// [`StartError::NoWorkers`] for a `count` of 0; [`StartError::TooManyWorkers`] if the pool has
/// fewer places left; [`StartError::Spawn`] if the system refuses a thread. Then the call waits
/// until those that were started have ended.
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
    run_workers_with(pool.handle(), "corepool", count, |_| Ok(()))
}

/// [`run_workers`] with a prefix for the threads' names and a start hook, which is called in each
/// thread before its first job. If the hook fails, the pool is broken.
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
    let crew = Crew::of(count);
    let start = NoOtherwise(Start::default());
    for number in 0..count {
        let (crew, on_start, told) = (crew.clone(), on_start.clone(), start.0.clone());
        let main = move || {
            if !told.is_go() {
                return;
            }
            let worker = Hooked {
                worker: ThreadWorker::default().in_crew(crew),
                on_start: &on_start,
            };
            // A broken pool says so to those who submit to it.
            let _ = pool.run(&worker);
        };
        let builder = thread::Builder::new().name(format!("{name_prefix}-{number}"));
        if let Err(error) = threads.start(|_, _| Some((builder, main))) {
            drop(start);
            // It does not fail: the caller is none of them, and there is no deadline.
            let _ = threads.wait_for_end(None);
            return Err(StartError::Spawn(error));
        }
    }
    start.0.say(true);
    Ok(Workers {
        shut_down: Box::new(move || {
            let _ = pool.shutdown(false, false);
            // Of use for its answer alone: a job cannot wait for its pool, in whose thread ever it runs.
            let looked = pool.shutdown_timeout(Duration::ZERO, false);
            looked != Err(ShutdownError::WouldDeadlock)
        }),
        threads,
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::port::now;

    /// A job comes after so many looks at an empty queue. How many of them kept the core.
    fn kept(core: &Core, looks: u32) -> usize {
        (0..looks).filter(|&round| core.is_kept(round)).count()
    }

    #[test]
    fn a_worker_keeps_its_core_for_a_while() {
        let core = Core::default();
        assert_eq!(kept(&core, 1_000), 250);
        assert_eq!(kept(&core, 100), 100);
        assert_eq!(kept(&core, 1_000), 250);
    }

    #[test]
    fn a_job_that_comes_when_the_worker_has_given_its_core_up_says_that_the_core_is_shared() {
        let core = Core::default();
        assert_eq!(kept(&core, 251), 250);
        assert_eq!(kept(&core, 11), 10);
        assert_eq!(kept(&core, 5), 5);
        assert_eq!(kept(&core, 11), 10);
    }

    #[test]
    fn a_job_that_comes_later_than_that_says_that_it_is_not() {
        let core = Core::default();
        assert_eq!(kept(&core, 251), 250);
        assert_eq!(kept(&core, 12), 10);
        assert_eq!(kept(&core, 1_000), 250);
    }

    /// A worker runs so many jobs, and then finds the queue empty in so many rounds. Whether it lets
    /// jobs gather after the first.
    fn idle(stream: &Stream, jobs: u32, rounds: u32) -> bool {
        for _ in 0..jobs {
            stream.job_starts();
        }
        let gathers = stream.lets_jobs_gather(0);
        for round in 1..rounds {
            assert!(!stream.lets_jobs_gather(round));
        }
        gathers
    }

    #[test]
    fn jobs_gather_after_one_was_there_at_the_second_look() {
        let stream = Stream::default();
        assert!(!idle(&stream, 1, 1));
        assert!(idle(&stream, 1, 1));
    }

    #[test]
    fn jobs_gather_for_as_long_as_there_are_enough_each_time() {
        let stream = Stream::default();
        idle(&stream, 1, 1);
        assert!(idle(&stream, 1, 1));
        assert!(idle(&stream, WORTH, 5));
        assert!(idle(&stream, WORTH, 1));
        assert!(!idle(&stream, WORTH - 1, 1));
    }

    #[test]
    fn no_job_waits_for_others_if_the_worker_had_to_wait_for_it() {
        let stream = Stream::default();
        for _ in 0..3 {
            assert!(!idle(&stream, 1, 2));
        }
        assert!(!idle(&stream, 100, 2));
    }

    #[test]
    fn the_more_often_it_was_no_stream_the_less_often_jobs_gather() {
        let stream = Stream::default();
        let one_by_one = |jobs: u32| (0..jobs).filter(|_| idle(&stream, 1, 1)).count();
        assert_eq!(one_by_one(100), 6);
        assert!(one_by_one(100 * Stream::MOST) < 120);
    }

    #[test]
    fn a_stream_makes_the_worker_ready_for_the_next() {
        let stream = Stream::default();
        while !(idle(&stream, 1, 1) && stream.suffices.get() == Stream::MOST) {}
        assert!(idle(&stream, WORTH, 1));
        assert!(!idle(&stream, 1, 1));
        assert!(!idle(&stream, 1, 1));
        assert!(idle(&stream, 1, 1));
    }

    /// Two workers of a crew.
    fn two_of_a_crew() -> [ThreadWorker; 2] {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let crew = Crew::of(cores + 1);
        [(); 2].map(|()| ThreadWorker::default().in_crew(crew.clone()))
    }

    #[test]
    fn of_a_crew_one_looks_on_when_it_has_given_its_core_up() {
        let [one, other] = two_of_a_crew();
        assert!(one.spin(Core::ALONE));
        assert!(other.spin(Core::ALONE - 1), "it has its core yet");
        assert!(!other.spin(Core::ALONE));
        assert!(!one.spin(SPINS), "it parks");
        assert!(other.spin(Core::ALONE));
    }

    #[test]
    fn a_worker_takes_note_of_each_jobs_start_and_end() {
        let pool = StaticPool::<1, 64>::new();
        pool.submit_detached(|| ()).unwrap();
        pool.shutdown(false, false).unwrap();
        let [one, worker] = two_of_a_crew();
        let on_start = &|_| Ok(());
        let hooked = Hooked { worker, on_start };
        pool.run(&hooked).unwrap();
        assert_eq!(hooked.worker.stream.jobs.get(), 1);
        assert!(one.spin(Core::ALONE));
        assert!(!hooked.spin(Core::ALONE), "as one with a job would");
    }

    #[test]
    fn a_worker_with_a_start_hook_looks_again_like_one_without() {
        let worker = ThreadWorker::new(2);
        let on_start = &|_| Ok(());
        let hooked = Hooked { worker, on_start };
        assert!(hooked.spin(1));
        assert!(!hooked.spin(2));
    }

    #[test]
    fn a_worker_sleeps_until_the_time_that_it_is_told() {
        let worker = ThreadWorker::default();
        let hooked = Hooked {
            worker,
            on_start: &(),
        };
        for parker in [&hooked as &dyn Parker, &hooked.worker] {
            let end = now() + Duration::from_millis(1);
            parker.park(Some(end));
            assert!(now() >= end);
        }
    }

    #[test]
    fn the_systems_refusal_is_the_source_of_the_error() {
        let refusal = || io::Error::from(io::ErrorKind::OutOfMemory);
        let error = StartError::Spawn(refusal());
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), refusal().to_string());
        assert!(std::error::Error::source(&StartError::NoWorkers).is_none());
    }
}
