//! The state that a scope and its jobs share: how many jobs have not ended, and the waker for the
//! scope's owner.

use core::{mem::ManuallyDrop, task::Waker};

use crate::lockfree::sync::{AtomicUsize, Ordering};

/// The number of a scope's jobs that have not ended, and the waker for the scope's owner.
pub(crate) struct ScopeState {
    /// Counts the scope's closure too, while it runs, so that the count reaches zero only once.
    pub(crate) pending: AtomicUsize,
    /// Belongs to the party that brings the count to zero.
    pub(crate) waker: ManuallyDrop<Waker>,
    /// The tag of the scope's jobs. 0 if the scope's owner is no worker. See
    /// [`SeatRef::open_scope`](super::seat::SeatRef::open_scope).
    pub(crate) tag: u16,
}

impl ScopeState {
    /// Counts out a job of the scope, or its closure, which uses nothing that the scope borrows any
    /// more. Returns the waker if none is left.
    ///
    /// # Safety
    ///
    /// `scope` is the address of a scope that counted the caller's job in, or that the caller owns.
    /// The call is made once for each such job and for the closure. After it, `scope` is not used,
    /// unless the waker was returned.
    pub(crate) unsafe fn count_out(scope: *const Self) -> Option<Waker> {
        // SAFETY: the scope's frame stays until the count is zero, and the caller is still counted.
        // The scope keeps the original waker, so this copy is forgotten unless the count reaches
        // zero.
        let (pending, waker) = unsafe { (&(*scope).pending, (&raw const (*scope).waker).read()) };
        // Release: what the job did comes before the scope's end, whose load of `pending` is an
        // Acquire (`api/scope.rs`).
        let before = pending.fetch_sub(1, Ordering::Release);
        (before == 1).then(|| ManuallyDrop::into_inner(waker))
    }

    /// Counts out a job of the scope, and wakes the scope's owner if it was the last.
    ///
    /// # Safety
    ///
    /// As for [`count_out`](Self::count_out).
    pub(crate) unsafe fn leave(scope: *const Self) {
        // SAFETY: the caller's promise.
        if let Some(waker) = unsafe { Self::count_out(scope) } {
            waker.wake();
        }
    }
}

/// The membership of a job in a scope.
#[derive(Clone, Copy)]
pub(crate) struct Scoped {
    /// [`ScopeState::leave`].
    pub(crate) leave: unsafe fn(*const ScopeState),
    pub(crate) scope: *const ScopeState,
}

impl Scoped {
    /// Counts the job out of its scope.
    ///
    /// # Safety
    ///
    /// As for [`ScopeState::leave`].
    pub(crate) unsafe fn leave(self) {
        // SAFETY: the caller's promise.
        unsafe { (self.leave)(self.scope) };
    }
}
