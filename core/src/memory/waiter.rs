//! The place of a waiter: its waker, its interest, and the completions of its set.

use crate::{
    lockfree::shared_waker::SharedWaker,
    lockfree::sync::{AtomicU16, const_unless_loom},
};

/// The interest of a waiter that waits for a free slot.
pub(crate) const ROOM: u16 = 1;

/// The interest of a waiter that waits for workers to leave.
pub(crate) const LEAVING: u16 = 2;

/// The interest of a waiter that waits for a shared future.
pub(crate) const SHARED: u16 = 4;

/// The place of a context that waits for room, for the pool's end, for a shared future, or on a
/// set of futures.
#[repr(C)]
pub(crate) struct Waiter {
    pub(crate) waker: SharedWaker,
    /// `ROOM`, `LEAVING`, `SHARED`, or 0 for a set.
    pub(crate) interest: AtomicU16,
    /// The newest completion of a set, as its slot plus one. The slots' links lead to the older
    /// ones.
    pub(crate) completed: AtomicU16,
}

impl Waiter {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                waker: SharedWaker::new(),
                interest: AtomicU16::new(0),
                completed: AtomicU16::new(0),
            }
        }
    }
}
