//! Switches: the thread goes from fiber to fiber.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use super::{CURRENT, Context, Core, Machine, NEVER, State};
use crate::{failure::Cause, fibers::Yielder};

/// The number of no fiber: the host's stack goes on.
const HOST: usize = usize::MAX;

/// The machine is the thread's current one, while this lives.
struct Current;

impl Current {
    fn begin(machine: &Machine<'_>) -> Self {
        CURRENT.set(ptr::from_ref(machine).cast());
        Self
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(ptr::null());
    }
}

impl Machine<'_> {
    /// Gives the thread to a core, and returns when this core is chosen again. A run that has ended
    /// resumes no fiber.
    pub(super) fn leave(&self, next: usize) {
        let core = self.this_core();
        self.leave_from(core, &self.contexts[core.top.get()], next);
    }

    /// As [`leave`](Self::leave), for a caller that knows the core that it leaves, and its context.
    ///
    /// The fiber resumes the next one itself. If that one waits for a fiber that it has resumed, this fiber
    /// gives the thread back instead. So two fibers that take turns pay one call and one return for two
    /// switches. The processor then predicts every other return from a point rightly. It mispredicts those
    /// whose call was on another stack.
    ///
    /// The compiler does not inline it, and jumps to it, since its callers end with it. A call would add
    /// a return that the processor mispredicts.
    #[inline(never)]
    pub(super) fn leave_from(&self, core: &Core, here: &Context, next: usize) {
        let (mine, yielder) = (core.task.get(), self.yielder.get());
        self.save(core, here);
        let mut next = self.go_on(next);
        while next != mine {
            match self.resume(next) {
                Some(later) => next = later,
                None => {
                    // SAFETY: a fiber runs this code. `run_task` has set its yielder, which lives on its stack.
                    // `restore` and `serve` keep `self.yielder` the one of the fiber that runs.
                    unsafe { (*yielder).suspend(next) };
                    break;
                }
            }
        }
        if self.looks_after_switches {
            self.look_soon();
        }
    }

    /// Runs the fiber of a task until it gives the thread back. Returns the task whose fiber is to run
    /// next. It returns none if the fiber waits for one that it has resumed, or if the run has ended.
    #[inline(always)]
    fn resume(&self, task: usize) -> Option<usize> {
        let mut fiber = self.fibers.get(task)?.try_borrow_mut().ok()?;
        Some(fiber.resume().unwrap_or(HOST))
    }

    /// The next core goes on where it has left. Returns the task whose fiber runs there.
    #[inline(always)]
    fn go_on(&self, next: usize) -> usize {
        self.core.set(next);
        if self.has_ended.get() {
            return HOST;
        }
        self.since.set(self.step.get());
        self.switches.set(self.switches.get() + 1);
        let core = &self.cores[next];
        if core.is_shared {
            self.next_turn(core);
        }
        self.restore(core, &self.contexts[core.top.get()]);
        core.task.get()
    }

    /// Gives the core that runs, which has several tasks, to the one that goes on.
    #[inline(never)]
    fn next_turn(&self, core: &Core) {
        let task = self.next_task(self.core.get());
        core.is_turn_over.set(false);
        if task != core.task.replace(task) {
            core.top.set(task);
            self.keep_time(self.core.get());
        }
    }

    /// The current context of a core steps aside.
    #[inline(always)]
    pub(super) fn save(&self, core: &Core, here: &Context) {
        here.label.set(self.label.get());
        core.is_spinning.set(self.is_spinning.get());
        core.address.set(self.address.get());
    }

    /// The current context of a core goes on.
    #[inline(always)]
    pub(super) fn restore(&self, core: &Core, here: &Context) {
        self.label.set(here.label.get());
        self.yielder.set(here.yielder.get());
        self.is_spinning.set(core.is_spinning.get());
        self.address.set(core.address.get());
    }

    /// Runs the fibers, each on its own stack, until the run has ended.
    pub(crate) fn drive(&self) {
        let _current = Current::begin(self);
        let mut next = self.go_on(self.core.get());
        while let Some(later) = self.resume(next) {
            next = later;
        }
    }

    /// The code of a task, on its fiber.
    pub(crate) fn run_task(&self, task: usize, yielder: &Yielder, body: impl FnOnce()) {
        self.yielder.set(yielder);
        self.contexts[task].yielder.set(yielder);
        self.look("start");
        if let Err(payload) = self.catching(|| catch_unwind(AssertUnwindSafe(body))) {
            self.fail_by_panic(&*payload);
        }
        if self.this_core().is_masked.get() {
            self.fail(Cause::SectionHeld("the end of a task"));
        }
        if task == 0 {
            self.main_has_ended.set(true);
            self.ended_at.set(self.now_nanos());
            self.is_calm.set(true);
        }
        // Its stack serves the interrupts of its core from now on.
        loop {
            self.block(State::Ended, NEVER);
        }
    }
}
