//! Padding against false sharing, where the cores have caches.
//!
//! They have caches on a host, on each 64-bit processor, and on Arm's A- and R-profile from Armv7 on. (Of the
//! processors that Rust calls `arm`, those have atomics of 64 bits, and a Cortex-M has none.) The other chips
//! have no RAM to spare, and mostly no such cache.

/// The begin of a cache line of 64 bytes, which is the size that most processors have.
#[cfg_attr(
    any(
        not(target_os = "none"),
        target_pointer_width = "64",
        all(target_arch = "arm", target_has_atomic = "64")
    ),
    repr(align(64))
)]
pub(crate) struct LineStart;

/// Whether the cores have caches.
pub(crate) const HAS_CACHES: bool = align_of::<LineStart>() > 1;

/// The number of bytes that keep two words on different lines. 128, since some processors fetch two lines
/// at a time.
pub(crate) const APART: usize = if HAS_CACHES { 128 } else { 0 };
