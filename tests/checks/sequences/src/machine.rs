//! The machine that the pool runs on: one thread, and a clock that goes on when nothing else can.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
    time::Duration,
};

use corepool::{ContextId, InitError, JobId, Panic, Parker, Port, Worker, WorkerId};

use crate::perform;

/// The payload with which jobs and callbacks panic on purpose.
pub(crate) struct OnPurpose;

/// The payload of a panic.
type Payload = Box<dyn Any + Send>;

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static UNOBSERVED: Cell<usize> = const { Cell::new(0) };
    /// A panic that is none of the sequence's: a check has failed inside a job.
    static FAILED: Cell<Option<Payload>> = const { Cell::new(None) };
}

/// Puts the clock back.
pub(crate) fn reset() {
    NOW.set(Duration::ZERO);
    UNOBSERVED.set(0);
    FAILED.set(None);
}

/// How many failures nobody had asked for.
pub(crate) fn unobserved_failures() -> usize {
    UNOBSERVED.get()
}

/// Goes on with the panic of a check that failed inside a job, if one has.
pub(crate) fn resume_failure() {
    if let Some(failure) = FAILED.take() {
        std::panic::resume_unwind(failure);
    }
}

/// See the module's documentation.
pub(crate) struct Machine;

// SAFETY: there is one thread, and `catch_unwind` says whether the call returned.
unsafe impl Port for Machine {
    fn context(&self) -> ContextId {
        ContextId::MIN
    }

    fn now(&self) -> Option<Duration> {
        Some(NOW.get())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&Caller);
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
            if payload.is::<OnPurpose>() {
                return Panic::new(OnPurpose);
            }
            // The first one says most.
            let first = FAILED.take().unwrap_or(payload);
            FAILED.set(Some(first));
            Panic::new(())
        })
    }

    fn unobserved_failure(&self, _panic: Panic) {
        UNOBSERVED.set(UNOBSERVED.get() + 1);
    }
}

/// Nothing can happen before `deadline`; without one, only what a caller makes happen now.
fn park(deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => NOW.set(NOW.get().max(deadline)),
        None => perform::nothing_can_happen(),
    }
}

/// A caller that blocks.
struct Caller;

impl Parker for Caller {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, deadline: Option<Duration>) {
        park(deadline);
    }
}

/// A worker in its run loop.
pub(crate) struct Runner {
    pub(crate) fails_to_start: bool,
}

impl Parker for Runner {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, deadline: Option<Duration>) {
        park(deadline);
    }
}

impl Worker for Runner {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        perform::worker_starts(worker, self.fails_to_start);
        if self.fails_to_start {
            return Err(perform::INIT_ERROR);
        }
        Ok(())
    }

    fn on_job_start(&self, job: JobId) {
        perform::hook_says(job);
    }
}
