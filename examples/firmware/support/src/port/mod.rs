//! Ports: how a chip's contexts sleep, and how they are woken.
//!
//! | worker | sleeps | is woken | for |
//! |---|---|---|---|
//! | [`corepool::SpinWorker`] | never | need not be | a core that has nothing else to do |
//! | [`Thread`] | `WFI` | by any interrupt of its own core | one core: main loop, blocked callers |
//! | [`Pended`] | is not there | the interrupt is pended | jobs above the main loop, below the drivers |
//! | `ThisCore`, Cortex-M | `WFE` | by `SEV` from another core | several cores that share memory |
//! | `ThisCore`, RISC-V | `WFI` | by its software interrupt, from another hart | the same |
//!
//! [`OneCore`] is the port that goes with the second and the third; `SeveralCores`, which needs the
//! Cargo feature `several-cores`, that of the last two. With it come `AllCores`, a critical section,
//! and `Watch`, to declare a core lost that has crashed or hangs.

#[cfg(feature = "several-cores")]
mod critical_section;
mod pended;
#[cfg(feature = "several-cores")]
mod several_cores;
#[cfg(feature = "several-cores")]
mod watch;

#[cfg_attr(target_arch = "arm", path = "cortex_m.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod arch;

use core::{
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use corepool::{ContextId, NoWorker, Parker, Port, Worker};
use portable_atomic::{AtomicBool, Ordering};

pub use self::{
    arch::*,
    pended::{Pended, SoftwareInterrupt},
};
#[cfg(feature = "several-cores")]
pub use self::{
    critical_section::AllCores,
    several_cores::{Cores, SeveralCores, ThisCore},
    watch::Watch,
};
use crate::tick;

/// The thread of the only core was woken and has not noticed yet.
static WOKEN: AtomicBool = AtomicBool::new(false);

/// The thread of the only core, as a parker and as a worker. Not for handlers.
#[derive(Clone, Copy, Debug)]
pub struct Thread;

impl Parker for Thread {
    fn waker(&self) -> Waker {
        // There is one thread, so its wakers have nothing to remember. On one core, who wakes it is
        // a handler, whose interrupt ends the sleep, or the thread itself, before it sleeps.
        const VTABLE: &RawWakerVTable = &RawWakerVTable::new(
            |data| RawWaker::new(data, VTABLE),
            |_| WOKEN.store(true, Ordering::Release),
            |_| WOKEN.store(true, Ordering::Release),
            |_| (),
        );
        // SAFETY: the functions use no data.
        unsafe { Waker::new(core::ptr::null(), VTABLE) }
    }

    /// An interrupt that wakes nobody ends it too; the tick does, so deadlines are seen.
    fn park(&self, _deadline: Option<Duration>) {
        // Acquire: pairs with the Release above.
        sleep_unless(|| WOKEN.load(Ordering::Relaxed));
        WOKEN.swap(false, Ordering::Acquire);
    }
}

impl Worker for Thread {}

/// A chip with one core: a thread, and interrupts above it.
#[derive(Clone, Copy, Debug)]
pub struct OneCore {
    /// Pends the interrupt in which jobs run. `None` if they run in the thread.
    pub pend: Option<fn()>,
}

// SAFETY: on one core, contexts that can be under way at the same time are the thread and handlers
// of different interrupts; `context` has a name for each. The default `catch_panic` calls once.
unsafe impl Port for OneCore {
    fn context(&self) -> ContextId {
        context()
    }

    fn now(&self) -> Option<Duration> {
        Some(tick::now())
    }

    /// A handler may not block, a worker's own included: the context that it interrupts, and may wait
    /// for, would wait with it.
    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        if in_thread() {
            f(&Thread);
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
