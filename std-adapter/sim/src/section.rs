//! The critical section of the simulated chip: it masks the interrupts of its core, and takes a lock
//! against the other cores.
//!
//! A thread of the host that simulates nothing gets a lock between threads.

use std::{cell::Cell, sync::Mutex, sync::MutexGuard};

use critical_section::{Impl, RawRestoreState};

use crate::machine::Machine;

struct Section;

critical_section::set_impl!(Section);

/// The section is the caller's already: it is nested.
const NESTED: RawRestoreState = 1;
/// The section was free.
const OUTERMOST: RawRestoreState = 0;

static HOST: Mutex<()> = Mutex::new(());

thread_local! {
    static HELD: Cell<Option<MutexGuard<'static, ()>>> = const { Cell::new(None) };
}

// SAFETY: in a simulation, all contexts are on one thread. `enter_section` returns only when no other
// core holds the section, and no interrupt of this core fires before `leave_section`. On a thread
// of the host, `HOST` is locked from the outermost `acquire` to its `release`.
unsafe impl Impl for Section {
    unsafe fn acquire() -> RawRestoreState {
        if let Some(machine) = Machine::current() {
            return match machine.enter_section() {
                true => NESTED,
                false => OUTERMOST,
            };
        }
        let held = HELD.take();
        let state = match held {
            Some(_) => NESTED,
            None => OUTERMOST,
        };
        // A poisoned lock is as good: the section protects no data of its own.
        HELD.set(Some(held.unwrap_or_else(|| {
            HOST.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        })));
        state
    }

    unsafe fn release(state: RawRestoreState) {
        if let Some(machine) = Machine::current() {
            machine.leave_section(state == NESTED);
        } else if state == OUTERMOST {
            HELD.set(None);
        }
    }
}
