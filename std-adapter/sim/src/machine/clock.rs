//! The virtual clock.

use std::{task::Waker, time::Duration};

use super::{Machine, NEVER, State};
use crate::{plan::Ticks, schedule::nanos};

impl Machine<'_> {
    pub(super) fn now_nanos(&self) -> u64 {
        let points = self.step.get() - self.time_step.get();
        self.time.get().saturating_add(points * self.pace)
    }

    pub(crate) fn now(&self) -> Duration {
        self.looks("now");
        Duration::from_nanos(self.now_nanos())
    }

    pub(super) fn set_time(&self, time: u64) {
        self.time.set(time.max(self.time.get()));
        self.time_step.set(self.step.get());
    }

    pub(super) fn pass_time(&self) {
        self.set_time(self.now_nanos());
        self.due();
    }

    /// The next time at which something happens by itself.
    pub(super) fn next_event(&self) -> u64 {
        let mut next = NEVER;
        for context in &self.contexts {
            if matches!(context.state.get(), State::Parked | State::Busy) {
                next = next.min(context.deadline.get());
            }
            next = next.min(context.next_tick.get());
        }
        for core in &self.cores {
            if core.stalled_until.get() > self.time.get() {
                next = next.min(core.stalled_until.get());
            }
            if core.is_hung.get() {
                next = next.min(core.hangs_until.get());
            }
        }
        // For one whose time has come, the alarm is pending. Its core may have to wait.
        for (at, _) in self.timers.borrow().iter() {
            if *at > self.time.get() {
                next = next.min(*at);
            }
        }
        next.min(self.heals_by.get())
    }

    /// Lets the time of the computation pass that has the core, and of no other there.
    pub(super) fn keep_time(&self, core: usize) {
        let place = &self.cores[core];
        let runs = if place.is_hung.get() || place.stalled_until.get() > self.time.get() {
            None
        } else if place.level.get() > 0 || place.is_masked.get() {
            Some(place.top.get())
        } else {
            self.best_task(core)
        };
        let now = self.now_nanos();
        let contexts = self.contexts.iter().enumerate();
        let computing = contexts
            .filter(|(_, context)| context.core == core && context.state.get() == State::Busy);
        for (number, context) in computing {
            match context.deadline.get() {
                NEVER if runs == Some(number) => {
                    context.deadline.set(now.saturating_add(context.left.get()));
                    self.look_soon();
                }
                NEVER => {}
                _ if runs == Some(number) => {}
                deadline => {
                    context.left.set(deadline.saturating_sub(now));
                    context.deadline.set(NEVER);
                }
            }
        }
    }

    /// Does all that is due by now.
    pub(super) fn due(&self) {
        let time = self.time.get();
        for (number, context) in self.contexts.iter().enumerate() {
            if context.deadline.get() <= time {
                self.set_ready(number);
            }
            if context.next_tick.get() <= time
                && let Some(interrupt) = number.checked_sub(self.plan.tasks.len())
                && let Some(ticks) = self.plan.interrupts[interrupt].ticks
            {
                self.pend(interrupt);
                self.set_next_tick(interrupt, ticks);
            }
        }
        let is_due = self.timers.borrow().iter().any(|(at, _)| *at <= time);
        if is_due && let Some(alarm) = self.plan.alarm {
            self.pend(alarm);
        }
        for (number, core) in self.cores.iter().enumerate() {
            let returns = core.is_hung.get() && core.hangs_until.get() <= time;
            let goes_on = core.stalled_until.get() > 0 && core.stalled_until.get() <= time;
            if returns {
                core.is_hung.set(false);
            }
            if goes_on {
                core.stalled_until.set(0);
            }
            if returns || goes_on {
                self.keep_time(number);
            }
        }
    }

    /// Wakes a waker when the time has come. A waker that is known already keeps the earlier time.
    pub(crate) fn wake_at(&self, at: Duration, waker: &Waker) {
        let at = nanos(at);
        // A clone is code of the application, so it is made before the list is borrowed.
        let new = waker.clone();
        let mut timers = self.timers.borrow_mut();
        let known = timers.iter_mut().find(|(_, known)| known.will_wake(&new));
        match known {
            Some((known, _)) => *known = at.min(*known),
            None => timers.push((at, new)),
        }
        self.look_soon();
    }

    /// Wakes a waker after a drawn time of at most `longest`.
    pub(crate) fn wake_after(&self, longest: Duration, waker: &Waker) {
        let at = self.drawn_end(Duration::ZERO, longest);
        self.wake_at(Duration::from_nanos(at), waker);
    }

    /// The handler of the alarm: wakes the wakers whose time has come.
    pub(crate) fn ring(&self) {
        loop {
            let now = self.now_nanos();
            let next = self.timers.borrow().iter().position(|(at, _)| *at <= now);
            let Some(next) = next else {
                break;
            };
            let (_, waker) = self.timers.borrow_mut().swap_remove(next);
            waker.wake();
        }
    }

    pub(super) fn set_next_tick(&self, number: usize, ticks: Ticks) {
        let context = self.interrupt_context(number);
        let last = match context.next_tick.get() {
            NEVER => self.time.get(),
            tick => tick,
        };
        let jitter = match ticks.jitter {
            0 => 0,
            most => self.draw_for(self.plan.tasks.len() + number, "tick", most),
        };
        let next = last.saturating_add(ticks.period).saturating_add(jitter);
        context.next_tick.set(next);
    }
}
