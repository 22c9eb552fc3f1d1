//! Arm: the event register of each core. On another chip or a host a call panics.

/// Sets the event register of each core. The other cores can see before that what this core has stored.
pub(in crate::ports) fn send() {
    #[cfg(all(target_os = "none", any(target_arch = "arm", target_arch = "aarch64")))]
    // SAFETY: a barrier and a hint.
    unsafe {
        core::arch::asm!("dsb sy", "sev", options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_os = "none", any(target_arch = "arm", target_arch = "aarch64"))))]
    panic!("the events of `corepool` are for Arm");
}

/// Waits until the event register of this core is set, and clears it.
pub(in crate::ports) fn wait() {
    #[cfg(all(target_os = "none", any(target_arch = "arm", target_arch = "aarch64")))]
    // SAFETY: a wait. It may touch memory as far as the compiler knows, so the caller's next look at its
    // flag stays behind it.
    unsafe {
        core::arch::asm!("wfe", options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_os = "none", any(target_arch = "arm", target_arch = "aarch64"))))]
    panic!("the events of `corepool` are for Arm");
}
