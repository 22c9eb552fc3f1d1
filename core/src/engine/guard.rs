//! The one door to foreign code: jobs, callbacks, destructors, wakers, ports and loggers.
//!
//! A panic in there is caught by the pool's port and goes to the future or to the port's
//! `unobserved_failure`. `core/FOREIGN.md` lists every such call and what the pool has in hand meanwhile.

use core::{cell::Cell, mem};

use crate::{
    error::Panic, lockfree::defer::Defer, machine::port::Port, memory::payload::UNWINDS,
    memory::pool::Pool,
};

/// The port, if a panic is to be caught.
#[cfg_attr(not(target_os = "none"), inline)]
fn net(pool: Pool<'_>) -> Option<&'static dyn Port> {
    if UNWINDS { pool.port() } else { None }
}

/// Calls `f`, with the port's net under it if there is one.
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn catch<R>(pool: Pool<'_>, f: impl FnOnce() -> R) -> Result<R, Panic> {
    match net(pool) {
        Some(port) => catch_by(pool, port, f),
        None => Ok(f()),
    }
}

/// Calls `f`, with a net under it.
///
/// What became of `f` is seen here, and not believed of the port: `Ok` is what it returned, whatever the
/// port says, and a port that has not called it has it called without a net.
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

/// Calls `f`, and reports it if it panics.
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
    // A port that unwinds before it has called has it called without a net.
    let _called = Defer(call);
    if let Err(panic) = catch_by(pool, port, call) {
        report(pool, panic);
    }
}

/// A failure that nobody asked for.
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
    // The port panics as it is told, or the payload as it is dropped. Another call would do no better.
    mem::forget((told, panic));
}
