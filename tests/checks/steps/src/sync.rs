//! In place of the core's module of this name: the atomics that ask the scheduler.

pub use portable_atomic::{AtomicUsize, Ordering};

macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        $(#[$meta])* $vis const fn $($rest)*
    };
}

pub(crate) use const_unless_loom;

/// The scheduler decides who goes on.
pub fn back_off() {}

/// Nothing that another thread could see.
pub fn fetch_for_writing<T>(_address: *const T) {}
