//! Child processes as workers: for work that may crash, and for work whose memory is to be its own.
//! Python's `ProcessPoolExecutor`. With the feature `process`, on Unix.
//!
//! ```no_run
//! use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
//! use corepool_std::process::{ProcessPool, run_worker_if_asked};
//! use postcard_schema::Schema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Schema)]
//! struct Square(u64);
//!
//! impl RemoteJob for Square {
//!     type Output = u64;
//!     const NAME: &'static str = "square";
//!     fn run(self, _context: &mut JobContext<'_>) -> u64 {
//!         self.0 * self.0
//!     }
//! }
//!
//! static JOBS: JobTable = JobTable::new(&[JobEntry::of::<Square>()]);
//!
//! fn main() {
//!     run_worker_if_asked(&JOBS); // a child stays in here
//!     let pool = ProcessPool::new(&JOBS);
//!     let square = pool.submit(Square(12)).unwrap();
//!     assert_eq!(square.result().unwrap(), 144);
//! }
//! ```
//!
//! # How it works
//!
//! Each worker is a thread of this process and a child process: the thread is a
//! [`RemoteWorker`](corepool::remote::RemoteWorker), and the link is a socket that the child has as
//! its standard input. A child is started when a job is queued and no worker is idle. **Start
//! method**: a new process runs the program of this one from its beginning, or a program of its own
//! ([`worker_program`](ProcessPoolBuilder::worker_program)), with an environment variable that
//! [`run_worker_if_asked`] looks for. Nothing of this process is copied, such as a lock that another
//! thread holds. On all Unix systems alike; no child is forked without an exec.
//!
//! | of this process | in a child |
//! |---|---|
//! | standard input | the socket, and then nothing: it reads an end |
//! | standard output | the same |
//! | standard error | a pipe to this process, which passes it on |
//! | other descriptors | none, even if a C library has opened them without `CLOEXEC` |
//! | environment, working directory, user, limits | the same, and what [`env`](ProcessPoolBuilder::env) says |
//! | process group, and so Ctrl-C | the same, or [its own](ProcessPoolBuilder::own_process_group) |
//! | signals that are ignored | ignored, but `SIGPIPE`, which has its default action |
//! | signals that are blocked or handled | neither |
//!
//! # Who is a worker
//!
//! A program becomes a worker only for the process that started it to be one. The variable names the
//! socket that the child has as its standard input, so that it means nothing where it is inherited or
//! made up. On Linux the other end must be a process of the same user. A program with other rights than
//! its starter has, such as a set-user-id program, refuses. The worker takes the variable out of its
//! environment before anything else. (Where the process has other threads by then, or on other systems
//! than Linux, it stays, and means nothing to the worker's own children.)
//!
//! A program whose `main` does not call [`run_worker_if_asked`] would start children that start children
//! in turn. It cannot build a pool of itself: [`ProcessPoolBuildError::NoWorkerEntry`]. One that was started to be
//! a worker, and has not become one, cannot build any: [`ProcessPoolBuildError::IsToBeWorker`].
//!
//! # In tests
//!
//! The `main` of a binary of tests is libtest's, which runs all tests and does not ask. One test can be
//! the children's `main`:
//!
//! ```no_run
//! # use corepool::remote::JobTable;
//! # use corepool_std::process::{ProcessPool, run_worker_if_asked};
//! # static JOBS: JobTable = JobTable::new(&[]);
//! #[test]
//! fn worker() {
//!     run_worker_if_asked(&JOBS); // returns at once where it is but a test
//! }
//!
//! # fn pool() -> ProcessPool {
//! // By its full name, with the modules that it is in.
//! let children = ["--exact", "worker", "--nocapture"];
//! let pool = children.iter().fold(ProcessPool::builder(&JOBS), |builder, argument| builder.arg(argument));
//! # pool.build().unwrap()
//! # }
//! ```
//!
//! # How children end
//!
//! | what happens | what follows |
//! |---|---|
//! | the pool is shut down | each child is said goodbye to, and exits; one that has not after a second is killed |
//! | the child crashes, exits, closes its socket, or sends what makes no sense | it is killed if need be; the jobs that it had end with `WorkerLost`, whose reason has the exit status or signal and the last lines of its standard error; the pool is broken, or starts another child ([`on_loss`](ProcessPoolBuilder::on_loss)) |
//! | the child ends, and leaves its socket or standard error to processes of its own | likewise: on Linux the kernel tells of the child's end itself; elsewhere it is looked for four times a second |
//! | a job takes longer than its `TIMEOUT` | likewise |
//! | the system refuses to start a child | the other children do the work, and the next job that finds none of them idle has it tried again; if there is no other, the pool is broken, for a reason that has the program's file and the system's text |
//! | the child does not become a worker in its [time](ProcessPoolBuilder::start_timeout), or ends before | it is killed if need be; the pool is broken, for a reason that names what to look at |
//! | this process ignores `SIGCHLD`, or waits for all children elsewhere | all as above, but the reason says that the status is unknown |
//! | the parent ends, in whatever way | the socket hangs up, and on Linux the kernel tells of the parent's end; a thread of the child ends it, in the midst of a job, too |
//!
//! What is written to a child's standard error is passed on to that of this process.
//!
//! # What it is made of
//!
//! The protocol is that of [`corepool::remote`], so that what a chip's firmware does with its second
//! chip is what is tested here. Below it are `mio`, which waits for bytes and for wake-ups at once, and
//! `rustix` for processes and sockets. [`procspawn`](https://docs.rs/procspawn) starts children in the
//! same way and sends them a function's address with its arguments: no table of jobs, but an unbounded
//! queue, nothing of cancelling or of the children's last words, and a channel that only processes of
//! one host have. [`interprocess`](https://docs.rs/interprocess) gives sockets with a name, for
//! processes that do not know each other; a parent and its child need none, and neither a name that is
//! left in the file system.

mod descriptors;
mod question;
mod system;
mod worker_exit;

mod child;
mod parent;

mod build_error;
mod builder;
mod chunk;
mod map;
mod pool;

pub use self::{
    build_error::ProcessPoolBuildError,
    builder::ProcessPoolBuilder,
    child::{run_worker_if_asked, run_worker_with},
    chunk::Chunk,
    map::{Map, ZeroChunk},
    pool::ProcessPool,
};
