use crate::{
    lockfree::shared_waker::SharedWaker,
    lockfree::sync::{AtomicU16, const_unless_loom},
};

/// What a waiter wants to be told of, besides completions in its set.
pub(crate) const ROOM: u16 = 1;

/// A worker left.
pub(crate) const LEAVING: u16 = 2;

/// The place of a context that waits for room, for the end, or on a set of futures.
#[repr(C)]
pub(crate) struct Waiter {
    pub(crate) waker: SharedWaker,
    /// `ROOM`, `LEAVING`, or 0 for a set.
    pub(crate) interest: AtomicU16,
    /// The completion that came last: slot plus one; the slots' links go on from there.
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
