//! Atomics under the name of `portable-atomic` that ask shuttle's scheduler before each access.
//!
//! Each user of that crate, the core and its rivals alike, is under the scheduler then, with its own
//! code unchanged. Shuttle's own atomics would serve the core; but they have destructors, which the
//! rivals' `const` constructors do not allow.
//!
//! The order of the accesses is the order of the scheduler's decisions: all memory orderings are as
//! SeqCst. Loom checks what weaker ones allow.

pub use core::sync::atomic::Ordering;
use core::{cell::Cell, fmt};

use shuttle::thread::yield_now as ask_scheduler;

/// A fence, which does nothing where all is SeqCst.
pub fn fence(_order: Ordering) {}

macro_rules! atomics {
    ($($(#[$doc:meta])* $name:ident: $value:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        #[repr(transparent)]
        pub struct $name(Cell<$value>);

        // SAFETY: all threads of a shuttle execution take turns on one thread of the system, and
        // none outside an execution gets past `ask_scheduler`.
        unsafe impl Sync for $name {}

        impl $name {
            /// Makes one.
            pub const fn new(value: $value) -> Self {
                Self(Cell::new(value))
            }

            /// As in [`core::sync::atomic`], and so are the others.
            pub fn load(&self, _order: Ordering) -> $value {
                ask_scheduler();
                self.0.get()
            }

            #[allow(missing_docs)]
            pub fn store(&self, value: $value, _order: Ordering) {
                ask_scheduler();
                self.0.set(value);
            }

            #[allow(missing_docs)]
            pub fn swap(&self, value: $value, _order: Ordering) -> $value {
                ask_scheduler();
                self.0.replace(value)
            }

            #[allow(missing_docs)]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                _success: Ordering,
                _failure: Ordering,
            ) -> Result<$value, $value> {
                ask_scheduler();
                let found = self.0.get();
                if found == current {
                    self.0.set(new);
                    Ok(found)
                } else {
                    Err(found)
                }
            }

            #[allow(missing_docs)]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            #[allow(missing_docs)]
            pub fn fetch_or(&self, bits: $value, _order: Ordering) -> $value {
                ask_scheduler();
                self.0.replace(self.0.get() | bits)
            }

            #[allow(missing_docs)]
            pub fn fetch_and(&self, bits: $value, _order: Ordering) -> $value {
                ask_scheduler();
                self.0.replace(self.0.get() & bits)
            }

            #[allow(missing_docs)]
            pub fn fetch_add(&self, value: $value, _order: Ordering) -> $value {
                ask_scheduler();
                self.0.replace(self.0.get().wrapping_add(value))
            }

            #[allow(missing_docs)]
            pub fn fetch_sub(&self, value: $value, _order: Ordering) -> $value {
                ask_scheduler();
                self.0.replace(self.0.get().wrapping_sub(value))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.get().fmt(f)
            }
        }
    )*};
}

atomics! {
    /// See [`core::sync::atomic::AtomicU8`].
    AtomicU8: u8;
    /// See [`core::sync::atomic::AtomicU16`].
    AtomicU16: u16;
    /// See [`core::sync::atomic::AtomicU32`].
    AtomicU32: u32;
    /// See [`core::sync::atomic::AtomicU64`].
    AtomicU64: u64;
    /// `portable-atomic` has it, and `core` has not.
    AtomicU128: u128;
    /// See [`core::sync::atomic::AtomicUsize`].
    AtomicUsize: usize;
}

/// See [`core::sync::atomic::AtomicPtr`].
#[derive(Debug)]
#[repr(transparent)]
pub struct AtomicPtr<T>(Cell<*mut T>);

// SAFETY: as for the others; what it points to is not reached by it.
unsafe impl<T> Send for AtomicPtr<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for AtomicPtr<T> {}

impl<T> AtomicPtr<T> {
    /// Makes one.
    pub const fn new(value: *mut T) -> Self {
        Self(Cell::new(value))
    }

    /// As in [`core::sync::atomic`], and so is the other.
    pub fn load(&self, _order: Ordering) -> *mut T {
        ask_scheduler();
        self.0.get()
    }

    #[allow(missing_docs)]
    pub fn store(&self, value: *mut T, _order: Ordering) {
        ask_scheduler();
        self.0.set(value);
    }
}
