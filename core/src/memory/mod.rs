//! The pool's memory: what lies where, and whose it is.

pub(crate) mod payload;
pub(crate) mod pool;
pub(crate) mod scoped;
pub(crate) mod slot;
