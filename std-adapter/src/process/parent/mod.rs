//! What the parent knows of its children, and how a thread looks after each.

mod child;
pub(super) mod children;
pub(super) mod command;
mod link;
mod poll_worker;
mod stderr;
