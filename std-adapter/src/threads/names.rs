//! The threads' names by default.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The beginning of the names of a pool's threads: the kind of the pool, and a number that no other pool of the
/// process has.
pub(crate) fn unique_prefix(kind: &str) -> String {
    static POOLS: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: a count that nothing else depends on.
    format!("{kind}-{}", POOLS.fetch_add(1, Ordering::Relaxed))
}
