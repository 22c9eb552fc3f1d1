//! Atomics, cells and fences: the one module that knows which crate they come from.
//!
//! In a normal build they are `portable-atomic`'s. On a target without compare-and-swap, and with the
//! feature `critical-section`, a change of an atomic is a critical section. Under `--cfg loom` they are loom's, and the model checker sees every access of the crate.
//! `weakenable` wraps loom's atomics, so that the models themselves can be checked. With the feature
//! `sim` they are those of `hooked`, which a simulator sees.

#[cfg(all(not(loom), not(all(feature = "sim", not(target_os = "none")))))]
#[cfg_attr(
    any(feature = "critical-section", not(target_has_atomic = "ptr")),
    path = "../locked/atomics.rs"
)]
mod atomics;
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
pub(crate) use self::atomics::{AtomicPtr, AtomicU16, AtomicU32, AtomicUsize, Ordering, fence};
#[cfg(all(not(loom), not(all(feature = "sim", not(target_os = "none")))))]
pub(crate) use self::plain::UnsafeCell;
#[cfg(all(not(loom), not(all(feature = "sim", not(target_os = "none")))))]
pub(crate) use core::hint::spin_loop;

#[cfg(any(target_os = "none", corepool_parts, all(test, loom)))]
pub(crate) use self::flag::{Flag, fence as fence_of_flags};

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

/// Words that are only loaded and stored. No simulator sees them, and no store is a critical section.
#[cfg(any(target_os = "none", corepool_parts, all(test, loom)))]
mod flag {
    #[cfg(all(test, loom))]
    pub(crate) use super::weakenable::{AtomicU16 as Flag, fence};
    #[cfg(not(loom))]
    pub(crate) use portable_atomic::fence;

    // Unused on the targets that have their own.
    #[cfg(not(loom))]
    #[allow(unused_imports)]
    use portable_atomic::AtomicU8;

    #[cfg(not(loom))]
    pub(crate) type Flag = <OfTarget as Native>::Flag;

    #[cfg(not(loom))]
    pub(crate) struct OfTarget;

    #[cfg(not(loom))]
    pub(crate) trait Native {
        type Flag;
    }

    // The target's own type, if it has one: its name in the glob goes before the one above. A few targets, such as
    // thumbv4t, have none, and no condition of stable Rust tells.
    #[cfg(not(loom))]
    const _: () = {
        #[allow(unused_imports)]
        use core::sync::atomic::*;

        impl Native for OfTarget {
            type Flag = AtomicU8;
        }
    };
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
