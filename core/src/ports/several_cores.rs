//! Chips with several cores that share memory: how each sleeps, and is woken by the others.

use core::{
    fmt,
    marker::PhantomData,
    ptr,
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use super::{
    arch,
    context::{context, in_thread},
};
use crate::machine::{
    port::{ContextId, Parker, Port},
    worker::Worker,
};

/// The cores of a chip that share its memory. An application implements it for its chip.
///
/// [`SeveralCores`] is the port for such a chip, and [`ThisCore`] the worker.
///
/// # Safety
///
/// * [`current`](Self::current) returns the number of the core that calls it. No two cores have the
///   same number.
/// * Each handler that uses a pool with the port does so in `in_handler`, of `riscv`, `aarch64` or
///   `aarch32`. It is the handler of an interrupt or of an exception. A Cortex-M needs no such call.
///
/// An RP2040, whose two Cortex-M0+ wake each other by events:
///
/// ```no_run
/// # #[cfg(feature = "cortex-m")]
/// # mod chip {
/// use core::time::Duration;
/// use corepool::ports::{Cores, cortex_m::Event};
///
/// struct Rp2040;
///
/// static EVENTS: [Event; 2] = [const { Event::new() }; 2];
///
/// // SAFETY: the register has a number of its own for each core.
/// unsafe impl Cores for Rp2040 {
///     fn current() -> usize {
/// #       0
///         // rp2040_hal::Sio::core() as usize
///     }
///
///     fn sleep(deadline: Option<Duration>) {
///         EVENTS[Self::current()].wait(deadline, Self::now);
///     }
///
///     fn wake(core: usize) {
///         EVENTS[core].send();
///     }
///
///     fn now() -> Option<Duration> {
///         None // or the time of the chip's timer
///     }
/// }
/// # }
/// ```
pub unsafe trait Cores: 'static {
    /// The number of the core that calls, from 0. In a handler it is the same as in the core's thread.
    ///
    /// * **Context**: called from any that uses the pool.
    /// * **Cost**: on top of each call that runs jobs, blocks, or opens a scope.
    fn current() -> usize;

    /// Sleeps until [`wake`](Self::wake) has been called for this core since the last return from here,
    /// or until `deadline` has passed. It may return early.
    ///
    /// * **Context**: called in the thread of a core.
    /// * **Cost**: it waits.
    fn sleep(deadline: Option<Duration>);

    /// Ends the sleep of a core, which may be this one.
    ///
    /// * **Context**: called from any, of any core.
    /// * **Cost**: on top of each submit or completion that wakes a core.
    fn wake(core: usize);

    /// The time since some fixed moment. It never goes back, on any core. `None`, the default, if there
    /// is no clock: then calls with a timeout fail with `NoClock`.
    ///
    /// * **Context**: called from any that blocks with a timeout.
    /// * **Cost**: once for each look at the queue or at the job, while such a call waits.
    fn now() -> Option<Duration> {
        None
    }
}

/// The thread of the calling core, as a worker and as a parker.
///
/// ```no_run
/// use corepool::{StaticPool, ports::{Cores, ThisCore}};
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// /// The program of core 1.
/// fn core_1<Chip: Cores>() {
///     POOL.run(&ThisCore::<Chip>::new()).expect("the pool is in order");
/// }
/// ```
pub struct ThisCore<C>(PhantomData<fn() -> C>);

impl<C> ThisCore<C> {
    /// The thread of whichever core uses the value.
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
    const VTABLE: &'static RawWakerVTable = &RawWakerVTable::new(
        |core| RawWaker::new(core, Self::VTABLE),
        Self::wake,
        Self::wake,
        |_| (),
    );

    /// A waker's data is the number of the core, which is no address.
    fn wake(core: *const ()) {
        C::wake(core.addr());
    }
}

impl<C: Cores> Parker for ThisCore<C> {
    fn waker(&self) -> Waker {
        let core = ptr::without_provenance(C::current());
        // SAFETY: the functions use the data as a number, and any context may call them.
        unsafe { Waker::new(core, Self::VTABLE) }
    }

    fn park(&self, deadline: Option<Duration>) {
        C::sleep(deadline);
    }
}

impl<C: Cores> Worker for ThisCore<C> {}

/// The port of a pool whose workers are the cores of a chip.
///
/// ```no_run
/// use corepool::{
///     StaticPool,
///     ports::{Cores, SeveralCores, ThisCore},
/// };
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// fn core_0<Chip: Cores>() {
///     POOL.install(const { &SeveralCores::<Chip>::new() });
///     // start core 1
/// }
///
/// fn core_1<Chip: Cores>() {
///     POOL.run(&ThisCore::<Chip>::new()).unwrap();
/// }
/// ```
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

impl<C> fmt::Debug for SeveralCores<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeveralCores")
    }
}

// SAFETY: two contexts that can be under way at the same time are on different cores, or are the thread
// and handlers of one core. Two cores have different numbers, as the implementor of `Cores` promises.
// For the contexts of one core `context` has different names, up to `CONTEXTS`; except on a Cortex-M,
// the same promise covers that. The default `catch_panic` calls `f` once.
unsafe impl<C: Cores> Port for SeveralCores<C> {
    fn context(&self) -> ContextId {
        context().saturating_add(C::current() * arch::CONTEXTS)
    }

    fn now(&self) -> Option<Duration> {
        C::now()
    }

    /// A handler may not block. It may wait for the thread that it interrupts, and that thread cannot go
    /// on before the handler returns.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        if in_thread() {
            f(&ThisCore::<C>::new());
        }
    }

    /// The other cores are sure to come as workers.
    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::BTreeSet, thread, thread_local};

    use portable_atomic::{AtomicBool, Ordering::SeqCst};

    use super::{super::arch::in_handler, *};
    use crate::{JobError, StaticPool};

    thread_local! {
        static CORE: Cell<usize> = const { Cell::new(0) };
    }

    /// Threads as cores.
    struct Chip;

    static WOKEN: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

    // SAFETY: each test sets the number of each of its threads.
    unsafe impl Cores for Chip {
        fn current() -> usize {
            CORE.get()
        }

        fn sleep(_deadline: Option<Duration>) {
            if !WOKEN[CORE.get()].swap(false, SeqCst) {
                thread::yield_now();
            }
        }

        fn wake(core: usize) {
            WOKEN[core].store(true, SeqCst);
        }
    }

    static PORT: SeveralCores<Chip> = SeveralCores::new();

    #[test]
    fn a_core_runs_the_jobs_of_another() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        POOL.install(&PORT);
        thread::scope(|scope| {
            scope.spawn(|| {
                CORE.set(1);
                POOL.run(&ThisCore::<Chip>::new()).unwrap();
            });
            assert_eq!(POOL.submit(Chip::current).unwrap().result().unwrap(), 1);
            POOL.shutdown(true, false).unwrap();
        });
    }

    #[test]
    fn a_waker_wakes_the_core_that_made_it() {
        thread::spawn(|| {
            CORE.set(2);
            let waker = ThisCore::<Chip>::new().waker();
            CORE.set(0);
            waker.wake();
            assert!(WOKEN[2].load(SeqCst));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn contexts_of_all_cores_have_different_names() {
        let mut names = BTreeSet::new();
        for core in 0..2 {
            CORE.set(core);
            for handler in 0..arch::CONTEXTS {
                assert!(names.insert(in_handler(handler, || PORT.context())));
            }
        }
    }

    #[test]
    fn a_handler_that_would_block_is_refused() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        POOL.install(&PORT);
        let (_promise, future) = POOL.promise::<u32>().unwrap();
        let told = in_handler(1, || future.result());
        assert!(matches!(told, Err(JobError::WouldDeadlock)));
    }
}
