//! How a process pool is built.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    thread,
    time::Duration,
};

use corepool::{
    OnLoss,
    remote::{JobTable, OnTimeout, RemoteConfig},
};
use postcard_schema::Schema;
use serde::Serialize;

use super::{
    argument::{self, NoVariable},
    build_error::ProcessPoolBuildError,
    parent::{
        children::Children,
        command::{Program, WorkerCommand},
    },
    pool::ProcessPool,
    question::{ChildProgram, FRAME_BYTES, Refusal, refusal},
    worker_exit::say,
};
use crate::{
    panic::remote_panic,
    spin::worker::SPINS,
    threads::{
        host_pool::{HostPool, ThreadOptions},
        names::unique_prefix,
    },
};

/// How many bytes a frame may have by default.
const DEFAULT_FRAME_BYTES: usize = 1 << 20;

/// Options of a [`ProcessPool`].
///
/// ```no_run
/// # use corepool::remote::JobTable;
/// # static JOBS: JobTable = JobTable::new(&[]);
/// use std::time::Duration;
/// use corepool::OnLoss;
/// use corepool_std::process::ProcessPool;
///
/// let pool = ProcessPool::builder(&JOBS)
///     .max_workers(4)
///     .max_tasks_per_child(1_000) // then another child takes its place
///     .worker_program("/usr/libexec/worker") // in place of this program
///     .arg("--quiet")
///     .env("OMP_NUM_THREADS", "1")
///     .initializer_argument(&String::from("model.bin"))
///     .capacity(64)
///     .priorities(2)
///     .frame_bytes(64 << 10)
///     .start_timeout(Duration::from_secs(10))
///     .on_loss(OnLoss::Continue) // another child for a lost one
///     .own_process_group(true) // Ctrl-C reaches this process only
///     .finish_at_exit(false)
///     .build()?;
/// # drop(pool);
/// # Ok::<(), corepool_std::process::ProcessPoolBuildError>(())
/// ```
#[derive(Clone)]
pub struct ProcessPoolBuilder {
    jobs: &'static JobTable,
    max_workers: usize,
    max_tasks_per_child: Option<u32>,
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    argument: Option<Result<String, NoVariable>>,
    capacity: usize,
    priorities: usize,
    frame_bytes: usize,
    start_timeout: Duration,
    on_loss: OnLoss,
    own_process_group: bool,
    finish_at_exit: bool,
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
            .field("finish_at_exit", &self.finish_at_exit)
            .finish_non_exhaustive()
    }
}

impl ProcessPoolBuilder {
    /// How many child processes the pool has at most: 1 to 1,000. By default, the number of cores.
    pub fn max_workers(mut self, max_workers: usize) -> Self {
        self.max_workers = max_workers;
        self
    }

    /// How many jobs a child runs before another child takes its place: at least 1. By default there is
    /// no limit.
    pub fn max_tasks_per_child(mut self, jobs: u32) -> Self {
        self.max_tasks_per_child = Some(jobs);
        self
    }

    /// The program that the children run. Its `main` calls
    /// [`run_worker_if_asked`](super::run_worker_if_asked) with the same table.
    ///
    /// By default, the children run the program of this process. On Linux they do so even if an upgrade
    /// has replaced or removed its file. Elsewhere they run the file that is there.
    pub fn worker_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Adds an argument to the children's command line. By default there is none.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Sets a variable in the children's environment, such as one that their initializer reads. The others
    /// are those of this process.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let variable = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.environment.push(variable);
        self
    }

    /// The argument of the initializer of [`run_worker_with_argument`](super::run_worker_with_argument), which each
    /// child calls before its first job. It may have 48 KiB when it is encoded. By default there is none.
    ///
    /// A process of the same user can read it, as it can read the variables of [`env`](Self::env).
    pub fn initializer_argument<A: Serialize + Schema>(mut self, argument: &A) -> Self {
        self.argument = Some(argument::encode(argument));
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

    /// How many bytes a frame can have: 64 to 1 GiB. By default 1 MiB. A frame is the encoded arguments or
    /// the encoded result of a job, and some 20 bytes more.
    ///
    /// For each child, the parent and the child have two buffers of this size each. Pages of them that are
    /// not used take no memory.
    pub fn frame_bytes(mut self, bytes: usize) -> Self {
        self.frame_bytes = bytes;
        self
    }

    /// How long a child may take from its start until it is ready for jobs. The time includes its
    /// initializer. By default a minute.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// The consequence for the pool when it loses a child. By default, the pool is broken, as in Python. Otherwise,
    /// another child takes the place, and only the jobs of the lost child fail.
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    /// Puts each child into a process group of its own. False by default.
    ///
    /// For Ctrl-C, a terminal sends `SIGINT` to the whole foreground group. It does the same with
    /// `SIGQUIT`, `SIGTSTP` and `SIGHUP`. A program may handle Ctrl-C to finish its work. Its workers do
    /// not handle it: the signal ends them unless they are in other groups. Workers in other groups end
    /// when the program does. They go on while Ctrl-Z has stopped the program.
    pub fn own_process_group(mut self, own: bool) -> Self {
        self.own_process_group = own;
        self
    }

    /// Whether the [end of the process](crate#the-end-of-the-process) waits for the pool's work. True by default.
    /// If false, the children end with the process, in the midst of their jobs.
    pub fn finish_at_exit(mut self, finish: bool) -> Self {
        self.finish_at_exit = finish;
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
    /// [`ProcessPoolBuildError`] says which option is out of bounds, or why this program can have no
    /// children.
    pub fn build(self) -> Result<ProcessPool, ProcessPoolBuildError> {
        if !(1..=1_000).contains(&self.max_workers) {
            return Err(ProcessPoolBuildError::MaxWorkers(self.max_workers));
        }
        if !(1..=65_000).contains(&self.capacity) {
            return Err(ProcessPoolBuildError::Capacity(self.capacity));
        }
        if !(1..=16).contains(&self.priorities) {
            return Err(ProcessPoolBuildError::Priorities(self.priorities));
        }
        if !FRAME_BYTES.contains(&self.frame_bytes) {
            return Err(ProcessPoolBuildError::FrameBytes(self.frame_bytes));
        }
        let max_jobs = match self.max_tasks_per_child.map(NonZeroU32::new) {
            Some(None) => return Err(ProcessPoolBuildError::MaxTasks),
            Some(some) => some,
            None => None,
        };
        let argument = match self.argument.transpose() {
            Ok(argument) => argument,
            Err(NoVariable::Encoding(reason)) => {
                return Err(ProcessPoolBuildError::ArgumentEncoding(reason));
            }
            Err(NoVariable::TooLarge(bytes)) => {
                return Err(ProcessPoolBuildError::ArgumentTooLarge(bytes));
            }
        };
        let children = match self.program.is_none() && self.arguments.is_empty() {
            true => ChildProgram::ThisOne,
            false => ChildProgram::Another,
        };
        match refusal(children) {
            None => {}
            Some(Refusal::NeverLooks) => return Err(ProcessPoolBuildError::NoWorkerEntry),
            Some(Refusal::IsToBeWorker) => {
                // The parent is told, whatever this program does with the error.
                say(format_args!("{}", ProcessPoolBuildError::IsToBeWorker));
                return Err(ProcessPoolBuildError::IsToBeWorker);
            }
        }
        let program = match self.program {
            Some(file) => Program::new(file),
            None => Program::own().map_err(ProcessPoolBuildError::NoProgram)?,
        };
        let options = ThreadOptions {
            max: self.max_workers,
            name_prefix: unique_prefix("ProcessPool"),
            stack_size: None,
            spins: SPINS,
            finish_at_exit: self.finish_at_exit,
        };
        let command = WorkerCommand {
            program,
            arguments: self.arguments,
            environment: self.environment,
            argument,
            own_process_group: self.own_process_group,
            frame_bytes: self.frame_bytes,
        };
        let remote = RemoteConfig {
            // The link's own time is over before that, and its reason says more.
            patience: self.start_timeout.checked_add(Duration::from_secs(1)),
            on_timeout: OnTimeout::LoseLink,
            on_loss: self.on_loss,
            prefetch: Some(Duration::from_millis(1)),
            max_jobs,
            panic: remote_panic,
            ..RemoteConfig::default()
        };
        let children = Children::new(
            self.max_workers,
            self.jobs,
            command,
            self.start_timeout,
            remote,
        );
        Ok(ProcessPool::of(HostPool::new(
            self.capacity,
            self.priorities,
            options,
            children,
        )))
    }
}

impl ProcessPool {
    /// A pool with default options. Its children know these jobs.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: as for [`ProcessPoolBuilder::build`].
    ///
    /// # Panics
    ///
    /// If the program of this process is not known, or has not called
    /// [`run_worker_if_asked`](super::run_worker_if_asked): see [`ProcessPoolBuildError::NoProgram`],
    /// [`ProcessPoolBuildError::NoWorkerEntry`] and [`ProcessPoolBuildError::IsToBeWorker`].
    ///
    /// ```no_run
    /// # use corepool::remote::JobTable;
    /// # static JOBS: JobTable = JobTable::new(&[]);
    /// use corepool_std::process::{ProcessPool, run_worker_if_asked};
    ///
    /// fn main() {
    ///     run_worker_if_asked(&JOBS);
    ///     let pool = ProcessPool::new(&JOBS);
    /// #   drop(pool);
    /// }
    /// ```
    pub fn new(jobs: &'static JobTable) -> Self {
        Self::builder(jobs)
            .build()
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// The default options of a pool whose children know these jobs, to be changed.
    ///
    /// * **Context**: any thread.
    /// * **Cost**: O(1), and a system call for the number of cores.
    pub fn builder(jobs: &'static JobTable) -> ProcessPoolBuilder {
        ProcessPoolBuilder {
            jobs,
            max_workers: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            max_tasks_per_child: None,
            program: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            argument: None,
            capacity: 1_024,
            priorities: 1,
            frame_bytes: DEFAULT_FRAME_BYTES,
            start_timeout: Duration::from_secs(60),
            on_loss: OnLoss::Break,
            own_process_group: false,
            finish_at_exit: true,
        }
    }
}
