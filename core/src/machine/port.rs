//! The services that the pool asks of the machine.
//!
//! A pool works without a port. Then a blocked caller spins and runs the job that it waits for.
//! Timeouts are refused, and a panic ends the worker that runs the job. A port adds a clock, a way
//! to sleep, and a name for the context that calls. The std adapter has a port for hosts. Firmware
//! writes its own, and each method is a line or two.

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
    /// A waker that ends the current [`park`](Self::park), or the next one if the context is not
    /// parked. It may be woken any number of times, and long after this parker is gone.
    ///
    /// * **Context**: called in the parker's own. The waker is woken from any, interrupt handlers
    ///   included.
    /// * **Cost**: once for each stay as a worker, and for each call that blocks or opens a scope.
    ///   A wake-up adds its time to the submit or the completion that causes it.
    fn waker(&self) -> Waker;

    /// Sleeps until the waker has been woken since the last return from here, or until the clock of
    /// the pool's [`Port`] passes `deadline`. It may return early without a reason.
    ///
    /// `deadline` may be past the time that the machine can count to: [`Duration::MAX`] for a time limit of
    /// that length.
    ///
    /// * **Context**: called in the parker's own, which may block.
    /// * **Cost**: it waits, at no cost to other contexts.
    fn park(&self, deadline: Option<Duration>);
}

/// The name of an execution context: of a thread, or of a core together with the interrupt that it
/// serves. Never 0.
pub type ContextId = core::num::NonZeroUsize;

/// The services of the machine: a clock, names of contexts, sleep, and the treatment of panics.
///
/// Install it with [`StaticPool::install`](crate::StaticPool::install), once, before the workers
/// start. Every method may be called from any context that uses the pool.
///
/// # Safety
///
/// * [`context`](Self::context) returns the context that calls it. A worker lives on the stack of
///   its context, and the pool uses it where `context` returns that context's name.
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
///
/// The other methods have defaults. A port of a host may have its own:
/// ```
/// use std::{panic::{AssertUnwindSafe, catch_unwind}, time::Duration};
/// use corepool::{ContextId, NoWorker, Panic, Parker, Port};
///
/// struct Host;
///
/// fn start_a_thread() -> Result<(), NoWorker> {
///     Ok(()) // if the pool has fewer than `workers_wanted`
/// }
///
/// // SAFETY: one thread alone uses the pool.
/// unsafe impl Port for Host {
/// #     fn context(&self) -> ContextId { ContextId::MIN }
/// #     fn now(&self) -> Option<Duration> { None }
/// #     fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) { f(&corepool::SpinWorker) }
///     // …
///     fn spin(&self, round: u32, _queued: &dyn Fn() -> usize) -> bool {
///         std::hint::spin_loop();
///         round < 100 // then it parks
///     }
///     fn blocked_callers_run_jobs(&self) -> bool {
///         false // threads are sure to come
///     }
///     fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
///         catch_unwind(AssertUnwindSafe(f)).map_err(Panic::new)
///     }
///     fn no_idle_worker(&self) -> Result<(), NoWorker> {
///         start_a_thread()
///     }
///     fn worker_is_coming(&self) -> bool {
///         false // or whether a thread has started and not joined
///     }
///     fn unobserved_failure(&self, panic: Panic) {
///         eprintln!("nobody asked: {panic}");
///     }
/// }
/// # static POOL: corepool::StaticPool<4, 32> = corepool::StaticPool::new();
/// # POOL.install(&Host);
/// # POOL.submit_detached(|| panic!("out of paper")).unwrap();
/// # POOL.run_pending(1);
/// ```
pub unsafe trait Port: Sync {
    /// The name of the context that calls. Two contexts that can be under way at the same time have
    /// different names, even if one of them interrupts the other.
    ///
    /// * **Context**: called from any that runs jobs, blocks, or opens a scope.
    /// * **Cost**: on top of each such call, so it should take a few instructions.
    fn context(&self) -> ContextId;

    /// The time since some fixed moment. It never goes back. `None` if there is no clock: then
    /// calls with a timeout fail with `NoClock`.
    ///
    /// * **Context**: called from any that blocks with a timeout, and by a remote worker.
    /// * **Cost**: once for each look at the queue or at the job, while such a call goes on.
    fn now(&self) -> Option<Duration>;

    /// Calls `f` once with a parker for the calling context. A context may have several parkers.
    /// The waker of each of them wakes the context from the `park` of any.
    ///
    /// A context that may not block, such as an interrupt handler, has no parker: the port returns
    /// without calling `f`. A call that would block there fails at once, with
    /// [`JobError::WouldDeadlock`](crate::JobError::WouldDeadlock) or its like.
    ///
    /// * **Context**: called from any that is about to block, runs jobs, or opens a scope.
    /// * **Cost**: on top of each such call. `f` returns when the caller's wait, or its jobs, are
    ///   over.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker));

    /// Whether a caller that is about to sleep looks at its condition once more instead. The port
    /// pauses first, for a time of its choice. `round` counts the calls in a row, from 0. The
    /// default sleeps at once.
    ///
    /// A pause longer than a sleep and a wake-up gains nothing. `queued` returns about how many
    /// jobs are queued, or 0 if the caller waits with a time limit. It reads words that submitters
    /// and workers write with each job, so not every round should call it.
    ///
    /// * **Context**: called in the context of a caller that blocks and is no worker; never in an
    ///   interrupt handler.
    /// * **Cost**: the caller's time.
    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        let _ = (round, queued);
        false
    }

    /// Whether a blocked caller that is no worker runs queued jobs in order, if the pool has no
    /// worker at all. The caller finishes a job that it has begun, so a wait with a time limit may
    /// take longer.
    ///
    /// True by default: on a chip with one core, the job that the caller waits for has to run
    /// there. False where workers are sure to come.
    ///
    /// * **Context**: called in the context of a caller that blocks and is no worker.
    /// * **Cost**: once for each sleep, in a pool without a worker.
    fn blocked_callers_run_jobs(&self) -> bool {
        true
    }

    /// Calls `f` exactly once, and catches a panic in it. The default does not catch. The pool does
    /// not call it in a program whose panics abort.
    ///
    /// * **Context**: called from any that runs a job, a callback, a destructor, a waker or a start
    ///   hook.
    /// * **Cost**: on top of each of them.
    ///
    /// # Errors
    ///
    /// The panic of `f`, and no other error. The pool reports an error as unobserved if `f` has
    /// returned.
    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        f();
        Ok(())
    }

    /// The pool has queued work, and no sleeping worker to wake for it. A port that starts workers
    /// on demand starts one here, if the pool has fewer than
    /// [`workers_wanted`](crate::PoolRef::workers_wanted). The default does nothing.
    ///
    /// * **Context**: called from any that submits a job, wakes a task, or passes a wake-up on.
    /// * **Cost**: on top of each submit that finds no sleeping worker.
    ///
    /// # Errors
    ///
    /// The pool has no worker at all, and none could be started. The submit that queued the work
    /// takes it back, and fails with [`SubmitError::NoWorker`](crate::SubmitError::NoWorker). A
    /// task that was woken stays queued for the next worker.
    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        Ok(())
    }

    /// Whether [`no_idle_worker`](Self::no_idle_worker) has started a worker that has not joined
    /// yet and will. The default is no.
    ///
    /// A worker that blocks calls this before it sleeps. If no worker is coming, all others are
    /// blocked too, and work is queued, it runs the oldest queued job on its own stack.
    ///
    /// * **Context**: called by a worker that blocks.
    /// * **Cost**: once for each of its sleeps.
    fn worker_is_coming(&self) -> bool {
        false
    }

    /// Takes a panic that no other party observes: a callback panicked, or a job without a handle.
    /// The default drops it.
    ///
    /// * **Context**: called from any that runs a job or callback, or drops a result.
    /// * **Cost**: on top of that call. The next callback waits for it.
    fn unobserved_failure(&self, panic: Panic) {
        drop(panic);
    }
}
