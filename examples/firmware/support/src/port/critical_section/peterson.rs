//! The lock, without compare-and-swap: Peterson's, of loads and stores, for two cores.
//!
//! A core says that it wants in, then that it is the last to say so, and only then looks at the other
//! one. If that wants in too, the last does not go in, and tries again later. Everything is SeqCst,
//! since that has each core's stores come before its loads.
//!
//! * **One at most is in.** A core that goes in has seen that the other does not want in, or that the
//!   other was the last. Either way the other finds, when it looks, that this one wants in and that
//!   itself is the last; and so it does at each further try, until this one has left.
//! * **One of two that try at the same time gets in**: both cannot be the last.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

pub struct Lock {
    wants_in: [AtomicBool; 2],
    last: AtomicUsize,
}

impl Lock {
    pub const fn new() -> Self {
        Self {
            wants_in: [const { AtomicBool::new(false) }; 2],
            last: AtomicUsize::new(0),
        }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self, core: usize) -> bool {
        self.wants_in[core].store(true, SeqCst);
        self.last.store(core, SeqCst);
        let is_in = !self.wants_in[1 - core].load(SeqCst) || self.last.load(SeqCst) != core;
        if !is_in {
            self.wants_in[core].store(false, SeqCst);
        }
        is_in
    }

    /// # Safety
    ///
    /// The core that calls has taken the lock.
    pub unsafe fn unlock(&self, core: usize) {
        self.wants_in[core].store(false, SeqCst);
    }
}
