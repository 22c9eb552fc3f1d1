//! Cortex-M: the number of the exception tells contexts apart.

use core::arch::asm;

/// More than there are contexts on a core.
pub(in crate::ports) const CONTEXTS: usize = 512;

/// The number of the exception that is being served; 0 in the thread.
pub(in crate::ports) fn context() -> usize {
    let number: usize;
    // SAFETY: reads a register. (A Cortex-M0 need not have the number in ICSR.)
    unsafe { asm!("mrs {}, IPSR", out(reg) number, options(nomem, nostack, preserves_flags)) };
    number & 0x1ff
}

/// Waits for an interrupt, unless `woken` returns true, with all interrupts masked.
pub(in crate::ports) fn sleep_unless(woken: impl FnOnce() -> bool) {
    cortex_m::interrupt::free(|_| {
        if !woken() {
            cortex_m::asm::wfi();
        }
    });
}

/// Masks all interrupts of this core. Returns whether they were enabled.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) fn mask_interrupts() -> bool {
    let enabled = cortex_m::register::primask::read().is_active();
    cortex_m::interrupt::disable();
    enabled
}

/// Ends the effect of [`mask_interrupts`].
///
/// # Safety
///
/// They were enabled before, and no critical section is under way on this core.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) unsafe fn unmask_interrupts() {
    // SAFETY: the caller's promise.
    unsafe { cortex_m::interrupt::enable() };
}
