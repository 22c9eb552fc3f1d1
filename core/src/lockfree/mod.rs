//! Words that several parties share without a lock. They know nothing of pools.

pub(crate) mod defer;
pub(crate) mod free_list;
pub(crate) mod queue;
pub(crate) mod shared_waker;
pub(crate) mod state;
pub(crate) mod sync;
pub(crate) mod tagged;
