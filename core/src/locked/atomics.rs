//! Atomics for a processor that has no compare-and-swap, or none that works here. A load or a store
//! is the processor's own. A change of a word is a critical section.
//!
//! * **Each change releases**, whatever ordering its caller asks for, and sees what the sections
//!   before it have done. So a party that loads the word afterwards with Acquire sees what each earlier
//!   change had seen, as if the changes were one release sequence.
//! * **A store is of a word that no other party changes at that time**, or it would be lost between
//!   the load and the store of such a change. Each store of this crate is its owner's alone.

pub(crate) use core::sync::atomic::{AtomicPtr, Ordering, fence};

use super::super::section::locked;

/// The ordering of a change's load.
const fn load_of(order: Ordering) -> Ordering {
    match order {
        Ordering::Relaxed | Ordering::Release => Ordering::Relaxed,
        _ => Ordering::Acquire,
    }
}

macro_rules! atomics {
    ($($name:ident of $int:ty),*) => {$(
        #[repr(transparent)]
        pub(crate) struct $name(core::sync::atomic::$name);

        // Not every type needs every method.
        #[allow(dead_code)]
        impl $name {
            pub(crate) const fn new(value: $int) -> Self {
                Self(core::sync::atomic::$name::new(value))
            }

            #[inline(always)]
            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.0.load(order)
            }

            #[inline(always)]
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                self.0.store(value, order);
            }

            /// The word before the change.
            #[inline(always)]
            fn change(&self, order: Ordering, to: impl FnOnce($int) -> $int) -> $int {
                locked(|| {
                    let now = self.0.load(load_of(order));
                    self.0.store(to(now), Ordering::Release);
                    now
                })
            }

            #[inline(always)]
            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                self.change(order, |_| value)
            }

            #[inline(always)]
            pub(crate) fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                let order = match load_of(failure) {
                    Ordering::Relaxed => load_of(success),
                    order => order,
                };
                locked(|| {
                    let now = self.0.load(order);
                    if now != current {
                        return Err(now);
                    }
                    self.0.store(new, Ordering::Release);
                    Ok(now)
                })
            }

            #[inline(always)]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.compare_exchange(current, new, success, failure)
            }

            #[inline(always)]
            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.change(order, |now| now.wrapping_add(value))
            }

            #[inline(always)]
            pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                self.change(order, |now| now.wrapping_sub(value))
            }

            #[inline(always)]
            pub(crate) fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                self.change(order, |now| now | value)
            }

            #[inline(always)]
            pub(crate) fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                self.change(order, |now| now & value)
            }
        }
    )*};
}

atomics!(AtomicU16 of u16, AtomicU32 of u32, AtomicUsize of usize);
