//! `wait`, for async callers.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::api::{
    future::JobFuture,
    several::{ReturnWhen, Waited, is_over, leave_waker, partition},
};

/// The future that [`wait_async`] returns: a wait for several futures.
///
/// Polled again after it was ready, it stays pending.
///
/// * **Context**: any may poll it.
/// * **Cost**: O(futures) a poll, and one wake for each job that ends.
/// * **Cancel safety**: safe: the futures are as before.
#[must_use = "nothing is waited for until it is awaited"]
pub struct WaitAsync<'a, 'p, T> {
    /// `None` when the wait is over.
    futures: Option<&'a mut [JobFuture<'p, T>]>,
    when: ReturnWhen,
}

/// [`wait`](crate::wait()), for async callers: it awaits instead of blocking. Python's `asyncio.wait`.
///
/// The futures may belong to any pools. It takes no place among WAITERS. For a time limit, await it
/// together with a timer of the async runtime.
///
/// * **Context**: any.
/// * **Cost**: O(1): nothing is waited for before the first poll.
/// * **Cancel safety**: as for [`WaitAsync`].
///
/// ```
/// use corepool::{ReturnWhen, StaticPool, wait_async};
/// # use core::{future::Future as _, pin::pin, task::{Context, Poll, Waker}};
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let mut jobs = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
/// POOL.run_pending(1); // a worker does this elsewhere
/// let first = async {
///     let waited = wait_async(&mut jobs, ReturnWhen::FirstCompleted).await;
///     assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
/// };
/// # let polled = pin!(first).poll(&mut Context::from_waker(Waker::noop()));
/// # assert_eq!(polled, Poll::Ready(()));
/// ```
pub fn wait_async<'a, 'p, T>(
    futures: &'a mut [JobFuture<'p, T>],
    when: ReturnWhen,
) -> WaitAsync<'a, 'p, T> {
    WaitAsync {
        futures: Some(futures),
        when,
    }
}

impl<'a, 'p, T> Future for WaitAsync<'a, 'p, T> {
    type Output = Waited<'a, JobFuture<'p, T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let when = self.when;
        let Some(futures) = &mut self.futures else {
            return Poll::Pending;
        };
        leave_waker(futures, cx.waker());
        if !futures.is_empty() && !is_over(futures, when) {
            return Poll::Pending;
        }
        let Some(futures) = self.futures.take() else {
            return Poll::Pending;
        };
        delist(futures);
        Poll::Ready(partition(futures))
    }
}

/// Takes the wakers back that were left with the futures.
fn delist<T>(futures: &mut [JobFuture<'_, T>]) {
    for future in futures {
        future.delist();
    }
}

impl<T> Drop for WaitAsync<'_, '_, T> {
    fn drop(&mut self) {
        if let Some(futures) = self.futures.take() {
            delist(futures);
        }
    }
}

impl<T> fmt::Debug for WaitAsync<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let futures = self.futures.as_ref().map_or(0, |futures| futures.len());
        f.debug_struct("WaitAsync")
            .field("futures", &futures)
            .field("when", &self.when)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for WaitAsync<'_, '_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let futures = self.futures.as_ref().map_or(0, |futures| futures.len());
        defmt::write!(f, "WaitAsync({=usize} futures)", futures);
    }
}
