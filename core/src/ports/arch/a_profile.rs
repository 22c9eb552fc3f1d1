//! Arm's A- and R-profile: AArch64 in the exception levels 1 to 3, and AArch32 from Armv7 on. The depth of its handlers tells the
//! contexts of a core apart.

use core::arch::asm;

pub(super) use super::affinity::{MAX_CORES as CORES, core_number};

/// More than there are contexts on a core.
pub(in crate::ports) const CONTEXTS: usize = 256;

/// The place of the masks of FIQ and IRQ, in the register that has them.
const MASKS: u32 = 6;

/// The number of handlers that are under way on this core; 0 in its thread.
pub(in crate::ports) fn context() -> usize {
    super::depth::handlers_under_way()
}

/// Waits for an interrupt, unless `woken` returns true, with all interrupts masked.
pub(in crate::ports) fn sleep_unless(woken: impl FnOnce() -> bool) {
    let enabled = mask_interrupts();
    if !woken() {
        // SAFETY: a barrier, and a wait, which a masked interrupt ends, too.
        unsafe { asm!("dsb sy", "wfi", options(nostack, preserves_flags)) };
    }
    // SAFETY: no critical section of this core has begun since.
    unsafe { unmask_interrupts(enabled) };
}

/// Masks all interrupts of this core. Returns the set of those that were enabled, of FIQ and IRQ.
pub(in crate::ports) fn mask_interrupts() -> u8 {
    let enabled = !(masks() >> MASKS) as u8 & 0b11;
    // SAFETY: the caller enables them again. The compiler moves no access of memory across it.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("msr DAIFSet, #3", options(nostack, preserves_flags));
        #[cfg(target_arch = "arm")]
        asm!("cpsid if", options(nostack, preserves_flags));
    }
    enabled
}

/// Enables the interrupts of which [`mask_interrupts`] returned the set.
///
/// # Safety
///
/// No critical section is under way on this core.
pub(in crate::ports) unsafe fn unmask_interrupts(enabled: u8) {
    let masks = masks() & !(usize::from(enabled) << MASKS);
    // SAFETY: the caller's promise. The compiler moves no access of memory across it.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("msr DAIF, {}", in(reg) masks, options(nostack, preserves_flags));
        #[cfg(target_arch = "arm")]
        asm!("msr CPSR_c, {}", in(reg) masks, options(nostack, preserves_flags));
    }
}

/// The register that has the masks.
fn masks() -> usize {
    let masks;
    // SAFETY: reads a register.
    unsafe {
        #[cfg(target_arch = "aarch64")]
        asm!("mrs {}, DAIF", out(reg) masks, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "arm")]
        asm!("mrs {}, CPSR", out(reg) masks, options(nomem, nostack, preserves_flags));
    }
    masks
}
