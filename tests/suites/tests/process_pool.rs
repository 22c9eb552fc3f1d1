//! The parts that only the process pool has: children, and their fates. This program is its own worker
//! program. CPython: `test_process_pool.py`, `test_shutdown.py`, `test_deadlock.py`, `test_init.py`.
//!
//! The test binary `travelling` has the parts that all pools have: futures, `wait`, `as_completed`, drops.
//! It also has `cancel_futures_wait_false` and the tests of callbacks among the shutdown's tests. A child
//! tells its progress by files: a job writes there that it has begun, and goes on when a file tells it to.
//!
//! CPython's `pickle` is `encode` in the names here, and `unpickle` is `decode`. These tests of CPython
//! have no counterpart here:
//!
//! * `max_tasks_per_child_defaults_to_spawn_context`, `process_fork_from_a_threadpool`: a child is
//!   started anew, never forked, so there is no start method to choose;
//! * `force_shutdown_workers_invalid_op`: the two operations are two methods;
//! * `python_finalization_error`: there is no interpreter that ends before the program does;
//! * `exit_during_result_unpickle_in_result_handler`: it would end this process;
//! * `map_buffersize_on_multiple_iterables`, finite or not: several sources are made one of jobs, by
//!   `zip`, before `map` sees them;
//! * `thread_names_assigned`, `threads_terminate`: the threads beside the children are the pool's own,
//!   and end with them: `processes_terminate`.

use std::{
    cell::Cell,
    collections::HashSet,
    ffi::OsStr,
    fs,
    io::Write,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            fs::MetadataExt,
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    panic::{catch_unwind, resume_unwind, set_hook},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::Waker,
    thread,
    time::Duration,
};

use corepool::{
    BrokenReason, CodecError, JobError, LossReason, NoWorker, OnLoss, Panic, ShutdownError,
    StaticPool, SubmitError,
    remote::{
        Buffers, JobContext, JobEntry, JobTable, Link, RemoteConfig, RemoteError, RemoteJob,
        RemoteWorker,
    },
};
use corepool_std::{
    HostPort, PanicExt, StreamLink, ThreadWorker,
    process::{
        Chunk, ChunkError, ChunkOptions, ProcessPool, ProcessPoolBuildError, ProcessPoolBuilder,
        run_worker_with, run_worker_with_argument,
    },
    run_in_executor,
};
#[cfg(target_os = "linux")]
use corepool_tests::limit_address_space;
use corepool_tests::{
    PATIENCE, generation, run_for,
    travelling::{AtGate, FileGate, Note, Notes, Pow},
};
use futures_lite::future::{block_on, poll_once};
use libtest_mimic::{Arguments, Trial};
use postcard_schema::Schema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

// The jobs.

/// The number of the process that it runs in.
#[derive(Serialize, Deserialize, Schema)]
struct ProcessId;

impl RemoteJob for ProcessId {
    type Output = u32;
    const NAME: &'static str = "process_id";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        std::process::id()
    }
}

/// How a process can come to its end.
#[derive(Clone, Copy, Serialize, Deserialize, Schema)]
enum Ending {
    Panic,
    Exit,
    Abort,
}

impl Ending {
    fn come(self) {
        match self {
            Self::Panic => panic!("as asked for"),
            Self::Exit => {
                eprintln!("about to exit");
                std::process::exit(3)
            }
            Self::Abort => {
                eprintln!("about to abort");
                std::process::abort()
            }
        }
    }
}

/// Ends its process, or panics.
#[derive(Serialize, Deserialize, Schema)]
struct End(Ending);

impl RemoteJob for End {
    type Output = ();
    const NAME: &'static str = "end";

    fn run(self, _context: &mut JobContext<'_>) {
        self.0.come();
    }
}

/// Panics with a text.
#[derive(Clone, Serialize, Deserialize, Schema)]
struct PanicWith(String);

impl RemoteJob for PanicWith {
    type Output = ();
    const NAME: &'static str = "panic with";

    fn run(self, _context: &mut JobContext<'_>) {
        panic!("{}", self.0) // here
    }
}

/// Catches a panic of its own, and does not panic.
#[derive(Serialize, Deserialize, Schema)]
struct CatchOwn;

impl RemoteJob for CatchOwn {
    type Output = ();
    const NAME: &'static str = "catch own";

    fn run(self, _context: &mut JobContext<'_>) {
        catch_unwind(|| panic!("an earlier one")).unwrap_err();
    }
}

/// Unwinds past the panic hook.
#[derive(Serialize, Deserialize, Schema)]
struct Unwind;

impl RemoteJob for Unwind {
    type Output = ();
    const NAME: &'static str = "unwind";

    fn run(self, _context: &mut JobContext<'_>) {
        resume_unwind(Box::new("out of nowhere"))
    }
}

/// Encodes and decodes as a number that says what happens meanwhile.
#[derive(Schema)]
struct Troublesome(u8);

const IN_ENCODE: u8 = 1;
const IN_DECODE: u8 = 2;
const ERROR: u8 = 0;
const PANIC: u8 = 4;
const EXIT: u8 = 8;
const ABORT: u8 = 12;

impl Troublesome {
    /// False: an error is to be returned.
    fn happen(&self, at: u8) -> bool {
        if self.0 & 3 != at {
            return true;
        }
        match self.0 & 12 {
            PANIC => Ending::Panic.come(),
            EXIT => Ending::Exit.come(),
            ABORT => Ending::Abort.come(),
            _ => return false,
        }
        true
    }
}

impl Serialize for Troublesome {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if !self.happen(IN_ENCODE) {
            return Err(ser::Error::custom("as asked for"));
        }
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Troublesome {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let trouble = Self(u8::deserialize(from)?);
        if !trouble.happen(IN_DECODE) {
            return Err(de::Error::custom("as asked for"));
        }
        Ok(trouble)
    }
}

/// Has trouble on its way to the child.
#[derive(Serialize, Deserialize, Schema)]
struct TroubleThere(Troublesome);

impl RemoteJob for TroubleThere {
    type Output = ();
    const NAME: &'static str = "trouble_there";

    fn run(self, _context: &mut JobContext<'_>) {}
}

/// Its result has trouble on its way back.
#[derive(Serialize, Deserialize, Schema)]
struct TroubleBack(u8);

impl RemoteJob for TroubleBack {
    type Output = Troublesome;
    const NAME: &'static str = "trouble_back";

    fn run(self, _context: &mut JobContext<'_>) -> Troublesome {
        Troublesome(self.0)
    }
}

#[derive(Serialize, Deserialize, Schema)]
struct Echo(Vec<u8>);

impl RemoteJob for Echo {
    type Output = Vec<u8>;
    const NAME: &'static str = "echo";

    fn run(self, _context: &mut JobContext<'_>) -> Vec<u8> {
        self.0
    }
}

/// Writes so many bytes to standard error.
#[derive(Serialize, Deserialize, Schema)]
struct Flood(u32);

impl RemoteJob for Flood {
    type Output = ();
    const NAME: &'static str = "flood";

    fn run(self, _context: &mut JobContext<'_>) {
        let line = [b' '; 1_000];
        for _ in 0..self.0 / 1_000 {
            std::io::stderr().write_all(&line).unwrap();
        }
    }
}

/// Writes what is no frame to its socket.
#[derive(Serialize, Deserialize, Schema)]
struct Babble;

impl RemoteJob for Babble {
    type Output = ();
    const NAME: &'static str = "babble";

    fn run(self, _context: &mut JobContext<'_>) {
        // The socket is the one descriptor that is a socket.
        for fd in 3..64 {
            // SAFETY: a write to whatever it is, or to nothing.
            unsafe { libc::send(fd, c"no frame".as_ptr().cast(), 9, 0) };
        }
        loop {
            thread::park();
        }
    }
}

/// Does not end by itself.
#[derive(Serialize, Deserialize, Schema)]
struct Hang(String);

impl RemoteJob for Hang {
    type Output = u32;
    const NAME: &'static str = "hang";
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(50));

    fn run(self, context: &mut JobContext<'_>) -> u32 {
        AtGate(self.0).run(context)
    }
}

/// The initializer's trace, told when a gate is open.
#[derive(Serialize, Deserialize, Schema)]
struct Initialized(String);

impl RemoteJob for Initialized {
    type Output = Option<String>;
    const NAME: &'static str = "initialized";

    fn run(self, context: &mut JobContext<'_>) -> Option<String> {
        AtGate(self.0).run(context);
        INITIALIZED.get().cloned()
    }
}

/// Set in a child, by its initializer.
static INITIALIZED: OnceLock<String> = OnceLock::new();

/// Notes the number of its process when it is dropped.
#[derive(Serialize, Deserialize, Schema)]
struct Tells(String);

impl Drop for Tells {
    fn drop(&mut self) {
        Note(self.0.clone(), std::process::id()).note();
    }
}

/// Has a value that tells of its end, and results in another.
#[derive(Serialize, Deserialize, Schema)]
struct Resources(Tells);

impl RemoteJob for Resources {
    type Output = Tells;
    const NAME: &'static str = "resources";

    fn run(self, _context: &mut JobContext<'_>) -> Tells {
        Tells(self.0.0.clone())
    }
}

/// Ends its process, and has had much to carry.
#[derive(Serialize, Deserialize, Schema)]
struct EndWithData(Ending, Vec<u8>);

impl RemoteJob for EndWithData {
    type Output = ();
    const NAME: &'static str = "end_with_data";

    fn run(self, _context: &mut JobContext<'_>) {
        self.0.come();
    }
}

/// Leaves a copy of its process, which has all that it has, notes the copy's number, and ends.
#[derive(Serialize, Deserialize, Schema)]
struct LeaveCopy(String);

impl RemoteJob for LeaveCopy {
    type Output = ();
    const NAME: &'static str = "leave_copy";

    fn run(self, _context: &mut JobContext<'_>) {
        Note(self.0, leave_copy()).note();
        Ending::Abort.come();
    }
}

/// Makes a copy of this process, which has all that it has, and does nothing. Its number.
fn leave_copy() -> u32 {
    // SAFETY: the copy does nothing but wait to be killed.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        loop {
            // SAFETY: it may be called at any time.
            unsafe { libc::pause() };
        }
    }
    copy.try_into().unwrap()
}

/// Whether the process, or one that it starts, has the variable that workers are asked by.
#[derive(Serialize, Deserialize, Schema)]
struct HasVariable;

impl RemoteJob for HasVariable {
    type Output = (bool, bool);
    const NAME: &'static str = "has_variable";

    fn run(self, _context: &mut JobContext<'_>) -> (bool, bool) {
        let here = std::env::vars().any(|(name, _)| name == "COREPOOL_WORKER");
        let output = Command::new("env").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("PATH="), "{text}");
        (here, text.contains("COREPOOL_WORKER"))
    }
}

/// The name of its process.
#[derive(Serialize, Deserialize, Schema)]
struct ProcessName;

impl RemoteJob for ProcessName {
    type Output = String;
    const NAME: &'static str = "process_name";

    fn run(self, _context: &mut JobContext<'_>) -> String {
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        name.trim_end().to_owned()
    }
}

/// Whether its process has this descriptor.
#[derive(Serialize, Deserialize, Schema)]
struct HasDescriptor(i32);

impl RemoteJob for HasDescriptor {
    type Output = bool;
    const NAME: &'static str = "has_descriptor";

    fn run(self, _context: &mut JobContext<'_>) -> bool {
        // SAFETY: it reads a flag, if there is such a descriptor.
        unsafe { libc::fcntl(self.0, libc::F_GETFD) != -1 }
    }
}

/// Takes nothing more from its socket, and waits to be killed.
#[derive(Serialize, Deserialize, Schema)]
struct Deafen(String);

impl RemoteJob for Deafen {
    type Output = ();
    const NAME: &'static str = "deafen";

    fn run(self, context: &mut JobContext<'_>) {
        for fd in 3..64 {
            // SAFETY: of a socket, its end is told; of anything else, there is an error.
            unsafe { libc::shutdown(fd, libc::SHUT_RD) };
        }
        AtGate(self.0).run(context);
    }
}

/// A kind of job of which another program says that it knows it, and gives any number of results.
#[derive(Debug, Serialize, Deserialize, Schema)]
struct Double(u32);

impl RemoteJob for Double {
    type Output = u32;
    const NAME: &'static str = "double";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        self.0 * 2
    }
}

/// The other program takes this for a chunk of [`Double`]: it has the same key, and five results.
#[derive(Serialize, Deserialize)]
struct FiveOf(Vec<Double>);

impl Schema for FiveOf {
    const SCHEMA: &'static postcard_schema::schema::NamedType = <Chunk<Double> as Schema>::SCHEMA;
}

impl RemoteJob for FiveOf {
    type Output = <Chunk<Double> as RemoteJob>::Output;
    const NAME: &'static str = "double";

    fn run(self, _context: &mut JobContext<'_>) -> Self::Output {
        (0..5).map(Ok).collect()
    }
}

static DOUBLES: JobTable =
    JobTable::new(&[JobEntry::of::<Double>(), JobEntry::of::<Chunk<Double>>()]);
static FIVES: JobTable = JobTable::new(&[JobEntry::of::<Double>(), JobEntry::of::<FiveOf>()]);

static JOBS: JobTable = JobTable::new(&[
    JobEntry::of::<Pow>(),
    JobEntry::of::<Chunk<Pow>>(),
    JobEntry::of::<ProcessId>(),
    JobEntry::of::<AtGate>(),
    JobEntry::of::<End>(),
    JobEntry::of::<PanicWith>(),
    JobEntry::of::<Chunk<PanicWith>>(),
    JobEntry::of::<CatchOwn>(),
    JobEntry::of::<Unwind>(),
    JobEntry::of::<TroubleThere>(),
    JobEntry::of::<Chunk<TroubleThere>>(),
    JobEntry::of::<TroubleBack>(),
    JobEntry::of::<Echo>(),
    JobEntry::of::<Flood>(),
    JobEntry::of::<Babble>(),
    JobEntry::of::<Hang>(),
    JobEntry::of::<Initialized>(),
    JobEntry::of::<Note>(),
    JobEntry::of::<Chunk<Note>>(),
    JobEntry::of::<Resources>(),
    JobEntry::of::<EndWithData>(),
    JobEntry::of::<Chunk<EndWithData>>(),
    JobEntry::of::<LeaveCopy>(),
    JobEntry::of::<HasVariable>(),
    JobEntry::of::<ProcessName>(),
    JobEntry::of::<HasDescriptor>(),
    JobEntry::of::<Deafen>(),
]);

// The tools of the tests.

fn builder() -> ProcessPoolBuilder {
    ProcessPool::builder(&JOBS).max_workers(2)
}

fn pool() -> ProcessPool {
    builder().build().unwrap()
}

fn one_worker() -> ProcessPool {
    builder().max_workers(1).build().unwrap()
}

/// Whether there is such a process, a zombie included.
fn exists(id: u32) -> bool {
    // SAFETY: signal 0 is none.
    unsafe { libc::kill(id.try_into().unwrap(), 0) == 0 }
}

fn wait_until_gone(id: u32) {
    while exists(id) {
        thread::yield_now();
    }
}

fn kill(id: u32) {
    signal(id, libc::SIGKILL);
}

fn signal(id: u32, signal: libc::c_int) {
    // SAFETY: it has no preconditions. It goes to a child of this process, or a child's copy.
    unsafe { libc::kill(id.try_into().unwrap(), signal) };
}

/// The text of the reason for which a worker was lost.
fn loss(error: JobError) -> &'static str {
    match error {
        JobError::WorkerLost(reason) => reason.0,
        JobError::Broken(BrokenReason::WorkerLost(reason)) => reason.0,
        JobError::Broken(BrokenReason::Application(text)) => text,
        other => panic!("{other}"),
    }
}

/// Runs this program again, to do what `name` stands for in `main`, and gives what it has written.
fn run_program(name: &str, value: impl AsRef<OsStr>) -> Output {
    let program = std::env::current_exe().unwrap();
    run_program_at(&program, name, value)
}

fn run_program_at(program: &Path, name: &str, value: impl AsRef<OsStr>) -> Output {
    Command::new(program)
        .env(name, value)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The program's standard output, if it has ended well.
fn output_of(name: &str, value: impl AsRef<OsStr>) -> String {
    written(&run_program(name, value))
}

fn written(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn assert_mentions(text: &str, what: &str) {
    assert!(text.contains(what), "{text:?} does not mention {what:?}");
}

fn assert_broken(pool: &ProcessPool) {
    let refused = pool.submit(Pow(2, 5)).map(drop).unwrap_err();
    assert!(
        matches!(refused, SubmitError::Broken(Pow(2, 5), _)),
        "{refused}"
    );
}

// ExecutorTest.

/// `test_submit`.
fn submit() {
    let future = pool()
        .submit(Pow(2, 8))
        .map(|future| future.result().unwrap());
    assert_eq!(future.unwrap(), 256);
}

/// `test_map`.
fn map() {
    let pool = pool();
    let results = pool.map((0..10).map(|n| Pow(n, 2)), 1).unwrap();
    let results: Vec<_> = results.map(Result::unwrap).collect();
    assert_eq!(results, (0..10).map(|n| n * n).collect::<Vec<_>>());
}

/// `test_map_exception`: an error takes its own place.
fn map_exception() {
    let pool = pool();
    let jobs = [Pow(2, 2), Pow(10, 30), Pow(3, 2)];
    let results: Vec<_> = ProcessPool::map(&pool, jobs, 3).unwrap().collect();
    assert_eq!(*results[0].as_ref().unwrap(), 4);
    assert!(matches!(results[1], Err(JobError::Panicked(_))));
    assert_eq!(*results[2].as_ref().unwrap(), 9);
}

/// `test_map_chunksize`.
fn map_chunksize() {
    let pool = pool();
    for chunk_size in [1, 3, 5, 7, 20] {
        let results = pool.map((0..17).map(|n| Pow(n, 2)), chunk_size).unwrap();
        let results: Vec<_> = results.map(Result::unwrap).collect();
        assert_eq!(results, (0..17).map(|n| n * n).collect::<Vec<_>>());
    }
    assert_eq!(pool.map([Pow(1, 1)], 0).unwrap_err(), ChunkError::ZeroChunk);
}

/// `test_map_buffersize_value_validation`.
fn map_buffersize_value_validation() {
    let options = ChunkOptions {
        buffer_size: Some(0),
        ..ChunkOptions::default()
    };
    let refused = ProcessPool::map_with(&pool(), options, [Pow(1, 1)]).map(drop);
    assert_eq!(refused, Err(ChunkError::ZeroBuffer));
}

/// `test_map_buffersize`: as many chunks are drawn as the buffer has, and one more for each that is handed out.
fn map_buffersize() {
    let pool = one_worker();
    let drawn = Cell::new(0);
    let jobs = (0..).map(|n| {
        drawn.set(drawn.get() + 1);
        Pow(n, 1)
    });
    let options = ChunkOptions {
        chunk_size: 2,
        buffer_size: Some(3),
        ..ChunkOptions::default()
    };
    let mut map = pool.map_with(options, jobs).unwrap();
    assert_eq!(drawn.get(), 6);
    for expected in [6, 6, 8, 8, 10] {
        map.next().unwrap().unwrap();
        assert_eq!(drawn.get(), expected);
    }
}

fn in_a_moment(chunk_size: usize, buffer_size: usize) -> ChunkOptions {
    ChunkOptions {
        chunk_size,
        buffer_size: Some(buffer_size),
        timeout: Some(Duration::from_millis(2)),
    }
}

/// `test_map_timeout`, `test_executor_map_current_future_cancel`: the iteration ends, and what does not run yet is
/// cancelled, the chunk that the caller asked for as well.
fn map_timeout() {
    let (gate, notes) = (FileGate::new(), Notes::new());
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    gate.wait_until_begun();
    let jobs = [1, 2, 3].map(|n| notes.job(n));
    let mut results = pool.map_with(in_a_moment(1, 2), jobs).unwrap();
    assert!(matches!(results.next(), Some(Err(JobError::TimedOut))));
    assert!(results.next().is_none());
    gate.open();
    running.result().unwrap();
    pool.shutdown(true, false).unwrap();
    assert_eq!(notes.read(), []);
}

/// A wait for room goes by the same time.
fn map_timeout_in_a_full_pool() {
    let gate = FileGate::new();
    let pool = builder().max_workers(1).capacity(1).build().unwrap();
    let running = pool.submit(gate.job()).unwrap();
    let results = pool.map_with(in_a_moment(2, 1), [1, 2, 3].map(|n| Pow(n, 1)));
    let results: Vec<_> = results.unwrap().collect();
    assert!(matches!(results[..], [Err(JobError::TimedOut)]));
    gate.open();
    running.result().unwrap();
}

/// An event loop awaits a job of the pool, and gives it up. asyncio: `test_run_in_executor`.
fn run_in_executor_takes_jobs() {
    let (gate, notes) = (FileGate::new(), Notes::new());
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    gate.wait_until_begun();
    drop(run_in_executor(&pool, notes.job(1)).unwrap());
    gate.open();
    running.result().unwrap();
    let square = run_in_executor(&pool, Pow(12, 2)).unwrap();
    assert_eq!(block_on(square).unwrap(), 144);
    pool.shutdown(true, false).unwrap();
    assert_eq!(notes.read(), []);
    let refused = run_in_executor(&pool, Pow(1, 1)).map(drop);
    assert_eq!(refused, Err(SubmitError::ShutDown(Pow(1, 1))));
}

/// The pool says why it is broken, and that one whose children a call has ended is not.
fn broken_reason() {
    let pool = one_worker();
    let end = pool.submit(End(Ending::Exit)).unwrap();
    end.result().unwrap_err();
    let reason = ProcessPool::broken_reason(&pool).unwrap();
    assert_mentions(&reason.to_string(), "exit status: 3");
    let pool = one_worker();
    let gate = FileGate::new();
    let running = pool.submit(gate.job()).unwrap();
    gate.wait_until_begun();
    pool.kill_workers();
    running.result().unwrap_err();
    pool.shutdown(true, false).unwrap();
    assert_eq!(ProcessPool::broken_reason(&pool), None);
}

/// The pool's own methods are those of the trait, under shorter names.
fn waits_for_room() {
    let pool = builder().max_workers(1).capacity(2).build().unwrap();
    let (promise, promised) = ProcessPool::promise(&pool).unwrap();
    let gate = FileGate::new();
    let running = pool.submit(gate.job()).unwrap();
    let moment = Duration::from_millis(2);
    let full = ProcessPool::submit_timeout(&pool, Pow(2, 3), moment).map(drop);
    assert_eq!(full, Err(SubmitError::Full(Pow(2, 3))));
    let mut submit = Box::pin(ProcessPool::submit_async(&pool, Pow(2, 4)));
    assert!(block_on(poll_once(&mut submit)).is_none());
    gate.open();
    running.result().unwrap();
    assert_eq!(block_on(submit).unwrap().result().unwrap(), 16);
    promise.set_result(5).unwrap();
    assert_eq!(promised.result().unwrap(), 5);
}

/// `test_map_buffersize_on_infinite_iterable`.
fn map_buffersize_on_infinite_iterable() {
    let pool = pool();
    let results = pool.map((1..).map(|n| Pow(n, 1)), 4).unwrap();
    let results: Vec<_> = results.take(10).map(Result::unwrap).collect();
    assert_eq!(results, (1..=10).collect::<Vec<_>>());
}

/// A pool with no room for all chunks takes them one after the other.
fn map_in_a_small_pool() {
    let pool = builder().capacity(1).build().unwrap();
    let results = pool.map((0..50).map(|n| Pow(n, 1)), 2).unwrap();
    let results: Vec<_> = results.map(Result::unwrap).collect();
    assert_eq!(results, (0..50).collect::<Vec<_>>());
}

/// `test_map_buffersize_on_empty_iterable`.
fn map_buffersize_on_empty_iterable() {
    let pool = pool();
    assert!(pool.map(Vec::<Pow>::new(), 3).unwrap().next().is_none());
}

/// `test_map_buffersize_when_buffer_is_full`: no more is drawn than the window has, and a chunk more
/// for each that is handed out.
fn map_buffersize_when_buffer_is_full() {
    let pool = one_worker();
    let drawn = Cell::new(0);
    let jobs = (0..).map(|n| {
        drawn.set(drawn.get() + 1);
        Pow(n, 1)
    });
    let mut map = pool.map(jobs, 3).unwrap();
    assert_eq!(drawn.get(), 12);
    for expected in [12, 12, 12, 15, 15, 15, 18] {
        map.next().unwrap().unwrap();
        assert_eq!(drawn.get(), expected);
    }
}

/// `test_map_submits_without_iteration`.
fn map_submits_without_iteration() {
    let notes = Notes::new();
    let pool = one_worker();
    let map = pool.map([1, 2].map(|n| notes.job(n)), 1).unwrap();
    pool.shutdown(true, false).unwrap();
    assert_eq!(notes.read(), [1, 2]);
    drop(map);
}

/// `test_map_close`: dropped early, the rest is cancelled.
fn map_close() {
    let notes = Notes::new();
    let gate = FileGate::new();
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    gate.wait_until_begun();
    drop(pool.map((0..10).map(|n| notes.job(n)), 1).unwrap());
    gate.open();
    running.result().unwrap();
    pool.shutdown(true, false).unwrap();
    assert_eq!(notes.read(), []);
}

/// `test_map` after shutdown.
fn map_after_shutdown() {
    let pool = pool();
    pool.shutdown(true, false).unwrap();
    let results = pool.map([1, 2, 3].map(|n| Pow(n, 1)), 2).unwrap();
    let results: Vec<_> = results.collect();
    assert_eq!(results.len(), 3);
    for result in results {
        assert!(matches!(result, Err(JobError::ShutDown)));
    }
}

/// Each job of each chunk has the reason for which the pool is broken.
fn map_of_a_broken_pool() {
    let pool = one_worker();
    let end = pool.submit(End(Ending::Exit)).unwrap();
    assert_mentions(loss(end.result().unwrap_err()), "exit status: 3");
    let results = pool.map([1, 2, 3].map(|n| Pow(n, 1)), 2).unwrap();
    let results: Vec<_> = results.collect();
    assert_eq!(results.len(), 3);
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, JobError::Broken(_)), "{error}");
        assert_mentions(loss(error), "exit status: 3");
    }
}

/// A chunk with a job that panics while it is encoded is not sent: each of its jobs has an error that says so.
fn a_chunk_whose_encoding_panics_is_lost() {
    let pool = one_worker();
    let jobs = [0, IN_ENCODE | PANIC].map(|trouble| TroubleThere(Troublesome(trouble)));
    let results: Vec<_> = pool.map(jobs, 2).unwrap().collect();
    assert_eq!(results.len(), 2);
    for result in results {
        let Err(JobError::Panicked(panic)) = result else {
            panic!("it has not panicked");
        };
        let text = panic.payload().unwrap().downcast::<&str>().unwrap();
        assert_eq!(*text, "encoding or decoding the chunk panicked");
    }
}

/// Where no thread can be started to look after a child, each job of each chunk has that error.
#[cfg(target_os = "linux")]
fn map_where_no_thread_can_be_started() {
    assert_eq!(output_of("NO_THREADS", ""), "3 refused\n");
}

/// In a process of its own, whose limit it is.
#[cfg(target_os = "linux")]
fn map_without_threads() {
    // SAFETY: this is the only thread. It says how large the stack of the next is.
    unsafe { std::env::set_var("RUST_MIN_STACK", (64 << 20).to_string()) };
    let pool = one_worker();
    limit_address_space(Some(16 << 20));
    let results: Vec<_> = pool.map([1, 2, 3].map(|n| Pow(n, 1)), 2).unwrap().collect();
    limit_address_space(None);
    let is_refused = |result: &Result<_, _>| match result {
        Err(JobError::NoWorker(NoWorker(reason))) => {
            reason.contains("cannot start a worker thread")
        }
        _ => false,
    };
    println!(
        "{} refused",
        results.iter().filter(|result| is_refused(result)).count()
    );
}

/// `test_shutdown_race_issue12456`.
fn shutdown_race_issue12456() {
    let pool = pool();
    for _ in 0..4 {
        drop(pool.submit(Pow(1, 1)).unwrap());
    }
    pool.shutdown(true, false).unwrap();
}

/// `test_max_workers_negative`, adapted: 0 is an error.
fn max_workers_negative() {
    let error = builder().max_workers(0).build().unwrap_err();
    assert!(matches!(error, ProcessPoolBuildError::MaxWorkers(0)));
}

/// `test_max_workers_too_large`.
fn max_workers_too_large() {
    let error = builder().max_workers(1_001).build().unwrap_err();
    assert!(matches!(error, ProcessPoolBuildError::MaxWorkers(1_001)));
}

fn bounds_of_the_builder() {
    let capacity = builder().capacity(0).build().unwrap_err();
    assert!(matches!(capacity, ProcessPoolBuildError::Capacity(0)));
    let priorities = builder().priorities(17).build().unwrap_err();
    assert!(matches!(priorities, ProcessPoolBuildError::Priorities(17)));
    let tasks = builder().max_tasks_per_child(0).build().unwrap_err();
    assert!(matches!(tasks, ProcessPoolBuildError::MaxTasks));
    let frame = builder().frame_bytes(63).build().unwrap_err();
    assert!(matches!(frame, ProcessPoolBuildError::FrameBytes(63)));
}

/// By default there are as many workers as cores.
fn default_workers() {
    let cores = thread::available_parallelism().unwrap().get();
    assert_eq!(
        ProcessPool::builder(&JOBS).build().unwrap().max_workers(),
        cores
    );
}

/// The jobs run in other processes, which are children of this one.
fn jobs_run_in_children() {
    let pool = one_worker();
    let id = pool.submit(ProcessId).unwrap().result().unwrap();
    assert_ne!(id, std::process::id());
    assert_eq!(pool.worker_ids(), [id]);
}

/// The threads beside the children are named, and those of two pools differ. `test_thread_names_default`.
fn thread_names_default() {
    let [one, other] = [one_worker(), one_worker()].map(|pool| {
        let name = name_of_thread(&pool);
        let prefix = name.strip_suffix("-0").unwrap();
        let number = prefix.strip_prefix("ProcessPool-").unwrap();
        number.parse::<usize>().unwrap()
    });
    assert_ne!(one, other);
}

/// The name of the thread beside a pool's child.
fn name_of_thread(pool: &ProcessPool) -> String {
    let gate = FileGate::new();
    let (tell, told) = mpsc::channel();
    let mut future = pool.submit(gate.job()).unwrap();
    future
        .add_done_callback(move |_| {
            let name = thread::current().name().map(String::from);
            tell.send(name).unwrap();
        })
        .unwrap();
    gate.open();
    told.recv().unwrap().unwrap()
}

// ShutdownTest, ProcessPoolShutdownTest.

/// `test_run_after_shutdown`.
fn run_after_shutdown() {
    let pool = pool();
    pool.shutdown(false, false).unwrap();
    let refused = pool.submit(Pow(2, 5)).map(drop).unwrap_err();
    assert!(matches!(refused, SubmitError::ShutDown(Pow(2, 5))));
}

/// `test_hang_issue12364`: 50 queued jobs are done before the shutdown is.
fn hang_issue12364() {
    let pool = pool();
    let futures: Vec<_> = (0..50).map(|n| pool.submit(Pow(n, 1)).unwrap()).collect();
    pool.shutdown(true, false).unwrap();
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), n);
    }
}

/// `test_cancel_futures`.
fn cancel_futures() {
    let gate = FileGate::new();
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    gate.wait_until_begun();
    let queued: Vec<_> = (0..50).map(|n| pool.submit(Pow(n, 1)).unwrap()).collect();
    pool.shutdown(false, true).unwrap();
    assert!(queued.iter().all(|future| future.cancelled()));
    gate.open();
    pool.shutdown(true, false).unwrap();
    running.result().unwrap();
}

/// `test_hang_gh94440`.
fn hang_gh94440() {
    for _ in 0..3 {
        let pool = one_worker();
        let future = pool.submit(Pow(1, 1)).unwrap();
        let cancelled = future.cancel();
        pool.shutdown(true, false).unwrap();
        assert_eq!(future.result().is_err(), cancelled);
    }
}

/// `test_processes_terminate`: no child is left, not even as a zombie.
fn processes_terminate() {
    let pool = pool();
    for n in 0..10 {
        drop(pool.submit(Pow(n, 1)).unwrap());
    }
    pool.submit(ProcessId).unwrap().result().unwrap();
    let ids = pool.worker_ids();
    assert!(!ids.is_empty());
    pool.shutdown(true, false).unwrap();
    assert!(ids.iter().all(|&id| !exists(id)));
}

/// `test_context_manager_shutdown`: at the end of the scope no child is left.
fn context_manager_shutdown() {
    let ids = {
        let pool = pool();
        let results = pool.map((1..6).map(|n| Pow(n, 1)), 1).unwrap();
        assert_eq!(
            results.map(Result::unwrap).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
        pool.worker_ids()
    };
    assert!(!ids.is_empty());
    assert!(ids.iter().all(|&id| !exists(id)));
}

/// `test_del_shutdown`: a pool that is dropped does first what is queued.
fn del_shutdown() {
    let (notes, gate) = (Notes::new(), FileGate::new());
    let pool = one_worker();
    drop(pool.submit(gate.job()).unwrap());
    let id = gate.wait_until_begun();
    for n in 0..5 {
        drop(pool.submit(notes.job(n)).unwrap());
    }
    gate.open();
    drop(pool);
    assert_eq!(notes.read(), [0, 1, 2, 3, 4]);
    assert!(!exists(id));
}

/// `test_hang_gh83386`: so does one that was shut down without waiting before.
fn hang_gh83386() {
    let notes = Notes::new();
    let pool = pool();
    drop(pool.submit(notes.job(1)).unwrap());
    pool.shutdown(false, false).unwrap();
    drop(pool);
    assert_eq!(notes.read(), [1]);
}

/// `test_interpreter_shutdown`: the end of a program that has a pool in its `main` waits for the work.
fn interpreter_shutdown() {
    let notes = Notes::new();
    let status = Command::new(std::env::current_exe().unwrap())
        .env("SUBMIT_AND_END", notes.path())
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(notes.read(), [1]);
}

fn submit_and_end(path: String) {
    let pool = pool();
    drop(pool.submit(Note(path, 1)).unwrap());
}

/// `test_shutdown_no_wait`: what is queued is still done.
fn shutdown_no_wait() {
    let pool = pool();
    let future = pool.submit(Pow(7, 2)).unwrap();
    pool.shutdown(false, false).unwrap();
    assert_eq!(future.result().unwrap(), 49);
}

/// `test_shutdown_gh_132969_case_1`: children of one task each, a job that fails between others, and a
/// shutdown that is not waited for.
fn shutdown_gh_132969_case_1() {
    run_test_issue_gh_132969(2);
}

/// `test_shutdown_gh_132969_case_2`: likewise, with more children than jobs.
fn shutdown_gh_132969_case_2() {
    run_test_issue_gh_132969(4);
}

fn run_test_issue_gh_132969(max_workers: usize) {
    let pool = builder()
        .max_workers(max_workers)
        .max_tasks_per_child(1)
        .build()
        .unwrap();
    let first = pool.submit(Pow(1, 1)).unwrap();
    let fails = pool.submit(End(Ending::Panic)).unwrap();
    let third = pool.submit(Pow(3, 1)).unwrap();
    assert_eq!(first.result().unwrap(), 1);
    assert!(matches!(fails.result(), Err(JobError::Panicked(_))));
    pool.shutdown(false, false).unwrap();
    // Here it is done even if nobody asks for it; Python's test stops at the failure.
    assert_eq!(third.result().unwrap(), 3);
    pool.shutdown(true, false).unwrap();
    assert!(pool.worker_ids().is_empty());
}

/// A shutdown, not waited for, while a job cannot be encoded.
fn shutdown_while_a_job_cannot_be_encoded() {
    let gate = FileGate::new();
    let pool = one_worker();
    let good = pool.submit(gate.job()).unwrap();
    let bad = pool.submit(TroubleThere(Troublesome(IN_ENCODE))).unwrap();
    gate.wait_until_begun();
    pool.shutdown(false, false).unwrap();
    gate.open();
    good.result().unwrap();
    assert!(matches!(
        bad.result(),
        Err(JobError::Codec(CodecError::Arguments))
    ));
    pool.shutdown(true, false).unwrap();
}

// ProcessPoolExecutorTest.

/// `test_killed_child`.
fn killed_child() {
    let gate = FileGate::new();
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    let queued = pool.submit(Pow(1, 1)).unwrap();
    let id = gate.wait_until_begun();
    kill(id);
    for error in [running.result().unwrap_err(), queued.result().unwrap_err()] {
        let reason = loss(error);
        assert_mentions(reason, "SIGKILL");
        assert_mentions(reason, &id.to_string());
    }
    assert_broken(&pool);
}

/// `test_broken_process_pool_traceback`: each future has an error of its own, which names the cause, the
/// job included that did not run. Python ends the other children with the first; here what runs in them
/// goes on, so that the test ends each.
fn broken_process_pool_traceback() {
    let gates = [(); 3].map(|()| FileGate::new());
    let pool = pool();
    let [first, second, queued] = gates
        .each_ref()
        .map(|gate| pool.submit(gate.job()).unwrap());
    let ids = [&gates[0], &gates[1]].map(FileGate::wait_until_begun);
    ids.iter().copied().for_each(kill);
    for (future, id) in [first, second].into_iter().zip(ids) {
        let error = future.result().unwrap_err();
        assert!(matches!(error, JobError::WorkerLost(_)), "{error}");
        assert_mentions(loss(error), &format!("process {id}"));
    }
    let error = queued.result().unwrap_err();
    assert!(matches!(error, JobError::Broken(_)), "{error}");
    assert_mentions(loss(error), "SIGKILL");
    assert_broken(&pool);
}

/// `test_traceback_when_child_process_terminates_abruptly`: the error names the cause.
fn traceback_when_child_process_terminates_abruptly() {
    let pool = one_worker();
    let reason = loss(
        pool.submit(End(Ending::Exit))
            .unwrap()
            .result()
            .unwrap_err(),
    );
    assert_mentions(reason, "exit status: 3");
    assert_mentions(reason, "about to exit");
}

/// `test_ressources_gced_in_workers`: when its result is gone to the parent, a child has neither the
/// job nor the result any more.
fn resources_gced_in_workers() {
    let notes = Notes::new();
    let pool = one_worker();
    let job = Resources(Tells(notes.path()));
    let result = pool.submit(job).unwrap().result().unwrap();
    let [child] = pool.worker_ids()[..] else {
        panic!("one child");
    };
    let of_child = || notes.read().iter().filter(|&&id| id == child).count();
    while of_child() < 2 {
        thread::yield_now();
    }
    pool.shutdown(true, false).unwrap();
    assert_eq!(of_child(), 2);
    drop(result);
    // Here, too: the job, and the result.
    assert_eq!(notes.read().len(), 4);
}

/// `test_saturation`: however much is queued, there are no more children than allowed.
fn saturation() {
    let gates = [(); 2].map(|()| FileGate::new());
    let pool = pool();
    let running = gates
        .each_ref()
        .map(|gate| pool.submit(gate.job()).unwrap());
    let queued: Vec<_> = (0..15 * 2)
        .map(|_| pool.submit(ProcessId).unwrap())
        .collect();
    let ids: HashSet<_> = gates.iter().map(FileGate::wait_until_begun).collect();
    assert_eq!(ids, pool.worker_ids().into_iter().collect());
    assert_eq!(ids.len(), 2);
    gates.iter().for_each(FileGate::open);
    for future in running.into_iter().chain(queued) {
        assert!(ids.contains(&future.result().unwrap()));
    }
}

/// `test_idle_process_reuse_one`.
fn idle_process_reuse_one() {
    let pool = pool();
    let first = pool.submit(ProcessId).unwrap().result().unwrap();
    let second = pool.submit(ProcessId).unwrap().result().unwrap();
    assert_eq!(first, second);
    assert_eq!(pool.worker_ids(), [first]);
}

/// `test_idle_process_reuse_multiple`.
fn idle_process_reuse_multiple() {
    let gates = [(); 2].map(|()| FileGate::new());
    let pool = builder().max_workers(4).build().unwrap();
    let running = gates
        .each_ref()
        .map(|gate| pool.submit(gate.job()).unwrap());
    let both: HashSet<_> = gates.iter().map(FileGate::wait_until_begun).collect();
    assert_eq!(both.len(), 2, "two jobs, two children");
    gates.iter().for_each(FileGate::open);
    running
        .into_iter()
        .for_each(|future| assert!(both.contains(&future.result().unwrap())));
    for _ in 0..10 {
        assert!(both.contains(&pool.submit(ProcessId).unwrap().result().unwrap()));
    }
    assert_eq!(pool.worker_ids().len(), 2);
}

/// `test_max_tasks_per_child`.
fn max_tasks_per_child() {
    let pool = builder()
        .max_workers(1)
        .max_tasks_per_child(3)
        .build()
        .unwrap();
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(pool.submit(ProcessId).unwrap().result().unwrap());
    }
    assert!(ids[..3].iter().all(|&id| id == ids[0]));
    assert!(ids[3..].iter().all(|&id| id == ids[3]));
    assert_ne!(ids[0], ids[3]);
    wait_until_gone(ids[0]);
}

/// `test_max_tasks_per_child_pending_tasks_gh115634`: what is queued goes to the next children, also when
/// two retire at once.
fn max_tasks_per_child_pending_tasks_gh115634() {
    for (max_workers, max_tasks, jobs) in [(1, 2, 6), (2, 2, 8)] {
        let pool = builder()
            .max_workers(max_workers)
            .max_tasks_per_child(max_tasks)
            .build()
            .unwrap();
        let futures: Vec<_> = (0..jobs).map(|n| pool.submit(Pow(n, 1)).unwrap()).collect();
        for (n, future) in (0..).zip(futures) {
            assert_eq!(future.result().unwrap(), n);
        }
        pool.shutdown(true, true).unwrap();
    }
}

/// A child that retires when there is no more to do is not replaced.
fn no_child_is_started_when_the_work_is_done() {
    let (gate, starts) = (FileGate::new(), Notes::new());
    let pool = builder()
        .max_workers(1)
        .max_tasks_per_child(1)
        .env("STARTS", starts.path())
        .build()
        .unwrap();
    let last = pool.submit(gate.job()).unwrap();
    let id = gate.wait_until_begun();
    pool.shutdown(false, false).unwrap();
    gate.open();
    assert_eq!(last.result().unwrap(), id);
    pool.shutdown(true, false).unwrap();
    assert_eq!(starts.read(), [id]);
}

/// Each of several jobs has a child of its own, where a child has one task.
fn one_task_per_child() {
    let pool = builder()
        .max_workers(1)
        .max_tasks_per_child(1)
        .build()
        .unwrap();
    let futures: Vec<_> = (0..5).map(|_| pool.submit(ProcessId).unwrap()).collect();
    let ids: HashSet<_> = futures
        .into_iter()
        .map(|future| future.result().unwrap())
        .collect();
    assert_eq!(ids.len(), 5);
}

/// `test_shutdown_no_wait_max_tasks_gh119592`.
fn shutdown_no_wait_max_tasks_gh119592() {
    let pool = builder().max_tasks_per_child(1).build().unwrap();
    let futures: Vec<_> = (0..5).map(|n| pool.submit(Pow(n, 1)).unwrap()).collect();
    pool.shutdown(false, false).unwrap();
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), n);
    }
}

/// `test_gc_during_max_tasks_worker_exit_gh152967`: the pool is dropped while children are replaced.
fn gc_during_max_tasks_worker_exit_gh152967() {
    let notes = Notes::new();
    let pool = builder().max_tasks_per_child(1).build().unwrap();
    for n in 0..5 {
        drop(pool.submit(notes.job(n)).unwrap());
    }
    drop(pool);
    assert_eq!(HashSet::<u32>::from_iter(notes.read()), (0..5).collect());
}

/// `test_max_tasks_early_shutdown`.
fn max_tasks_early_shutdown() {
    let pool = builder().max_tasks_per_child(1).build().unwrap();
    let futures: Vec<_> = (0..6).map(|n| pool.submit(Pow(n, 1)).unwrap()).collect();
    pool.shutdown(true, false).unwrap();
    for (n, future) in (0..).zip(futures) {
        assert_eq!(future.result().unwrap(), n);
    }
}

/// `test_force_shutdown_during_max_tasks_worker_exit`: a child that ends at its limit of tasks is not
/// replaced then, and what is queued fails. Python's queued jobs end as broken; here they are cancelled, as
/// by any shutdown that cancels.
fn force_shutdown_during_max_tasks_worker_exit() {
    for (force, signal) in FORCES {
        let (gate, starts) = (FileGate::new(), Notes::new());
        let pool = builder()
            .max_workers(1)
            .max_tasks_per_child(1)
            .env("STARTS", starts.path())
            .build()
            .unwrap();
        let running = pool.submit(gate.job()).unwrap();
        let queued = [1, 2].map(|n| pool.submit(Pow(n, 1)).unwrap());
        let id = gate.wait_until_begun();
        force(&pool);
        assert_mentions(loss(running.result().unwrap_err()), signal);
        for future in queued {
            assert!(matches!(future.result(), Err(JobError::Cancelled)));
        }
        pool.shutdown(true, false).unwrap();
        assert!(pool.worker_ids().is_empty());
        assert_eq!(starts.read(), [id]);
    }
}

/// `test_failed_worker_replacement_breaks_pool`.
fn failed_worker_replacement_breaks_pool() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("worker");
    // A link, so that nothing is open for writing while it is run.
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &program).unwrap();
    let pool = builder()
        .max_workers(1)
        .max_tasks_per_child(1)
        .worker_program(&program)
        .build()
        .unwrap();
    let gate = FileGate::new();
    let first = pool.submit(gate.job()).unwrap();
    let second = pool.submit(Pow(1, 1)).unwrap();
    gate.wait_until_begun();
    fs::remove_file(&program).unwrap();
    gate.open();
    first.result().unwrap();
    let reason = loss(second.result().unwrap_err());
    assert_mentions(reason, "cannot start a worker process");
    assert_mentions(reason, program.to_str().unwrap());
    assert_broken(&pool);
}

fn a_shutdown_whose_time_is_over_says_what_still_runs() {
    let gate = FileGate::new();
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    let id = gate.wait_until_begun();
    assert!(matches!(
        pool.shutdown_timeout(Duration::ZERO, false),
        Err(ShutdownError::StillRunning {
            jobs: 1,
            workers: 1
        })
    ));
    gate.open();
    ProcessPool::shutdown_timeout(&pool, PATIENCE, false).unwrap();
    assert_eq!(running.result().unwrap(), id);
    assert!(!exists(id));
}

/// Queued jobs are cancelled if the caller asks for it, and only then, whether there is time or not.
fn a_shutdown_with_a_time_out_cancels_what_is_queued() {
    for cancel in [true, false] {
        let gate = FileGate::new();
        let pool = one_worker();
        let running = pool.submit(gate.job()).unwrap();
        gate.wait_until_begun();
        let queued = [1, 2].map(|n| pool.submit(Pow(n, 1)).unwrap());
        pool.shutdown_timeout(Duration::ZERO, cancel).unwrap_err();
        gate.open();
        running.result().unwrap();
        for (n, future) in (1..).zip(queued) {
            match future.result() {
                Ok(result) => assert_eq!((result, cancel), (n, false)),
                Err(error) => assert!(matches!(error, JobError::Cancelled) && cancel),
            }
        }
    }
}

/// A way to end the children, and the signal that they end by.
type Force = (fn(&ProcessPool), &'static str);

/// `FORCE_SHUTDOWN_PARAMS`.
const FORCES: [Force; 2] = [
    (ProcessPool::kill_workers, "SIGKILL"),
    (ProcessPool::terminate_workers, "SIGTERM"),
];

/// `test_force_shutdown_workers`, for both signals.
fn force_shutdown_workers() {
    for (force, signal) in FORCES {
        let gate = FileGate::new();
        let pool = one_worker();
        let running = pool.submit(gate.job()).unwrap();
        let queued = pool.submit(Pow(1, 1)).unwrap();
        let id = gate.wait_until_begun();
        force(&pool);
        assert!(matches!(queued.result(), Err(JobError::Cancelled)));
        assert_mentions(loss(running.result().unwrap_err()), signal);
        pool.shutdown(true, false).unwrap();
        assert!(!exists(id));
    }
}

/// `test_force_shutdown_workers_dead_workers`.
fn force_shutdown_workers_dead_workers() {
    let pool = one_worker();
    pool.submit(End(Ending::Abort))
        .unwrap()
        .result()
        .unwrap_err();
    pool.kill_workers();
    pool.terminate_workers();
    assert_broken(&pool);
}

/// `test_force_shutdown_workers_not_started_yet`.
fn force_shutdown_workers_not_started_yet() {
    let pool = pool();
    pool.kill_workers();
    let refused = pool.submit(Pow(1, 1)).map(drop).unwrap_err();
    assert!(matches!(refused, SubmitError::ShutDown(_)));
}

/// `test_force_shutdown_workers_stops_pool`: it takes no work, since it is shut down.
fn force_shutdown_workers_stops_pool() {
    for (force, _) in FORCES {
        let pool = one_worker();
        let id = pool.submit(ProcessId).unwrap().result().unwrap();
        force(&pool);
        for _ in 0..2 {
            let refused = pool.submit(Pow(1, 1)).map(drop).unwrap_err();
            assert!(matches!(refused, SubmitError::ShutDown(_)), "{refused}");
            let refused = pool.submit_blocking(Pow(1, 1)).map(drop).unwrap_err();
            assert!(matches!(refused, SubmitError::ShutDown(_)), "{refused}");
            let refused = pool.submit_at(0, Pow(1, 1)).map(drop).unwrap_err();
            assert!(matches!(refused, SubmitError::ShutDown(_)), "{refused}");
            let mut results = pool.map([Pow(1, 1)], 1).unwrap();
            assert!(matches!(results.next(), Some(Err(JobError::ShutDown))));
            // Nor does the children's end change it.
            pool.shutdown(true, false).unwrap();
        }
        assert!(!exists(id));
    }
}

/// Nor is it broken, where a child had a job that is lost.
fn force_shutdown_of_busy_workers_stops_pool() {
    for (force, signal) in FORCES {
        let gate = FileGate::new();
        let pool = one_worker();
        let running = pool.submit(gate.job()).unwrap();
        gate.wait_until_begun();
        force(&pool);
        assert_mentions(loss(running.result().unwrap_err()), signal);
        pool.shutdown(true, false).unwrap();
        let refused = pool.submit(Pow(1, 1)).map(drop).unwrap_err();
        assert!(matches!(refused, SubmitError::ShutDown(_)), "{refused}");
    }
}

/// A lost child costs its own jobs only, where the application says so.
fn a_lost_child_is_replaced_if_that_is_asked_for() {
    let pool = builder()
        .max_workers(1)
        .on_loss(OnLoss::Continue)
        .build()
        .unwrap();
    let lost = pool.submit(End(Ending::Abort)).unwrap();
    let next = pool.submit(Pow(3, 3)).unwrap();
    assert_mentions(loss(lost.result().unwrap_err()), "SIGABRT");
    assert_eq!(next.result().unwrap(), 27);
}

/// An idle child that is lost is replaced, as often as it is lost: it was a worker, whether it had a job
/// or not.
fn an_idle_child_is_replaced_each_time_it_is_lost() {
    let notes = Notes::new();
    // In a process of its own, in which one thread looks after children.
    assert_mentions(&output_of("LOSE_IDLE_CHILDREN", notes.path()), "Ok(27)");
}

fn lose_idle_children(path: &str) {
    let pool = builder()
        .max_workers(1)
        .on_loss(OnLoss::Continue)
        .env("ADMIT", path)
        .build()
        .unwrap();
    let mut first = Some(pool.submit(Pow(3, 3)).unwrap());
    let mut children = HashSet::new();
    let mut admit_next = || {
        let id = loop {
            if let Some(id) = noted(path).into_iter().find(|id| !children.contains(id)) {
                break id;
            }
            thread::yield_now();
        };
        children.insert(id);
        // Then it has greeted the child, which answers as soon as it is let in.
        while !is_asleep(&thread_of_pool()) {
            thread::yield_now();
        }
        Note(path.to_owned(), id).note();
        id
    };
    for _ in 0..4 {
        let id = admit_next();
        if let Some(first) = first.take() {
            assert_eq!(first.result().unwrap(), 27);
        }
        while !is_asleep(&format!("/proc/{id}")) {
            thread::yield_now();
        }
        kill(id);
        wait_until_gone(id);
    }
    admit_next();
    println!("{:?}", pool.submit(Pow(3, 3)).unwrap().result());
}

/// A child's start: waits until the test has noted its number, too.
fn wait_until_admitted(path: &str) {
    let id = std::process::id();
    Note(path.to_owned(), id).note();
    while noted(path).iter().filter(|&&noted| noted == id).count() < 2 {
        thread::yield_now();
    }
}

/// The notes in a file of [`Notes`].
fn noted(path: &str) -> Vec<u32> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.split_inclusive('\n');
    let whole = lines.filter_map(|line| line.strip_suffix('\n'));
    whole.map(|line| line.parse().unwrap()).collect()
}

/// The system refuses a second child, for what is to be done meanwhile: the first one does it.
fn a_child_that_is_refused_leaves_its_job_to_the_others() {
    assert_eq!(output_of("REFUSED", "others"), "Ok(27)\n");
}

/// And the next job that finds no idle child gets it started.
fn a_child_that_was_refused_is_started_for_the_next_job() {
    assert_eq!(output_of("REFUSED", "again"), "Ok(27) Ok(64) 2\n");
}

/// In a process of its own, which has no other threads than those of this pool.
fn refused(what: &str) {
    let own = std::env::current_exe().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("worker");
    let allow = || std::os::unix::fs::symlink(&own, &program).unwrap();
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    allow();
    let pool = builder()
        .max_workers(2)
        .worker_program(&program)
        .build()
        .unwrap();
    let gate = FileGate::new();
    let first = pool.submit(gate.job()).unwrap();
    gate.wait_until_begun();
    let before = threads();
    fs::remove_file(&program).unwrap();
    for _ in 0..3 {
        drop(pool.submit(Pow(1, 1)).unwrap());
        // The thread that was to look after the child has ended.
        while threads() > before {
            thread::yield_now();
        }
    }
    let second = pool.submit(Pow(3, 3)).unwrap();
    while threads() > before {
        thread::yield_now();
    }
    if what == "others" {
        gate.open();
        println!("{:?}", second.result());
        return;
    }
    allow();
    let third = pool.submit(Pow(4, 3)).unwrap();
    let (second, third) = (second.result(), third.result());
    println!("{second:?} {third:?} {}", pool.worker_ids().len());
    gate.open();
    first.result().unwrap();
}

/// Where the system tells of the first of the pool's threads.
fn thread_of_pool() -> String {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let mut paths = threads.map(|thread| thread.unwrap().path());
    let is_of_pool = |path: &PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("ProcessPool-"))
    };
    let path = paths.find(is_of_pool).unwrap();
    path.to_str().unwrap().to_owned()
}

fn is_asleep(path: &str) -> bool {
    let stat = fs::read_to_string(format!("{path}/stat"));
    stat.is_ok_and(|stat| stat.contains(") S "))
}

/// A program that is no worker breaks the pool, whatever is asked for.
fn a_program_that_is_no_worker_breaks_the_pool() {
    let pool = builder()
        .worker_program("/bin/false")
        .on_loss(OnLoss::Continue)
        .build()
        .unwrap();
    let error = pool.submit(Pow(1, 1)).unwrap().result().unwrap_err();
    let reason = loss(error);
    assert_mentions(reason, "exit status: 1");
    assert_mentions(reason, "run_worker_if_asked");
    assert_broken(&pool);
}

/// Nor does a program that sends something else become a worker, however long it stays.
fn a_program_that_sends_something_else_breaks_the_pool() {
    let pool = builder()
        .max_workers(1)
        .worker_program("/bin/sh")
        .arg("-c")
        .arg("printf something >&0; exec sleep 1000")
        .start_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let reason = loss(pool.submit(Pow(1, 1)).unwrap().result().unwrap_err());
    assert_mentions(reason, "silent");
    assert_broken(&pool);
}

/// Nor does one that closes its socket and stays, whatever it was sent and has not read.
fn a_program_that_closes_its_socket_breaks_the_pool() {
    let pool = builder()
        .max_workers(1)
        .worker_program("/bin/sh")
        .arg("-c")
        .arg("dd bs=1 count=1 >/dev/null 2>&1; exec <&-; exec sleep 1000")
        .build()
        .unwrap();
    let reason = loss(pool.submit(Pow(1, 1)).unwrap().result().unwrap_err());
    assert_mentions(
        reason,
        "it did not exit and was killed, before it had become a worker",
    );
    assert_broken(&pool);
}

/// A child that takes too long is killed.
fn a_child_that_hangs_is_killed() {
    let gate = FileGate::new();
    let pool = one_worker();
    let hangs = pool.submit(Hang(gate.path())).unwrap();
    let id = gate.wait_until_begun();
    assert_mentions(loss(hangs.result().unwrap_err()), "in time");
    wait_until_gone(id);
    assert_broken(&pool);
}

/// A pool that ends while a child is still starting has it exit, and does not kill it.
fn a_child_that_was_not_met_exits_by_itself() {
    let (notes, gate) = (Notes::new(), FileGate::new());
    let pool = builder()
        .max_workers(1)
        .env("GATE", gate.path())
        .env("NOTES", notes.path())
        .build()
        .unwrap();
    let future = pool.submit(Pow(1, 1)).unwrap();
    gate.wait_until_begun();
    assert!(future.cancel());
    pool.shutdown(false, false).unwrap();
    gate.open();
    pool.shutdown(true, false).unwrap();
    assert_eq!(notes.read(), [1]);
}

/// A child that floods its standard error makes nobody wait.
fn a_child_that_floods_its_pipe_does_its_job() {
    let pool = one_worker();
    pool.submit(Flood(1_000_000)).unwrap().result().unwrap();
}

/// A child that sends an invalid frame is killed.
fn a_child_that_sends_a_malformed_frame_is_lost() {
    let pool = one_worker();
    let babble = pool.submit(Babble).unwrap();
    assert_mentions(loss(babble.result().unwrap_err()), "invalid frame");
    assert_broken(&pool);
}

/// No descriptor is left when a pool is gone.
fn no_descriptor_is_leaked() {
    // In a process of its own: other tests have theirs.
    let text = output_of("COUNT_DESCRIPTORS", "");
    let counts: Vec<_> = text.split_whitespace().collect();
    assert_eq!(counts.len(), 2, "{text}");
    assert_eq!(counts[0], counts[1]);
}

fn count_descriptors() {
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    let use_a_pool = || {
        let pool = pool();
        let results = pool.map((0..10).map(|n| Pow(n, 1)), 1).unwrap();
        assert_eq!(results.count(), 10);
        pool.submit(End(Ending::Exit))
            .unwrap()
            .result()
            .unwrap_err();
    };
    use_a_pool();
    let before = count();
    (0..3).for_each(|_| use_a_pool());
    println!("{before} {}", count());
}

/// No child goes on when its parent is killed, not even in the midst of a job.
fn no_orphan_when_the_parent_is_killed() {
    let gate = FileGate::new();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .env("ONLY_SUBMIT", gate.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let child = gate.wait_until_begun();
    assert_ne!(child, parent.id());
    parent.kill().unwrap();
    parent.wait().unwrap();
    // Its new parent waits for it, or this machine's first process does not: then it is a zombie.
    while exists(child) && !is_zombie(child) {
        thread::yield_now();
    }
}

/// Nor when only its socket is closed: a worker ends with that, whatever it is at.
fn a_worker_ends_with_its_socket() {
    let gate = FileGate::new();
    let (ours, mut worker) = worker_by_hand(("GATE", &gate.path()));
    assert_eq!(gate.wait_until_begun(), worker.id());
    drop(ours);
    assert_eq!(worker.wait().unwrap().signal(), Some(libc::SIGKILL));
}

/// A child of this process that it asks to be a worker, beside any pool, and the socket to it.
fn worker_by_hand((name, value): (&str, &str)) -> (UnixStream, Child) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let number = fs::metadata(format!("/proc/self/fd/{}", theirs.as_raw_fd()));
    let number = number.unwrap().ino();
    let question = format!("{}:{number}:1048576", std::process::id());
    let worker = Command::new(std::env::current_exe().unwrap())
        .env("COREPOOL_WORKER", question)
        .env(name, value)
        .stdin(OwnedFd::from(theirs))
        .spawn();
    (ours, worker.unwrap())
}

/// A link that sends what is no frame when it is told to.
struct Garbles<L>(L, &'static AtomicBool);

impl<L: Link> Link for Garbles<L> {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        if self.1.swap(false, Ordering::SeqCst) {
            assert_eq!(self.0.send(b"no frame\0"), Ok(9));
        }
        self.0.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        self.0.receive(buffer)
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        self.0.wake_on_data(waker);
    }
}

/// A worker that gets an invalid frame ends: the socket loses nothing, so the frame cannot be made good.
fn a_worker_that_is_sent_a_malformed_frame_ends() {
    static POOL: StaticPool<2, 64> = StaticPool::new();
    static GARBLES: AtomicBool = AtomicBool::new(false);
    POOL.install(&HostPort);
    let (ours, mut worker) = worker_by_hand(("STARTS", "/dev/null"));
    let link = StreamLink::new(ours.try_clone().unwrap(), ours).unwrap();
    let parent = thread::spawn(move || {
        let (mut outbox, mut inbox) = ([0; 1_024], [0; 1_024]);
        let buffers = Buffers {
            outbox: &mut outbox,
            inbox: &mut inbox,
        };
        let config = RemoteConfig::default();
        let link = Garbles(link, &GARBLES);
        RemoteWorker::<_>::new(link, &JOBS, buffers, config)
            .run(POOL.pool_ref(), &ThreadWorker::default())
    });
    assert_eq!(POOL.submit_remote(Pow(2, 3)).unwrap().result().unwrap(), 8);
    GARBLES.store(true, Ordering::SeqCst);
    let lost = POOL.submit_remote(Pow(3, 3)).unwrap().result().unwrap_err();
    assert!(matches!(lost, JobError::WorkerLost(_)), "{lost}");
    assert!(worker.wait().unwrap().success());
    assert!(matches!(parent.join().unwrap(), Err(RemoteError::Lost(_))));
}

/// A pool that is broken by one child leaves no other, not even as a zombie.
fn a_broken_pool_leaves_no_child() {
    let gates = [(); 2].map(|()| FileGate::new());
    let pool = pool();
    let [first, second] = gates
        .each_ref()
        .map(|gate| pool.submit(gate.job()).unwrap());
    let ids = gates.each_ref().map(FileGate::wait_until_begun);
    kill(ids[0]);
    first.result().unwrap_err();
    assert_broken(&pool);
    gates[1].open();
    let _ = second.result();
    pool.shutdown(true, false).unwrap();
    assert!(ids.iter().all(|&id| !exists(id)));
}

/// Nor when a copy of the parent holds the sockets that it had.
fn no_orphan_when_a_copy_of_the_parent_stays() {
    let (gate, notes) = (FileGate::new(), Notes::new());
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .env("LEAVE_COPY", notes.path())
        .env("ONLY_SUBMIT", gate.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let child = gate.wait_until_begun();
    let copy = loop {
        if let [copy] = notes.read()[..] {
            break copy;
        }
        thread::yield_now();
    };
    parent.kill().unwrap();
    // Whether somebody has waited for it or not.
    while exists(child) && !is_zombie(child) {
        thread::yield_now();
    }
    parent.wait().unwrap();
    assert!(exists(copy));
    kill(copy);
}

fn is_zombie(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

fn only_submit(path: String) {
    let pool = one_worker();
    let future = pool.submit(AtGate(path.clone())).unwrap();
    if let Ok(notes) = std::env::var("LEAVE_COPY") {
        while !Path::new(&path).join("begun").exists() {
            thread::yield_now();
        }
        Note(notes, leave_copy()).note();
    }
    let _ = future.result();
}

/// The start's time is over before the child is a worker: it is killed, and the reason says what was
/// waited for.
fn a_child_that_does_not_start_in_time_is_killed() {
    let gate = FileGate::new();
    let pool = builder()
        .max_workers(1)
        .env("GATE", gate.path())
        .start_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let future = pool.submit(Pow(1, 1)).unwrap();
    let reason = loss(future.result().unwrap_err());
    assert_mentions(reason, "50ms (start_timeout)");
    assert_broken(&pool);
    pool.shutdown(true, false).unwrap();
    assert!(pool.worker_ids().is_empty());
}

/// A child that is said goodbye to and stays is killed.
fn a_child_that_does_not_exit_is_killed() {
    let gate = FileGate::new();
    let pool = builder()
        .max_workers(1)
        .env("STAY_AT", gate.path())
        .build()
        .unwrap();
    let id = pool.submit(ProcessId).unwrap().result().unwrap();
    pool.shutdown(true, false).unwrap();
    assert_eq!(gate.wait_until_begun(), id, "it was at its exit");
    assert!(!exists(id));
}

/// Each of two callers that wait for the pool's end waits for the child's, which takes its time.
fn each_shutdown_waits_for_the_childrens_end() {
    let gate = FileGate::new();
    let pool = builder()
        .max_workers(1)
        .env("STAY_AT", gate.path())
        .build()
        .unwrap();
    let id = pool.submit(ProcessId).unwrap().result().unwrap();
    let shut_down = || {
        pool.shutdown(true, false).unwrap();
        !exists(id)
    };
    thread::scope(|scope| {
        let first = scope.spawn(shut_down);
        // The work is done, and the first caller waits.
        gate.wait_until_begun();
        assert!(shut_down());
        assert!(first.join().unwrap());
    });
}

/// A child has ended when it has, even if a copy of it holds all that it had.
fn a_copy_of_a_child_does_not_hide_its_end() {
    let notes = Notes::new();
    let pool = one_worker();
    let future = pool.submit(LeaveCopy(notes.path())).unwrap();
    assert_mentions(loss(future.result().unwrap_err()), "SIGABRT");
    assert_broken(&pool);
    pool.shutdown(true, false).unwrap();
    let [copy] = notes.read()[..] else {
        panic!("one copy");
    };
    assert!(exists(copy));
    kill(copy);
}

/// The pool passes the children's standard error on to this process's.
fn standard_error_is_passed_on() {
    let output = run_program("END_A_CHILD", "");
    assert_mentions(&written(&output), "exit status: 3");
    assert_mentions(&String::from_utf8_lossy(&output.stderr), "about to exit");
}

/// Nobody reads the standard error of this process: that is no reason to fail.
fn a_closed_standard_error_costs_nothing() {
    let output = Command::new("sh")
        .args(["-c", "exec \"$0\" 2>&-"])
        .arg(std::env::current_exe().unwrap())
        .env("END_A_CHILD", "")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_mentions(&written(&output), "exit status: 3");
}

fn end_a_child() {
    let pool = one_worker();
    let error = pool.submit(End(Ending::Exit)).unwrap().result();
    println!("{}", loss(error.unwrap_err()));
}

/// Where `SIGCHLD` is ignored, there is no status to be had. All else is as ever.
fn ignored_sigchld_costs_the_status_only() {
    let text = output_of("IGNORE_SIGCHLD", "");
    assert_mentions(&text, "its process ended: its status is unknown");
    assert_mentions(&text, "about to exit");
    assert!(!text.contains("No child processes"), "{text}");
    assert_mentions(&text, "all gone");
}

fn ignore_sigchld() {
    // SAFETY: no handler is set.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    end_a_child();
    let pool = pool();
    let id = pool.submit(ProcessId).unwrap().result().unwrap();
    pool.shutdown(true, false).unwrap();
    assert!(!exists(id));
    let gate = FileGate::new();
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    let id = gate.wait_until_begun();
    pool.kill_workers();
    running.result().unwrap_err();
    pool.shutdown(true, false).unwrap();
    assert!(!exists(id));
    println!("all gone");
}

/// A program that has `SIGPIPE` end it, as is usual for tools, is not ended by a child that takes
/// nothing more.
fn restored_sigpipe_does_not_end_the_program() {
    let gate = FileGate::new();
    assert_mentions(&output_of("RESTORE_SIGPIPE", gate.path()), "was lost");
}

fn restore_sigpipe(path: String) {
    // SAFETY: no handler is set.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let pool = one_worker();
    let deaf = pool.submit(Deafen(path.clone())).unwrap();
    while !Path::new(&path).join("begun").exists() {
        thread::yield_now();
    }
    // The first message that is sent in vain tells the child of it.
    deaf.cancel();
    println!("{}", deaf.result().unwrap_err());
}

/// A program that never asks whether it is a worker cannot make workers of itself.
fn a_program_that_does_not_ask_starts_no_workers() {
    assert_mentions(&output_of("FORGETFUL", "itself"), "run_worker_if_asked");
}

/// One that was asked to be a worker, and is none, cannot start any; its parent hears why.
fn a_program_that_is_to_be_a_worker_starts_none() {
    for on_loss in [OnLoss::Break, OnLoss::Continue] {
        is_told_to_be_a_worker("another", on_loss);
    }
}

/// Nor can one that has another standard input by then.
fn a_program_that_was_to_be_a_worker_starts_none() {
    is_told_to_be_a_worker("input", OnLoss::Break);
}

fn is_told_to_be_a_worker(forgetful: &str, on_loss: OnLoss) {
    let pool = builder()
        .max_workers(1)
        .env("FORGETFUL", forgetful)
        .on_loss(on_loss)
        .build()
        .unwrap();
    let reason = loss(pool.submit(Pow(1, 1)).unwrap().result().unwrap_err());
    assert_mentions(reason, "before it had become a worker");
    assert_mentions(reason, "this process was started to be a worker");
    assert_broken(&pool);
}

/// Makes a pool, of children that run this program or another, and has not asked whether it is a worker.
fn forget_to_ask(what: &str) -> ExitCode {
    if what == "input" {
        let nothing = fs::File::open("/dev/null").unwrap();
        // SAFETY: both are descriptors of this process, and nobody reads the second.
        assert_eq!(unsafe { libc::dup2(nothing.as_raw_fd(), 0) }, 0);
    }
    let builder = match what {
        "itself" => builder(),
        _ => builder().worker_program(std::env::current_exe().unwrap()),
    };
    match builder.build() {
        Err(
            error @ (ProcessPoolBuildError::NoWorkerEntry | ProcessPoolBuildError::IsToBeWorker),
        ) => {
            println!("{error}");
            ExitCode::SUCCESS
        }
        other => panic!("{other:?}"),
    }
}

/// The question who is a worker goes to one process: not to what a job starts.
fn the_variable_is_gone_in_a_worker() {
    let pool = one_worker();
    let (here, below) = pool.submit(HasVariable).unwrap().result().unwrap();
    assert!(!here && !below);
}

/// Where another thread of the worker may read the environment, nothing is taken out of it.
fn the_variable_stays_where_another_thread_may_read_it() {
    let pool = builder()
        .max_workers(1)
        .env("WITH_THREAD", "")
        .build()
        .unwrap();
    let (here, below) = pool.submit(HasVariable).unwrap().result().unwrap();
    assert!(here && below);
}

/// The variable with a socket that it does not name makes no worker.
fn a_socket_that_was_not_asked_for_makes_no_worker() {
    let id = std::process::id();
    for value in ["1048576", &format!("{id}:1:1048576")] {
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .env("COREPOOL_WORKER", value)
            .env("SAY_HELLO", "")
            .stdin(OwnedFd::from(theirs))
            .output()
            .unwrap();
        assert_mentions(&written(&output), "hello");
    }
}

/// A program that acts as another user than the one who started it is no worker.
fn a_program_of_other_rights_is_no_worker() {
    let text = output_of("ACT_AS_ANOTHER", "");
    assert_mentions(&text, "other rights");
    assert!(!text.contains("run_worker_if_asked"), "{text}");
}

/// Nor is one that has the rights of another user, or of another group, by itself.
fn a_worker_that_takes_other_rights_is_none() {
    for what in ["user", "group"] {
        let pool = builder()
            .max_workers(1)
            .env("TAKES_RIGHTS_OF", what)
            .build()
            .unwrap();
        let reason = loss(pool.submit(Pow(1, 1)).unwrap().result().unwrap_err());
        assert_mentions(reason, "other rights");
    }
}

fn take_rights(what: &str) {
    let result = match what {
        // SAFETY: it has no preconditions.
        "user" => unsafe { libc::seteuid(65_534) },
        // SAFETY: as above.
        _ => unsafe { libc::setegid(65_534) },
    };
    assert_eq!(result, 0);
}

fn act_as_another() {
    // SAFETY: it has no preconditions.
    assert_eq!(unsafe { libc::seteuid(65_534) }, 0);
    let pool = one_worker();
    let error = pool.submit(Pow(1, 1)).unwrap().result();
    println!("{}", loss(error.unwrap_err()));
}

fn is_root() -> bool {
    // SAFETY: it has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// Ctrl-C is for the program's process group: children have their own if that is asked for.
fn ctrl_c_does_not_reach_children_of_their_own_group() {
    assert_mentions(&interrupted("own"), "done");
}

/// Children of the program's group end by it.
fn ctrl_c_reaches_children_of_the_same_group() {
    assert_mentions(&interrupted("same"), "SIGINT");
}

/// The fate of a job of a program whose process group gets the signal of Ctrl-C.
fn interrupted(group: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .env("INTERRUPT", group)
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .unwrap();
    written(&output)
}

fn interrupt(group: &str) {
    extern "C" fn handle(_signal: libc::c_int) {}
    let handler = handle as extern "C" fn(libc::c_int);
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
    let gate = FileGate::new();
    let pool = builder()
        .max_workers(1)
        .own_process_group(group == "own")
        .build()
        .unwrap();
    let future = pool.submit(gate.job()).unwrap();
    let id = gate.wait_until_begun();
    // SAFETY: it has no preconditions; to the group of this process.
    unsafe { libc::kill(0, libc::SIGINT) };
    gate.open();
    match future.result() {
        Ok(result) => println!("done: {}", result == id),
        Err(error) => println!("{}", loss(error)),
    }
}

/// A child's process is called as this program is, by whatever path it was started.
fn a_child_has_the_name_of_its_program() {
    let name = one_worker().submit(ProcessName).unwrap().result().unwrap();
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    // The system cuts it.
    assert!(!name.is_empty() && program.starts_with(&name), "{name}");
}

/// An upgrade may replace the program's file while it runs: the children are of the old.
fn a_program_whose_file_is_replaced_goes_on() {
    let program = std::env::current_exe().unwrap();
    // In the same file system, for a link.
    let directory = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
    let link = directory.path().join("program");
    fs::hard_link(&program, &link).unwrap();
    let output = run_program_at(&link, "REPLACED", &link);
    assert_mentions(&written(&output), "Ok(");
}

fn replaced(path: &str) {
    let pool = one_worker();
    fs::remove_file(path).unwrap();
    fs::write(path, "another program").unwrap();
    println!("{:?}", pool.submit(ProcessId).unwrap().result());
}

/// A descriptor that is open to all programs that are started is not open to children.
fn children_have_no_descriptor_of_others() {
    let (one, _other) = UnixStream::pair().unwrap();
    // By dup(2), as a C library does: without CLOEXEC.
    // SAFETY: a copy of a descriptor that is there.
    let fd = unsafe { libc::fcntl(one.as_raw_fd(), libc::F_DUPFD, 700) };
    assert!(fd >= 700);
    let has = one_worker().submit(HasDescriptor(fd)).unwrap().result();
    // SAFETY: it is the test's own.
    unsafe { libc::close(fd) };
    assert!(!has.unwrap());
}

/// Answers of another number than the questions are none: each job of the chunk has an error, and the
/// child goes on.
fn a_chunk_with_another_number_of_results_is_refused() {
    let pool = ProcessPool::builder(&DOUBLES)
        .max_workers(1)
        .env("LIAR", "")
        .build()
        .unwrap();
    for chunk_size in [1, 3, 7] {
        let results: Vec<_> = pool.map((0..7).map(Double), chunk_size).unwrap().collect();
        assert_eq!(results.len(), 7);
        for result in results {
            let expected = CodecError::ResultRefused;
            assert!(matches!(result, Err(JobError::Codec(why)) if why == expected));
        }
    }
    let right: Result<Vec<_>, _> = pool.map((0..5).map(Double), 5).unwrap().collect();
    assert_eq!(right.unwrap(), [0, 1, 2, 3, 4], "five of five");
    assert_eq!(pool.submit(Double(4)).unwrap().result().unwrap(), 8);
}

/// Each job of a chunk that is lost has the error of the loss.
fn each_job_of_a_lost_chunk_has_its_error() {
    let pool = one_worker();
    let jobs = [(); 3].map(|()| EndWithData(Ending::Exit, Vec::new()));
    let results: Vec<_> = pool.map(jobs, 3).unwrap().collect();
    assert_eq!(results.len(), 3);
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, JobError::WorkerLost(_)), "{error}");
        assert_mentions(loss(error), "exit status: 3");
    }
}

// Initializer.

/// `test_initializer`: in each of the children.
fn initializer() {
    let gates = [(); 2].map(|()| FileGate::new());
    let pool = builder().env("INITIALIZER", "done").build().unwrap();
    let futures = gates
        .each_ref()
        .map(|gate| pool.submit(Initialized(gate.path())).unwrap());
    let ids: HashSet<_> = gates.iter().map(FileGate::wait_until_begun).collect();
    assert_eq!(ids.len(), 2);
    gates.iter().for_each(FileGate::open);
    for future in futures {
        assert_eq!(future.result().unwrap().as_deref(), Some("done"));
    }
}

/// `test_initializer` of `FailingInitializerMixin`.
fn failing_initializer() {
    for (what, text) in [
        ("fail", "as asked for"),
        ("panic", "it panicked: as asked for"),
    ] {
        let pool = builder().env("INITIALIZER", what).build().unwrap();
        let reason = loss(pool.submit(ProcessId).unwrap().result().unwrap_err());
        assert_mentions(reason, &format!("the initializer failed: {text}"));
        assert!(!reason.contains("run_worker_if_asked"), "{reason}");
        assert_broken(&pool);
    }
}

/// The argument of the typed initializer.
#[derive(Serialize, Deserialize, Schema)]
struct Greeting {
    word: String,
    times: u8,
}

fn greeting() -> Greeting {
    Greeting {
        word: String::from("hello"),
        times: 2,
    }
}

/// Each child is initialised with the parent's argument. `initargs` of `test_initializer`.
fn initializer_argument() {
    let gate = FileGate::new();
    let builder = ProcessPoolBuilder::initializer_argument(builder(), &greeting());
    let pool = builder.env("TYPED", "").build().unwrap();
    let future = pool.submit(Initialized(gate.path())).unwrap();
    gate.open();
    assert_eq!(future.result().unwrap().as_deref(), Some("hellohello"));
}

/// A child that was given no argument, one of another type, or one that it has no use for, breaks the pool.
fn initializer_argument_that_does_not_fit() {
    let builders = [
        (builder().env("TYPED", ""), "has given no argument"),
        (
            builder().env("TYPED", "").initializer_argument(&7_u32),
            "is of another type",
        ),
        (
            builder().initializer_argument(&greeting()),
            "call run_worker_with_argument",
        ),
    ];
    for (builder, text) in builders {
        let pool = builder.build().unwrap();
        let reason = loss(pool.submit(ProcessId).unwrap().result().unwrap_err());
        assert_mentions(reason, "the initializer failed: its parent");
        assert_mentions(reason, text);
        assert_broken(&pool);
    }
}

/// An argument that cannot be sent fails the build of the pool.
fn initializer_argument_that_cannot_be_sent() {
    let large = vec![0_u8; 48 << 10];
    let refused = builder().initializer_argument(&large).build().unwrap_err();
    assert!(matches!(
        refused,
        ProcessPoolBuildError::ArgumentTooLarge(49_155)
    ));
    assert_mentions(&refused.to_string(), "49155 bytes, and 49152 are possible");
    let trouble = Troublesome(IN_ENCODE | ERROR);
    let refused = builder().initializer_argument(&trouble).build();
    let refused = refused.unwrap_err();
    assert!(matches!(
        refused,
        ProcessPoolBuildError::ArgumentEncoding(_)
    ));
}

// ExecutorDeadlockTest.

/// `test_error_during_func_exec_on_worker`: the panic's text comes back, and the child lives.
fn error_during_func_exec_on_worker() {
    let pool = one_worker();
    let id = pool.submit(ProcessId).unwrap().result().unwrap();
    let error = pool
        .submit(End(Ending::Panic))
        .unwrap()
        .result()
        .unwrap_err();
    let JobError::Panicked(panic) = error else {
        panic!("{error}");
    };
    let text = panic.payload().unwrap().downcast::<String>().unwrap();
    assert_eq!(*text, "as asked for");
    assert_eq!(pool.submit(ProcessId).unwrap().result().unwrap(), id);
}

/// The panic of a job that has panicked.
fn panic_of(result: Result<(), JobError>) -> Panic {
    match result {
        Err(JobError::Panicked(panic)) => panic,
        other => panic!("{other:?}"),
    }
}

/// Asserts that a panic began where [`PanicWith`] panics.
fn assert_is_panic_with(panic: &Panic) {
    let at = panic.location().unwrap();
    assert_eq!(at.file, file!());
    let line = usize::try_from(at.line).unwrap();
    let line = include_str!("process_pool.rs").lines().nth(line - 1);
    assert_eq!(line.unwrap().trim(), r#"panic!("{}", self.0) // here"#);
}

/// The panic of a child comes with its file and line, and with all of its text.
fn a_childs_panic_comes_with_its_location_and_whole_text() {
    let pool = one_worker();
    let text = "as asked for ".repeat(100);
    let panic = panic_of(pool.submit(PanicWith(text.clone())).unwrap().result());
    assert_is_panic_with(&panic);
    assert_eq!(panic.text(), Some(&*text));
}

/// Each job of a chunk has its own panic.
fn a_panic_in_a_chunk_comes_with_its_location() {
    let pool = one_worker();
    let texts = ["one", "two"].map(String::from);
    let results = pool.map(texts.clone().map(PanicWith), 2).unwrap();
    for (result, text) in results.zip(texts) {
        let panic = panic_of(result);
        assert_is_panic_with(&panic);
        assert_eq!(panic.text(), Some(&*text));
    }
}

/// A panic that the hook has not seen has no location, and not that of an earlier panic.
fn a_resumed_panic_has_no_location() {
    let pool = one_worker();
    pool.submit(CatchOwn).unwrap().result().unwrap();
    let panic = panic_of(pool.submit(Unwind).unwrap().result());
    assert_eq!(panic.text(), Some("out of nowhere"));
    assert_eq!(panic.location(), None);
}

/// A hook that the initializer sets is called, and the location is known all the same.
fn a_hook_of_the_initializer_keeps_the_location() {
    let gate = FileGate::new();
    let pool = builder()
        .max_workers(1)
        .env("HOOK", gate.path())
        .build()
        .unwrap();
    let panic = panic_of(pool.submit(PanicWith("text".into())).unwrap().result());
    assert_is_panic_with(&panic);
    gate.wait_until_begun();
}

/// `test_crash_during_func_exec_on_worker`.
fn crash_during_func_exec_on_worker() {
    let pool = pool();
    let reason = loss(
        pool.submit(End(Ending::Abort))
            .unwrap()
            .result()
            .unwrap_err(),
    );
    assert_mentions(reason, "SIGABRT");
    assert_mentions(reason, "about to abort");
    assert_broken(&pool);
}

/// `test_exit_during_func_exec_on_worker`.
fn exit_during_func_exec_on_worker() {
    let pool = pool();
    let reason = loss(
        pool.submit(End(Ending::Exit))
            .unwrap()
            .result()
            .unwrap_err(),
    );
    assert_mentions(reason, "exit status: 3");
    assert_broken(&pool);
}

fn trouble_there(pool: &ProcessPool, trouble: u8) -> JobError {
    let job = TroubleThere(Troublesome(trouble));
    pool.submit(job).unwrap().result().unwrap_err()
}

fn trouble_back(pool: &ProcessPool, trouble: u8) -> JobError {
    match pool.submit(TroubleBack(trouble)).unwrap().result() {
        Err(error) => error,
        Ok(_) => panic!("it came back"),
    }
}

/// `test_error_at_task_pickle`: the job fails, the pool lives.
fn error_at_task_encode() {
    let pool = pool();
    let error = trouble_there(&pool, IN_ENCODE | ERROR);
    assert!(
        matches!(error, JobError::Codec(CodecError::Arguments)),
        "{error}"
    );
    let error = trouble_there(&pool, IN_ENCODE | PANIC);
    assert!(matches!(error, JobError::Panicked(_)), "{error}");
    assert_eq!(pool.submit(Pow(1, 1)).unwrap().result().unwrap(), 1);
}

/// `test_error_at_task_unpickle`: the job fails, the child lives.
fn error_at_task_decode() {
    let pool = pool();
    let error = trouble_there(&pool, IN_DECODE | ERROR);
    assert!(
        matches!(error, JobError::Codec(CodecError::ArgumentsRefused)),
        "{error}"
    );
    let error = trouble_there(&pool, IN_DECODE | PANIC);
    assert!(matches!(error, JobError::Panicked(_)), "{error}");
    assert_eq!(pool.submit(Pow(1, 1)).unwrap().result().unwrap(), 1);
}

/// `test_exit_at_task_unpickle`.
fn exit_at_task_decode() {
    let pool = pool();
    assert_mentions(
        loss(trouble_there(&pool, IN_DECODE | EXIT)),
        "exit status: 3",
    );
    assert_broken(&pool);
}

/// `test_crash_at_task_unpickle`.
fn crash_at_task_decode() {
    let pool = pool();
    assert_mentions(loss(trouble_there(&pool, IN_DECODE | ABORT)), "SIGABRT");
    assert_broken(&pool);
}

/// `test_error_during_result_pickle_on_worker`.
fn error_during_result_encode_on_worker() {
    let pool = pool();
    let error = trouble_back(&pool, IN_ENCODE | ERROR);
    assert!(
        matches!(error, JobError::Codec(CodecError::Result)),
        "{error}"
    );
    let error = trouble_back(&pool, IN_ENCODE | PANIC);
    assert!(matches!(error, JobError::Panicked(_)), "{error}");
    assert_eq!(pool.submit(Pow(1, 1)).unwrap().result().unwrap(), 1);
}

/// `test_crash_during_result_pickle_on_worker`.
fn crash_during_result_encode_on_worker() {
    let pool = pool();
    assert_mentions(loss(trouble_back(&pool, IN_ENCODE | ABORT)), "SIGABRT");
    assert_broken(&pool);
}

/// `test_exit_during_result_pickle_on_worker`.
fn exit_during_result_encode_on_worker() {
    let pool = pool();
    assert_mentions(
        loss(trouble_back(&pool, IN_ENCODE | EXIT)),
        "exit status: 3",
    );
    assert_broken(&pool);
}

/// `test_error_during_result_unpickle_in_result_handler`: the job fails, the pool lives.
fn error_during_result_decode_in_parent() {
    let pool = pool();
    let error = trouble_back(&pool, IN_DECODE | ERROR);
    assert!(
        matches!(error, JobError::Codec(CodecError::ResultRefused)),
        "{error}"
    );
    let error = trouble_back(&pool, IN_DECODE | PANIC);
    assert!(matches!(error, JobError::Panicked(_)), "{error}");
    assert_eq!(pool.submit(Pow(1, 1)).unwrap().result().unwrap(), 1);
}

/// `test_shutdown_deadlock`: a crash while the pool is shut down.
fn shutdown_deadlock() {
    let pool = pool();
    let crash = pool.submit(End(Ending::Abort)).unwrap();
    pool.shutdown(true, false).unwrap();
    assert_mentions(loss(crash.result().unwrap_err()), "SIGABRT");
}

/// `test_shutdown_deadlock_pickle`: a job that cannot be encoded while the pool is shut down.
fn shutdown_deadlock_encode() {
    let pool = pool();
    let bad = pool.submit(TroubleThere(Troublesome(IN_ENCODE))).unwrap();
    pool.shutdown(true, false).unwrap();
    assert!(matches!(bad.result(), Err(JobError::Codec(_))));
}

/// `test_crash_big_data`: each child that comes to such a job crashes, while more is to be sent than a pipe
/// holds. There is an error for each of the jobs.
fn crash_big_data() {
    let pool = builder().frame_bytes(8 << 20).build().unwrap();
    let jobs = (0..10).map(|_| EndWithData(Ending::Abort, vec![1; 4 << 20]));
    let results: Vec<_> = pool.map(jobs, 1).unwrap().collect();
    assert_eq!(results.len(), 10);
    for result in results {
        assert_mentions(loss(result.unwrap_err()), "SIGABRT");
    }
    assert_broken(&pool);
}

/// A child that crashes when its pipe is full: what is half sent ends as lost, and what waits for it too.
fn a_crash_while_data_is_written() {
    let pool = builder()
        .max_workers(1)
        .frame_bytes(8 << 20)
        .build()
        .unwrap();
    let id = pool.submit(ProcessId).unwrap().result().unwrap();
    // Now it takes in no more than its pipe holds.
    signal(id, libc::SIGSTOP);
    let mut big: Vec<_> = (0..3)
        .map(|_| pool.submit(Echo(vec![1; 4 << 20])).unwrap())
        .collect();
    while !big.iter().any(|future| future.running()) {
        thread::yield_now();
    }
    kill(id);
    for future in big.drain(..) {
        assert_mentions(loss(future.result().unwrap_err()), "SIGKILL");
    }
    assert_broken(&pool);
}

/// `test_gh105829_should_not_deadlock_if_wakeup_pipe_full`: a child that takes nothing in makes no
/// submitter wait.
fn gh105829_should_not_deadlock_if_wakeup_pipe_full() {
    let gate = FileGate::new();
    let pool = one_worker();
    let running = pool.submit(gate.job()).unwrap();
    gate.wait_until_begun();
    let big: Vec<_> = (0..8)
        .map(|_| pool.submit(Echo(vec![1; 1 << 19])).unwrap())
        .collect();
    gate.open();
    running.result().unwrap();
    for future in big {
        assert_eq!(future.result().unwrap().len(), 1 << 19);
    }
}

/// Arguments that do not fit a frame are an error that says so.
fn arguments_too_large_for_a_frame() {
    let pool = builder().frame_bytes(1_000).build().unwrap();
    let error = pool
        .submit(Echo(vec![1; 1_000]))
        .unwrap()
        .result()
        .unwrap_err();
    let expected = CodecError::ArgumentsTooLarge;
    assert!(
        matches!(error, JobError::Codec(why) if why == expected),
        "{error}"
    );
    assert_eq!(pool.submit(Pow(1, 1)).unwrap().result().unwrap(), 1);
}

macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        vec![$(Trial::test(stringify!($name), || {
            run_for(PATIENCE, $name);
            Ok(())
        })),*]
    };
}

/// The first act of a child, as its environment says.
fn initialize() -> Result<(), String> {
    if let Ok(starts) = std::env::var("STARTS") {
        Note(starts, std::process::id()).note();
    }
    if let Ok(path) = std::env::var("ADMIT") {
        wait_until_admitted(&path);
    }
    if std::env::var_os("STAY_AT").is_some() {
        // SAFETY: the function is there as long as the program.
        unsafe { libc::atexit(stay) };
    }
    if let Ok(gate) = std::env::var("GATE") {
        // SAFETY: the function is there as long as the program.
        unsafe { libc::atexit(note_exit) };
        FileGate::begin(&gate);
        FileGate::wait_until_open(&gate);
    }
    if let Ok(gate) = std::env::var("HOOK") {
        set_hook(Box::new(move |_| FileGate::begin(&gate)));
    }
    match std::env::var("INITIALIZER") {
        Ok(what) if what == "fail" => Err(String::from("as asked for")),
        Ok(what) if what == "panic" => panic!("as asked for"),
        Ok(what) => INITIALIZED.set(what),
        Err(_) => Ok(()),
    }
}

extern "C" fn stay() {
    if let Ok(gate) = std::env::var("STAY_AT") {
        FileGate::begin(&gate);
        FileGate::wait_until_open(&gate);
    }
}

extern "C" fn note_exit() {
    if let Ok(notes) = std::env::var("NOTES") {
        Note(notes, 1).note();
    }
}

/// The work of this program if a test runs it again.
fn do_as_told() -> Option<()> {
    let told = |name| std::env::var(name).ok();
    if told("COUNT_DESCRIPTORS").is_some() {
        count_descriptors();
    } else if let Some(path) = told("SUBMIT_AND_END") {
        submit_and_end(path);
    } else if let Some(path) = told("ONLY_SUBMIT") {
        only_submit(path);
    } else if told("END_A_CHILD").is_some() {
        end_a_child();
    } else if told("IGNORE_SIGCHLD").is_some() {
        ignore_sigchld();
    } else if let Some(path) = told("RESTORE_SIGPIPE") {
        restore_sigpipe(path);
    } else if told("SAY_HELLO").is_some() {
        println!("hello");
    } else if told("ACT_AS_ANOTHER").is_some() {
        act_as_another();
    } else if let Some(group) = told("INTERRUPT") {
        interrupt(&group);
    } else if let Some(path) = told("LOSE_IDLE_CHILDREN") {
        lose_idle_children(&path);
    } else if let Some(what) = told("REFUSED") {
        refused(&what);
    } else if let Some(path) = told("REPLACED") {
        replaced(&path);
    } else {
        #[cfg(target_os = "linux")]
        if told("NO_THREADS").is_some() {
            map_without_threads();
            return Some(());
        }
        return None;
    }
    Some(())
}

fn main() -> ExitCode {
    if let Ok(what) = std::env::var("FORGETFUL") {
        return forget_to_ask(&what);
    }
    if let Ok(what) = std::env::var("TAKES_RIGHTS_OF") {
        take_rights(&what);
    }
    if std::env::var_os("WITH_THREAD").is_some() {
        thread::spawn(|| {
            loop {
                thread::park();
            }
        });
    }
    if std::env::var_os("LIAR").is_some() {
        run_worker_with(&FIVES, initialize);
    }
    if std::env::var_os("TYPED").is_some() {
        run_worker_with_argument(&JOBS, |greeting: Greeting| {
            INITIALIZED.set(greeting.word.repeat(greeting.times.into()))
        });
    }
    run_worker_with(&JOBS, initialize);
    let generation = generation();
    if generation < 2 && do_as_told().is_some() {
        return ExitCode::SUCCESS;
    }
    assert_eq!(generation, 0, "a child of the tests is no worker");
    let mut trials = trials![
        submit,
        map,
        map_exception,
        map_chunksize,
        map_buffersize,
        map_buffersize_value_validation,
        map_timeout,
        map_timeout_in_a_full_pool,
        run_in_executor_takes_jobs,
        broken_reason,
        waits_for_room,
        map_buffersize_on_infinite_iterable,
        map_buffersize_on_empty_iterable,
        map_buffersize_when_buffer_is_full,
        map_submits_without_iteration,
        map_in_a_small_pool,
        map_close,
        map_after_shutdown,
        map_of_a_broken_pool,
        a_chunk_whose_encoding_panics_is_lost,
        shutdown_race_issue12456,
        max_workers_negative,
        max_workers_too_large,
        bounds_of_the_builder,
        default_workers,
        jobs_run_in_children,
        thread_names_default,
        run_after_shutdown,
        hang_issue12364,
        cancel_futures,
        hang_gh94440,
        processes_terminate,
        context_manager_shutdown,
        del_shutdown,
        hang_gh83386,
        interpreter_shutdown,
        shutdown_no_wait,
        shutdown_gh_132969_case_1,
        shutdown_gh_132969_case_2,
        shutdown_while_a_job_cannot_be_encoded,
        killed_child,
        broken_process_pool_traceback,
        traceback_when_child_process_terminates_abruptly,
        resources_gced_in_workers,
        saturation,
        idle_process_reuse_one,
        idle_process_reuse_multiple,
        max_tasks_per_child,
        max_tasks_per_child_pending_tasks_gh115634,
        no_child_is_started_when_the_work_is_done,
        one_task_per_child,
        shutdown_no_wait_max_tasks_gh119592,
        gc_during_max_tasks_worker_exit_gh152967,
        max_tasks_early_shutdown,
        force_shutdown_during_max_tasks_worker_exit,
        failed_worker_replacement_breaks_pool,
        a_shutdown_whose_time_is_over_says_what_still_runs,
        a_shutdown_with_a_time_out_cancels_what_is_queued,
        force_shutdown_workers,
        force_shutdown_workers_dead_workers,
        force_shutdown_workers_not_started_yet,
        force_shutdown_workers_stops_pool,
        force_shutdown_of_busy_workers_stops_pool,
        a_lost_child_is_replaced_if_that_is_asked_for,
        an_idle_child_is_replaced_each_time_it_is_lost,
        a_child_that_is_refused_leaves_its_job_to_the_others,
        a_child_that_was_refused_is_started_for_the_next_job,
        a_program_that_is_no_worker_breaks_the_pool,
        a_program_that_sends_something_else_breaks_the_pool,
        a_program_that_closes_its_socket_breaks_the_pool,
        a_child_that_hangs_is_killed,
        a_child_that_was_not_met_exits_by_itself,
        a_child_that_floods_its_pipe_does_its_job,
        a_child_that_sends_a_malformed_frame_is_lost,
        no_descriptor_is_leaked,
        no_orphan_when_the_parent_is_killed,
        a_worker_ends_with_its_socket,
        a_worker_that_is_sent_a_malformed_frame_ends,
        no_orphan_when_a_copy_of_the_parent_stays,
        a_broken_pool_leaves_no_child,
        a_child_that_does_not_start_in_time_is_killed,
        a_child_that_does_not_exit_is_killed,
        each_shutdown_waits_for_the_childrens_end,
        a_copy_of_a_child_does_not_hide_its_end,
        standard_error_is_passed_on,
        a_closed_standard_error_costs_nothing,
        ignored_sigchld_costs_the_status_only,
        restored_sigpipe_does_not_end_the_program,
        a_program_that_does_not_ask_starts_no_workers,
        a_program_that_is_to_be_a_worker_starts_none,
        a_program_that_was_to_be_a_worker_starts_none,
        the_variable_stays_where_another_thread_may_read_it,
        the_variable_is_gone_in_a_worker,
        a_socket_that_was_not_asked_for_makes_no_worker,
        ctrl_c_does_not_reach_children_of_their_own_group,
        ctrl_c_reaches_children_of_the_same_group,
        a_child_has_the_name_of_its_program,
        a_program_whose_file_is_replaced_goes_on,
        children_have_no_descriptor_of_others,
        a_chunk_with_another_number_of_results_is_refused,
        each_job_of_a_lost_chunk_has_its_error,
        initializer,
        failing_initializer,
        initializer_argument,
        initializer_argument_that_does_not_fit,
        initializer_argument_that_cannot_be_sent,
        error_during_func_exec_on_worker,
        a_childs_panic_comes_with_its_location_and_whole_text,
        a_panic_in_a_chunk_comes_with_its_location,
        a_resumed_panic_has_no_location,
        a_hook_of_the_initializer_keeps_the_location,
        crash_during_func_exec_on_worker,
        exit_during_func_exec_on_worker,
        error_at_task_encode,
        error_at_task_decode,
        exit_at_task_decode,
        crash_at_task_decode,
        error_during_result_encode_on_worker,
        crash_during_result_encode_on_worker,
        exit_during_result_encode_on_worker,
        error_during_result_decode_in_parent,
        shutdown_deadlock,
        shutdown_deadlock_encode,
        crash_big_data,
        a_crash_while_data_is_written,
        gh105829_should_not_deadlock_if_wakeup_pipe_full,
        arguments_too_large_for_a_frame,
    ];
    // Only root can act as another user.
    trials.extend(
        trials![
            a_program_of_other_rights_is_no_worker,
            a_worker_that_takes_other_rights_is_none,
        ]
        .into_iter()
        .map(|trial| trial.with_ignored_flag(!is_root())),
    );
    #[cfg(target_os = "linux")]
    trials.extend(trials![map_where_no_thread_can_be_started]);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
