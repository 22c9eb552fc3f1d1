//! A job: it runs in a slot, step by step.

use core::{mem::MaybeUninit, task::Poll};

use crate::{
    memory::pool::Pool,
    memory::slot::{RunChain, SlotRef, Suspend},
};

/// A type whose values run in a slot.
// `pub`, since an associated type of the sealed half of `Policy` names it. No user can.
#[allow(private_interfaces)]
pub trait Job: Sized {
    /// The result.
    type Output;
    /// See [`JobVTable::suspend`](crate::memory::slot::JobVTable::suspend).
    const SUSPEND: Option<Suspend> = None;
    /// See [`JobVTable::run_chain`](crate::memory::slot::JobVTable::run_chain).
    const RUN_CHAIN: Option<RunChain> = None;
    /// See [`JobVTable::travel`](crate::memory::slot::JobVTable::travel).
    #[cfg(feature = "remote")]
    const TRAVELS: Option<crate::memory::travel::Travels<Self, Self::Output>> = None;
    /// Runs one step. `this` is pinned from the first step on.
    fn step<'p>(this: JobPlace<'_, Self>, pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<Self::Output>;
}

/// A job in its place. A closure takes itself out to run; a task is polled in place.
pub(crate) struct JobPlace<'a, J> {
    pub(super) place: &'a mut MaybeUninit<J>,
    /// Whether the place still holds the job.
    pub(super) there: &'a mut bool,
}

impl<J> JobPlace<'_, J> {
    pub(crate) fn take(self) -> J {
        *self.there = false;
        // SAFETY: `VTableOf::run` makes this value while the job is there. `there` is false from
        // now on.
        unsafe { self.place.assume_init_read() }
    }
}
