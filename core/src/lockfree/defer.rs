//! Work that must be done at the end of a scope, however the scope is left.

use core::mem;

/// Runs a closure when it is dropped, so that the closure runs even if foreign code unwinds.
pub(crate) struct Defer<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Defer<F> {
    /// Drops the guard without running its closure: nothing has unwound.
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

/// Calls `f` with each item, even if one of the calls unwinds.
pub(crate) fn each<I: Iterator>(items: I, f: impl FnMut(I::Item)) {
    struct Rest<I: Iterator, F: FnMut(I::Item)>(I, F);
    impl<I: Iterator, F: FnMut(I::Item)> Drop for Rest<I, F> {
        fn drop(&mut self) {
            for item in self.0.by_ref() {
                (self.1)(item);
            }
        }
    }
    // If a call unwinds here, the destructor of `Rest` goes on with the next item.
    let mut rest = Rest(items, f);
    for item in rest.0.by_ref() {
        (rest.1)(item);
    }
}
