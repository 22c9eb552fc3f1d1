//! The lock without compare-and-swap: Peterson's, of loads and stores, for two cores.
//!
//! A core says that it wants in, then that it is the last to say so, and only then looks at the other
//! core. If that one wants in, too, the last does not go in, and tries again later. All accesses are
//! SeqCst, so that a core's stores come before its loads.
//!
//! * **One at most is in.** A core that goes in has seen that the other does not want in, or that the
//!   other was the last. Either way the other finds, when it looks, that this one wants in and that it
//!   was the last itself. It finds the same at each further try, until this one has left.
//! * **Two that try at the same time may both fail**, and try again: one of them sees the other's try, and
//!   the other its second one.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use super::section::Lock;

pub(super) struct Peterson {
    wants_in: [AtomicBool; 2],
    last: AtomicUsize,
}

impl Peterson {
    pub(super) const fn new() -> Self {
        Self {
            wants_in: [const { AtomicBool::new(false) }; 2],
            last: AtomicUsize::new(0),
        }
    }
}

impl Lock for Peterson {
    fn try_lock(&self, core: usize) -> bool {
        self.wants_in[core].store(true, SeqCst);
        self.last.store(core, SeqCst);
        let is_in = !self.wants_in[1 - core].load(SeqCst) || self.last.load(SeqCst) != core;
        if !is_in {
            self.wants_in[core].store(false, SeqCst);
        }
        is_in
    }

    unsafe fn unlock(&self, core: usize) {
        self.wants_in[core].store(false, SeqCst);
    }
}
