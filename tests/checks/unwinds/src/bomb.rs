//! The calls into foreign code, counted, and the one of them that panics.

use std::{
    any::Any,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

/// One call: what is called, and for the how-manieth time, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) nth: usize,
}

/// The payload of the call that is to panic.
pub(crate) struct Bomb;

#[derive(Default)]
struct Calls {
    armed: bool,
    counts: HashMap<&'static str, usize>,
    trace: Vec<Call>,
    bomb: Option<Call>,
    gone_off: bool,
}

static CALLS: Mutex<Option<Calls>> = Mutex::new(None);

fn calls() -> MutexGuard<'static, Option<Calls>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts from now on; `bomb` is the call that panics.
pub(crate) fn arm(bomb: Option<Call>) {
    *calls() = Some(Calls {
        armed: true,
        bomb,
        ..Calls::default()
    });
}

/// Nothing panics any more. Says whether the bomb went off.
pub(crate) fn disarm() -> bool {
    let mut calls = calls();
    let calls = calls.get_or_insert_default();
    calls.armed = false;
    calls.gone_off
}

/// All calls since `arm`, in their order.
pub(crate) fn trace() -> Vec<Call> {
    calls()
        .as_ref()
        .map_or(Vec::new(), |calls| calls.trace.clone())
}

/// Foreign code is called. It panics if it is its turn.
///
/// A destructor that panics while a panic unwinds ends the program, whoever calls it: no bomb goes off there.
pub(crate) fn foreign(name: &'static str) {
    if thread::panicking() {
        return;
    }
    let mut calls = calls();
    let Some(now) = calls.as_mut().filter(|calls| calls.armed) else {
        return;
    };
    let count = now.counts.entry(name).or_default();
    *count += 1;
    let call = Call { name, nth: *count };
    now.trace.push(call);
    if now.bomb == Some(call) {
        now.gone_off = true;
        drop(calls);
        panic_any(Bomb);
    }
}

/// Calls `f`. A panic that is part of the scenario ends here; any other goes on.
pub(crate) fn attempt<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => Some(result),
        Err(payload) if is_expected(&*payload) => {
            // A payload may have a destructor that is to panic.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            None
        }
        Err(payload) => resume_unwind(payload),
    }
}

/// Whether somebody of the scenario has panicked with it, and not the pool.
pub(crate) fn is_expected(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Bomb>() || payload.is::<crate::value::Payload>()
}
