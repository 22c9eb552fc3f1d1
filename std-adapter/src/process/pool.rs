//! The pool of processes.

use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    num::{NonZeroU32, NonZeroUsize},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use corepool::{
    JobFuture, LossReason, OnLoss, PoolConfig, ShutdownError, SubmitError,
    remote::{
        Buffers, JobTable, OnTimeout, RemoteConfig, RemoteEnd, RemoteError, RemoteJob, RemoteWorker,
    },
};
use rustix::process::Signal;

use super::{
    asked::{FRAMES, Question, Refusal, refusal},
    child::{DEFAULT_FRAME, say},
    descriptors::close_in_child,
    link::{ChildLink, OwnedChild, PollWorker},
    map::{Map, ZeroChunk},
    reason::loss_reason,
};
use crate::{
    panic::from_payload,
    spin::SPINS,
    threads::{Coming, HostPool, ThreadMain, ThreadOptions, View},
};

/// How many jobs a child has at most, waiting and running.
const WINDOW: usize = 64;

/// Why a process pool could not be built.
#[non_exhaustive]
pub enum BuildError {
    /// `max_workers` must be 1 to 1,000.
    MaxWorkers(usize),
    /// `capacity` must be 1 to 65,000.
    Capacity(usize),
    /// `priorities` must be 1 to 16.
    Priorities(usize),
    /// `max_tasks_per_child` must be at least 1.
    MaxTasks,
    /// `frame_bytes` must be 64 to 1 GiB.
    FrameBytes(usize),
    /// The program of this process, which the children are to run, is not known.
    NoProgram(io::Error),
    /// This program has not called [`run_worker_if_asked`](super::run_worker_if_asked). Its children
    /// would not either: they would make pools in turn, with children that do the same.
    ///
    /// Call it first in `main`, or give a [`worker_program`](ProcessPoolBuilder::worker_program) that
    /// does. The `main` of a binary of tests is libtest's; [the module](super#in-tests) says what to do
    /// there.
    NoWorkerEntry,
    /// This process was started to be a worker, and has not become one: it has not called
    /// [`run_worker_if_asked`](super::run_worker_if_asked), which is to come first in `main`.
    IsToBeWorker,
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxWorkers(n) => f.debug_tuple("MaxWorkers").field(n).finish(),
            Self::Capacity(n) => f.debug_tuple("Capacity").field(n).finish(),
            Self::Priorities(n) => f.debug_tuple("Priorities").field(n).finish(),
            Self::MaxTasks => f.write_str("MaxTasks"),
            Self::FrameBytes(n) => f.debug_tuple("FrameBytes").field(n).finish(),
            Self::NoProgram(error) => f.debug_tuple("NoProgram").field(error).finish(),
            // An `unwrap` says what is missing.
            Self::NoWorkerEntry => write!(f, "NoWorkerEntry: {self}"),
            Self::IsToBeWorker => write!(f, "IsToBeWorker: {self}"),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxWorkers(n) => write!(f, "max_workers must be 1 to 1,000, not {n}"),
            Self::Capacity(n) => write!(f, "capacity must be 1 to 65,000, not {n}"),
            Self::Priorities(n) => write!(f, "priorities must be 1 to 16, not {n}"),
            Self::MaxTasks => f.write_str("max_tasks_per_child must be at least 1"),
            Self::FrameBytes(n) => write!(f, "frame_bytes must be 64 to 1 GiB, not {n}"),
            Self::NoProgram(error) => write!(
                f,
                "the program of this process is not known ({error}): give a worker_program"
            ),
            Self::NoWorkerEntry => f.write_str(
                "this program has not called run_worker_if_asked, so that its children would start \
                 children in turn: call it first in main, or give a worker_program that does",
            ),
            Self::IsToBeWorker => f.write_str(
                "this process was started to be a worker, and has not called run_worker_if_asked: \
                 call it first in main, before a pool is made",
            ),
        }
    }
}

impl std::error::Error for BuildError {}

/// Options of a [`ProcessPool`].
#[derive(Clone)]
pub struct ProcessPoolBuilder {
    jobs: &'static JobTable,
    max_workers: usize,
    max_tasks_per_child: Option<u32>,
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    capacity: usize,
    priorities: usize,
    frame_bytes: usize,
    start_timeout: Duration,
    on_loss: OnLoss,
    own_process_group: bool,
}

impl fmt::Debug for ProcessPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPoolBuilder")
            .field("jobs", &self.jobs)
            .field("max_workers", &self.max_workers)
            .field("max_tasks_per_child", &self.max_tasks_per_child)
            .field("program", &self.program)
            .field("capacity", &self.capacity)
            .field("priorities", &self.priorities)
            .field("frame_bytes", &self.frame_bytes)
            .field("start_timeout", &self.start_timeout)
            .field("on_loss", &self.on_loss)
            .field("own_process_group", &self.own_process_group)
            .finish_non_exhaustive()
    }
}

impl ProcessPoolBuilder {
    /// How many child processes at most: 1 to 1,000. By default, the number of cores.
    pub fn max_workers(mut self, max_workers: usize) -> Self {
        self.max_workers = max_workers;
        self
    }

    /// How many jobs a child does before another takes its place, at least 1. Without limit by
    /// default.
    pub fn max_tasks_per_child(mut self, jobs: u32) -> Self {
        self.max_tasks_per_child = Some(jobs);
        self
    }

    /// The program that the children run, in place of that of this process. Its `main` calls
    /// [`run_worker_if_asked`](super::run_worker_if_asked) with the same table.
    ///
    /// By default, on Linux, the children run what this process runs even if its file was replaced or
    /// removed meanwhile, by an upgrade. Elsewhere they run the file that is there.
    pub fn worker_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Adds an argument to the children's command line. None by default.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Sets a variable in the children's environment, which is that of this process otherwise: a
    /// way to tell their initializer something.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let variable = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.environment.push(variable);
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

    /// How many bytes the arguments or the result of a job can have, encoded, and with some 20 more:
    /// 64 to 1 GiB. By default 1 MiB. Parent and child have two buffers of this size for each child;
    /// pages that are not used take no memory.
    pub fn frame_bytes(mut self, bytes: usize) -> Self {
        self.frame_bytes = bytes;
        self
    }

    /// How long a child may take from its start until it is ready for jobs, its initializer
    /// included. By default a minute.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// The consequence of a child's loss. By default the pool is broken, as in Python. Or another
    /// child takes its place, and only the jobs that the lost one had fail.
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    /// Puts each child into a process group of its own. False by default.
    ///
    /// A terminal sends `SIGINT` for Ctrl-C, and `SIGQUIT`, `SIGTSTP` and `SIGHUP`, to the whole
    /// foreground group. A program may handle Ctrl-C, to end its work in order. It loses its
    /// workers to the signal unless they are out of that group: their own action is to end. Out of
    /// it, they end when the program does. They also go on when it is stopped by Ctrl-Z.
    pub fn own_process_group(mut self, own: bool) -> Self {
        self.own_process_group = own;
        self
    }

    /// Builds the pool. No child starts before the first job.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity × priorities + max_workers): all memory of the pool, in one piece of
    ///   the heap.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says which option is out of bounds, or why this program can have no children.
    pub fn build(self) -> Result<ProcessPool, BuildError> {
        if !(1..=1_000).contains(&self.max_workers) {
            return Err(BuildError::MaxWorkers(self.max_workers));
        }
        if !(1..=65_000).contains(&self.capacity) {
            return Err(BuildError::Capacity(self.capacity));
        }
        if !(1..=16).contains(&self.priorities) {
            return Err(BuildError::Priorities(self.priorities));
        }
        if !FRAMES.contains(&self.frame_bytes) {
            return Err(BuildError::FrameBytes(self.frame_bytes));
        }
        let max_jobs = match self.max_tasks_per_child.map(NonZeroU32::new) {
            Some(None) => return Err(BuildError::MaxTasks),
            Some(some) => some,
            None => None,
        };
        // With arguments of their own, they may well be led to it.
        match refusal(self.program.is_none() && self.arguments.is_empty()) {
            None => {}
            Some(Refusal::NeverLooks) => return Err(BuildError::NoWorkerEntry),
            Some(Refusal::IsToBeWorker) => {
                // Whatever becomes of the error, the parent hears of it.
                say(format_args!("{}", BuildError::IsToBeWorker));
                return Err(BuildError::IsToBeWorker);
            }
        }
        let program = match self.program {
            Some(file) => Program { file, name: None },
            None => Program::own().map_err(BuildError::NoProgram)?,
        };
        let config = PoolConfig {
            slots: self.capacity,
            priorities: self.priorities,
            workers: self.max_workers,
            waiters: 32,
        };
        let options = ThreadOptions {
            max: self.max_workers,
            name_prefix: String::from("ProcessPool"),
            stack_size: None,
            spins: SPINS,
        };
        let mut children = Vec::new();
        children.resize_with(self.max_workers, || None);
        let main = Children {
            jobs: self.jobs,
            program,
            arguments: self.arguments,
            environment: self.environment,
            frame_bytes: self.frame_bytes,
            start_timeout: self.start_timeout,
            own_process_group: self.own_process_group,
            remote: RemoteConfig {
                // The link's own time is over before, and it has more to say.
                patience: self.start_timeout.checked_add(Duration::from_secs(1)),
                on_timeout: OnTimeout::LoseLink,
                on_loss: self.on_loss,
                prefetch: Some(Duration::from_millis(1)),
                max_jobs,
                panic: |text| from_payload(Box::new(text.to_owned())),
                ..RemoteConfig::default()
            },
            children: Mutex::new(children),
        };
        Ok(ProcessPool {
            inner: HostPool::new(config, options, main),
            forced: AtomicBool::new(false),
        })
    }
}

/// An executor on child processes: Python's `ProcessPoolExecutor`. See the
/// [module](crate::process) for an example and for how children end.
///
/// The number of jobs in flight is bounded by `capacity`. Dropping the pool waits for all work, like
/// `shutdown(true, false)`.
pub struct ProcessPool {
    inner: Arc<HostPool<Children>>,
    /// Whether its children were ended by a call.
    forced: AtomicBool,
}

impl ProcessPool {
    /// A pool with default options, whose children know these jobs.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`ProcessPoolBuilder::build`].
    ///
    /// # Panics
    ///
    /// If the program of this process is not known, or has not called
    /// [`run_worker_if_asked`](super::run_worker_if_asked): see [`BuildError::NoProgram`],
    /// [`BuildError::NoWorkerEntry`] and [`BuildError::IsToBeWorker`].
    pub fn new(jobs: &'static JobTable) -> Self {
        Self::builder(jobs)
            .build()
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Options for a pool whose children know these jobs.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), and a call of the system for the number of cores.
    pub fn builder(jobs: &'static JobTable) -> ProcessPoolBuilder {
        ProcessPoolBuilder {
            jobs,
            max_workers: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            max_tasks_per_child: None,
            program: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            capacity: 1_024,
            priorities: 1,
            frame_bytes: DEFAULT_FRAME,
            start_timeout: Duration::from_secs(60),
            on_loss: OnLoss::Break,
            own_process_group: false,
        }
    }

    fn handle(&self) -> View<'_> {
        self.inner.view()
    }

    /// How many children there can be.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1).
    pub fn max_workers(&self) -> usize {
        self.inner.options().max
    }

    /// The process numbers of the children that there are now.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(max_workers), with heap, under a lock.
    pub fn worker_ids(&self) -> Vec<u32> {
        let children = self.inner.main.children();
        let there = children.iter().flatten();
        there.filter_map(|child| child.id()).collect()
    }

    /// Queues a job and returns the future of its result. It does not wait for a child that is slow
    /// to take in its jobs.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), without heap and locks. Heap for a job or result of more than
    ///   [`SLOT_BYTES`](crate::SLOT_BYTES). O(capacity) if no slot is free and jobs have ended in
    ///   the queue. While fewer than `max_workers` are there, a submit that finds no idle child
    ///   takes a lock and counts at O(capacity) how many are wanted. It may start the thread that
    ///   starts one.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`], [`SubmitError::ShutDown`], [`SubmitError::Broken`];
    /// [`SubmitError::NoWorker`] with the system's reason, if there is no thread to look after a
    /// child and the system refuses one. The job is in the error.
    pub fn submit<J: RemoteJob>(&self, job: J) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.handle().submit_remote(job);
        submitted.map_err(|refused| self.refused(refused))
    }

    /// [`submit`](Self::submit), but waits for room if the pool is full.
    ///
    /// * **Context**: any thread. In a callback that runs on a thread of the pool it fails where it
    ///   would wait.
    /// * **Cost**: as for [`submit`](Self::submit) if there is room. Else the caller waits for
    ///   room, and each look for it is O(capacity + max_workers).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), except [`SubmitError::Full`].
    /// [`SubmitError::TooManyWaiters`] if 32 callers wait already; [`SubmitError::WouldDeadlock`]
    /// if a callback on a thread of the pool would wait.
    pub fn submit_blocking<J: RemoteJob>(
        &self,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.handle().submit_remote_blocking(job);
        submitted.map_err(|refused| self.refused(refused))
    }

    /// Has all jobs done, and iterates over their results in the jobs' order. They travel in chunks
    /// of `chunk_size`, which saves time where jobs are short; the pool's table must have a
    /// [`Chunk`](super::Chunk) of the job.
    ///
    /// Chunks are submitted ahead of the result that is asked for, at most four for each worker. A
    /// job that panics gives its error in its place. If a chunk is lost, each of its jobs gives the
    /// error. So it is if a chunk comes back with another number of results than it has jobs
    /// ([`CodecError::ResultRefused`](corepool::CodecError::ResultRefused)). Dropping the iterator
    /// cancels the chunks that do not run yet.
    ///
    /// * **Context**: any thread but the pool's own.
    /// * **Cost**: heap for each chunk. A [`submit`](Self::submit) for each, by the call and by
    ///   each `next`. The call waits for room if the pool is full; `next` waits for its result, or
    ///   for room.
    ///
    /// # Errors
    ///
    /// [`ZeroChunk`] if `chunk_size` is 0.
    pub fn map<I>(&self, jobs: I, chunk_size: usize) -> Result<Map<'_, I::IntoIter>, ZeroChunk>
    where
        I: IntoIterator<Item: RemoteJob>,
    {
        let window = self.max_workers() * 4;
        Map::new(self, jobs.into_iter(), chunk_size, window)
    }

    /// [`submit`](Self::submit) at a priority. See [`StaticPool::at`](corepool::StaticPool::at).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), and [`SubmitError::NoSuchPriority`].
    pub fn submit_at<J: RemoteJob>(
        &self,
        priority: usize,
        job: J,
    ) -> Result<JobFuture<'_, J::Output>, SubmitError<J>> {
        let submitted = self.handle().at(priority).submit_remote(job);
        submitted.map_err(|refused| self.refused(refused))
    }

    /// A pool whose children were ended by a call is shut down, and not broken by their end.
    fn refused<J>(&self, refused: SubmitError<J>) -> SubmitError<J> {
        match refused {
            // Acquire: pairs with the store in `signal_workers`, before which the pool was shut down.
            SubmitError::Broken(job, _) if self.forced.load(Ordering::Acquire) => {
                SubmitError::ShutDown(job)
            }
            refused => refused,
        }
    }

    /// Ends the pool: no new work is taken. With `cancel_futures`, jobs that are queued are
    /// cancelled; with `wait`, returns when all work is done and all children have exited.
    /// Idempotent.
    ///
    /// * **Context**: any thread; with `wait`, none of the pool's own, on which its callbacks run.
    /// * **Cost**: O(max_workers); with `cancel_futures` also O(capacity), the destructors of the
    ///   jobs and their callbacks. With `wait`, a lock, and the caller waits for all work and for
    ///   the children's exit.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::WouldDeadlock`] if a callback of the pool calls it with `wait`;
    /// [`ShutdownError::TooManyWaiters`] if 32 callers wait already. The pool is shut down all the
    /// same.
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.inner.shutdown(wait, cancel_futures)
    }

    /// [`shutdown`](Self::shutdown) with `wait`, for no longer than `timeout` as long as there is
    /// work. A child that has none left and does not exit is killed after another second.
    ///
    /// * **Context**: any thread but the pool's own.
    /// * **Cost**: as for [`shutdown`](Self::shutdown). The caller waits for `timeout` at most
    ///   while there is work, and then for the children's exit.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::StillRunning`] says what still runs; to end that,
    /// [`kill_workers`](Self::kill_workers). [`ShutdownError::WouldDeadlock`] and
    /// [`ShutdownError::TooManyWaiters`] as for [`shutdown`](Self::shutdown). The pool is shut down
    /// all the same.
    pub fn shutdown_timeout(
        &self,
        timeout: Duration,
        cancel_futures: bool,
    ) -> Result<(), ShutdownError> {
        self.inner.finish_work(Some(timeout), cancel_futures)?;
        // It ends soon: a child that does not exit is killed.
        self.inner.wait_for_threads(None)
    }

    /// Shuts the pool down as `shutdown(false, true)` does, and asks each child to end, by
    /// `SIGTERM`. Jobs that run end with [`WorkerLost`](corepool::JobError::WorkerLost).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(capacity + max_workers), the destructors of the queued jobs and their
    ///   callbacks. The children get their signals under a lock. The call does not wait for their
    ///   end.
    pub fn terminate_workers(&self) {
        self.signal_workers(Signal::TERM);
    }

    /// Shuts the pool down as `shutdown(false, true)` does, and ends each child, by `SIGKILL`. Jobs
    /// that run end with [`WorkerLost`](corepool::JobError::WorkerLost).
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`terminate_workers`](Self::terminate_workers).
    pub fn kill_workers(&self) {
        self.signal_workers(Signal::KILL);
    }

    fn signal_workers(&self, signal: Signal) {
        // Without `wait`, it does not fail.
        let _ = self.shutdown(false, true);
        if self.handle().broken_reason().is_none() {
            // Release: pairs with the load in `refused`.
            self.forced.store(true, Ordering::Release);
        }
        for child in self.inner.main.children().iter().flatten() {
            child.signal(signal);
        }
    }
}

impl Drop for ProcessPool {
    /// Waits for all work. Dropped by a callback of its own, it does not wait: the threads end when
    /// the work is done.
    fn drop(&mut self) {
        let _ = self.shutdown(true, false);
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool")
            .field("max_workers", &self.max_workers())
            .field("workers", &self.worker_ids())
            .field("capacity", &self.handle().capacity())
            .finish()
    }
}

/// What the pool's threads do: each looks after a child at a time.
struct Children {
    jobs: &'static JobTable,
    program: Program,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    frame_bytes: usize,
    start_timeout: Duration,
    own_process_group: bool,
    remote: RemoteConfig,
    /// By the number of the thread.
    children: Mutex<Vec<Option<Arc<OwnedChild>>>>,
}

/// What the children run.
struct Program {
    file: PathBuf,
    /// What they are told to be called; the file's name if nothing.
    name: Option<OsString>,
}

impl Program {
    /// The program of this process.
    fn own() -> io::Result<Self> {
        let file = std::env::current_exe()?;
        if cfg!(target_os = "linux") {
            // What this process runs, whatever the file's name stands for by now.
            let name = std::env::args_os().next().unwrap_or(file.into_os_string());
            let file = PathBuf::from("/proc/self/exe");
            return Ok(Self {
                file,
                name: Some(name),
            });
        }
        Ok(Self { file, name: None })
    }
}

/// Why there is no child.
enum Failed {
    Start(io::Error),
    Remote(RemoteError),
    /// Whether it was a worker.
    Lost(LossReason, bool),
}

impl ThreadMain for Children {
    /// A child has several jobs at a time, but does one after the other.
    fn threads_wanted(pool: &HostPool<Self>) -> usize {
        pool.view().unfinished()
    }

    fn run(pool: &HostPool<Self>, number: usize, coming: Coming<Self>) {
        // No job runs on these threads that could wait for it.
        drop(coming);
        let main = &pool.main;
        let (mut outbox, mut inbox) = (vec![0; main.frame_bytes], vec![0; main.frame_bytes]);
        loop {
            let buffers = Buffers {
                outbox: &mut outbox,
                inbox: &mut inbox,
            };
            match main.look_after_child(pool, number, buffers) {
                Ok(RemoteEnd::ShutDown) => return,
                Ok(RemoteEnd::Retired) => {}
                Err(Failed::Lost(_, true)) => {}
                // Another would come to the same end.
                Err(Failed::Lost(reason, false)) => return break_pool(pool, reason.0),
                Err(Failed::Remote(RemoteError::Run(_))) => return,
                Err(Failed::Remote(error)) => return break_pool(pool, &error.to_string()),
                // The system may be short of something for a while: the next submit that finds no idle
                // child tries again.
                Err(Failed::Start(_)) if pool.leave_to_others(number) => return,
                Err(Failed::Start(error)) => {
                    let file = main.program.file.display();
                    let text = format!("cannot start a worker process ({file}): {error}");
                    return break_pool(pool, &text);
                }
            }
            let handle = pool.view();
            let over = handle.is_shut_down() && handle.unfinished() == 0;
            if over || handle.broken_reason().is_some() {
                return;
            }
        }
    }
}

fn break_pool(pool: &HostPool<Children>, text: &str) {
    pool.view().break_pool(loss_reason(text, "").0);
}

impl Children {
    fn children(&self) -> MutexGuard<'_, Vec<Option<Arc<OwnedChild>>>> {
        // A list of handles has no state that a panic could leave broken.
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_after_child(
        &self,
        pool: &HostPool<Self>,
        number: usize,
        buffers: Buffers<'_>,
    ) -> Result<RemoteEnd, Failed> {
        let worker = PollWorker::new(pool.options().spins).map_err(Failed::Start)?;
        let link = self.start(&worker, number).map_err(Failed::Start)?;
        let mut remote = RemoteWorker::<_, WINDOW>::new(link, self.jobs, buffers, self.remote);
        let end = remote
            .run(pool.view(), &worker)
            .map_err(|error| match error {
                RemoteError::Lost(reason) => Failed::Lost(reason, remote.has_met()),
                error => Failed::Remote(error),
            });
        if end.is_ok() {
            remote.link_mut().part();
        }
        drop(remote);
        if let Some(place) = self.children().get_mut(number) {
            *place = None;
        }
        end
    }

    fn start(&self, worker: &PollWorker, number: usize) -> io::Result<ChildLink> {
        let (ours, theirs) = UnixStream::pair()?;
        let (variable, question) = Question::new(&theirs, self.frame_bytes)?.variable();
        let mut command = Command::new(&self.program.file);
        if let Some(name) = &self.program.name {
            command.arg0(name);
        }
        if self.own_process_group {
            command.process_group(0);
        }
        close_in_child(&mut command);
        let mut child = command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(variable, question)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take();
        let child = Arc::new(OwnedChild::new(child));
        let Some(stderr) = stderr else {
            child.kill();
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let link = worker
            .link(ours, stderr, Arc::clone(&child), self.start_timeout)
            .inspect_err(|_| child.kill())?;
        if let Some(place) = self.children().get_mut(number) {
            *place = Some(child);
        }
        Ok(link)
    }
}
