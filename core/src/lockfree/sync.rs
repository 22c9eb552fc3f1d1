//! Atomics, cells and fences: the one module that knows which crate they come from.
//!
//! In a normal build they are `portable-atomic`'s, so that targets without compare-and-swap work
//! too. Under `--cfg loom` they are loom's, and the model checker sees every access of the crate.
//! `weakenable` wraps loom's atomics, so that the models themselves can be checked. With the feature
//! `sim` they are those of `hooked`, which a simulator sees.

#[cfg(all(feature = "sim", not(loom), not(target_os = "none")))]
pub(crate) mod hooked;
#[cfg(loom)]
pub(crate) mod weakenable;

#[cfg(loom)]
pub(crate) use self::weakenable::{AtomicPtr, AtomicU16, AtomicU32, AtomicUsize, fence};
#[cfg(loom)]
pub(crate) use loom::{cell::UnsafeCell, hint::spin_loop, sync::atomic::Ordering};

#[cfg(all(feature = "sim", not(loom), not(target_os = "none")))]
pub(crate) use self::hooked::{
    AtomicPtr, AtomicU16, AtomicU32, AtomicUsize, Ordering, UnsafeCell, call, fence, job_begins,
    job_ends, looks, spin_loop,
};

#[cfg(all(not(loom), not(all(feature = "sim", not(target_os = "none")))))]
pub(crate) use self::plain::UnsafeCell;
#[cfg(all(not(loom), not(all(feature = "sim", not(target_os = "none")))))]
pub(crate) use core::hint::spin_loop;
#[cfg(all(not(loom), not(all(feature = "sim", not(target_os = "none")))))]
pub(crate) use portable_atomic::{AtomicPtr, AtomicU16, AtomicU32, AtomicUsize, Ordering, fence};

#[cfg(not(all(feature = "sim", not(loom), not(target_os = "none"))))]
pub(crate) use self::unseen::{call, job_begins, job_ends, looks};

/// The places that a simulator sees, in a build without one.
#[cfg(not(all(feature = "sim", not(loom), not(target_os = "none"))))]
mod unseen {
    /// The caller is about to call the core's function `name`.
    #[inline(always)]
    pub(crate) const fn call(name: &'static str) {
        let _ = name;
    }

    /// The caller is about to call the core's function `name`, which changes nothing.
    #[inline(always)]
    pub(crate) const fn looks(name: &'static str) {
        let _ = name;
    }

    /// The caller is about to run a job.
    #[inline(always)]
    pub(crate) const fn job_begins() {}

    /// The caller has run the job.
    #[inline(always)]
    pub(crate) const fn job_ends() {}
}

#[cfg(all(not(loom), not(all(feature = "sim", not(target_os = "none")))))]
mod plain {
    /// [`core::cell::UnsafeCell`] with loom's interface: access is a closure, so that the checker
    /// knows where it begins and ends.
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

/// Lets the party that has just swapped the same word go on: 64 pauses of the processor, a few
/// microseconds at most.
///
/// Threads on several cores that submit at the same time take the words' cache lines away from each
/// other with every step. With the pause, one thread submits several jobs in a row while the others
/// wait. All jobs together then take a quarter of the time. A chip that runs bare mostly has no such
/// cache. There the other party may also be an interrupt handler, which has ended by now.
#[cfg_attr(not(target_os = "none"), cold)]
pub(crate) fn back_off() {
    #[cfg(all(feature = "sim", not(loom), not(target_os = "none")))]
    spin_loop();
    #[cfg(all(not(feature = "sim"), not(loom), not(target_os = "none")))]
    for _ in 0..64 {
        spin_loop();
    }
}

/// Asks the processor to fetch the cache line at `address` for writing, if it can.
///
/// A core can write a line only when no other core holds it, so a swap waits for the line. If the
/// line was fetched some jobs ahead, the swap finds it there. The address may be any: nothing is
/// read or written.
#[inline(always)]
pub(crate) fn fetch_for_writing<T>(address: *const T) {
    // The standard library's `_mm_prefetch` fetches for reading, unless the target has the feature `prfchw`.
    #[cfg(all(target_arch = "x86_64", not(target_os = "none"), not(loom), not(miri)))]
    // SAFETY: `prefetchw` is a hint. It accesses no memory in the sense of the language, and faults
    // for no address. A processor without the instruction does nothing (Intel's manual, PREFETCHW).
    unsafe {
        core::arch::asm!(
            "prefetchw [{}]",
            in(reg) address,
            options(readonly, nostack, preserves_flags)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(target_os = "none"), not(loom), not(miri))))]
    let _ = address;
}

/// Declares a function that is `const`, except under loom, whose atomics have no `const`
/// constructor.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])* $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$meta])* $vis fn $($rest)*
    };
}

/// `[value; N]` for a value that is not `Copy`, in a `const_unless_loom!` function.
macro_rules! array_of {
    ($value:expr) => {{
        #[cfg(not(loom))]
        {
            [const { $value }; _]
        }
        #[cfg(loom)]
        {
            core::array::from_fn(|_| $value)
        }
    }};
}

pub(crate) use {array_of, const_unless_loom};
