//! The contexts of a core: its thread, and the handlers that interrupt it.

use super::arch;
use crate::machine::port::ContextId;

/// The name of the calling context, for a [`Port`](crate::Port) of one core. Contexts that can be
/// under way at the same time on a core have different names.
///
/// On a Cortex-M, this is the exception's number plus one. On other chips it is the number of handlers
/// that are under way, plus one: see `in_handler` of `riscv`, `aarch64` or `aarch32`.
///
/// * **Context**: any.
/// * **Cost**: O(1), a few instructions.
///
/// ```no_run
/// use corepool::{ContextId, ports::context};
///
/// /// For a `Port` of one core: the name of its context.
/// fn name() -> ContextId {
///     context()
/// }
/// ```
pub fn context() -> ContextId {
    ContextId::MIN.saturating_add(arch::context())
}

/// Whether the calling context is the thread of its core, and no handler.
///
/// * **Context**: any.
/// * **Cost**: O(1), a few instructions.
///
/// ```no_run
/// use corepool::{StaticPool, ports::in_thread};
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// /// Waits, except in a handler.
/// fn end() {
///     POOL.shutdown(in_thread(), false).expect("no job calls this");
/// }
/// ```
pub fn in_thread() -> bool {
    arch::context() == 0
}

/// Waits for an interrupt of this core, unless `woken` returns true.
///
/// All interrupts of the core are masked from before the call of `woken` until after the sleep. So no
/// handler runs between the two. A pending interrupt ends the sleep all the same, and is served
/// when the interrupts are unmasked.
///
/// * **Context**: the thread of a core.
/// * **Cost**: it waits for an interrupt.
///
/// ```no_run
/// use core::sync::atomic::{AtomicBool, Ordering};
/// use corepool::ports::sleep_unless;
///
/// /// A handler sets it.
/// static OVER: AtomicBool = AtomicBool::new(false);
///
/// while !OVER.load(Ordering::Acquire) {
///     sleep_unless(|| OVER.load(Ordering::Relaxed));
/// }
/// ```
pub fn sleep_unless(woken: impl FnOnce() -> bool) {
    arch::sleep_unless(woken);
}
