//! The machine, as the pool sees it: port, worker, spill, logger. All of it is foreign code.

use std::{
    mem::MaybeUninit,
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
    time::Duration,
};

use corepool::{
    ContextId, InitError, JobId, NoWorker, Panic, Parker, Port, Spill, Worker, WorkerId,
};
use corepool_std::HostPort;

use crate::{bomb::foreign, lockstep::Lockstep};

/// A port whose threads take turns.
pub(crate) struct StepPort {
    pub(crate) steps: Arc<Lockstep>,
    pub(crate) callers_run_jobs: bool,
}

// SAFETY: contexts are those of the host's port, and so is the net under panics.
unsafe impl Port for StepPort {
    fn context(&self) -> ContextId {
        foreign("Port: context");
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        foreign("Port: now");
        Some(self.steps.now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        foreign("Port: with_parker");
        f(&StepParker(&self.steps));
        foreign("Port: with_parker, after the call");
    }

    fn spin(&self, round: u32, queued: &dyn Fn() -> usize) -> bool {
        foreign("Port: spin");
        queued();
        round == 0
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        foreign("Port: blocked_callers_run_jobs");
        self.callers_run_jobs
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        foreign("Port: catch_panic");
        let result = HostPort.catch_panic(f);
        // Its own panic unwinds from here, and what it has caught is dropped on the way.
        foreign("Port: catch_panic, after the call");
        result
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        foreign("Port: no_idle_worker");
        Ok(())
    }

    fn unobserved_failure(&self, panic: Panic) {
        drop(panic);
        foreign("Port: unobserved_failure");
    }
}

/// How a thread sleeps that is no worker.
struct StepParker<'a>(&'a Arc<Lockstep>);

impl Parker for StepParker<'_> {
    fn waker(&self) -> Waker {
        foreign("Parker: waker");
        self.0.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        foreign("Parker: park");
        self.0.park(deadline);
    }
}

static IDS: Mutex<Vec<WorkerId>> = Mutex::new(Vec::new());

/// The numbers of the workers, in the order in which they joined.
pub(crate) fn ids() -> Vec<WorkerId> {
    IDS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Forgets them.
pub(crate) fn forget_ids() {
    IDS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// A worker on a thread that takes turns.
pub(crate) struct StepWorker(pub(crate) Arc<Lockstep>);

impl Parker for StepWorker {
    fn waker(&self) -> Waker {
        foreign("Worker: waker");
        self.0.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        foreign("Worker: park");
        self.0.park(deadline);
    }
}

impl Worker for StepWorker {
    fn spin(&self, round: u32) -> bool {
        foreign("Worker: spin");
        round == 0
    }

    fn stays(&self) -> bool {
        foreign("Worker: stays");
        true
    }

    fn urgency(&self) -> u8 {
        foreign("Worker: urgency");
        0
    }

    fn least_priority(&self) -> usize {
        foreign("Worker: least_priority");
        0
    }

    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        IDS.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(worker);
        foreign("Worker: on_start");
        Ok(())
    }

    fn on_job_start(&self, _job: JobId) {
        foreign("Worker: on_job_start");
    }

    fn on_job_end(&self, _job: JobId) {
        foreign("Worker: on_job_end");
    }
}

/// Stores on the heap what does not fit.
#[derive(Clone, Copy)]
pub(crate) struct Heap;

// SAFETY: a box stays where it is until it is freed, and is freed without dropping its value.
unsafe impl Spill for Heap {
    const CAN_SPILL: bool = true;

    fn store<V>(value: V) -> NonNull<V> {
        foreign("Spill: store");
        NonNull::from(Box::leak(Box::new(value)))
    }

    unsafe fn release<V>(place: NonNull<V>) {
        // SAFETY: from `store`, by the caller's promise; a `MaybeUninit` does not drop its value.
        drop(unsafe { Box::from_raw(place.cast::<MaybeUninit<V>>().as_ptr()) });
        foreign("Spill: release");
    }
}

/// Logs nothing.
pub(crate) struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // In the order of `log::Level`.
        foreign(match record.level() {
            log::Level::Error => "log: error",
            log::Level::Warn => "log: warning",
            _ => "log: trace",
        });
    }

    fn flush(&self) {}
}
