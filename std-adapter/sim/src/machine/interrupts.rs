//! Interrupts and critical sections.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Machine, NEVER, State};
use crate::failure::Cause;

impl Machine<'_> {
    pub(crate) fn pend(&self, number: usize) {
        self.interrupt_context(number).is_signalled.set(true);
        self.look_soon();
    }

    pub(crate) fn raise(&self, number: usize) {
        self.point("raise");
        self.pend(number);
        self.point("raised");
    }

    pub(crate) fn pend_for(&self, pool: usize) {
        self.point("no idle worker");
        if let Some(interrupt) = self.plan.pools[pool].pends {
            self.pend(interrupt);
        }
    }

    pub(crate) fn fired(&self, number: usize) -> usize {
        self.interrupt_context(number).fired.get() as usize
    }

    /// Runs the pending interrupts of this core that may run now.
    pub(super) fn serve_interrupts(&self) {
        while let Some(number) = self.next_interrupt(self.core.get()) {
            if self.cannot_run() {
                break;
            }
            self.serve(number);
        }
    }

    pub(super) fn serve(&self, number: usize) {
        let irq = &self.plan.interrupts[number];
        let core = self.this_core();
        let context = self.interrupt_context(number);
        context.is_signalled.set(false);
        context.is_active.set(true);
        context.fired.set(context.fired.get() + 1);
        context.state.set(State::Ready);
        let interrupted = core.top.replace(self.plan.tasks.len() + number);
        self.save(core, &self.contexts[interrupted]);
        context.yielder.set(self.yielder.get());
        let level = core.level.replace(irq.priority);
        let depth = {
            let mut active = core.active.borrow_mut();
            active.push(number);
            active.len()
        };
        self.depth.set(self.depth.get().max(depth));
        self.keep_time(self.core.get());
        self.point("handler");
        if let Err(payload) = self.catching(|| catch_unwind(AssertUnwindSafe(|| (irq.handler)()))) {
            self.fail_by_panic(&*payload);
        }
        self.point("handler end");
        if core.is_masked.get() {
            self.fail(Cause::SectionHeld("the end of a handler"));
        }
        core.active.borrow_mut().pop();
        core.top.set(interrupted);
        self.restore(core, &self.contexts[interrupted]);
        core.level.set(level);
        context.is_active.set(false);
        self.keep_time(self.core.get());
    }

    /// Whether the section was this core's already.
    pub(crate) fn enter_section(&self) -> bool {
        let core = self.core.get();
        if self.section.get() == Some(core) {
            return true;
        }
        self.point("section");
        self.this_core().is_masked.set(true);
        while self.section.get().is_some() {
            self.block(State::Section, NEVER);
        }
        self.section.set(Some(core));
        self.visit("in section");
        false
    }

    pub(crate) fn leave_section(&self, is_nested: bool) {
        if is_nested {
            return;
        }
        self.visit("section end");
        self.section.set(None);
        self.this_core().is_masked.set(false);
        for number in 0..self.contexts.len() {
            if self.contexts[number].state.get() == State::Section {
                self.set_ready(number);
            }
        }
        self.look_soon();
        self.visit("after section");
    }
}
