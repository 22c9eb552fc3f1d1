//! Words that several parties share without a lock. These modules know nothing of pools.
//!
//! A party is a thread, a core or an interrupt handler. Each may call every function here: no
//! function waits for another party or allocates. None masks an interrupt on targets with
//! compare-and-swap.

pub(crate) mod defer;
pub(crate) mod free_list;
pub(crate) mod queue;
pub(crate) mod shared_waker;
pub(crate) mod state;
pub(crate) mod sync;
pub(crate) mod tagged;
