//! Atomics of a processor that has compare-and-swap.

pub(crate) use portable_atomic::{AtomicPtr, AtomicU16, AtomicU32, AtomicUsize, Ordering, fence};
