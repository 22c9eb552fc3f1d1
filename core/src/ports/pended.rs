//! An interrupt as a worker.

use super::interrupt::SoftwareInterrupt;
use crate::{api::pool_ref::PoolRef, memory::payload::Spill};

/// An interrupt as a worker: its handler runs the queued jobs and returns, until the interrupt is
/// pended again.
///
/// The pool's port pends it for each job that finds no idle worker, see
/// [`OneCore::with_pended_worker`](super::OneCore::with_pended_worker). The interrupt's priority is
/// below those of the handlers that submit.
///
/// ```no_run
/// use corepool::{
///     StaticPool,
///     ports::{OneCore, Pended, SoftwareInterrupt},
/// };
/// # struct Spare;
/// # impl SoftwareInterrupt for Spare {
/// #     fn pend(&self) {}
/// #     fn unmask(&self) {}
/// #     fn mask(&self) -> bool { true }
/// #     fn serve(&self, f: &mut dyn FnMut()) { f() }
/// # }
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// // On a Cortex-M, instead of `Spare`: `Nvic(Interrupt::GPIOA)`.
/// static WORKER: Pended<Spare> = Pended::new(Spare);
///
/// // SAFETY: the chip has one core, and its handlers call `in_handler` (except on a Cortex-M).
/// static PORT: OneCore = unsafe { OneCore::new() }.with_pended_worker(|| WORKER.pend());
///
/// /// The interrupt's handler.
/// fn handler() {
///     WORKER.run_jobs(POOL.pool_ref());
/// }
///
/// fn start() {
///     POOL.install(&PORT);
///     WORKER.start();
/// }
///
/// /// Writes a setting that the jobs read, while no job runs.
/// fn set(write: impl FnOnce()) {
///     WORKER.hold(write);
/// }
/// # start();
/// # handler();
/// ```
#[derive(Debug)]
pub struct Pended<I>(I);

impl<I: SoftwareInterrupt> Pended<I> {
    /// A worker in the handler of `interrupt`.
    pub const fn new(interrupt: I) -> Self {
        Self(interrupt)
    }

    /// Has the handler called, as soon as no more urgent context runs.
    ///
    /// * **Context**: any.
    /// * **Cost**: that of [`SoftwareInterrupt::pend`].
    pub fn pend(&self) {
        self.0.pend();
    }

    /// Lets the handler be called from now on, and has it called for the jobs that are queued
    /// already. The application has set the interrupt's priority before.
    ///
    /// * **Context**: any.
    /// * **Cost**: that of [`SoftwareInterrupt::unmask`] and [`SoftwareInterrupt::pend`].
    pub fn start(&self) {
        self.0.unmask();
        self.0.pend();
    }

    /// Runs the queued jobs of `pool`. The interrupt's handler calls this, and no other context does.
    ///
    /// * **Context**: the interrupt's handler.
    /// * **Cost**: that of the jobs.
    pub fn run_jobs<const BYTES: usize, S: Spill>(&self, pool: PoolRef<'_, BYTES, S>) {
        self.0.serve(&mut || {
            // A job that is queued from here on pends the interrupt again.
            pool.run_pending(usize::MAX);
        });
    }

    /// Calls `f`, and keeps the handler from being called meanwhile. If the interrupt is pended by then,
    /// the handler is called after the hold. Holds nest, also those of a handler that interrupts another
    /// hold.
    ///
    /// * **Context**: any but the interrupt's handler.
    /// * **Cost**: that of `f`.
    pub fn hold<R>(&self, f: impl FnOnce() -> R) -> R {
        let was_unmasked = self.0.mask();
        let returned = f();
        if was_unmasked {
            self.0.unmask();
        }
        returned
    }
}

#[cfg(test)]
mod tests {
    use portable_atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

    use super::{super::OneCore, *};
    use crate::StaticPool;

    /// An interrupt whose handler the test calls.
    struct Spare {
        pended: AtomicUsize,
        unmasked: AtomicBool,
    }

    impl Spare {
        const fn new() -> Self {
            Self {
                pended: AtomicUsize::new(0),
                unmasked: AtomicBool::new(false),
            }
        }
    }

    impl SoftwareInterrupt for Spare {
        fn pend(&self) {
            self.pended.fetch_add(1, SeqCst);
        }

        fn unmask(&self) {
            self.unmasked.store(true, SeqCst);
        }

        fn mask(&self) -> bool {
            self.unmasked.swap(false, SeqCst)
        }

        fn serve(&self, f: &mut dyn FnMut()) {
            f();
        }
    }

    #[test]
    fn a_submit_pends_the_interrupt_and_its_handler_runs_all_jobs() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        static WORKER: Pended<Spare> = Pended::new(Spare::new());
        // SAFETY: one simulated core uses the pool.
        static PORT: OneCore = unsafe { OneCore::new() }.with_pended_worker(|| WORKER.pend());
        POOL.install(&PORT);
        let mut jobs = [1, 2].map(|number| POOL.submit(move || number).unwrap());
        assert_eq!(WORKER.0.pended.load(SeqCst), 2);
        assert!(jobs.iter_mut().all(|job| !job.done()));
        WORKER.run_jobs(POOL.pool_ref());
        assert_eq!(
            jobs.map(|mut job| job.try_result().unwrap().unwrap()),
            [1, 2]
        );
    }

    #[test]
    fn a_start_lets_the_handler_be_called_for_jobs_that_are_queued_already() {
        let worker = Pended::new(Spare::new());
        worker.start();
        assert!(worker.0.unmasked.load(SeqCst));
        assert_eq!(worker.0.pended.load(SeqCst), 1);
    }

    #[test]
    fn the_handler_is_not_called_while_it_is_held() {
        let worker = Pended::new(Spare::new());
        worker.start();
        assert!(!worker.hold(|| worker.0.unmasked.load(SeqCst)));
        assert!(worker.0.unmasked.load(SeqCst));
    }

    #[test]
    fn a_hold_in_a_hold_ends_with_the_outer_one() {
        let worker = Pended::new(Spare::new());
        worker.start();
        worker.hold(|| {
            worker.hold(|| ());
            assert!(!worker.0.unmasked.load(SeqCst));
        });
        assert!(worker.0.unmasked.load(SeqCst));
    }

    #[test]
    fn a_hold_before_the_start_starts_nothing() {
        let worker = Pended::new(Spare::new());
        worker.hold(|| ());
        assert!(!worker.0.unmasked.load(SeqCst));
    }
}
