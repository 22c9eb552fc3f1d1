//! Decisions: the events that the schedule chooses at a point.

use super::{Machine, NEVER, State};
use crate::{
    choice::{Events, Open, cores::Cores},
    schedule::{Action, Deviation},
};

impl Open for Machine<'_> {
    fn core(&self) -> usize {
        self.core.get()
    }

    #[inline]
    fn ready(&self) -> Cores {
        Cores::that(self.cores.len(), |other| {
            other != self.core.get() && self.core_is_ready(other)
        })
    }

    #[inline]
    fn rivals(&self) -> Cores {
        let address = self.address.get();
        Cores::that(self.cores.len(), |other| {
            other != self.core.get() && self.cores[other].address.get() == address
        })
    }

    fn events(&self) -> Events {
        let mut events = Events::default();
        if self.is_calm.get() {
            return events;
        }
        let core = self.core.get();
        events.interrupts = self.spontaneous();
        let here = &self.contexts[self.cores[core].task.get()];
        if self.stalls_left.get() > 0 {
            events.stall = Some(self.plan.stalls.longest);
        }
        if let Some(hang) = &self.plan.hangs[core]
            && self.hangs.get() == 0
            && !self.in_handler()
            && self.section.get() != Some(core)
            && !self.this_core().is_masked.get()
            && (!hang.in_a_job || here.jobs.get() > 0)
        {
            events.hang = Some(hang.returns);
        }
        if self.plan.spurious {
            let tasks = self.contexts[..self.plan.tasks.len()].iter().enumerate();
            events.parked.extend(
                tasks
                    .filter(|(_, task)| task.state.get() == State::Parked)
                    .map(|(number, _)| number),
            );
        }
        events
    }
}

impl Machine<'_> {
    /// Asks the schedule whether something happens here.
    pub(super) fn ask(&self, label: &'static str) {
        let (step, here) = (self.step.get(), self.here());
        let visit = self.visit_of(here, label);
        let action = {
            let mut chooser = self.chooser.borrow_mut();
            if !chooser.is_due(step) {
                return;
            }
            chooser.choose(step, (self.name(here), label, visit), self)
        };
        if let Some(action) = action {
            self.set_time(self.now_nanos());
            self.carry_out(action, label, visit);
        }
    }

    /// The interrupts that may fire by themselves now.
    pub(super) fn spontaneous(&self) -> Vec<usize> {
        if self.is_calm.get() {
            return Vec::new();
        }
        let numbers = 0..self.plan.interrupts.len();
        numbers
            .filter(|&number| {
                let context = self.interrupt_context(number);
                context.spontaneous_left.get() > 0
                    && !context.is_active.get()
                    && !context.is_signalled.get()
            })
            .collect()
    }

    /// An interrupt fires by itself.
    pub(super) fn fire(&self, number: usize) {
        let left = &self.interrupt_context(number).spontaneous_left;
        left.set(left.get() - 1);
        self.pend(number);
    }

    /// The number of this visit of a context to a label, from 1. 0 in a run that is not recorded.
    pub(super) fn visit_of(&self, context: usize, label: &'static str) -> u32 {
        match self.is_traced {
            true => self.trace.borrow_mut().visit(context, label),
            false => 0,
        }
    }

    pub(super) fn note(&self, context: &str, label: &str, visit: u32, action: Action) {
        if self.is_traced {
            self.deviations.borrow_mut().push(Deviation {
                context: context.into(),
                label: label.into(),
                visit,
                action,
            });
            self.trace.borrow_mut().deviation();
        }
    }

    pub(super) fn carry_out(&self, action: Action, label: &'static str, visit: u32) {
        let here = self.here();
        let known = match action {
            Action::Switch(core) => {
                core < self.cores.len() && core != self.core.get() && self.core_is_ready(core)
            }
            // A given schedule may ask for more than a seed does.
            _ if self.is_calm.get() => false,
            Action::Fire(number) => {
                number < self.plan.interrupts.len()
                    && self.interrupt_context(number).spontaneous_left.get() > 0
            }
            Action::Stall(core, _) => core < self.cores.len() && self.stalls_left.get() > 0,
            Action::Hang(_) => {
                self.plan.hangs[self.core.get()].is_some() && !self.this_core().is_masked.get()
            }
            Action::Wake(task) => task < self.plan.tasks.len(),
            Action::Draw(_) => false,
        };
        if !known {
            return;
        }
        self.note(self.name(here), label, visit, action);
        match action {
            Action::Switch(core) => self.leave(core),
            Action::Fire(number) => {
                self.fire(number);
                let core = self.plan.interrupts[number].core;
                if core == self.core.get() {
                    self.serve_interrupts();
                } else if self.core_is_ready(core) {
                    self.leave(core);
                }
            }
            Action::Stall(core, nanos) => {
                self.stalls_left.set(self.stalls_left.get() - 1);
                self.stalls.set(self.stalls.get() + 1);
                self.stall(core, nanos);
            }
            Action::Hang(nanos) => {
                self.hangs.set(self.hangs.get() + 1);
                let core = self.this_core();
                core.is_hung.set(true);
                self.keep_time(self.core.get());
                core.hangs_until
                    .set(nanos.map_or(NEVER, |nanos| self.time.get().saturating_add(nanos)));
                self.look_soon();
                self.switch_away();
            }
            Action::Wake(task) => self.set_ready(task),
            Action::Draw(_) => {}
        }
    }

    /// A core stands still for this time, and its computation takes longer by it.
    fn stall(&self, core: usize, nanos: u64) {
        let until = self.time.get().saturating_add(nanos);
        self.cores[core].stalled_until.set(until);
        self.keep_time(core);
        self.look_soon();
        if core == self.core.get() {
            self.switch_away();
        }
    }

    /// A drawn value from 0 to `most`, for a context.
    pub(super) fn draw_for(&self, context: usize, label: &'static str, most: u64) -> u64 {
        let visit = self.visit_of(context, label);
        let place = (self.name(context), label, visit);
        let value = self.chooser.borrow_mut().draw(place, most);
        if value != 0 {
            self.note(place.0, label, visit, Action::Draw(value));
        }
        value
    }
}
