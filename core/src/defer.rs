//! What must happen at the end of a scope, however the scope is left.

use core::mem;

/// Runs a closure when it is dropped: what must happen even if foreign code unwinds.
pub(crate) struct Defer<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Defer<F> {
    /// The closure is not to run after all: nothing has unwound.
    #[inline(always)]
    pub(crate) fn disarm(self) {
        mem::forget(self);
    }
}

impl<F: FnMut()> Drop for Defer<F> {
    #[inline]
    fn drop(&mut self) {
        (self.0)();
    }
}
