#![doc = include_str!("../README.md")]
//!
//! # Where to find it
//!
//! * [`run_workers`] lends threads to a [`StaticPool`](corepool::StaticPool), as the firmware lends its cores.
//! * [`ThreadPool`] is an executor for host programs, Python's `ThreadPoolExecutor`. Its threads start on
//!   demand, its jobs may be of any size, and dropping it waits for all work.
//! * With the feature `process`, on Unix, `process::ProcessPool` has child processes as workers:
//!   Python's `ProcessPoolExecutor`.
//! * With the feature `remote`, `StreamLink` is a link to a board at a serial port or socket.
//!   `remote_panic` keeps the text and the location of a panic on the board.
//! * [`run_in_executor`] and [`to_thread`] let an async event loop await blocking work. An application chooses
//!   the pool of [`to_thread`] by [`set_default_executor`].
//! * [`HostPort`] gives a pool the host's clock, thread parking and panic catching;
//!   [`PanicExt`] hands out a panic's payload.
//!
//! # The end of the process
//!
//! The work of a [`ThreadPool`] or `ProcessPool` that is alive when `main` returns is done before the process
//! ends, as with Python's executors. So work in a pool in a `static`, which no destructor reaches, is not lost. A
//! hook does so that the C library calls at exit, on Unix: it calls `shutdown(true, false)` on each pool.
//!
//! * The pools take no new work from then on.
//! * [`std::process::exit`] waits, too, unless a thread of a pool calls it. Such a thread ends the process at once:
//!   nobody can finish its own job. The same goes for a thread of [`run_workers`].
//! * While the process's end waits, no job may call [`std::process::exit`]. The standard library lets one thread
//!   end the process, and stops each other thread that tries. So the process would wait for ever.
//! * The exiting thread may hold a lock. A job that needs that lock keeps the process from its end. So does a job
//!   or task that never ends.
//! * An exit handler of the application that was registered after the first pool was built runs before the hook.
//! * A forked copy of the process has no threads of the pools, and its end does not wait.
//! * A signal that ends the process, [`std::process::abort`] and `_exit` do not call the hook.
//!
//! [`ThreadPoolBuilder::finish_at_exit`] turns the hook off for a pool. On other systems than Unix, there is no
//! hook: call [`ThreadPool::shutdown`] at the end of `main`. The threads of [`run_workers`] have a guard instead of
//! the hook: [`Workers`].
//!
//! # Speed
//!
//! The plot is of one run of the repository's benchmark, on a machine with two cores. The benchmark's page has all
//! tables, and says what each pool and each reference does.
//!
#![cfg_attr(doc, doc = include_str!("../images/bench.svg"))]
//!
//! # Contract lines
//!
//! The lines *Context*, *Cost*, *Cancel safety* and *Errors* mean what they mean in
//! [`corepool`](corepool#contract-lines). *Any thread* is a thread of the program in any code: a
//! task of an event loop, a job, a callback; but no signal handler. *Cost* names the heap and the locks
//! that a call takes. It leaves out one lock: a call that wakes a sleeping thread takes that thread's own
//! lock for a moment.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

// From the ground up; README.md beside this file has the layers.
mod clock;
mod intern;
mod panic;

mod spin;

mod threads;

mod bridge;
#[cfg(all(unix, feature = "process"))]
pub mod process;
#[cfg(feature = "remote")]
mod remote;

pub use crate::{
    bridge::{
        Runs, default_executor, run_in_executor, set_default_executor, to_thread, to_thread_in,
    },
    panic::PanicExt,
    spin::parker::ThreadParker,
    threads::{
        boxed::{Boxed, SLOT_BYTES},
        host_port::HostPort,
        run_workers::{StartError, Workers, run_workers, run_workers_with},
        thread_pool::ThreadPool,
        thread_pool_builder::{MAX_STACK_SIZE, ThreadPoolBuildError, ThreadPoolBuilder},
        worker::ThreadWorker,
    },
};
#[cfg(feature = "remote")]
pub use crate::{panic::remote_panic, remote::stream_link::StreamLink};
