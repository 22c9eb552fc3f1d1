//! What runs in a child process.

mod parent_link;
mod parent_watch;
mod run_worker;

pub use self::run_worker::{run_worker_if_asked, run_worker_with};
