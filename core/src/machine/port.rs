//! What the pool asks of the machine under it.
//!
//! A pool works without any of this: then a blocked caller spins, and runs what it waits for, there are no
//! timeouts, and a panic ends the worker that it happens on. A port adds a clock, a way to sleep,
//! and a notion of who is calling. The std adapter has one for the host; firmware writes its own,
//! of which each method is a line or two.

use core::{task::Waker, time::Duration};

use crate::error::{NoWorker, Panic};

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
    /// may be woken any number of times, and long after this parker is gone.
    ///
    /// * **Context**: called in the parker's own. The waker is woken from any, interrupt handlers
    ///   included.
    /// * **Cost**: once for each stay as a worker, and for each call that blocks or opens a scope.
    ///   A wake comes on top of the submit or the completion that makes it.
    fn waker(&self) -> Waker;

    /// Sleeps until the waker has been woken since the last return from here, or until the clock of
    /// the pool's [`Port`] passes `deadline`. May return early for no reason.
    ///
    /// * **Context**: called in the parker's own, which may block.
    /// * **Cost**: it waits, at no cost to others.
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
    ///
    /// * **Context**: called from any that runs jobs, blocks, or opens a scope.
    /// * **Cost**: on top of each such call, so it should take a few instructions.
    fn context(&self) -> ContextId;

    /// The time since some fixed moment. Never goes back. `None` if there is no clock; then calls
    /// with a timeout fail with an error that says so.
    ///
    /// * **Context**: called from any that blocks with a timeout, and by a remote worker.
    /// * **Cost**: once for each look at the queue or at the job, while such a call goes on.
    fn now(&self) -> Option<Duration>;

    /// Calls `f` once with a parker for the context that calls. A waker of any parker of a context
    /// wakes whichever the context sleeps on.
    ///
    /// A context that may not block, such as an interrupt handler, has no parker: the port returns
    /// without calling `f`. A call that would block there fails at once, with
    /// [`JobError::WouldDeadlock`](crate::JobError::WouldDeadlock) or its like.
    ///
    /// * **Context**: called from any that is about to block, runs jobs, or opens a scope.
    /// * **Cost**: on top of each such call. `f` returns when the caller's wait, or its jobs, are
    ///   over.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker));

    /// Whether a caller that is about to sleep looks once more instead, after a pause of this
    /// method's choice. The caller asks for the `round`-th time in a row, counted from 0. The
    /// default sleeps at once.
    ///
    /// A pause longer than a sleep and a wake-up gains nothing, as long as the caller has nothing
    /// else to wait for. `queued` says about how many jobs are in the pool's queue; 0 if the caller
    /// waits with a time limit. It looks at words that submitters and workers write with each job,
    /// so it is not for every round.
    ///
    /// * **Context**: called in the context of a caller that blocks and is no worker; never in an
    ///   interrupt handler.
    /// * **Cost**: the caller's time.
    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        let _ = (round, queued);
        false
    }

    /// Whether a caller that is no worker runs the queue in order while it blocks, if the pool has
    /// no worker at all. A job that has begun is not broken off: a wait with a time limit may take
    /// longer then.
    ///
    /// True by default: on a chip whose only core waits for a job, that job runs on it. False where
    /// workers are sure to come.
    ///
    /// * **Context**: called in the context of a caller that blocks and is no worker.
    /// * **Cost**: once for each sleep, in a pool without a worker.
    fn lends_blocked_callers(&self) -> bool {
        true
    }

    /// Calls `f` exactly once, and catches a panic in it. The default does not catch. Not called in
    /// a program whose panics abort.
    ///
    /// * **Context**: called from any that runs a job, a callback, a destructor, a waker or a start
    ///   hook.
    /// * **Cost**: on top of each of them.
    ///
    /// # Errors
    ///
    /// The panic of `f`, and nothing else: an error although `f` has returned is reported as
    /// unobserved.
    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        f();
        Ok(())
    }

    /// Work was queued and there was no sleeping worker to wake for it. A pool that starts workers
    /// on demand starts one here if fewer are there than
    /// [`workers_wanted`](crate::PoolRef::workers_wanted); the default does nothing.
    ///
    /// * **Context**: called from any that submits a job, wakes a task, or hands a wake-up on.
    /// * **Cost**: on top of each submit that finds no sleeping worker.
    ///
    /// # Errors
    ///
    /// If there is no worker at all, and none could be started. The submit that queued the work
    /// takes it back and fails with [`SubmitError::NoWorker`](crate::SubmitError::NoWorker). Work
    /// that queued itself, such as a task that was woken, stays queued for the first worker that
    /// comes.
    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        Ok(())
    }

    /// Whether a worker has been started, by [`no_idle_worker`](Self::no_idle_worker), that has not
    /// joined yet and will. The default is no.
    ///
    /// A worker that blocks asks before it sleeps. If none is coming, every other worker is blocked
    /// too, and work is queued, it runs the oldest queued job on its own stack.
    ///
    /// * **Context**: called by a worker that blocks.
    /// * **Cost**: once for each of its sleeps.
    fn worker_is_coming(&self) -> bool {
        false
    }

    /// Something failed and nobody asked: a job without a handle, or a callback, panicked. The
    /// default drops it.
    ///
    /// * **Context**: called from any that runs a job or callback, or drops a result.
    /// * **Cost**: on top of that; the next callback waits for it.
    fn unobserved_failure(&self, panic: Panic) {
        drop(panic);
    }
}
