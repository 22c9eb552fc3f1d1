//! Arm's A-profile: the number of a core, by its place in the register `MPIDR`.

/// The number of cores that the ports have room for: sixteen clusters of eight.
pub const MAX_CORES: usize = CLUSTERS * CORES_OF_A_CLUSTER;

const CLUSTERS: usize = 16;
const CORES_OF_A_CLUSTER: usize = 8;

/// The number of the calling core, by the register `MPIDR`: its number in its cluster, and eight for each
/// cluster before its own. No two cores have the same number.
///
/// # Panics
///
/// On a core beyond [`MAX_CORES`], and on one that has several threads in hardware.
///
/// * **Context**: any.
/// * **Cost**: O(1), a few instructions.
///
/// ```no_run
/// # #[cfg(feature = "aarch64")]
/// # mod chip {
/// use core::time::Duration;
/// use corepool::ports::{Cores, aarch64::{Event, MAX_CORES, core_number}};
///
/// struct Chip;
///
/// static EVENTS: [Event; MAX_CORES] = [const { Event::new() }; MAX_CORES];
///
/// // SAFETY: no two cores have the same number, and the handlers call `in_handler`.
/// unsafe impl Cores for Chip {
///     fn current() -> usize {
///         core_number()
///     }
///     fn sleep(deadline: Option<Duration>) {
///         EVENTS[core_number()].wait(deadline, Self::now);
///     }
///     fn wake(core: usize) {
///         EVENTS[core].send();
///     }
/// }
/// # }
/// ```
pub fn core_number() -> usize {
    number(mpidr())
}

/// The place of this core among the others.
#[cfg(all(target_os = "none", target_arch = "aarch64"))]
fn mpidr() -> u64 {
    let mpidr;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mrs {}, MPIDR_EL1", out(reg) mpidr, options(nomem, nostack, preserves_flags));
    }
    mpidr
}

/// The place of this core among the others.
#[cfg(all(target_os = "none", target_arch = "arm", target_has_atomic = "64"))]
fn mpidr() -> u64 {
    let mpidr: u32;
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mrc p15, 0, {}, c0, c0, 5", out(reg) mpidr, options(nomem, nostack, preserves_flags));
    }
    mpidr.into()
}

/// Another chip or a host has no such register.
#[cfg(not(any(
    all(target_os = "none", target_arch = "aarch64"),
    all(target_os = "none", target_arch = "arm", target_has_atomic = "64")
)))]
fn mpidr() -> u64 {
    panic!("this port of `corepool` is for the A- and the R-profile of Arm");
}

/// The number of the core whose `MPIDR` this is.
const fn number(mpidr: u64) -> usize {
    /// The lowest level is a thread of a core, and the next one the core.
    const HAS_THREADS: u64 = 1 << 24;
    // Three levels of eight bits, and the fourth eight bits further up.
    let levels = (mpidr & 0xff_ffff | mpidr >> 8 & 0xff00_0000) as usize;
    let levels = if mpidr & HAS_THREADS != 0 {
        assert!(levels & 0xff == 0, "a core with several threads");
        levels >> 8
    } else {
        levels
    };
    let (core, cluster) = (levels & 0xff, levels >> 8);
    assert!(
        core < CORES_OF_A_CLUSTER && cluster < CLUSTERS,
        "a core beyond `MAX_CORES`"
    );
    cluster * CORES_OF_A_CLUSTER + core
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn cores_of_all_clusters_have_different_numbers() {
        // Two clusters of a Cortex-A53 or A72.
        assert_eq!(
            [0x8000_0000, 0x8000_0003, 0x8000_0100].map(number),
            [0, 3, 8]
        );
        // A chip whose cluster has the number 15.
        assert_eq!([0x8000_0f00, 0x8000_0f03].map(number), [120, 123]);
        // A Cortex-A76, which has one thread for each core.
        assert_eq!(
            [0x8100_0000, 0x8100_0300, 0x8101_0000].map(number),
            [0, 3, 8]
        );
    }

    #[test]
    fn a_core_that_has_no_number_of_its_own_is_refused() {
        for mpidr in [
            0x8000_0008,
            0x8000_1000,
            0x8001_0000,
            0x01_8000_0000,
            0x8100_0001,
        ] {
            assert!(catch_unwind(|| number(mpidr)).is_err(), "{mpidr:#x}");
        }
    }
}
