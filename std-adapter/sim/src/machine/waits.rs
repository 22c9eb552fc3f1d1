//! Waits: a context gives its core away until something happens, or for a time.

use std::{ptr, time::Duration};

use super::{CURRENT, LONGEST_WAIT, MOST_AFTER, MOST_JUMPS, Machine, NEVER, State};
use crate::{
    choice::cores::Cores,
    failure::Cause,
    schedule::{Action, nanos},
};

impl Machine<'_> {
    /// Lets another core run, and comes back when this one is chosen again.
    pub(super) fn switch_away(&self) {
        let next = self.choose_core();
        let core = self.core.get();
        let stays = next == core && self.next_task(core) == self.this_core().task.get();
        if !stays || self.has_ended.get() {
            self.leave(next);
        }
    }

    /// The core that runs next, if the current context cannot go on. Time passes until one can. If
    /// the run has ended, it does not matter.
    pub(super) fn choose_core(&self) -> usize {
        let count = self.cores.len();
        let current = self.core.get();
        for _ in 0..MOST_JUMPS {
            self.due();
            let ready = Cores::that(count, |core| self.core_is_ready(core));
            let mut in_order = self.others_in_order().chain([current]);
            if let Some(first) = in_order.find(|&core| ready.has(core)) {
                return match ready.count() {
                    1 => first,
                    _ => self.choose_among(first, ready),
                };
            }
            if self.main_has_ended.get() && self.has_come_to_its_end() {
                return current;
            }
            if let Some(quiet) = self.quiet_task() {
                self.contexts[quiet].state.set(State::Ready);
                continue;
            }
            let event = self.next_event();
            if self.fires_before(event) {
                continue;
            }
            match event {
                NEVER => {
                    if self.main_has_ended.get() {
                        // A slot may be lost, which the end of the run looks at.
                        self.has_ended.set(true);
                    } else {
                        self.end_as_failed(Cause::Deadlock(self.contexts_now()));
                    }
                    return current;
                }
                at => self.set_time(at),
            }
            if self.time.get() >= self.heals_by.get() && !self.main_has_ended.get() {
                let limit = self.plan.heal_limit;
                self.end_as_failed(Cause::NotHealed(limit, self.contexts_now()));
                return current;
            }
        }
        self.end_as_failed(Cause::Deadlock(self.contexts_now()));
        current
    }

    /// While every context waits for `event`, an interrupt may fire by itself, at a drawn time.
    pub(super) fn fires_before(&self, event: u64) -> bool {
        let interrupts = self.spontaneous();
        if interrupts.is_empty() {
            return false;
        }
        let here = self.here();
        let visit = self.visit_of(here, "waiting");
        let place = (self.name(here), "waiting", visit);
        let chosen = self
            .chooser
            .borrow_mut()
            .fires_while_waiting(place, &interrupts);
        let Some(number) = chosen.filter(|number| interrupts.contains(number)) else {
            return false;
        };
        self.note(place.0, place.1, visit, Action::Fire(number));
        let ahead = match event {
            NEVER => LONGEST_WAIT,
            event => (event - self.time.get()).saturating_sub(1),
        };
        let moment = match ahead {
            0 => 0,
            ahead => self.draw_for(here, "moment", ahead),
        };
        self.set_time(self.time.get().saturating_add(moment));
        self.fire(number);
        true
    }

    /// The schedule's choice among cores that can run. The first is the plain order's.
    pub(super) fn choose_among(&self, first: usize, ready: Cores) -> usize {
        let label = "next core";
        let here = self.here();
        let visit = self.visit_of(here, label);
        let place = (self.name(here), label, visit);
        let chosen = self.chooser.borrow_mut().choose_core(place, first, ready);
        if chosen != first {
            self.note(place.0, label, visit, Action::Switch(chosen));
        }
        chosen
    }

    /// After the end of the test: whether the rest is done as well. It sets the end.
    pub(super) fn has_come_to_its_end(&self) -> bool {
        // The pools are asked without a point.
        let machine = CURRENT.replace(ptr::null());
        let settled = self.is_settled();
        CURRENT.set(machine);
        if settled {
            self.has_ended.set(true);
        } else if self.time.get().saturating_sub(self.ended_at.get()) > MOST_AFTER {
            self.end_as_failed(Cause::Deadlock(self.contexts_now()));
        }
        self.has_ended.get()
    }

    /// The task that waits until nothing else can happen, if that is so: no interrupt is pending and
    /// no context computes.
    pub(super) fn quiet_task(&self) -> Option<usize> {
        let tasks = 0..self.plan.tasks.len();
        let quiet = tasks
            .into_iter()
            .find(|&task| self.contexts[task].state.get() == State::Quiet)?;
        let computes = self.contexts.iter().any(|context| {
            context.state.get() == State::Busy && !self.cores[context.core].is_hung.get()
        });
        let stalls = self
            .cores
            .iter()
            .any(|core| core.stalled_until.get() > self.time.get());
        (!computes && !stalls).then_some(quiet)
    }

    /// Makes the current context wait for another state of its own. Interrupts of its core run
    /// meanwhile.
    pub(super) fn block(&self, state: State, deadline: u64) {
        self.pass_time();
        let here = &self.contexts[self.here()];
        here.state.set(state);
        here.deadline.set(deadline);
        self.keep_time(self.core.get());
        loop {
            if !self.is_unwinding() {
                self.serve_interrupts();
            }
            if here.state.get() == State::Ready && !self.cannot_run() {
                break;
            }
            // The others have to look when the deadline comes.
            self.look_soon();
            self.switch_away();
        }
        here.deadline.set(NEVER);
        self.look_soon();
    }

    /// Whether the current core has to leave the stage: it hangs, it stalls, or another task runs.
    pub(super) fn cannot_run(&self) -> bool {
        let core = self.this_core();
        core.is_hung.get() || core.stalled_until.get() > self.time.get()
    }

    pub(super) fn set_ready(&self, context: usize) {
        let state = &self.contexts[context].state;
        if matches!(state.get(), State::Parked | State::Busy | State::Section) {
            state.set(State::Ready);
            self.keep_time(self.contexts[context].core);
            self.look_soon();
        }
    }

    pub(crate) fn park(&self, deadline: Option<Duration>) {
        let here = self.here();
        self.point("park");
        if self.this_core().is_masked.get() {
            return self.fail(Cause::SectionHeld("park"));
        }
        let context = &self.contexts[here];
        if !context.is_signalled.get() {
            self.block(State::Parked, deadline.map_or(NEVER, nanos));
        }
        context.is_signalled.set(false);
        self.point("park end");
    }

    pub(crate) fn wake(&self, task: usize) {
        self.point("wake");
        let context = &self.contexts[task];
        context.is_signalled.set(true);
        if context.state.get() == State::Parked {
            self.set_ready(task);
        }
    }

    /// A job begins or ends on the stack of the current task.
    pub(super) fn count_job(&self, change: i32) {
        let jobs = &self.contexts[self.this_core().task.get()].jobs;
        jobs.set(jobs.get().saturating_add_signed(change));
    }

    pub(super) fn job_begins(&self) {
        self.jobs.set(self.jobs.get() + 1);
        self.count_job(1);
        self.point("job");
    }

    pub(super) fn job_ends(&self) {
        self.count_job(-1);
        self.point("job end");
    }

    /// Lets the other tasks of the core run for a drawn time.
    pub(crate) fn sleep(&self, least: Duration, most: Duration) {
        if self.in_handler() {
            return self.fail(Cause::HandlerBlocks("sleep"));
        }
        self.point("sleep");
        if self.this_core().is_masked.get() {
            return self.fail(Cause::SectionHeld("sleep"));
        }
        let until = self.drawn_end(least, most);
        self.block(State::Parked, until);
        self.point("sleep end");
    }

    /// The end of a span that begins now.
    pub(super) fn drawn_end(&self, least: Duration, most: Duration) -> u64 {
        let range = nanos(most.saturating_sub(least));
        let drawn = match range {
            0 => 0,
            range => self.draw_for(self.here(), "time", range),
        };
        self.now_nanos()
            .saturating_add(nanos(least))
            .saturating_add(drawn)
    }

    /// Computes for a drawn time.
    pub(crate) fn busy(&self, least: Duration, most: Duration) {
        self.point("busy");
        let until = self.drawn_end(least, most);
        self.block(State::Busy, until);
        self.point("busy end");
    }

    /// Waits until all other contexts are done. No further interrupt fires by itself, and no further
    /// fault happens.
    pub(crate) fn quiet(&self) {
        if self.in_handler() {
            return self.fail(Cause::HandlerBlocks("quiet"));
        }
        self.point("quiet");
        self.is_calm.set(true);
        self.block(State::Quiet, NEVER);
        self.point("quiet end");
    }

    /// No further fault happens, and hung cores go on. The test has to end in time.
    pub(crate) fn heal(&self) {
        self.point("heal");
        self.is_calm.set(true);
        for (number, core) in self.cores.iter().enumerate() {
            core.is_hung.set(false);
            core.stalled_until.set(0);
            self.keep_time(number);
        }
        self.look_soon();
        let limit = nanos(self.plan.heal_limit);
        self.heals_by.set(self.now_nanos().saturating_add(limit));
    }

    /// The context waits for another in a loop.
    ///
    /// The hook ends with it, and it ends with a switch. So the compiler makes jumps of both calls: see
    /// [`leave_from`](Self::leave_from).
    #[inline(never)]
    pub(crate) fn spin(&self) {
        self.is_spinning.set(true);
        let step = self.step.get() + 1;
        let core = self.this_core();
        let here = &self.contexts[core.top.get()];
        if step >= self.next_look.get() || self.hears_of_spins || here.is_unwinding.get() {
            return self.spin_and_look();
        }
        self.step.set(step);
        self.let_others_run(core, here);
    }

    /// The context waits for another in a loop, and there may be more to do at this point.
    #[inline(never)]
    fn spin_and_look(&self) {
        if self.hears_of_spins {
            self.chooser.borrow_mut().spins(self.core.get());
        }
        self.visit("spin");
        if !self.is_unwinding() {
            let core = self.this_core();
            self.let_others_run(core, &self.contexts[core.top.get()]);
        }
    }
}
