//! Atomics and cells that ask a simulator first, for the feature `sim`.
//!
//! A simulator runs all contexts of an application on one thread. Each place at which another
//! context could go on calls its hook, and the hook may run that context. Without a hook the places
//! cost a load and a branch.

use core::{
    mem,
    ptr::{self, null_mut},
    sync::atomic::{AtomicPtr as Plain, Ordering::Relaxed},
};

pub(crate) use portable_atomic::Ordering;

/// A place at which a simulator may let another context go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The caller is about to call the core's function of this name.
    Call(&'static str),
    /// The caller is about to call the core's function of this name, which changes nothing.
    Look(&'static str),
    /// The caller is about to run a job, or to poll a task. It may already run another one.
    JobBegins,
    /// The caller has run the job, and has published the outcome.
    JobEnds,
    /// The core is about to access an atomic word.
    Atomic,
    /// The core is about to access a cell that one party owns at that time.
    Cell,
    /// The core is about to execute a fence.
    Fence,
    /// The caller waits for another context in a loop. The hook has to let the others go on.
    Spin,
}

/// The function that [`install`] takes: the place, and the address that is accessed there, or null.
///
/// It must be callable from any thread and at any depth of the stack. It may run other contexts
/// before it returns.
pub type Hook = fn(Point, *const ());

static HOOK: Plain<()> = Plain::new(null_mut());

/// Makes the core call `hook` at each [`Point`], in the whole process and from now on. A later hook
/// replaces the earlier one.
///
/// * **Context**: any.
/// * **Cost**: O(1). Each point costs a call of the hook from then on.
///
/// ```
/// use corepool::sim::{Point, install};
///
/// fn hook(point: Point, _address: *const ()) {
///     if matches!(point, Point::Spin) {
///         std::thread::yield_now(); // a simulator lets another context go on at each point
///     }
/// }
///
/// install(hook);
/// ```
pub fn install(hook: Hook) {
    // Nothing is published with the hook: a function's code is there from the start.
    HOOK.store(hook as *mut (), Relaxed);
}

/// False if there is no hook.
#[inline]
fn at(point: Point, address: *const ()) -> bool {
    let hook = HOOK.load(Relaxed);
    if !hook.is_null() {
        // SAFETY: `install` is the only place that stores a pointer, and it stores a `Hook`.
        let hook = unsafe { mem::transmute::<*mut (), Hook>(hook) };
        hook(point, address);
    }
    !hook.is_null()
}

/// The caller is about to call the core's function `name`.
#[inline]
pub(crate) fn call(name: &'static str) {
    at(Point::Call(name), ptr::null());
}

/// The caller is about to call the core's function `name`, which only looks.
#[inline]
pub(crate) fn looks(name: &'static str) {
    at(Point::Look(name), ptr::null());
}

/// The caller is about to run a job.
#[inline]
pub(crate) fn job_begins() {
    at(Point::JobBegins, ptr::null());
}

/// The caller has run the job.
#[inline]
pub(crate) fn job_ends() {
    at(Point::JobEnds, ptr::null());
}

// A simulator's switches are faster with fewer calls below them.
#[inline]
pub(crate) fn spin_loop() {
    // The hook has let the others run, so the processor has nothing to wait for.
    if !at(Point::Spin, ptr::null()) {
        core::hint::spin_loop();
    }
}

pub(crate) fn fence(order: Ordering) {
    at(Point::Fence, ptr::null());
    portable_atomic::fence(order);
}

macro_rules! atomics {
    ($($name:ident $(<$of:ident>)? of $int:ty),*) => {$(
        #[repr(transparent)]
        pub(crate) struct $name $(<$of>)? (portable_atomic::$name $(<$of>)?);

        // Not every type needs every method.
        #[allow(dead_code)]
        impl $(<$of>)? $name $(<$of>)? {
            pub(crate) const fn new(value: $int) -> Self {
                Self(portable_atomic::$name::new(value))
            }

            fn ask(&self) {
                at(Point::Atomic, ptr::from_ref(self).cast());
            }

            pub(crate) fn load(&self, order: Ordering) -> $int {
                self.ask();
                self.0.load(order)
            }

            pub(crate) fn store(&self, value: $int, order: Ordering) {
                self.ask();
                self.0.store(value, order);
            }

            pub(crate) fn swap(&self, value: $int, order: Ordering) -> $int {
                self.ask();
                self.0.swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.ask();
                self.0.compare_exchange(current, new, success, failure)
            }

            /// Never fails spuriously, so that a run is the same on every host.
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.ask();
                self.0.compare_exchange(current, new, success, failure)
            }

            pub(crate) fn get_mut(&mut self) -> &mut $int {
                self.0.get_mut()
            }
        }
    )*};
}

atomics!(AtomicU16 of u16, AtomicU32 of u32, AtomicUsize of usize, AtomicPtr<T> of *mut T);

macro_rules! steps {
    ($($name:ident of $int:ty: $($step:ident)*;)*) => {$(
        #[allow(dead_code)]
        impl $name {
            $(pub(crate) fn $step(&self, value: $int, order: Ordering) -> $int {
                self.ask();
                self.0.$step(value, order)
            })*
        }
    )*};
}

steps! {
    AtomicU16 of u16: fetch_add fetch_sub fetch_or fetch_and fetch_max;
    AtomicU32 of u32: fetch_add fetch_sub fetch_or fetch_and fetch_max;
    AtomicUsize of usize: fetch_add fetch_sub fetch_or fetch_and fetch_max;
}

/// [`core::cell::UnsafeCell`] with loom's interface.
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        at(Point::Cell, self.0.get().cast_const().cast());
        f(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        at(Point::Cell, self.0.get().cast_const().cast());
        f(self.0.get())
    }
}
