//! The critical section of a chip with several cores.

#[cfg(any(all(target_os = "none", not(target_has_atomic = "ptr")), test))]
mod peterson;
#[cfg(any(target_os = "none", test))]
mod section;
#[cfg(any(all(target_os = "none", target_has_atomic = "ptr"), test))]
mod spinning;

use core::{fmt, marker::PhantomData};

/// A critical section that excludes all cores of a chip and their handlers. It needs the feature
/// `critical-section-several-cores`.
///
/// A pool needs a critical section only on a target without compare-and-swap, and with the feature
/// `critical-section`. A program has one critical section. An application makes this one the
/// program's, unless its HAL has one with a lock in hardware:
///
/// ```ignore
/// critical_section::set_impl!(AllCores<Chip>); // a `Cores`
/// ```
///
/// A core masks its interrupts first, and then tries to take a lock. If another core has the lock, this
/// core serves its interrupts before it tries again. The core that is inside may enter again. A core
/// that stops inside keeps the others out for ever.
///
/// On a target without compare-and-swap the lock is Peterson's, for cores 0 and 1. A core of another
/// number panics.
///
/// On a host, this type compiles and is no critical section.
pub struct AllCores<C>(PhantomData<fn() -> C>);

impl<C> fmt::Debug for AllCores<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AllCores")
    }
}
