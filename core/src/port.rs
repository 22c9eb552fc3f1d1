//! What the pool asks of the machine under it.
//!
//! A pool works without any of this: then a blocked caller spins, and runs what it waits for, there are no
//! timeouts, and a panic ends the worker that it happens on. A port adds a clock, a way to sleep,
//! and a notion of who is calling. The std adapter has one for the host; firmware writes its own,
//! of which each method is a line or two.

use core::{task::Waker, time::Duration};

use crate::{
    error::{NoWorker, Panic},
    lifecycle::Pending,
};

/// A way for one execution context to sleep until something wakes it.
///
/// ```
/// use core::{task::Waker, time::Duration};
/// use corepool::Parker;
///
/// /// Never sleeps, so it needs no waking.
/// struct Spin;
///
/// impl Parker for Spin {
///     fn waker(&self) -> Waker {
///         Waker::noop().clone()
///     }
///     fn park(&self, _deadline: Option<Duration>) {
///         core::hint::spin_loop();
///     }
/// }
/// ```
pub trait Parker {
    /// A waker that ends the current [`park`](Self::park), or the next one if none is going on. It
    /// may be woken from any context, interrupts included, any number of times, and long after this
    /// parker is gone.
    fn waker(&self) -> Waker;

    /// Sleeps until the waker has been woken since the last return from here, or until the clock of
    /// the pool's [`Port`] passes `deadline`. May return early for no reason.
    fn park(&self, deadline: Option<Duration>);
}

/// The name of an execution context: a thread, or a core together with the interrupt that it
/// serves. Never 0.
pub type ContextId = core::num::NonZeroUsize;

/// The services of the machine: clock, identity, sleep, and what to do about panics.
///
/// Install it with [`StaticPool::install`](crate::StaticPool::install), once, before the workers
/// start. Every method may be called from any context that uses the pool.
///
/// # Safety
///
/// * [`context`](Self::context) tells the truth: the pool uses a worker, which lives on its context's
///   stack, wherever it is told that this is the worker's context.
/// * Two contexts that can be under way at the same time never have the same name.
///
/// ```
/// use core::{num::NonZeroUsize, time::Duration};
/// use corepool::{ContextId, Parker, Port, SpinWorker};
///
/// /// A chip with one core, whose main loop alone uses the pool.
/// struct OneCore;
///
/// // SAFETY: there is only one context.
/// unsafe impl Port for OneCore {
///     fn context(&self) -> ContextId {
///         NonZeroUsize::MIN // with more: the core's number and the active interrupt's
///     }
///     fn now(&self) -> Option<Duration> {
///         None // or what the chip's timer says
///     }
///     fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
///         f(&SpinWorker); // or one that sleeps
///     }
/// }
/// ```
pub unsafe trait Port: Sync {
    /// The context that calls. Two contexts that can be under way at the same time, one of them
    /// perhaps interrupted by the other, have different names.
    fn context(&self) -> ContextId;

    /// The time since some fixed moment. Never goes back. `None` if there is no clock; then calls
    /// with a timeout fail with an error that says so.
    fn now(&self) -> Option<Duration>;

    /// Calls `f` once with a parker for the context that calls. A waker of any parker of a context
    /// wakes whichever the context sleeps on.
    ///
    /// A context that may not block, such as an interrupt handler, has no parker: the port returns
    /// without calling `f`. A call that would block there fails at once, with
    /// [`JobError::WouldDeadlock`](crate::JobError::WouldDeadlock) or its like.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker));

    /// A caller that blocks is about to sleep, and asks for the `round`-th time in a row, counted from
    /// 0. Returns whether to look once more (after a pause of this method's choice) instead; a pause
    /// longer than a sleep and a wake-up gains nothing, as long as the caller has nothing else to wait
    /// for. The default sleeps at once. Called in the caller's context, and never in an interrupt handler,
    /// where nobody blocks.
    ///
    /// `queued` says about how many jobs are in the pool's queue; 0 if the caller waits with a time limit.
    /// It looks at what submitters and workers write with each job, so it is not for every round.
    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        let _ = (round, queued);
        false
    }

    /// Whether a caller that is no worker runs the queue in order while it blocks, if the pool has no
    /// worker at all. A job that has begun is not broken off: a wait with a time limit may take longer then.
    /// True by default: on a chip whose only core waits for a job, that job runs on
    /// it. False where workers are sure to come.
    fn lends_blocked_callers(&self) -> bool {
        true
    }

    /// Calls `f` exactly once; a panic in it comes back as an error, and nothing else does: an error although
    /// `f` has returned is reported as unobserved. The default does not catch. Not called in a program
    /// whose panics abort.
    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        f();
        Ok(())
    }

    /// Work was queued and there was no sleeping worker to wake for it. A pool that starts workers on demand starts
    /// one here if fewer are there than [`workers_wanted`](crate::PoolRef::workers_wanted); the default does nothing.
    ///
    /// # Errors
    ///
    /// If there is no worker at all, and none could be started. The submit that queued the work takes it back and
    /// fails with [`SubmitError::NoWorker`](crate::SubmitError::NoWorker). Work that queued itself, such as a task that
    /// was woken, stays queued for the first worker that comes.
    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        Ok(())
    }

    /// Whether a worker has been started, by [`no_idle_worker`](Self::no_idle_worker), that has not joined yet and
    /// will. A worker that blocks while work is queued asks: if none is coming, and every other worker is blocked
    /// too, it runs the oldest queued job on its own stack. The default is no.
    fn worker_is_coming(&self) -> bool {
        false
    }

    /// What [`run_pending`](crate::StaticPool::run_pending) does only where there is a port, so that a
    /// program without one has no code for it. Neither to be defined nor called.
    #[doc(hidden)]
    fn run_pending(&self, pending: Pending<'_>) -> usize {
        pending.run(|f| self.with_parker(f))
    }

    /// Something failed and nobody asked: a job without a handle, or a callback, panicked. The
    /// default drops it.
    fn unobserved_failure(&self, panic: Panic) {
        drop(panic);
    }
}
