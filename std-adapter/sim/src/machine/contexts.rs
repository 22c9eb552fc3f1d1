//! The contexts of the chip: their names and states, and the one that runs next on a core.

use std::num::NonZeroUsize;

use corepool::ContextId;

use super::{Context, Core, Machine, State};
use crate::failure::Cause;

impl Machine<'_> {
    pub(super) fn interrupt_context(&self, number: usize) -> &Context {
        &self.contexts[self.plan.tasks.len() + number]
    }

    pub(super) fn this_core(&self) -> &Core {
        &self.cores[self.core.get()]
    }

    /// The number of the context that runs: of a task, or after the tasks, of an interrupt.
    pub(super) fn here(&self) -> usize {
        self.this_core().top.get()
    }

    pub(super) fn name(&self, context: usize) -> &str {
        self.plan.name_of(context)
    }

    /// The core that runs.
    pub(crate) fn core(&self) -> usize {
        self.core.get()
    }

    pub(crate) fn context_id(&self) -> ContextId {
        NonZeroUsize::MIN.saturating_add(self.here())
    }

    /// A panic begins in the current context.
    pub(crate) fn unwinds(&self) {
        self.contexts[self.here()].is_unwinding.set(true);
    }

    /// Whether a panic unwinds in the current context.
    pub(crate) fn is_unwinding(&self) -> bool {
        let is_unwinding = &self.contexts[self.here()].is_unwinding;
        if is_unwinding.get() && !std::thread::panicking() {
            // The application has caught the panic by itself.
            is_unwinding.set(false);
        }
        is_unwinding.get()
    }

    /// Calls code of the application that a catch surrounds.
    pub(crate) fn catching<R>(&self, code: impl FnOnce() -> R) -> R {
        let context = &self.contexts[self.here()];
        let before = context.is_unwinding.replace(false);
        let caught = code();
        context.is_unwinding.set(before);
        caught
    }

    pub(super) fn in_handler(&self) -> bool {
        self.this_core().level.get() > 0
    }

    /// The task that calls. In a handler there is none, and a call that has to wait fails the run.
    pub(crate) fn task_that_may_block(&self) -> Option<usize> {
        let here = self.here();
        if !self.in_handler() {
            return Some(here);
        }
        let call = self.label.get();
        // These two ask for a parker, and do not wait.
        if !matches!(call, "run_pending" | "scope") {
            self.fail(Cause::HandlerBlocks(call));
        }
        None
    }

    pub(crate) fn runs_in_blocked_callers(&self, pool: usize) -> bool {
        !self.plan.pools[pool].has_workers && self.plan.pools[pool].pends.is_none()
    }

    #[inline]
    pub(super) fn core_is_ready(&self, number: usize) -> bool {
        let core = &self.cores[number];
        if core.is_hung.get() || core.stalled_until.get() > self.time.get() {
            return false;
        }
        // Another task of the core may be the one that runs, if no interrupt is active.
        let only_top = core.is_masked.get() || core.level.get() > 0 || !core.is_shared;
        only_top && self.contexts[core.top.get()].state.get() == State::Ready
            || !core.is_masked.get() && self.may_go_on(number)
    }

    /// Whether a core can go on that has one task. It says yes only if [`core_is_ready`](Self::core_is_ready)
    /// does.
    #[inline(always)]
    pub(super) fn is_plainly_ready(&self, core: &Core) -> bool {
        !core.is_shared
            && !core.is_hung.get()
            && core.stalled_until.get() <= self.time.get()
            && self.contexts[core.top.get()].state.get() == State::Ready
    }

    /// Whether a core can go on whose context, or one of whose tasks, may have to wait.
    fn may_go_on(&self, number: usize) -> bool {
        let core = &self.cores[number];
        let is_ready = |context: usize| self.contexts[context].state.get() == State::Ready;
        let runs = core.level.get() == 0 && self.best_task(number).is_some_and(is_ready);
        runs || self.next_interrupt(number).is_some()
    }

    /// The priority of a task.
    pub(crate) fn priority_of(&self, task: usize) -> u8 {
        self.plan.tasks[task].priority
    }

    /// The task of the highest priority on a core that can go on or computes. The current one
    /// goes before its equals, unless its turn is over.
    pub(super) fn best_task(&self, core: usize) -> Option<usize> {
        let runs = |task: usize| {
            let state = self.contexts[task].state.get();
            matches!(state, State::Ready | State::Busy)
        };
        let current = self.cores[core].task.get();
        if !self.cores[core].is_shared {
            return runs(current).then_some(current);
        }
        let turn = self.cores[core].is_turn_over.get();
        let tasks = self.plan.tasks.iter().enumerate();
        tasks
            .filter(|&(task, plan)| plan.core == core && runs(task))
            .max_by_key(|&(task, plan)| (plan.priority, (task == current) != turn))
            .map(|(task, _)| task)
    }

    /// The task whose fiber is resumed if this core runs.
    #[inline]
    pub(super) fn next_task(&self, core: usize) -> usize {
        let place = &self.cores[core];
        let current = place.task.get();
        if !place.is_shared || place.level.get() > 0 || place.is_masked.get() {
            return current;
        }
        self.best_task(core).unwrap_or(current)
    }

    /// The pending interrupt of the highest priority on a core that may begin now.
    pub(super) fn next_interrupt(&self, core: usize) -> Option<usize> {
        if self.plan.interrupts.is_empty() || self.cores[core].is_masked.get() {
            return None;
        }
        let level = self.cores[core].level.get();
        let interrupts = self.plan.interrupts.iter().enumerate();
        interrupts
            .filter(|&(number, irq)| {
                let context = self.interrupt_context(number);
                irq.core == core
                    && irq.priority > level
                    && context.is_signalled.get()
                    && !context.is_active.get()
            })
            .max_by_key(|(number, irq)| (irq.priority, usize::MAX - number))
            .map(|(number, _)| number)
    }

    /// Each context, with the call that it is in: for a report.
    pub(super) fn contexts_now(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, context) in self.contexts.iter().enumerate() {
            let is_task = number < self.plan.tasks.len();
            if !is_task && !context.is_active.get() {
                continue;
            }
            let core = &self.cores[context.core];
            let doing = match context.state.get() {
                _ if core.is_hung.get() => "hangs",
                _ if core.stalled_until.get() > self.time.get() => "stalls",
                State::Ready => "can go on",
                State::Parked => "waits",
                State::Busy => "computes",
                State::Section => "waits for the critical section",
                State::Quiet => "waits until all else is done",
                State::Ended => "has ended",
            };
            let holds = match self.section.get() {
                Some(core) if core == context.core => ", its core holds the critical section",
                _ => "",
            };
            let place = self.places.place_of(number);
            let place = place.map_or(String::new(), |place| format!(" at {place}"));
            lines.push(format!(
                "{}: {doing}, last point `{}`{place}{holds}",
                self.name(number),
                if number == self.here() {
                    self.label.get()
                } else {
                    context.label.get()
                }
            ));
        }
        lines
    }
}
