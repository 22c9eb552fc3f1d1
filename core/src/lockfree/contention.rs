//! Hints for parties on several cores that change the same words.

/// Lets the party that has just swapped the same word go on: 64 pauses of the processor, a few
/// microseconds at most.
///
/// Threads on several cores that submit at the same time take the words' cache lines away from each
/// other with every step. With the pause, one thread submits several jobs in a row while the others
/// wait. All jobs together then take a quarter of the time. A chip that runs bare mostly has no such
/// cache. There the other party may also be an interrupt handler, which has ended by now.
#[cfg_attr(not(target_os = "none"), cold)]
pub(crate) fn back_off() {
    #[cfg(all(feature = "sim", not(loom), not(target_os = "none")))]
    super::sync::spin_loop();
    #[cfg(all(not(feature = "sim"), not(loom), not(target_os = "none")))]
    for _ in 0..64 {
        core::hint::spin_loop();
    }
}

/// Asks the processor to fetch the cache line at `address` for writing, if it can.
///
/// A core can write a line only when no other core holds it, so a swap waits for the line. If the
/// line was fetched some jobs ahead, the swap finds it there. The address may be any: nothing is
/// read or written.
#[inline(always)]
pub(crate) fn fetch_for_writing<T>(address: *const T) {
    // The standard library's `_mm_prefetch` fetches for reading, unless the target has the feature `prfchw`.
    #[cfg(all(target_arch = "x86_64", not(target_os = "none"), not(loom), not(miri)))]
    // SAFETY: `prefetchw` is a hint. It accesses no memory in the sense of the language, and faults
    // for no address. A processor without the instruction does nothing (Intel's manual, PREFETCHW).
    unsafe {
        core::arch::asm!(
            "prefetchw [{}]",
            in(reg) address,
            options(readonly, nostack, preserves_flags)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(target_os = "none"), not(loom), not(miri))))]
    let _ = address;
}
