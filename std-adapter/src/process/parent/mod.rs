//! The parent's side of its children: its knowledge of each, and the thread that looks after it.

mod child;
pub(super) mod children;
pub(super) mod command;
mod link;
mod poll_worker;
mod stderr;
