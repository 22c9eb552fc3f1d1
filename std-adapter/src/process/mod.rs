//! Child processes as workers, for work that may crash, or that needs memory of its own. Python's
//! `ProcessPoolExecutor`. The module needs the feature `process`, and a Unix system.
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
//! Each worker is a thread of this process and a child process. The thread is a
//! [`RemoteWorker`](corepool::remote::RemoteWorker). Its link is a socket that the child has as its
//! standard input. The pool starts a child when a job is queued and no worker is idle.
//!
//! **Start method**: on all Unix systems, a child is forked and executes a program from its beginning:
//! that of this process, or another ([`worker_program`](ProcessPoolBuilder::worker_program)). So the
//! child has no copy of this process's memory, such as a lock that another thread holds. An environment
//! variable asks the program to be a worker, and [`run_worker_if_asked`] looks for it.
//!
//! | of this process | in a child |
//! |---|---|
//! | standard input | the socket, until the worker takes it; then it is empty |
//! | standard output | the same |
//! | standard error | a pipe to this process, which passes on what it reads |
//! | other descriptors | none, even if a C library has opened them without `CLOEXEC` |
//! | environment, working directory, user, limits | the same, and the variables of [`env`](ProcessPoolBuilder::env) |
//! | process group, and so Ctrl-C | the same, or [its own](ProcessPoolBuilder::own_process_group) |
//! | signals that are ignored | ignored, except `SIGPIPE`, which has its default action |
//! | signals that are blocked or handled | neither blocked nor handled |
//!
//! A job that panics ends its future with the panic's text, file and line, and the child goes on. A panic
//! hook in the child notes the file and line. It calls the hook that was set before, which by default
//! writes to standard error.
//!
//! # Which process is a worker
//!
//! A program becomes a worker only for the process that started it as one. The variable names the
//! socket that the child has as its standard input. So it means nothing to a process that inherits it or
//! makes it up. On Linux, the process at the other end must be of the same user. A program with other
//! rights than its starter, such as a set-user-id program, refuses.
//!
//! First of all, the worker takes the variable out of its environment. It cannot do so if it has other
//! threads by then, or on other systems than Linux. Then the variable stays, and means nothing to the
//! worker's own children.
//!
//! A program whose `main` does not call [`run_worker_if_asked`] would start children that start children
//! in turn. It cannot build a pool whose children run the same program:
//! [`ProcessPoolBuildError::NoWorkerEntry`]. A program that was started as a worker and has not made the
//! call cannot build any: [`ProcessPoolBuildError::IsToBeWorker`].
//!
//! # In tests
//!
//! A binary of tests has libtest's `main`, which runs all tests and does not make the call. One of the
//! tests can be the children's `main`:
//!
//! ```no_run
//! # use corepool::remote::JobTable;
//! # use corepool_std::process::{ProcessPool, run_worker_if_asked};
//! # static JOBS: JobTable = JobTable::new(&[]);
//! #[test]
//! fn worker() {
//!     run_worker_if_asked(&JOBS); // in the parent, it returns at once
//! }
//!
//! # fn pool() -> ProcessPool {
//! // The test's full name has the modules that it is in.
//! let children = ["--exact", "worker", "--nocapture"];
//! let pool = children.iter().fold(ProcessPool::builder(&JOBS), |builder, argument| builder.arg(argument));
//! # pool.build().unwrap()
//! # }
//! ```
//!
//! # How children end
//!
//! | event | consequence |
//! |---|---|
//! | the pool is shut down | the pool says goodbye to each child, which exits; it kills a child that has not after a second |
//! | the child crashes, exits, closes its socket, or breaks the protocol | the pool kills it if it still runs; its jobs end with `WorkerLost`, whose reason has the exit status or signal and the last lines of its standard error; the pool is broken, or starts another child ([`on_loss`](ProcessPoolBuilder::on_loss)) |
//! | the child ends, and leaves its socket or standard error to processes of its own | the same: on Linux the kernel tells of the child's end; elsewhere the pool asks for it four times a second |
//! | a job takes longer than its `TIMEOUT` | the same |
//! | the system refuses to start a child | the other children do the work, and the next job that finds none of them idle tries again; if there is no other child, the pool is broken, and the reason has the program's file and the system's text |
//! | the child does not become a worker in its [time](ProcessPoolBuilder::start_timeout), or ends before | the pool kills it if it still runs; the pool is broken, and the reason says what to look at |
//! | this process ignores `SIGCHLD`, or other code of it waits for all children | as above, but the reason says that the status is unknown |
//! | the parent ends in any way | the socket hangs up, and on Linux the kernel tells of the parent's end; a thread of the child kills the child, even in the midst of a job |
//!
//! # Parts
//!
//! The protocol is that of [`corepool::remote`]. So the pool tests on the host what firmware does with a
//! second chip. `mio` waits for bytes and for wake-ups at once, and `rustix` does the system calls for
//! processes and sockets.
//!
//! [`procspawn`](https://docs.rs/procspawn) starts children in the same way. It sends them the address
//! of a function with the arguments, so it needs no table of jobs. Its queue has no bound, it does not
//! report what a child wrote last, and its channel needs both processes on one host.
//! [`interprocess`](https://docs.rs/interprocess) has sockets with names, for processes that do not know
//! each other. A parent and its child need no name.

mod argument;
mod descriptors;
mod panic_place;
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
    child::run_worker::{run_worker_if_asked, run_worker_with, run_worker_with_argument},
    chunk::{Chunk, JobPanic},
    map::{ChunkError, ChunkOptions, Map},
    pool::ProcessPool,
};
