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
    // Pairs with the fence in `Seats::call_one`: a submitter that does not see the phase has its
    // job seen here.
    fence(Ordering::SeqCst);
    // A task that somebody polls may be queued again, by a caller who goes away then.
    !pool.queues().has_any() && pool.slots().count_unended(TASK) == 0
}
