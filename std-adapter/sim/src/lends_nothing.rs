//! The statics that a simulation may restore without a promise of the test.

use std::sync::atomic;

/// A type whose values lend no reference to what they hold, or not for longer than a critical section.
///
/// A run ends at any moment, and the next one begins with other bytes in the statics. So a reference that a run
/// has kept, in a variable of the test for instance, would refer to a value that is gone. To such a type
/// there is no such reference.
///
/// The atomics are such types, those of `portable-atomic` too. So are arrays of them, and the
/// mutexes of `critical-section` with any content.
///
/// A cell that lends its value is no such type:
///
/// ```compile_fail,E0277
/// # use std::sync::OnceLock;
/// static NAME: OnceLock<String> = OnceLock::new();
/// corepool_sim::Sim::new(1).reset(&NAME);
/// ```
///
/// # Safety
///
/// No safe code gets a reference, or a guard, to what a value holds. A reference that is tied to the token
/// of a critical section is allowed, since no critical section outlives its run.
#[diagnostic::on_unimplemented(
    message = "a run could keep a reference into the static's `{Self}`",
    note = "name the static by `unsafe {{ sim.reset_any(..) }}`, whose documentation says what the test promises"
)]
pub unsafe trait LendsNothing: Sync {}

macro_rules! lend_nothing {
    ($($atomic:ty),*) => {
        $(
            // SAFETY: an atomic's methods return values and pointers.
            unsafe impl LendsNothing for $atomic {}
        )*
    };
}

lend_nothing!(
    atomic::AtomicBool,
    atomic::AtomicI8,
    atomic::AtomicI16,
    atomic::AtomicI32,
    atomic::AtomicI64,
    atomic::AtomicIsize,
    atomic::AtomicU8,
    atomic::AtomicU16,
    atomic::AtomicU32,
    atomic::AtomicU64,
    atomic::AtomicUsize,
    portable_atomic::AtomicBool,
    portable_atomic::AtomicI8,
    portable_atomic::AtomicI16,
    portable_atomic::AtomicI32,
    portable_atomic::AtomicI64,
    portable_atomic::AtomicI128,
    portable_atomic::AtomicIsize,
    portable_atomic::AtomicU8,
    portable_atomic::AtomicU16,
    portable_atomic::AtomicU32,
    portable_atomic::AtomicU64,
    portable_atomic::AtomicU128,
    portable_atomic::AtomicUsize
);

// SAFETY: as of the other atomics.
unsafe impl<T> LendsNothing for atomic::AtomicPtr<T> {}

// SAFETY: as of the other atomics.
unsafe impl<T> LendsNothing for portable_atomic::AtomicPtr<T> {}

// SAFETY: a reference to an element is one to a value that lends nothing itself.
unsafe impl<T: LendsNothing, const N: usize> LendsNothing for [T; N] {}

// SAFETY: `borrow` ties its reference to the token of a critical section.
unsafe impl<T: Send> LendsNothing for critical_section::Mutex<T> {}
