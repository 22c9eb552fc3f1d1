//! RISC-V in machine mode: the depth of its handlers tells the contexts of a hart apart.

use portable_atomic::Ordering;

use crate::ports::riscv::depth;

/// More than there are contexts on a hart.
pub(in crate::ports) const CONTEXTS: usize = 256;

/// The number of handlers that are under way on this hart; 0 in its thread.
pub(in crate::ports) fn context() -> usize {
    // Relaxed: only this hart writes it.
    depth().load(Ordering::Relaxed).into()
}

/// Waits for an interrupt, unless `woken` returns true, with all interrupts masked.
pub(in crate::ports) fn sleep_unless(woken: impl FnOnce() -> bool) {
    riscv::interrupt::free(|| {
        if !woken() {
            riscv::asm::wfi();
        }
    });
}

/// Masks all interrupts of this hart. Returns whether they were enabled.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) fn mask_interrupts() -> bool {
    let enabled = riscv::register::mstatus::read().mie();
    riscv::interrupt::disable();
    enabled
}

/// Ends the effect of [`mask_interrupts`].
///
/// # Safety
///
/// They were enabled before, and no critical section is under way on this hart.
#[cfg(feature = "critical-section-several-cores")]
pub(in crate::ports) unsafe fn unmask_interrupts() {
    // SAFETY: the caller's promise.
    unsafe { riscv::interrupt::enable() };
}
