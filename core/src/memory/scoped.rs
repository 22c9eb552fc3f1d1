//! The state that a scope and its jobs share: how many have not ended, and whom the last one wakes.

use core::{mem::ManuallyDrop, task::Waker};

use crate::lockfree::sync::{AtomicUsize, Ordering};

/// How many of a scope's jobs have not ended, and whom to wake when none is left.
pub(crate) struct ScopeState {
    /// One more while the scope's closure runs, so that the count comes to zero once.
    pub(crate) pending: AtomicUsize,
    /// Belongs to whoever brings the count to zero.
    pub(crate) waker: ManuallyDrop<Waker>,
    /// The tag of the scope's jobs; 0 if no worker has the scope. See [`SeatRef::open_scope`](super::seat::SeatRef::open_scope).
    pub(crate) tag: u16,
}

impl ScopeState {
    /// Something of the scope has ended, and nothing that it borrows is used any more. The waker, if nothing is left.
    ///
    /// # Safety
    ///
    /// `scope` is the address of a scope that counted the caller's job in, or that the caller has. It is called once
    /// for each such job and for the closure, and `scope` is not used after, unless the waker comes back.
    pub(crate) unsafe fn count_out(scope: *const Self) -> Option<Waker> {
        // SAFETY: the frame is there until the count is zero, and the caller is still counted. This copy of the waker
        // is one too many until the count is zero, and forgotten before.
        let (pending, waker) = unsafe { (&(*scope).pending, (&raw const (*scope).waker).read()) };
        // Release: what the job did comes before the scope's end, which reads with Acquire.
        let before = pending.fetch_sub(1, Ordering::Release);
        (before == 1).then(|| ManuallyDrop::into_inner(waker))
    }

    /// A job of the scope has ended: wakes the owner if it was the last.
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

/// A job's membership of a scope.
#[derive(Clone, Copy)]
pub(crate) struct Scoped {
    /// [`ScopeState::leave`].
    pub(crate) leave: unsafe fn(*const ScopeState),
    pub(crate) scope: *const ScopeState,
}

impl Scoped {
    /// The job has ended.
    ///
    /// # Safety
    ///
    /// As for [`ScopeState::leave`].
    pub(crate) unsafe fn leave(self) {
        // SAFETY: the caller's promise.
        unsafe { (self.leave)(self.scope) };
    }
}
