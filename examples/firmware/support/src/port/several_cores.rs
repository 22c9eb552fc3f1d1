//! Chips with several cores that share memory: how each sleeps, and is woken by the others.
//!
//! A board says in a [`Cores`] what is special about its chip, with what `arch` has for it: about
//! thirty lines. From that come the pool's port, [`SeveralCores`], and [`ThisCore`], which is a
//! worker on the cores that run jobs, and a parker on those that submit and wait.

use core::{
    fmt,
    marker::PhantomData,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use corepool::{ContextId, Parker, Port, Worker};

use super::arch;
use crate::tick;

/// The cores of a chip that share its memory.
///
/// # Safety
///
/// [`current`](Self::current) tells the truth: no two cores have the same number.
pub unsafe trait Cores: 'static {
    /// The number of the core that calls, from 0. Handlers have that of their core.
    fn current() -> usize;

    /// The thread of this core sleeps until [`wake`](Self::wake) is called for the core, or was
    /// since the last return from here. May return early; does when `deadline` has passed.
    fn sleep(deadline: Option<Duration>);

    /// Ends the sleep of a core, this one perhaps. From any context.
    fn wake(core: usize);
}

/// The thread of the core that calls, as a parker and as a worker. Not for handlers.
pub struct ThisCore<C>(PhantomData<fn() -> C>);

impl<C> ThisCore<C> {
    /// The core that uses it.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for ThisCore<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for ThisCore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThisCore")
    }
}

impl<C: Cores> ThisCore<C> {
    /// All that a waker has to remember is the number of the core, which is no address.
    const VTABLE: &'static RawWakerVTable = &RawWakerVTable::new(
        |core| RawWaker::new(core, Self::VTABLE),
        |core| C::wake(core.addr()),
        |core| C::wake(core.addr()),
        |_| (),
    );
}

impl<C: Cores> Parker for ThisCore<C> {
    fn waker(&self) -> Waker {
        let core = ptr::without_provenance(C::current());
        // SAFETY: the functions use the data as a number, and may be called from any context.
        unsafe { Waker::new(core, Self::VTABLE) }
    }

    fn park(&self, deadline: Option<Duration>) {
        C::sleep(deadline);
    }
}

impl<C: Cores> Worker for ThisCore<C> {}

/// The port of a pool whose workers are cores.
pub struct SeveralCores<C>(PhantomData<fn() -> C>);

impl<C> SeveralCores<C> {
    /// The port. It has no state.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for SeveralCores<C> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: what can be under way at the same time are the cores, which have different numbers, and
// on each the thread and handlers, for which `arch::context` has different names, fewer than
// `CONTEXTS`. The default `catch_panic` calls once.
unsafe impl<C: Cores> Port for SeveralCores<C> {
    fn context(&self) -> ContextId {
        arch::context().saturating_add(C::current() * arch::CONTEXTS)
    }

    fn now(&self) -> Option<Duration> {
        Some(tick::now())
    }

    /// A handler may not block: the thread that it interrupts, and may wait for, would wait with it.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        if arch::in_thread() {
            f(&ThisCore::<C>::new());
        }
    }

    /// The other cores are sure to come.
    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }
}
