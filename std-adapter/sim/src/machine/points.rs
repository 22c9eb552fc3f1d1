//! Points: the places at which another context may go on.

use std::{hash::Hasher as _, ptr};

use corepool::sim::Point;
use rustc_hash::FxHasher;

use super::{
    Context, Core, FAIR, LONGEST_LOOK, LOOKS, LOOKS_STEP, MOST_LOOKS, MOST_POINTS, Machine, NEVER,
    State,
};
use crate::{crash, failure::Cause, schedule::Granularity};

impl Machine<'_> {
    /// The hook of the core.
    pub(crate) fn hook(point: Point, address: *const ()) {
        let Some(machine) = Self::current() else {
            return crate::one_at_a_time::host_thread_at(address);
        };
        match point {
            Point::Call(name) => machine.point(name),
            Point::Look(name) => machine.looks(name),
            Point::JobBegins => machine.job_begins(),
            Point::JobEnds => machine.job_ends(),
            Point::Spin => machine.spin(),
            Point::Atomic | Point::Cell | Point::Fence => {
                machine.address.set(address);
                if machine.granularity == Granularity::Atomics {
                    machine.visit(match point {
                        Point::Atomic => "atomic",
                        Point::Cell => "cell",
                        _ => "fence",
                    });
                }
                if point != Point::Fence {
                    machine.note_access(address);
                    machine.note_static(address.addr());
                }
            }
        }
    }

    /// The current context accesses this address now, or, at null, memory of the application's own.
    #[inline]
    fn note_access(&self, address: *const ()) {
        if let Some(footprint) = &self.footprint {
            footprint.borrow_mut().access(self.here(), address.addr());
        }
    }

    /// Notes a static that the core accesses and the plan does not name: it keeps its state from run to
    /// run.
    #[inline]
    fn note_static(&self, address: usize) {
        let (start, end) = self.extent;
        if (start..end).contains(&address)
            && !self
                .plan
                .statics
                .iter()
                .any(|known| known.overlaps((address, address + 1)))
        {
            self.unnamed
                .set(Some(self.unnamed.get().unwrap_or(address)));
        }
    }

    /// A point of the application.
    pub(crate) fn at(&self, label: &'static str) {
        self.looks(label);
        self.note_access(ptr::null());
        if self.is_traced {
            self.trace.borrow_mut().names(label);
        }
    }

    /// A point before a call that may change something.
    #[inline]
    pub(crate) fn point(&self, label: &'static str) {
        self.is_spinning.set(false);
        self.active_at.set(self.step.get());
        self.label.set(label);
        self.visit(label);
    }

    /// A point before a call that only looks.
    #[inline]
    pub(crate) fn looks(&self, label: &'static str) {
        self.label.set(label);
        self.visit(label);
    }

    #[inline]
    pub(super) fn visit(&self, label: &'static str) {
        let step = self.step.get() + 1;
        self.step.set(step);
        if step >= self.next_look.get() {
            self.look(label);
        }
    }

    /// A look at everything: time, interrupts, tasks, and the schedule. If nothing but the schedule needs
    /// it, at the schedule alone.
    #[cold]
    pub(super) fn look(&self, label: &'static str) {
        if !self.is_look_wanted.get() && self.step.get() < self.next_event_look.get() {
            if !self.is_unwinding() {
                self.ask(label);
            }
            return self.plan_next_look();
        }
        if self.step.get() > MOST_POINTS {
            return self.fail(Cause::NoEnd(MOST_POINTS, self.contexts_now()));
        }
        crash::beat();
        // Other cores may run before the next one is planned.
        self.next_event_look.set(0);
        self.pass_time();
        self.hurry();
        self.note_point(label);
        // No switch while a panic unwinds, unless the context has to wait.
        if !self.is_unwinding() {
            self.is_look_wanted.set(false);
            self.serve_interrupts();
            self.preempt();
            if self.step.get() - self.since.get() > FAIR {
                self.let_others_run(self.this_core(), &self.contexts[self.here()]);
            }
            self.ask(label);
        }
        self.plan_next_event_look();
        self.plan_next_look();
    }

    /// Lets time pass faster, or ends the run, if contexts only look and wait for something.
    pub(super) fn hurry(&self) {
        let looks = self.step.get() - self.active_at.get();
        if looks < LOOKS || !looks.is_multiple_of(LOOKS_STEP) || !self.others_wait() {
            return;
        }
        if self.main_has_ended.get() && self.has_come_to_its_end() {
            return self.leave(self.core.get());
        }
        if looks == LOOKS {
            self.idle_since.set(self.time.get());
        }
        match self.next_event() {
            NEVER
                if looks > MOST_LOOKS && self.is_spinning.get() && self.quiet_task().is_none() =>
            {
                self.fail(Cause::Deadlock(self.contexts_now()));
            }
            next => {
                // A little more than before, so that a loop that looks at the clock is not late.
                let ahead = (self.time.get() - self.idle_since.get()) / 32 + self.pace;
                let latest = self.idle_since.get().saturating_add(LONGEST_LOOK);
                let time = self.time.get().saturating_add(ahead);
                self.set_time(time.min(next).min(latest));
                self.due();
            }
        }
        if let Some(task) = self.quiet_task() {
            self.contexts[task].state.set(State::Ready);
        }
    }

    /// The other cores, from the next one on.
    pub(super) fn others_in_order(&self) -> impl Iterator<Item = usize> + use<> {
        let current = self.core.get();
        (current + 1..self.cores.len()).chain(0..current)
    }

    /// Whether each other core waits, be it in a loop.
    pub(super) fn others_wait(&self) -> bool {
        let current = self.core.get();
        (0..self.cores.len()).all(|core| {
            core == current || self.cores[core].is_spinning.get() || !self.core_is_ready(core)
        })
    }

    pub(super) fn note_point(&self, label: &'static str) {
        if !self.is_traced {
            return;
        }
        let here = self.here();
        let mut hash = FxHasher::default();
        hash.write_u64(self.hash.get());
        hash.write(label.as_bytes());
        hash.write_usize(here);
        hash.write_u64(self.time.get());
        self.hash.set(hash.finish());
        self.trace
            .borrow_mut()
            .point(self.step.get(), self.time.get(), here, label);
        self.places.note(self.step.get(), here);
    }

    /// The next point to look at, for another reason than the schedule.
    fn plan_next_event_look(&self) {
        let step = self.step.get();
        let next = if self.is_traced {
            0
        } else {
            let by_time = match self.next_event() {
                NEVER => NEVER,
                event => step + event.saturating_sub(self.time.get()).div_ceil(self.pace),
            };
            let looks = step - self.active_at.get();
            let by_looks =
                self.active_at.get() + (looks + 1).next_multiple_of(LOOKS_STEP).max(LOOKS);
            let by_turn = (self.since.get() + FAIR + 1).min(MOST_POINTS + 1);
            by_time.min(by_looks).min(by_turn)
        };
        self.next_event_look.set(next.max(step + 1));
    }

    fn plan_next_look(&self) {
        let next = match self.is_look_wanted.get() {
            true => 0,
            false => {
                let by_choice = self.chooser.borrow().next_look(self.step.get());
                by_choice.min(self.next_event_look.get())
            }
        };
        self.next_look.set(next.max(self.step.get() + 1));
    }

    /// The next point is to be looked at.
    pub(super) fn look_soon(&self) {
        self.next_look.set(0);
        self.is_look_wanted.set(true);
    }

    /// Lets a task of a higher priority on this core run.
    pub(super) fn preempt(&self) {
        let next = self.next_task(self.core.get());
        if next != self.this_core().task.get() {
            self.leave(self.core.get());
        }
    }

    /// Lets the next core run, or else another task of this one. The caller is `here`, on `core`.
    #[inline(always)]
    pub(super) fn let_others_run(&self, core: &Core, here: &Context) {
        core.is_turn_over.set(true);
        let (current, cores) = (self.core.get(), &*self.cores);
        let next = match current + 1 {
            next if next < cores.len() => next,
            _ => 0,
        };
        if next != current && self.is_plainly_ready(&cores[next]) {
            self.leave_from(core, here, next);
        } else {
            self.let_any_run(core, here);
        }
    }

    /// As [`let_others_run`](Self::let_others_run), where it takes a longer look.
    #[inline(never)]
    fn let_any_run(&self, core: &Core, here: &Context) {
        let next = self
            .others_in_order()
            .find(|&next| self.core_is_ready(next));
        match next {
            Some(next) => self.leave_from(core, here, next),
            None => {
                self.since.set(self.step.get());
                self.preempt();
            }
        }
    }
}
