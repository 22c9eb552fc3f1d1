//! RISC-V in machine mode: the depth of its handlers tells the contexts of a hart apart.

use riscv::register::mhartid;

pub(super) const CORES: usize = super::depth::MAX_HARTS;

/// More than there are contexts on a hart.
pub(in crate::ports) const CONTEXTS: usize = 256;

/// The number of handlers that are under way on this hart; 0 in its thread.
pub(in crate::ports) fn context() -> usize {
    super::depth::handlers_under_way()
}

/// The number of the calling hart.
pub(super) fn core_number() -> usize {
    mhartid::read()
}

/// Waits for an interrupt, unless `woken` returns true, with all interrupts masked.
pub(in crate::ports) fn sleep_unless(woken: impl FnOnce() -> bool) {
    riscv::interrupt::free(|| {
        if !woken() {
            riscv::asm::wfi();
        }
    });
}

/// Masks all interrupts of this hart. Returns 1 if they were enabled, and else 0.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) fn mask_interrupts() -> u8 {
    let enabled = riscv::register::mstatus::read().mie();
    riscv::interrupt::disable();
    enabled.into()
}

/// Enables them again, where [`mask_interrupts`] returned `enabled`, which is 1.
///
/// # Safety
///
/// No critical section is under way on this hart.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) unsafe fn unmask_interrupts(_enabled: u8) {
    // SAFETY: the caller's promise.
    unsafe { riscv::interrupt::enable() };
}
