//! `gather`: the results of several futures, for async callers.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use heapless::Vec;

use crate::{
    api::{as_completed::FutureSet, future::JobFuture},
    error::JobError,
};

/// The future that [`gather`] returns: the results of several jobs, in the order of the futures.
///
/// Polled again after it was ready, it returns an empty vector.
///
/// * **Context**: any may poll it.
/// * **Cost**: O(futures) a poll, and one wake for each job that ends.
/// * **Cancel safety**: dropped before it is ready, it drops the results that it has, and detaches the
///   jobs that have not ended.
#[must_use = "nothing is waited for until it is awaited"]
pub struct Gather<'p, T, const N: usize> {
    members: Vec<Member<'p, T>, N>,
}

/// A future of the set, or its result.
enum Member<'p, T> {
    Waiting(JobFuture<'p, T>),
    Ended(Result<T, JobError>),
}

impl<T, const N: usize> Unpin for Gather<'_, T, N> {}

/// Awaits all futures of a set, of any pools. Its output has their results in the set's order. It is
/// Python's `asyncio.gather` with `return_exceptions`: a job that fails leaves the others alone.
///
/// To stop at the first failure, await [`AsCompleted::next_done`](crate::AsCompleted::next_done) in a
/// loop.
///
/// * **Context**: any.
/// * **Cost**: O(futures). It takes no place among WAITERS.
/// * **Cancel safety**: as for [`Gather`].
///
/// ```
/// use corepool::{FutureSet, StaticPool, gather};
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let jobs: FutureSet<'_, u32, 3> = (1..4).map(|n| POOL.submit(move || n * n).unwrap()).collect();
/// let squares = async {
///     let results = gather(jobs).await;
///     results.into_iter().map(Result::unwrap).sum::<u32>()
/// };
/// # POOL.run_pending(3);
/// # let polled = pin!(squares).poll(&mut Context::from_waker(Waker::noop()));
/// # assert_eq!(polled, Poll::Ready(14));
/// # use core::future::Future as _;
/// ```
pub fn gather<T, const N: usize>(futures: FutureSet<'_, T, N>) -> Gather<'_, T, N> {
    let mut members = Vec::new();
    for future in futures {
        // There is room: both have capacity N.
        let _ = members.push(Member::Waiting(future));
    }
    Gather { members }
}

impl<T, const N: usize> Future for Gather<'_, T, N> {
    type Output = Vec<Result<T, JobError>, N>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut have_all_ended = true;
        for member in &mut self.members {
            if let Member::Waiting(future) = member {
                match Pin::new(future).poll(cx) {
                    Poll::Ready(result) => *member = Member::Ended(result),
                    Poll::Pending => have_all_ended = false,
                }
            }
        }
        if !have_all_ended {
            return Poll::Pending;
        }
        let mut results = Vec::new();
        for member in core::mem::take(&mut self.members) {
            if let Member::Ended(result) = member {
                // There is room: both have capacity N.
                let _ = results.push(result);
            }
        }
        Poll::Ready(results)
    }
}

impl<T, const N: usize> fmt::Debug for Gather<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("futures", &self.members.len())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<T, const N: usize> defmt::Format for Gather<'_, T, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Gather({=usize} futures)", self.members.len());
    }
}
