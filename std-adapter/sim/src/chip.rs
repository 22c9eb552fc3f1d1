//! The simulated chip, as the code on it sees it.

use std::{task::Waker, time::Duration};

use crate::{machine::Machine, plan::Interrupt, port::TaskParker, schedule::Span};

fn machine() -> &'static Machine<'static> {
    Machine::current().unwrap_or_else(|| {
        panic!("this function belongs to a simulation: call it in a scenario, a task or a handler")
    })
}

/// The chip, for the scenario. The functions of this module do the same, for code that has none.
#[derive(Debug)]
pub struct Chip(pub(crate) ());

impl Chip {
    /// The virtual time since power-on.
    pub fn now(&self) -> Duration {
        now()
    }

    /// Computes for a time of the range: see [`busy`].
    pub fn busy(&self, span: impl Into<Span>) {
        busy(span);
    }

    /// Pends an interrupt: its handler runs as soon as its core and its priority allow it.
    pub fn raise(&self, interrupt: Interrupt) {
        raise(interrupt);
    }

    /// The number of times that an interrupt has fired in this run.
    pub fn fired(&self, interrupt: Interrupt) -> usize {
        machine().fired(interrupt.0)
    }

    /// Waits until nothing else can happen but the ticks of timers. From here on, no interrupt fires
    /// by itself, and no fault happens.
    pub fn quiet(&self) {
        machine().quiet();
    }

    /// Ends the faults: stalled and hung cores go on, and no further fault happens. The scenario has
    /// to end within the limit of [`Sim::heal_within`](crate::Sim::heal_within).
    pub fn heal(&self) {
        machine().heal();
    }
}

/// The virtual time since power-on.
pub fn now() -> Duration {
    machine().now()
}

/// Computes for a time of the range. Other cores go on meanwhile. The time of an interrupt, or of a more
/// urgent task, of the same core comes on top.
pub fn busy(span: impl Into<Span>) {
    let span = span.into();
    machine().busy(span.least, span.most);
}

/// Lets the other tasks of the core run for a time of the range: an RTOS task's delay.
pub fn sleep(span: impl Into<Span>) {
    let span = span.into();
    machine().sleep(span.least, span.most);
}

/// Pends an interrupt: its handler runs as soon as its core and its priority allow it.
pub fn raise(interrupt: Interrupt) {
    machine().raise(interrupt.0);
}

/// The number of the core that calls.
pub fn core() -> usize {
    machine().core()
}

/// The parker of the task that calls. It sleeps until its waker is woken, or until the deadline, and
/// other cores go on meanwhile. It is a [`Worker`](corepool::Worker), too: for the worker of a link,
/// or for one with hooks of its own.
///
/// # Panics
///
/// A handler calls: it may not sleep.
pub fn parker() -> TaskParker {
    machine().looks("parker");
    match machine().task_that_may_block() {
        Some(task) => TaskParker { task },
        None => panic!("an interrupt handler may not sleep, so it has no parker"),
    }
}

/// Wakes a waker at a virtual time, from an interrupt of core 0 that is more urgent than all others:
/// for a driver of timers. The feature `embassy-time` has one.
///
/// A waker that has a time already keeps the earlier one.
pub fn wake_at(at: Duration, waker: &Waker) {
    machine().wake_at(at, waker);
}

/// A place at which other contexts may go on. Outside of a simulation it does nothing.
///
/// [`point!`](crate::point) gives it a name.
pub fn at(label: &'static str) {
    if let Some(machine) = Machine::current() {
        machine.at(label);
    }
}

/// A place at which a simulation may let other contexts go on: between two accesses of a word that
/// the application shares, for instance. It takes the name of its line, or the one that is given.
///
/// ```
/// corepool_sim::point!();
/// corepool_sim::point!("between load and store");
/// ```
#[macro_export]
macro_rules! point {
    () => {
        $crate::at(concat!("line ", line!()))
    };
    ($label:literal) => {
        $crate::at($label)
    };
}
