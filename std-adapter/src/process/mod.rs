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
//! [`run_worker_if_asked`] looks for. Nothing of this process is copied: no locks that another
//! thread holds, no open files but the standard output and error. On all Unix systems alike; there
//! is no fork without exec.
//!
//! # How children end
//!
//! | what happens | what follows |
//! |---|---|
//! | the pool is shut down | each child is said goodbye to, and exits |
//! | the child crashes, exits, closes its socket, or sends what makes no sense | it is killed if need be; the jobs that it had end with `WorkerLost`, whose reason has the exit status or signal and the last lines of its standard error; the pool is broken, or starts another child ([`on_loss`](ProcessPoolBuilder::on_loss)) |
//! | a job takes longer than its `TIMEOUT` | likewise |
//! | the parent ends, in whatever way | the socket hangs up, and a thread of the child ends it, in the midst of a job, too |
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

mod child;
mod link;
mod map;
mod pool;
mod reason;

pub use self::{
    child::{run_worker_if_asked, run_worker_with},
    map::{Chunk, Map, ZeroChunk},
    pool::{BuildError, ProcessPool, ProcessPoolBuilder},
};

/// Set in the environment of a child that is to be a worker.
const ASKED: &str = "COREPOOL_WORKER";
