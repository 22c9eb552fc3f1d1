//! The end of a pool: when a worker may leave for good.

use crate::{
    lockfree::state::TASK,
    lockfree::sync::{Ordering, fence},
    memory::pool::Pool,
};

/// Whether nothing is left for a worker to do, ever.
pub(crate) fn is_over(pool: Pool<'_>) -> bool {
    if !pool.phase().is_closed() {
        return false;
    }
    // Pairs with the fence of `Seats::call_one` (`engine/wakeups.rs`): either the submitter sees the
    // phase, or this call sees its job.
    fence(Ordering::SeqCst);
    // A guest that polls a task may queue the task again, and leave.
    !pool.queues().has_any() && pool.slots().count_unended(TASK) == 0
}
