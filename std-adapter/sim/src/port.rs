//! The port, the parkers and the workers of the simulated chip.

use std::{
    cell::Cell,
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

use corepool::{ContextId, NoWorker, Panic, Parker, Port, Worker};
use corepool_std::HostPort;

use crate::machine::Machine;

/// The services of the simulated chip to one pool.
#[derive(Debug)]
pub struct SimPort {
    /// The number of the pool in the simulation.
    pub(crate) pool: usize,
}

/// The machine of the run that is under way, for calls that only a simulated context makes.
fn machine() -> &'static Machine<'static> {
    Machine::current().unwrap_or_else(|| {
        panic!(
            "a thread of the host uses a pool that a simulation has installed its port in: \
             only simulated contexts may use it. Let a `task` stand for a thread, and simulate the pool in a test \
             program of its own if plain tests use it, too"
        )
    })
}

// SAFETY: the machine names the task, or the interrupt that is active on its core. A task runs on
// one core, and an interrupt is never re-entered, so no two contexts under way have one name.
unsafe impl Port for SimPort {
    fn context(&self) -> ContextId {
        machine().context_id()
    }

    fn now(&self) -> Option<Duration> {
        Some(machine().now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        if let Some(task) = machine().task_that_may_block() {
            f(&TaskParker { task });
        }
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        machine().runs_in_blocked_callers(self.pool)
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        machine().point("foreign");
        let caught = machine().catching(|| HostPort.catch_panic(f));
        machine().point("foreign end");
        caught
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        machine().pend_for(self.pool);
        Ok(())
    }

    fn unobserved_failure(&self, panic: Panic) {
        let text = panic.text().unwrap_or("a payload without a text");
        machine().fail_unobserved(text);
    }
}

/// A task of the chip as a parker, and as a worker: see [`parker`](crate::parker).
#[derive(Clone, Copy, Debug)]
pub struct TaskParker {
    pub(crate) task: usize,
}

impl Parker for TaskParker {
    fn waker(&self) -> Waker {
        waker_of(self.task)
    }

    fn park(&self, deadline: Option<Duration>) {
        machine().park(deadline);
    }
}

impl Worker for TaskParker {
    /// The priority of the task.
    fn urgency(&self) -> u8 {
        machine().priority_of(self.task)
    }
}

thread_local! {
    /// The number of the run on this thread. A waker of an earlier run wakes no task.
    static RUN: Cell<usize> = const { Cell::new(0) };
}

/// Begins the next run.
pub(crate) fn next_run() {
    RUN.set(RUN.get().wrapping_add(1));
}

/// The number of this run.
pub(crate) fn this_run() -> usize {
    RUN.get()
}

const TASK_BITS: u32 = 8;
/// The most tasks of a chip.
pub(crate) const MAX_TASKS: usize = 1 << TASK_BITS;

const VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| ());

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    let data = data.addr();
    if data >> TASK_BITS == RUN.get() & (usize::MAX >> TASK_BITS)
        && let Some(machine) = Machine::current()
    {
        machine.wake(data & (MAX_TASKS - 1));
    }
}

/// The waker of a task in this run.
pub(crate) fn waker_of(task: usize) -> Waker {
    let data = std::ptr::without_provenance(RUN.get() << TASK_BITS | task);
    // SAFETY: the data are numbers. No function of the table dereferences them, and each may be
    // called from any thread: on another than the simulation's, no machine is current.
    unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
}
