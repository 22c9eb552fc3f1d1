//! The code that runs in a child process.

mod parent_link;
mod parent_watch;
pub(super) mod run_worker;
