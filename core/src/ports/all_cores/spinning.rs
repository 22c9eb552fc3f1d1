//! The lock with compare-and-swap: for any number of cores.

use core::mem;

use spin::mutex::SpinMutex;

use super::section::Lock;

pub(super) struct Spinning(SpinMutex<()>);

impl Spinning {
    pub(super) const fn new() -> Self {
        Self(SpinMutex::new(()))
    }
}

impl Lock for Spinning {
    fn try_lock(&self, _core: usize) -> bool {
        self.0.try_lock().map(mem::forget).is_some()
    }

    unsafe fn unlock(&self, _core: usize) {
        // SAFETY: `try_lock` forgot the guard.
        unsafe { self.0.force_unlock() };
    }
}
