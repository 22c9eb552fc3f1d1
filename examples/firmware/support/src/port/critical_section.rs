//! The critical section of a chip with several cores.
//!
//! The pool itself needs none where there is compare-and-swap. It is for the application, and for
//! chips without: `portable-atomic`'s feature `critical-section` comes to this one then. A board
//! makes it the program's with `critical_section::set_impl!(AllCores<TheBoardsCores>)`, unless its HAL
//! has one, with a lock in hardware. Nothing in here may be one of `portable-atomic`'s operations,
//! which without compare-and-swap would come here again.
//!
//! Masking interrupts keeps out the handlers of this core; a spin lock inside of that keeps out the
//! other cores. In the opposite order, a handler could find the lock taken by the thread that it
//! interrupts, and wait for ever. While a core waits for the lock, its interrupts are served
//! between one try and the next.
//!
//! Why nobody else is inside between `acquire` and the `release` that belongs to it:
//!
//! * Another core does not get the lock, and on this core nothing runs but the caller, since interrupts
//!   are masked from before the lock is taken until after it is released.
//! * Re-entry: `OWNER` is this core's number only while this core is inside, because it alone writes
//!   its number, after it took the lock, and takes it away before it releases the lock. So a core that
//!   finds its number is inside already (a fault's handler may find it too, and the code that the fault
//!   has stopped does not go on then), and one that does not, is not. Another core never writes this
//!   one's number there.
//! * Taking the lock acquires what releasing it has released.

#[cfg_attr(target_has_atomic = "ptr", path = "critical_section/spin.rs")]
#[cfg_attr(not(target_has_atomic = "ptr"), path = "critical_section/peterson.rs")]
mod lock;

use core::{
    hint::spin_loop,
    marker::PhantomData,
    sync::atomic::{AtomicUsize, Ordering},
};

use critical_section::{Impl, RawRestoreState};

use self::lock::Lock;
use super::{Cores, arch};

/// Held by the core that is inside.
static LOCK: Lock = Lock::new();

/// That core's number plus one; 0 if none is inside.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// Entered from inside: leaving it changes nothing.
const NESTED: RawRestoreState = 0;
/// Entered with interrupts masked.
const MASKED: RawRestoreState = 1;
/// Entered with interrupts enabled.
const ENABLED: RawRestoreState = 2;

/// A critical section that excludes all cores and their handlers; for two cores at most if there is
/// no compare-and-swap.
///
/// A core that stops inside of it keeps the others out for ever.
pub struct AllCores<C>(PhantomData<fn() -> C>);

// SAFETY: nobody else is inside between `acquire` and the `release` that belongs to it, whose memory
// it sees; see the module's documentation for why.
unsafe impl<C: Cores> Impl for AllCores<C> {
    unsafe fn acquire() -> RawRestoreState {
        let core = C::current();
        let own = core + 1;
        loop {
            let enabled = arch::mask_interrupts();
            // Relaxed: it can be this core's number only if this core wrote it.
            if OWNER.load(Ordering::Relaxed) == own {
                return NESTED;
            }
            if LOCK.try_lock(core) {
                OWNER.store(own, Ordering::Relaxed);
                return if enabled { ENABLED } else { MASKED };
            }
            if enabled {
                // SAFETY: they were enabled when this function was called.
                unsafe { arch::unmask_interrupts() };
            }
            spin_loop();
        }
    }

    unsafe fn release(state: RawRestoreState) {
        if state == NESTED {
            return;
        }
        OWNER.store(0, Ordering::Relaxed);
        // SAFETY: `acquire` took the lock, on this core.
        unsafe { LOCK.unlock(C::current()) };
        if state == ENABLED {
            // SAFETY: `acquire` masked them, in the outermost section, which ends here.
            unsafe { arch::unmask_interrupts() };
        }
    }
}
