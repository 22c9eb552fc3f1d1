//! Atomics for a program without compare-and-swap: the processor has none, it does not work between
//! the cores, or the application has chosen critical sections. A load or a store is the processor's
//! own. Any other change of a word is a critical section, which loads the word and stores it.
//!
//! * **Each such change releases**, whatever ordering its caller asks for, and sees what the sections
//!   before it have done. A party that loads the word with Acquire then sees what came before each of
//!   these changes.
//! * **A plain store is its owner's**, at a time when no other party changes the word. Otherwise the
//!   store could come between the load and the store of such a change, which would overwrite it.

pub(crate) use core::sync::atomic::{Ordering, fence};

pub(crate) use self::native::Ptr as AtomicPtr;
use super::super::section::locked;

/// The words of the processor, if it has atomic loads. An Armv4T has none: there they are those of
/// `portable-atomic`, as the program has chosen. No stable condition tells such a processor.
mod native {
    // Unused where the processor has the words.
    #[allow(unused_imports)]
    use portable_atomic::{AtomicPtr, AtomicU16, AtomicU32, AtomicUsize};

    /// Has the words as its types.
    pub(crate) trait Words {
        type Ptr<T>;
        type U16;
        type U32;
        type Usize;
    }

    pub(crate) struct Native;

    const _: () = {
        // In this block, a name that this import does not have is that of `portable-atomic`.
        #[allow(unused_imports)]
        use core::sync::atomic::*;

        impl Words for Native {
            type Ptr<T> = AtomicPtr<T>;
            type U16 = AtomicU16;
            type U32 = AtomicU32;
            type Usize = AtomicUsize;
        }
    };

    pub(crate) type Ptr<T> = <Native as Words>::Ptr<T>;
    pub(crate) type U16 = <Native as Words>::U16;
    pub(crate) type U32 = <Native as Words>::U32;
    pub(crate) type Usize = <Native as Words>::Usize;
}

/// The ordering of a change's load.
const fn load_of(order: Ordering) -> Ordering {
    match order {
        Ordering::Relaxed | Ordering::Release => Ordering::Relaxed,
        _ => Ordering::Acquire,
    }
}

macro_rules! atomics {
    ($($name:ident of $int:ty, by $native:ident);*) => {$(
        #[repr(transparent)]
        pub(crate) struct $name(native::$native);

        // Not every type needs every method.
        #[allow(dead_code)]
        impl $name {
            pub(crate) const fn new(value: $int) -> Self {
                Self(native::$native::new(value))
            }

            #[inline(always)]
            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.0.load(order)
            }

            #[inline(always)]
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                self.0.store(value, order);
            }

            /// Changes the word in a critical section. Returns the word before that.
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

atomics!(AtomicU16 of u16, by U16; AtomicU32 of u32, by U32; AtomicUsize of usize, by Usize);
