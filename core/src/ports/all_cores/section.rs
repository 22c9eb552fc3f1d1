//! How a core enters the critical section, and leaves it.
//!
//! Masked interrupts keep out the handlers of this core. The lock, which a core takes after that, keeps
//! out the other cores. In the opposite order, a handler could find the lock taken by the thread that
//! it interrupts, and wait for ever. A core that waits for the lock serves its interrupts between two
//! tries.
//!
//! This file uses no operation of `portable-atomic`: without compare-and-swap, that operation would
//! enter this critical section itself.
//!
//! No other party is inside between `enter` and the `leave` that belongs to it:
//!
//! * Another core does not get the lock. On this core only the caller runs: the core masks its
//!   interrupts before it takes the lock, and unmasks them after it has released the lock.
//! * Re-entry: `owner` has this core's number only while this core is inside. This core alone writes
//!   its number, after it took the lock, and removes it before it releases the lock. So a core that
//!   finds its number is inside already. The handler of a fault may find its core's number, too. The
//!   code that the fault has stopped does not go on then.
//! * A core that takes the lock acquires what the core before it has released with the lock.

use core::{
    hint::spin_loop,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::ports::arch;

/// A lock between cores.
pub(super) trait Lock {
    /// Takes the lock if it is free.
    fn try_lock(&self, core: usize) -> bool;

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// The core that calls has taken the lock.
    unsafe fn unlock(&self, core: usize);
}

/// Entered from inside: leaving it changes nothing.
pub(super) const NESTED: u8 = 0;
/// Entered from outside, with all interrupts masked. If some were enabled, their set is added to it.
pub(super) const MASKED: u8 = 1;
/// Entered with interrupts enabled, on the simulated chip.
#[cfg(test)]
pub(super) const ENABLED: u8 = MASKED + 1;

pub(super) struct Section<L> {
    /// Held by the core that is inside.
    lock: L,
    /// That core's number plus one; 0 if none is inside.
    owner: AtomicUsize,
}

impl<L: Lock> Section<L> {
    pub(super) const fn new(lock: L) -> Self {
        Self {
            lock,
            owner: AtomicUsize::new(0),
        }
    }

    /// Waits until no other core is inside, and enters. `core` is the number of the core that calls.
    /// Returns the value for `leave`.
    pub(super) fn enter(&self, core: usize) -> u8 {
        let own = core + 1;
        loop {
            let enabled = arch::mask_interrupts();
            // Relaxed: it can be this core's number only if this core wrote it.
            if self.owner.load(Ordering::Relaxed) == own {
                return NESTED;
            }
            if self.lock.try_lock(core) {
                // Relaxed: only this core looks for its number.
                self.owner.store(own, Ordering::Relaxed);
                return MASKED + enabled;
            }
            if enabled != 0 {
                // SAFETY: this core is in no section.
                unsafe { arch::unmask_interrupts(enabled) };
            }
            spin_loop();
        }
    }

    /// Leaves.
    ///
    /// # Safety
    ///
    /// `core` is the number of the core that calls. `entered` is the value of its innermost `enter` that
    /// has had no `leave` yet.
    pub(super) unsafe fn leave(&self, core: usize, entered: u8) {
        if entered == NESTED {
            return;
        }
        // Relaxed: only this core looks for its number.
        self.owner.store(0, Ordering::Relaxed);
        // SAFETY: `enter` took the lock on this core, since it returned another value than `NESTED`.
        unsafe { self.lock.unlock(core) };
        if entered != MASKED {
            // SAFETY: `enter` masked them, in the outermost section, which ends here.
            unsafe { arch::unmask_interrupts(entered - MASKED) };
        }
    }
}

#[cfg(target_os = "none")]
mod of_the_program {
    use critical_section::{Impl, RawRestoreState};

    use super::Section;
    use crate::ports::{all_cores::AllCores, several_cores::Cores};

    #[cfg(not(target_has_atomic = "ptr"))]
    use crate::ports::all_cores::peterson::Peterson as OfTheTarget;
    #[cfg(target_has_atomic = "ptr")]
    use crate::ports::all_cores::spinning::Spinning as OfTheTarget;

    static SECTION: Section<OfTheTarget> = Section::new(OfTheTarget::new());

    // SAFETY: no other party is inside between `acquire` and the `release` that belongs to it; the
    // documentation of this file says why.
    unsafe impl<C: Cores> Impl for AllCores<C> {
        unsafe fn acquire() -> RawRestoreState {
            SECTION.enter(C::current())
        }

        unsafe fn release(state: RawRestoreState) {
            // SAFETY: the caller's promise, which is the same.
            unsafe { SECTION.leave(C::current(), state) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::UnsafeCell, thread};

    use super::{
        super::{peterson::Peterson, spinning::Spinning},
        *,
    };

    /// A count that only a critical section protects.
    struct Count(UnsafeCell<u32>);

    // SAFETY: each access is in a section.
    unsafe impl Sync for Count {}

    /// Two cores count in a section, and each enters it again inside.
    fn two_cores_count(section: &Section<impl Lock + Sync>) -> u32 {
        const TIMES: u32 = 10_000;
        let count = Count(UnsafeCell::new(0));
        let count = &count;
        thread::scope(|scope| {
            for core in 0..2 {
                scope.spawn(move || {
                    for _ in 0..TIMES {
                        let outer = section.enter(core);
                        let inner = section.enter(core);
                        assert_eq!((outer, inner), (ENABLED, NESTED));
                        // SAFETY: in a section.
                        unsafe { *count.0.get() += 1 };
                        // SAFETY: this core has entered, twice.
                        unsafe { section.leave(core, inner) };
                        assert!(!arch::interrupts_are_enabled());
                        // SAFETY: as above.
                        unsafe { *count.0.get() += 1 };
                        // SAFETY: as above.
                        unsafe { section.leave(core, outer) };
                        assert!(arch::interrupts_are_enabled());
                    }
                });
            }
        });
        // SAFETY: both cores have ended.
        unsafe { *count.0.get() / (2 * TIMES) }
    }

    #[test]
    fn one_core_at_a_time_is_inside() {
        assert_eq!(two_cores_count(&Section::new(Spinning::new())), 2);
        assert_eq!(two_cores_count(&Section::new(Peterson::new())), 2);
    }

    #[test]
    fn interrupts_that_were_masked_stay_masked() {
        let section = Section::new(Spinning::new());
        assert_eq!(arch::mask_interrupts(), 1);
        let entered = section.enter(0);
        assert_eq!(entered, MASKED);
        // SAFETY: this core has entered.
        unsafe { section.leave(0, entered) };
        assert!(!arch::interrupts_are_enabled());
    }

    fn another_core_has_to_wait(lock: &impl Lock) {
        assert!(lock.try_lock(0));
        assert!(!lock.try_lock(1));
        // SAFETY: taken above.
        unsafe { lock.unlock(0) };
        assert!(lock.try_lock(1));
        assert!(!lock.try_lock(0));
        // SAFETY: taken above.
        unsafe { lock.unlock(1) };
        assert!(lock.try_lock(1));
    }

    #[test]
    fn a_lock_that_one_core_has_is_not_taken_by_another() {
        another_core_has_to_wait(&Spinning::new());
        another_core_has_to_wait(&Peterson::new());
    }
}
