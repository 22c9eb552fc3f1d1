//! The lock without compare-and-swap: Peterson's, of loads and stores, for two cores.
//!
//! A core notes that it wants in, then that it was the last to want in, and only then looks at the
//! other core. If the other wants in as well, the last one does not go in: it takes its wish back, and
//! tries again. All accesses are SeqCst, so a core's stores come before its loads.
//!
//! * **One core at most is in.** A core goes in if it sees that the other does not want in, or that the
//!   other was the last. Either way, the other looks after that. It sees that this core wants in, and that
//!   it was the last itself. So it sees at each further try, until this core has left.
//! * **Both cores may fail in one try.** The first sees the other's wish, and takes its own back. The
//!   other then sees the wish of the first one's next try. Each tries again.

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
