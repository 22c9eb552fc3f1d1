//! Work that crosses an address space. The other side is a core that shares no memory with the pool,
//! a chip behind a UART, or a host's child process. The module needs the feature `remote`.
//!
//! ```text
//!     pool ── queue ──► RemoteWorker ══ Link ══► serve ── runs RemoteJob::run
//!       ▲                    │                     │
//!       └── the future ends ─┘ ◄══ result, fault ══┘
//! ```
//!
//! A closure cannot travel, so a job is a type with a name: a [`RemoteJob`]. Both sides are built
//! with the same [`JobTable`], and compare its key when they meet. On the pool's side a
//! [`RemoteWorker`] takes jobs out of the queue, as any worker does, and has several of them in
//! flight. On the other side [`serve()`] runs them. A [`Link`] of four methods connects the two.
//!
//! ```no_run
//! use corepool::{SpinWorker, StaticPool, remote::*};
//! use postcard_schema::Schema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Schema)]
//! struct Square(u32);
//!
//! impl RemoteJob for Square {
//!     type Output = u32;
//!     const NAME: &'static str = "square";
//!     fn run(self, _context: &mut JobContext<'_>) -> u32 {
//!         self.0 * self.0
//!     }
//! }
//!
//! /// Both sides are built from this.
//! static JOBS: JobTable = JobTable::new(&[JobEntry::of::<Square>()]);
//! static POOL: StaticPool<4, 32> = StaticPool::new();
//!
//! /// A worker of the pool.
//! fn pools_side(link: impl Link) -> Result<RemoteEnd, RemoteError> {
//!     let buffers = Buffers { outbox: &mut [0; 128], inbox: &mut [0; 128] };
//!     let mut worker = RemoteWorker::<_>::new(link, &JOBS, buffers, RemoteConfig::default());
//!     worker.run(POOL.pool_ref(), &SpinWorker)
//! }
//!
//! /// The other core, or the other chip.
//! fn other_side(mut link: impl Link) {
//!     let buffers = Buffers { outbox: &mut [0; 128], inbox: &mut [0; 128] };
//!     let _ = serve(&mut link, &JOBS, buffers, &SpinWorker);
//! }
//!
//! fn submit() {
//!     let square = POOL.submit_remote(Square(12)).unwrap();
//!     assert_eq!(square.result().unwrap(), 144);
//! }
//! ```
//!
//! [`RemoteExecutor`] is the trait of the executors that take such jobs. The pools of this crate are
//! such executors, and so are the thread pools and process pools of a host.
//!
//! The pool may have other workers, too. A remote job that one of them takes runs right there,
//! without any encoding.
//!
//! # Failures
//!
//! | failure | how the future ends |
//! |---|---|
//! | the job panics, where [`serve_catching`] catches panics | [`Panicked`](crate::JobError::Panicked), with text and location if [`RemoteConfig::panic`] keeps them |
//! | the job panics, where a panic ends the program | `Panicked` with text and location if the panic handler calls [`LastWords::say`]; if not, as if the other side starts anew, or is silent |
//! | arguments or result cannot be encoded, decoded, or do not fit | [`Codec`](crate::JobError::Codec) |
//! | the link ends, is silent for too long, or the other side starts anew | [`WorkerLost`](crate::JobError::WorkerLost), with the reason |
//! | no answer within the job's time | sent again if it is idempotent, then `WorkerLost` |
//! | request or result damaged on the way | as for no answer, as soon as the other side is asked; on a lossless link, the link ends |
//! | cancelled while it waits on the other side | [`Cancelled`](crate::JobError::Cancelled) |
//! | cancelled while it runs | as the job returns: its context shows it the cancel |
//! | the two sides know other jobs | the worker does not begin: [`RemoteError::Mismatch`] |
//!
//! # Parts
//!
//! Arguments and results are encoded by `postcard`, on top of `serde`: it is compact, needs no
//! heap, and its format is documented. Its schemas make the key of the table, as in `postcard-rpc`.
//! Frames are COBS with a CRC-32, by the crates `cobs` and `crc`. `postcard-rpc` and `ergot`
//! themselves are networks of endpoints with an async runtime on each side. They take no jobs from
//! a pool's queue, and have no window and no cancel. They also need more below them than a link's
//! four methods.

mod buffers;
mod client;
mod config;
mod executor;
mod flights;
mod last_words;
#[cfg(test)]
pub(crate) mod scripted;
mod serve;
mod server;
mod session;
mod table;
mod worker;

pub use self::{
    buffers::Buffers,
    config::{OnTimeout, RemoteConfig, RemoteEnd, RemoteError},
    executor::{RemoteExecutor, RemoteMap},
    last_words::LastWords,
    serve::{serve, serve_catching, serve_with_last_words},
    server::{CatchPanic, MAX_WINDOW},
    table::{JobEntry, JobTable},
    worker::RemoteWorker,
};
pub use crate::{
    api::submit_remote::SubmitRemoteAsync,
    jobs::remote_job::{JobContext, RemoteJob},
    machine::link::Link,
};
