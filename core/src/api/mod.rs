//! The public interface: pools, futures, and everything that an application calls on them.

pub(crate) mod as_completed;
pub(crate) mod cancel_current_task;
pub(crate) mod cancel_on_drop;
pub(crate) mod done_callback;
pub(crate) mod dyn_executor;
pub(crate) mod executor;
pub(crate) mod future;
pub(crate) mod gather;
mod held;
pub(crate) mod job_state;
pub(crate) mod lent_pool;
pub(crate) mod map;
pub(crate) mod pool_ref;
pub(crate) mod promise;
pub(crate) mod result_slot;
pub(crate) mod scope;
pub(crate) mod several;
pub(crate) mod shared_future;
pub(crate) mod shutdown;
pub(crate) mod static_pool;
pub(crate) mod submit_async;
#[cfg(feature = "remote")]
pub(crate) mod submit_remote;
pub(crate) mod wait;
pub(crate) mod wait_async;
pub(crate) mod wait_shared;
