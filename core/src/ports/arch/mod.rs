//! The instructions of the chip that the program is built for.

#[cfg(all(target_arch = "arm", feature = "cortex-m"))]
mod cortex_m;
#[cfg(all(not(target_os = "none"), not(test)))]
mod host;
#[cfg(all(
    any(target_arch = "riscv32", target_arch = "riscv64"),
    feature = "riscv"
))]
mod riscv;
#[cfg(all(not(target_os = "none"), test))]
mod simulated;

#[cfg(all(target_arch = "arm", feature = "cortex-m"))]
pub(super) use self::cortex_m::*;
#[cfg(all(not(target_os = "none"), not(test)))]
pub(super) use self::host::*;
#[cfg(all(
    any(target_arch = "riscv32", target_arch = "riscv64"),
    feature = "riscv"
))]
pub(super) use self::riscv::*;
#[cfg(all(not(target_os = "none"), test))]
pub(super) use self::simulated::*;

#[cfg(all(
    target_os = "none",
    not(all(target_arch = "arm", feature = "cortex-m")),
    not(all(
        any(target_arch = "riscv32", target_arch = "riscv64"),
        feature = "riscv"
    ))
))]
compile_error!(
    "the ports of `corepool` do not fit this target: enable the feature `cortex-m` for a Cortex-M, or `riscv` for \
     RISC-V in machine mode; for any other chip, enable neither and implement `corepool::Port`"
);
