//! A host, for which the ports compile and do not work: so their documentation builds, and so do the
//! host's tests of firmware.
//!
//! Each call panics. The ports have no name for the calling thread, and a wrong one would break the
//! contract of [`Port`](crate::Port).

pub(in crate::ports) const CONTEXTS: usize = 1;

pub(in crate::ports) fn context() -> usize {
    no_chip()
}

#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "riscv"))]
pub(super) const CORES: usize = 1;

#[cfg(any(feature = "aarch32", feature = "aarch64", feature = "riscv"))]
pub(super) fn core_number() -> usize {
    no_chip()
}

pub(in crate::ports) fn sleep_unless(_woken: impl FnOnce() -> bool) {
    no_chip()
}

fn no_chip() -> ! {
    panic!("the ports of `corepool` are for chips: on a host, use `corepool-std`")
}
