//! Words that several parties share. These modules know nothing of pools.
//!
//! A party is a thread, a core or an interrupt handler. Each may call every function here: no
//! function waits for another party or allocates.
//!
//! # Two variants
//!
//! A target with compare-and-swap has the lock-free words of this folder. No function masks an
//! interrupt there.
//!
//! A target without compare-and-swap, and a program with the feature `critical-section`, has words
//! that change in critical sections: one for each transition. The files of the folder `locked`
//! replace those of the same names here. The other files are the same in both variants: with
//! `sync`'s atomics, each change of a word is a critical section.

#[cfg(not(any(feature = "critical-section", not(target_has_atomic = "ptr"))))]
mod contention;
pub(crate) mod defer;
#[cfg_attr(
    any(feature = "critical-section", not(target_has_atomic = "ptr")),
    path = "../locked/free_list.rs"
)]
pub(crate) mod free_list;
pub(crate) mod padding;
pub(crate) mod part;
#[cfg_attr(
    any(feature = "critical-section", not(target_has_atomic = "ptr")),
    path = "../locked/queue.rs"
)]
pub(crate) mod queue;
#[cfg(any(feature = "critical-section", not(target_has_atomic = "ptr")))]
#[path = "../locked/section.rs"]
mod section;
pub(crate) mod shared_waker;
pub(crate) mod stale;
pub(crate) mod state;
pub(crate) mod sync;
#[cfg(not(any(feature = "critical-section", not(target_has_atomic = "ptr"))))]
pub(crate) mod tagged;
