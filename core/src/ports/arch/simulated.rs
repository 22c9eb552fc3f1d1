//! A chip for the tests of the ports: each thread is a core.

use std::{cell::Cell, thread, thread_local};

pub(in crate::ports) const CONTEXTS: usize = 8;

/// One is enough, for the tests of the one module that counts cores by their numbers.
#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "riscv"))]
pub(super) const CORES: usize = 1;

#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "riscv"))]
pub(super) fn core_number() -> usize {
    0
}

thread_local! {
    /// The handler that is under way; 0 in the thread.
    static CONTEXT: Cell<usize> = const { Cell::new(0) };
    #[cfg(feature = "critical-section-several-cores")]
    static ENABLED: Cell<bool> = const { Cell::new(true) };
}

pub(in crate::ports) fn context() -> usize {
    CONTEXT.get()
}

/// Calls `f` as a handler with this number.
pub(in crate::ports) fn in_handler<R>(number: usize, f: impl FnOnce() -> R) -> R {
    let interrupted = CONTEXT.replace(number);
    let returned = f();
    CONTEXT.set(interrupted);
    returned
}

/// An interrupt comes at any time.
pub(in crate::ports) fn sleep_unless(woken: impl FnOnce() -> bool) {
    if !woken() {
        thread::yield_now();
    }
}

#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) fn interrupts_are_enabled() -> bool {
    ENABLED.get()
}

#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) fn mask_interrupts() -> u8 {
    ENABLED.replace(false).into()
}

/// # Safety
///
/// None is needed on a simulated chip.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) unsafe fn unmask_interrupts(enabled: u8) {
    ENABLED.set(enabled != 0);
}
