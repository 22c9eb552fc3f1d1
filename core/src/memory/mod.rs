//! The pool's memory: what lies where, and which party owns it.

pub(crate) mod geometry;
pub(crate) mod joined;
pub(crate) mod listener;
pub(crate) mod locate;
pub(crate) mod payload;
pub(crate) mod phase;
pub(crate) mod pool;
pub(crate) mod queues;
pub(crate) mod scoped;
pub(crate) mod seat;
pub(crate) mod slot;
#[cfg(feature = "remote")]
pub(crate) mod travel;
pub(crate) mod waiter;
