//! The one door to foreign code: jobs, callbacks, destructors, wakers, ports and loggers.
//!
//! The pool's port catches a panic of foreign code. The panic goes to the job's future, or to the
//! port's `unobserved_failure`. `core/FOREIGN.md` lists every such call, and the state that the
//! pool leaves if the call unwinds.

use core::{cell::Cell, mem};

use crate::{
    error::Panic, lockfree::defer::Defer, machine::port::Port, memory::payload::UNWINDS,
    memory::pool::Pool,
};

/// The port, if panics unwind and the pool has one.
#[cfg_attr(not(target_os = "none"), inline)]
fn net(pool: Pool<'_>) -> Option<&'static dyn Port> {
    if UNWINDS { pool.port() } else { None }
}

/// Calls `f`. The port catches a panic, if there is a port.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn catch<R>(pool: Pool<'_>, f: impl FnOnce() -> R) -> Result<R, Panic> {
    match net(pool) {
        Some(port) => catch_by(pool, port, f),
        None => Ok(f()),
    }
}

/// Calls `f`, and has the port catch a panic.
///
/// The result of `f` is recorded here, and the port's answer does not change it. `Ok` is the value
/// that `f` returned, even if the port returns an error. If the port has not called `f`, it is
/// called here, without a catch.
#[cfg_attr(not(target_os = "none"), inline)]
fn catch_by<R>(pool: Pool<'_>, port: &dyn Port, f: impl FnOnce() -> R) -> Result<R, Panic> {
    let (mut f, mut result) = (Some(f), None);
    let caught = port.catch_panic(&mut || {
        if let Some(f) = f.take() {
            result = Some(f());
        }
    });
    match (result, f, caught) {
        (Some(result), _, Ok(())) => Ok(result),
        (Some(result), _, Err(panic)) => {
            report(pool, panic);
            Ok(result)
        }
        (None, Some(f), _) => Ok(f()),
        (None, None, caught) => Err(caught.err().unwrap_or(Panic::unknown())),
    }
}

/// Calls `f`, and reports a panic of it.
pub(crate) fn call(pool: Pool<'_>, f: &mut dyn FnMut()) {
    let Some(port) = net(pool) else {
        return f();
    };
    let f = Cell::new(Some(f));
    let call = || {
        if let Some(f) = f.take() {
            f();
        }
    };
    // If the port unwinds before it has called `f`, this calls `f` without a catch.
    let _called = Defer(call);
    if let Err(panic) = catch_by(pool, port, call) {
        report(pool, panic);
    }
}

/// Reports a panic that no other party observes.
#[cold]
pub(crate) fn report(pool: Pool<'_>, panic: Panic) {
    let Some(port) = pool.port() else {
        return;
    };
    let mut panic = Some(panic);
    let told = port.catch_panic(&mut || {
        if let Some(panic) = panic.take() {
            port.unobserved_failure(panic);
        }
    });
    // If the port panics here, or the panic's payload as it is dropped, both are forgotten. A
    // second report would fail in the same way.
    mem::forget((told, panic));
}
