//! Threads as workers.

mod at_exit;
pub(crate) mod boxed;
pub(crate) mod host_pool;
pub(crate) mod host_port;
mod list;
pub(crate) mod names;
mod owned_pool;
mod run_jobs;
pub(crate) mod run_workers;
pub(crate) mod thread_pool;
pub(crate) mod thread_pool_builder;
pub(crate) mod worker;
