//! Loom's atomics, with memory orderings that can be weakened from outside, one at a time.
//!
//! A model that passes shows that the orderings suffice. `cargo xtask orderings` finds out whether
//! it would notice a weaker one. It runs the models once for each ordering of the crate, with that
//! ordering weakened. All these runs are of one program. Each ordering passes through [`ordering`],
//! which records its place in the source and weakens the one that the environment names.

extern crate std;

use core::{fmt, panic::Location};
use std::{collections::BTreeMap, env, string::ToString, sync::Mutex};

use loom::sync::atomic::{self, Ordering};

/// The variable that names a site and the ordering to use there: `SITE=Relaxed`.
const WEAKENED: &str = "COREPOOL_WEAKENED";

/// A place in the source where an ordering is.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    call: &'static Location<'static>,
    /// Which of the call's orderings: 1 is `compare_exchange`'s on failure.
    number: u8,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.call, self.number)
    }
}

/// The sites that were executed, each with the ordering that it has in this run. The key is the call's address, which is
/// compared in less time than its file's name, and the number.
static USED: Mutex<BTreeMap<(usize, u8), (Site, Ordering)>> = Mutex::new(BTreeMap::new());

/// The sites that were executed. The compiler may have several copies of one.
#[cfg(test)]
pub(crate) fn used() -> std::vec::Vec<Site> {
    USED.lock().unwrap().values().map(|used| used.0).collect()
}

/// The ordering to use at the caller's place: `given`, unless the environment asks for a weaker
/// one.
#[track_caller]
fn ordering(number: u8, given: Ordering) -> Ordering {
    let call = Location::caller();
    let site = Site { call, number };
    let key = (core::ptr::from_ref(call).addr(), number);
    let mut used = USED.lock().unwrap();
    used.entry(key)
        .or_insert_with(|| (site, asked_for(site).unwrap_or(given)))
        .1
}

/// The ordering that the environment names for a site.
fn asked_for(site: Site) -> Option<Ordering> {
    let asked = env::var(WEAKENED).ok()?;
    match asked.strip_prefix(&site.to_string())?.strip_prefix('=')? {
        "Relaxed" => Some(Ordering::Relaxed),
        "Acquire" => Some(Ordering::Acquire),
        "Release" => Some(Ordering::Release),
        "AcqRel" => Some(Ordering::AcqRel),
        other => panic!("{WEAKENED}: {other} is no weaker ordering"),
    }
}

/// A fence. One that is weakened to `Relaxed` does nothing.
#[track_caller]
pub(crate) fn fence(order: Ordering) {
    match ordering(0, order) {
        Ordering::Relaxed => {}
        order => atomic::fence(order),
    }
}

macro_rules! atomics {
    ($($name:ident of $int:ty),*) => {$(
        pub(crate) struct $name(atomic::$name);

        // Not every type needs every method.
        #[allow(dead_code)]
        impl $name {
            #[track_caller]
            pub(crate) fn new(value: $int) -> Self {
                Self(atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.0.load(ordering(0, order))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $int, order: Ordering) {
                self.0.store(value, ordering(0, order));
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                self.0.swap(value, ordering(0, order))
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                let (success, failure) = (ordering(0, success), ordering(1, failure));
                self.0.compare_exchange(current, new, success, failure)
            }

            /// Never fails spuriously: loom's does not.
            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.compare_exchange(current, new, success, failure)
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_add(value, ordering(0, order))
            }

            #[track_caller]
            pub(crate) fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_sub(value, ordering(0, order))
            }

            #[track_caller]
            pub(crate) fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_and(value, ordering(0, order))
            }

            #[track_caller]
            pub(crate) fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                self.0.fetch_or(value, ordering(0, order))
            }
        }
    )*};
}

/// A pointer that is stored and loaded, and never compared or swapped.
pub(crate) struct AtomicPtr<T>(atomic::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    #[track_caller]
    pub(crate) fn new(value: *mut T) -> Self {
        Self(atomic::AtomicPtr::new(value))
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.0.load(ordering(0, order))
    }

    #[track_caller]
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        self.0.store(value, ordering(0, order));
    }
}

atomics!(AtomicU16 of u16, AtomicU32 of u32, AtomicUsize of usize);
