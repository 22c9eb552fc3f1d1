//! Switches: the thread goes from fiber to fiber.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use super::{CURRENT, Context, Core, Machine, NEVER, State};
use crate::{failure::Cause, fibers::Yielder};

impl Machine<'_> {
    /// Gives the thread to a core, and returns when this core is chosen again. A run that has ended
    /// resumes no fiber.
    ///
    /// It is inlined up to the hook, as `spin` is. A processor predicts the return of a function that
    /// was called on another stack wrongly, and a switch costs little more than two of those.
    #[inline(always)]
    pub(super) fn leave(&self, next: usize) {
        // The core has this context again when the call returns.
        let core = self.this_core();
        let here = &self.contexts[core.top.get()];
        let yielder = self.yielder.get();
        self.save(core, here);
        self.core.set(next);
        CURRENT.set(ptr::null());
        // SAFETY: a fiber runs this code, and has set its yielder, which lives on its stack: when it began,
        // and below when it went on.
        unsafe { (*yielder).suspend(()) };
        self.yielder.set(yielder);
        CURRENT.set(ptr::from_ref(self).cast());
        self.restore(core, here);
        if self.looks_after_switches {
            self.look_soon();
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
        self.is_spinning.set(core.is_spinning.get());
        self.address.set(core.address.get());
    }

    /// The loop that resumes fibers, on the host's stack. `resume` runs the fiber of a task until
    /// it gives the thread back.
    pub(crate) fn drive(&self, mut resume: impl FnMut(usize)) {
        while !self.has_ended.get() {
            let core = self.this_core();
            let task = self.next_task(self.core.get());
            core.is_turn_over.set(false);
            if task != core.task.replace(task) {
                core.top.set(task);
                self.keep_time(self.core.get());
            }
            self.since.set(self.step.get());
            self.switches.set(self.switches.get() + 1);
            resume(task);
        }
    }

    /// The code of a task, on its fiber.
    pub(crate) fn run_task(&self, task: usize, yielder: &Yielder, body: impl FnOnce()) {
        self.yielder.set(yielder);
        CURRENT.set(ptr::from_ref(self).cast());
        self.restore(self.this_core(), &self.contexts[task]);
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
