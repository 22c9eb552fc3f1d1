//! The critical section of a chip with several cores.

#[cfg(any(all(target_os = "none", not(target_has_atomic = "ptr")), test))]
mod peterson;
#[cfg(any(target_os = "none", test))]
mod section;
#[cfg(any(all(target_os = "none", target_has_atomic = "ptr"), test))]
mod spinning;

use core::{fmt, marker::PhantomData};

/// A critical section that excludes all cores of a chip and their handlers: for two cores at most if the
/// target has no compare-and-swap. It needs the feature `critical-section-several-cores`.
///
/// A pool needs a critical section only on a target without compare-and-swap, and with the feature
/// `critical-section`. A program has one critical section. An application makes
/// this one the program's, unless its HAL has one with a lock in hardware:
///
/// ```ignore
/// critical_section::set_impl!(AllCores<Chip>); // a `Cores`
/// ```
///
/// It masks the interrupts of the core first, and then takes a lock. It serves interrupts between
/// two tries. The core that is inside may enter again. Without compare-and-swap, the lock is Peterson's.
///
/// A core that stops inside keeps the others out for ever. A core of a number beyond 1 panics where the
/// lock is Peterson's.
///
/// On a host, this type is there and is no critical section.
pub struct AllCores<C>(PhantomData<fn() -> C>);

impl<C> fmt::Debug for AllCores<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AllCores")
    }
}
