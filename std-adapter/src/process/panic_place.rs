//! The place in the source of a child's panic, which only the panic hook sees.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
};

use corepool::PanicLocation;

use crate::panic::{Payload, Place};

thread_local! {
    /// The place of this thread's last panic.
    static LAST: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Notes the place of each panic in this process from now on, and calls the hook that was set before.
pub(super) fn note_places() {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let place = info.location().map(|at| PanicLocation::from(at).into());
        // A thread that is at its end may not have the variable any more.
        let _ = LAST.try_with(|last| last.replace(place));
        before(info);
    }));
}

/// Calls `f`. A panic of it comes with its place, if [`note_places`] was called before.
pub(super) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, (Payload, Option<Place>)> {
    // A panic that `f` only resumes has no place, and must not get that of an earlier one.
    LAST.take();
    // Foreign code that panics may leave its own state broken. The pool's state does not depend on that.
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| (payload, LAST.take()))
}
