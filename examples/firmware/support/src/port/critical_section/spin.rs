//! The lock, with compare-and-swap: for any number of cores.

use core::mem;

use spin::mutex::SpinMutex;

pub struct Lock(SpinMutex<()>);

impl Lock {
    pub const fn new() -> Self {
        Self(SpinMutex::new(()))
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self, _core: usize) -> bool {
        self.0.try_lock().map(mem::forget).is_some()
    }

    /// # Safety
    ///
    /// The core that calls has taken the lock.
    pub unsafe fn unlock(&self, _core: usize) {
        // SAFETY: `try_lock` forgot the guard.
        unsafe { self.0.force_unlock() };
    }
}
