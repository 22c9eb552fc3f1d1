//! A future that cancels its job when it is dropped.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{api::future::JobFuture, error::JobError};

/// The future of a job that cancels the job if it is dropped before the job has ended.
///
/// It suits an event loop: an await that is given up gives up the work. As a
/// [`core::future::Future`]:
///
/// * **Context**: any may poll it, and drop it.
/// * **Cost**: O(1) a poll. A drop costs as much as [`JobFuture::cancel`].
/// * **Cancel safety**: a drop cancels the job, on purpose. A queued job never runs. A running job
///   completes, and its result is dropped.
///
/// ```
/// use corepool::StaticPool;
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// drop(POOL.submit(|| unreachable!()).unwrap().cancel_on_drop());
/// POOL.run_pending(1);
/// ```
#[must_use = "dropping it cancels the job"]
pub struct CancelOnDrop<'p, T>(JobFuture<'p, T>);

impl<'p, T> JobFuture<'p, T> {
    /// A future with this one's result that cancels the job if it is dropped before the job has
    /// ended.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    /// * **Cancel safety**: as for [`CancelOnDrop`]: a drop cancels the job.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// # fn poll<T>(f: impl Future<Output = T>) -> Option<T> {
    /// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     match std::pin::pin!(f).poll(&mut cx) { std::task::Poll::Ready(t) => Some(t), _ => None }
    /// # }
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 6 * 7).unwrap();
    /// POOL.run_pending(1);
    /// let answer = async { job.cancel_on_drop().await.unwrap() };
    /// # assert_eq!(poll(answer), Some(42));
    /// ```
    pub fn cancel_on_drop(self) -> CancelOnDrop<'p, T> {
        CancelOnDrop(self)
    }
}

impl<T> Future for CancelOnDrop<'_, T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for CancelOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl<T> fmt::Debug for CancelOnDrop<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(&self.0).finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for CancelOnDrop<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "CancelOnDrop({})", self.0);
    }
}
