//! A chip with one core: a thread, and handlers that interrupt it.

use core::{
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use super::context::{context, in_thread, sleep_unless};
use crate::{
    error::NoWorker,
    lockfree::sync::{AtomicUsize, Ordering},
    machine::port::{ContextId, Parker, Port},
    machine::worker::Worker,
};

/// 1 if a waker has woken the core's thread since the thread last returned from its sleep. Else 0.
///
/// The swap of `park` may be a critical section, which would overwrite a store that comes into it. None
/// does: each store is made on this core, whose interrupts the section masks.
static WOKEN: AtomicUsize = AtomicUsize::new(0);

/// The thread of a chip's only core, as a worker and as a parker. It sleeps in `WFI`, until any
/// interrupt.
///
/// The interrupt whose handler submits a job ends the sleep. The thread looks at a deadline after each
/// interrupt. So an application that waits with time limits needs a periodic interrupt.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Wfi;

impl Parker for Wfi {
    fn waker(&self) -> Waker {
        // There is one thread, so a waker needs no data. A handler wakes the thread, and its interrupt
        // ends the sleep. Or the thread wakes itself, before it sleeps.
        const VTABLE: &RawWakerVTable = &RawWakerVTable::new(
            |data| RawWaker::new(data, VTABLE),
            // Release: pairs with the Acquire in `park`.
            |_| WOKEN.store(1, Ordering::Release),
            |_| WOKEN.store(1, Ordering::Release),
            |_| (),
        );
        // SAFETY: the functions use no data, and any context may call them.
        unsafe { Waker::new(ptr::null(), VTABLE) }
    }

    fn park(&self, _deadline: Option<Duration>) {
        // Relaxed: the swap below acquires.
        sleep_unless(|| WOKEN.load(Ordering::Relaxed) != 0);
        // Acquire: pairs with the Release in the waker.
        WOKEN.swap(0, Ordering::Acquire);
    }
}

impl Worker for Wfi {}

/// The port of a chip with one core.
///
/// By default the jobs run in the thread: in [`run`](crate::StaticPool::run) with [`Wfi`], in
/// [`run_pending`](crate::StaticPool::run_pending), and in callers that block.
/// [`with_pended_worker`](Self::with_pended_worker) has them run in an interrupt.
///
/// ```no_run
/// use corepool::{StaticPool, ports::OneCore};
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// // SAFETY: the chip has one core, and its handlers call `in_handler` (except on a Cortex-M).
/// static PORT: OneCore = unsafe { OneCore::new() };
///
/// POOL.install(&PORT);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OneCore {
    clock: Option<fn() -> Duration>,
    pend: Option<fn()>,
}

impl OneCore {
    /// A port without a clock: waits with a time limit fail with `NoClock`.
    ///
    /// # Safety
    ///
    /// * A pool in which this port is installed is used by one core alone.
    /// * Each handler that uses such a pool does so in `in_handler`, of `riscv`, `aarch64` or `aarch32`. It is
    ///   the handler of an interrupt or of an exception. A Cortex-M needs no such call.
    pub const unsafe fn new() -> Self {
        Self {
            clock: None,
            pend: None,
        }
    }

    /// The same port with a clock: `clock` returns the time since some fixed moment, and never goes
    /// back.
    ///
    /// ```no_run
    /// use core::{sync::atomic::{AtomicU32, Ordering}, time::Duration};
    /// use corepool::{StaticPool, ports::OneCore};
    ///
    /// /// Milliseconds: the timer's handler counts them, and no other context changes the count.
    /// static TICKS: AtomicU32 = AtomicU32::new(0);
    ///
    /// fn now() -> Duration {
    ///     Duration::from_millis(TICKS.load(Ordering::Relaxed).into())
    /// }
    ///
    /// // SAFETY: the chip has one core, and its handlers call `in_handler` (except on a Cortex-M).
    /// static PORT: OneCore = unsafe { OneCore::new() }.with_clock(now);
    /// static POOL: StaticPool<8, 32> = StaticPool::new();
    ///
    /// POOL.install(&PORT);
    /// let mut job = POOL.submit(|| 6 * 7).unwrap();
    /// let answer = job.result_timeout(Duration::from_millis(20)); // without a clock: `NoClock`
    /// # answer.unwrap();
    /// ```
    pub const fn with_clock(self, clock: fn() -> Duration) -> Self {
        Self {
            clock: Some(clock),
            ..self
        }
    }

    /// The same port for jobs that run in an interrupt: `pend` pends the interrupt of a
    /// [`Pended`](super::Pended), which does the rest.
    ///
    /// ```no_run
    /// use corepool::ports::OneCore;
    ///
    /// /// Pends an interrupt of the chip, whose handler runs the jobs.
    /// fn pend() {}
    ///
    /// // SAFETY: the chip has one core, and its handlers call `in_handler` (except on a Cortex-M).
    /// static PORT: OneCore = unsafe { OneCore::new() }.with_pended_worker(pend);
    /// ```
    pub const fn with_pended_worker(self, pend: fn()) -> Self {
        Self {
            pend: Some(pend),
            ..self
        }
    }
}

// SAFETY: the contexts of one core that can be under way at the same time are its thread and the
// handlers of different interrupts. `context` has a name for each; except on a Cortex-M, the caller
// of `new` promises that. The same caller promises that no other core uses the pool. The default `catch_panic`
// calls `f` once.
unsafe impl Port for OneCore {
    fn context(&self) -> ContextId {
        context()
    }

    fn now(&self) -> Option<Duration> {
        self.clock.map(|clock| clock())
    }

    /// A handler may not block, not even that of a [`Pended`](super::Pended). It may wait for the context
    /// that it interrupts, and that context cannot go on before the handler returns.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        if in_thread() {
            f(&Wfi);
        }
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        self.pend.is_none()
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        if let Some(pend) = self.pend {
            pend();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{super::arch::in_handler, *};
    use crate::{JobError, StaticPool};

    /// The tests that sleep have the core in turn.
    static CORE: Mutex<()> = Mutex::new(());

    static PORT: OneCore = {
        // SAFETY: each test has a pool of its own, which one simulated core uses.
        unsafe { OneCore::new() }
    };

    #[test]
    fn a_blocked_thread_runs_the_jobs_itself() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        let _core = CORE.lock().unwrap();
        POOL.install(&PORT);
        let (behind, job) = (POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap());
        assert_eq!(job.result().unwrap(), 2);
        assert_eq!(behind.result().unwrap(), 1);
    }

    #[test]
    fn a_handler_that_would_block_is_refused() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        POOL.install(&PORT);
        let (promise, future) = POOL.promise::<u32>().unwrap();
        let told = in_handler(3, || future.result());
        assert!(matches!(told, Err(JobError::WouldDeadlock)));
        drop(promise);
    }

    #[test]
    fn handlers_and_the_thread_have_different_names() {
        let thread = PORT.context();
        in_handler(1, || {
            let handler = PORT.context();
            assert_ne!(thread, handler);
            in_handler(2, || assert_ne!(PORT.context(), handler));
            assert_eq!(PORT.context(), handler);
        });
        assert_eq!(PORT.context(), thread);
    }

    #[test]
    fn a_wake_up_before_the_sleep_is_kept_and_taken_once() {
        let _core = CORE.lock().unwrap();
        WOKEN.store(0, Ordering::Relaxed);
        Wfi.waker().wake();
        assert_eq!(WOKEN.load(Ordering::Relaxed), 1);
        Wfi.park(None);
        assert_eq!(WOKEN.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_clock_is_the_applications() {
        assert_eq!(PORT.now(), None);
        let with_clock = PORT.with_clock(|| Duration::from_millis(7));
        assert_eq!(with_clock.now(), Some(Duration::from_millis(7)));
    }

    #[test]
    fn jobs_for_an_interrupt_are_run_by_no_blocked_caller() {
        assert!(PORT.blocked_callers_run_jobs());
        assert!(!PORT.with_pended_worker(|| ()).blocked_callers_run_jobs());
    }
}
