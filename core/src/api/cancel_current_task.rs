//! A task that ends itself as cancelled.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    api::pool_ref::PoolRef, engine::wakers, error::NotInTask, memory::payload::Spill,
    memory::pool::Pool,
};

/// The future that [`cancel_current_task`](crate::StaticPool::cancel_current_task) returns.
///
/// In a task of the pool it is never ready, since the task ends. Anywhere else it is ready at once,
/// with [`NotInTask`].
///
/// * **Context**: any may poll it.
/// * **Cost**: O(WORKERS) a poll.
/// * **Cancel safety**: after a poll in a task, the task ends as cancelled at its next suspension,
///   even if this future is dropped before.
#[must_use = "the task goes on until it is awaited"]
pub struct CancelCurrentTask<'p> {
    pool: Pool<'p>,
}

impl<'p, const BYTES: usize, S: Spill> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::cancel_current_task`](crate::StaticPool::cancel_current_task).
    pub fn cancel_current_task(self) -> CancelCurrentTask<'p> {
        CancelCurrentTask { pool: self.erased }
    }
}

impl Future for CancelCurrentTask<'_> {
    type Output = NotInTask;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<NotInTask> {
        match wakers::polled_task(self.pool, cx.waker()) {
            // If it was declared lost meanwhile, the task ends like this without a request.
            Some(task) => {
                task.state.request_cancel();
                Poll::Pending
            }
            None => Poll::Ready(NotInTask),
        }
    }
}

impl fmt::Debug for CancelCurrentTask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CancelCurrentTask")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for CancelCurrentTask<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "CancelCurrentTask");
    }
}
