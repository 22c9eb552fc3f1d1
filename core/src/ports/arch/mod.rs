//! The instructions of the chip that the program is built for.

// Rust calls processors of all three profiles `arm`. From Armv7 on, those of the A- and the R-profile have atomics of 64
// bits, and a Cortex-M has none.
#[cfg(all(
    target_os = "none",
    any(
        all(target_arch = "aarch64", feature = "aarch64"),
        all(target_arch = "arm", target_has_atomic = "64", feature = "aarch32")
    )
))]
mod a_profile;
#[cfg(any(feature = "aarch32", feature = "aarch64"))]
pub(super) mod affinity;
#[cfg(all(
    target_os = "none",
    target_arch = "arm",
    not(target_has_atomic = "64"),
    feature = "cortex-m"
))]
mod cortex_m;
#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "riscv"))]
pub(super) mod depth;
#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "cortex-m"))]
pub(super) mod event;
#[cfg(all(not(target_os = "none"), not(test)))]
mod host;
#[cfg(all(
    target_os = "none",
    any(target_arch = "riscv32", target_arch = "riscv64"),
    feature = "riscv"
))]
mod riscv;
#[cfg(all(not(target_os = "none"), test))]
mod simulated;

#[cfg(all(
    target_os = "none",
    any(
        all(target_arch = "aarch64", feature = "aarch64"),
        all(target_arch = "arm", target_has_atomic = "64", feature = "aarch32")
    )
))]
pub(super) use self::a_profile::*;
#[cfg(all(
    target_os = "none",
    target_arch = "arm",
    not(target_has_atomic = "64"),
    feature = "cortex-m"
))]
pub(super) use self::cortex_m::*;
#[cfg(all(not(target_os = "none"), not(test)))]
pub(super) use self::host::*;
#[cfg(all(
    target_os = "none",
    any(target_arch = "riscv32", target_arch = "riscv64"),
    feature = "riscv"
))]
pub(super) use self::riscv::*;
#[cfg(all(not(target_os = "none"), test))]
pub(super) use self::simulated::*;

#[cfg(all(
    target_os = "none",
    not(any(
        all(target_arch = "aarch64", feature = "aarch64"),
        all(target_arch = "arm", target_has_atomic = "64", feature = "aarch32"),
        all(
            target_arch = "arm",
            not(target_has_atomic = "64"),
            feature = "cortex-m"
        ),
        all(
            any(target_arch = "riscv32", target_arch = "riscv64"),
            feature = "riscv"
        )
    ))
))]
compile_error!(
    "the ports of `corepool` do not fit this target: enable the feature `cortex-m` for a Cortex-M, `riscv` for RISC-V \
     in machine mode, `aarch64` for AArch64, or `aarch32` for Armv7-A and Armv7-R; for any other chip, enable none of \
     them and implement `corepool::Port`"
);
