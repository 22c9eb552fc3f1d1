//! Cortex-M: the number of the exception tells contexts apart.

use core::arch::asm;

/// More than there are contexts on a core.
pub(in crate::ports) const CONTEXTS: usize = 512;

/// For the ports of other chips, if their features are enabled, too.
#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "riscv"))]
pub(super) const CORES: usize = 1;

/// As above.
#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "riscv"))]
pub(super) fn core_number() -> usize {
    0
}

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

/// Masks all interrupts of this core. Returns 1 if they were enabled, and else 0.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) fn mask_interrupts() -> u8 {
    let enabled = cortex_m::register::primask::read().is_active();
    cortex_m::interrupt::disable();
    enabled.into()
}

/// Enables them again, where [`mask_interrupts`] returned `enabled`, which is 1.
///
/// # Safety
///
/// No critical section is under way on this core.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) unsafe fn unmask_interrupts(_enabled: u8) {
    // SAFETY: the caller's promise.
    unsafe { cortex_m::interrupt::enable() };
}
