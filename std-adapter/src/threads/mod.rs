//! Threads as workers.

mod boxed;
mod host_pool;
mod host_port;
mod list;
mod owned_pool;
mod run_jobs;
mod run_workers;
mod thread_pool;
mod thread_pool_builder;
mod worker;

#[cfg(all(unix, feature = "process"))]
pub(crate) use self::host_pool::{Coming, HostPool, ThreadMain, ThreadOptions, View};
pub use self::{
    boxed::{Boxed, SLOT_BYTES},
    host_port::HostPort,
    run_workers::{StartError, Workers, run_workers, run_workers_with},
    thread_pool::ThreadPool,
    thread_pool_builder::{MAX_STACK_SIZE, ThreadPoolBuildError, ThreadPoolBuilder},
    worker::ThreadWorker,
};
