//! What the parent knows of its children, and how a thread looks after each.

mod child;
mod children;
mod command;
mod link;
mod poll_worker;
mod stderr;

pub(super) use self::{
    children::Children,
    command::{Program, WorkerCommand},
};
