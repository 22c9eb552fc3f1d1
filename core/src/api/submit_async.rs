//! A submit that waits for room without blocking.

use core::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::{
    api::future::JobFuture, api::pool_ref::PoolRef, engine::room::RoomWaiter, error::SubmitError,
    jobs::ambient::Policy, memory::payload::NoSpill, memory::pool::Pool,
};

/// A submit that waits for room without blocking: the future that
/// [`submit_async`](crate::StaticPool::submit_async) returns.
///
/// It submits nothing before its first poll. If it is polled after it was ready, it stays pending.
/// It waits for room in one of the WAITERS places. If all are taken, it ends with
/// [`SubmitError::TooManyWaiters`]. Its other errors are those of
/// [`submit`](crate::StaticPool::submit), except [`SubmitError::Full`].
///
/// * **Context**: any may poll it.
/// * **Cost**: a poll costs a [`submit`](crate::StaticPool::submit). In a full pool it is
///   O(SLOTS + WAITERS).
/// * **Cancel safety**: if it is dropped before it is ready, it has submitted nothing, and drops
///   the closure.
#[must_use = "nothing is submitted until it is awaited"]
pub struct SubmitAsync<'p, F, T, const BYTES: usize, S = NoSpill> {
    pool: PoolRef<'p, BYTES, S>,
    job: Option<F>,
    room: RoomWaiter<'p>,
    result: PhantomData<fn() -> T>,
}

impl<'p, const BYTES: usize, S: Policy> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::submit_async`](crate::StaticPool::submit_async).
    pub fn submit_async<F, T>(self, job: F) -> SubmitAsync<'p, F, T, BYTES, S>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        SubmitAsync {
            pool: self,
            job: Some(job),
            room: RoomWaiter::default(),
            result: PhantomData,
        }
    }
}

impl<F, T, const BYTES: usize, S> Unpin for SubmitAsync<'_, F, T, BYTES, S> {}

impl<'p, F, T, const BYTES: usize, S: Policy> Future for SubmitAsync<'p, F, T, BYTES, S>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<JobFuture<'p, T>, SubmitError<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            pool, job, room, ..
        } = &mut *self;
        let submit = |job| pool.submit(job);
        poll_submit(pool.erased, pool.priority, room, job, submit, cx.waker())
    }
}

/// Submits the job if there is room, and else leaves the waker. Nothing happens if there is no job
/// any more.
pub(crate) fn poll_submit<'p, J, T>(
    pool: Pool<'p>,
    priority: usize,
    room: &mut RoomWaiter<'p>,
    place: &mut Option<J>,
    submit: impl Fn(J) -> Result<JobFuture<'p, T>, SubmitError<J>>,
    waker: &Waker,
) -> Poll<Result<JobFuture<'p, T>, SubmitError<J>>> {
    loop {
        let Some(job) = place.take() else {
            return Poll::Pending;
        };
        match submit(job) {
            Err(SubmitError::Full(job)) => *place = Some(job),
            outcome => {
                room.end();
                return Poll::Ready(outcome);
            }
        }
        match room.poll(pool, priority, waker) {
            Some(true) => {}
            Some(false) => return Poll::Pending,
            None => {
                let refused = place.take().map(SubmitError::TooManyWaiters);
                return refused.map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
            }
        }
    }
}

impl<F, T, const BYTES: usize, S> fmt::Debug for SubmitAsync<'_, F, T, BYTES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitAsync")
            .field("submitted", &self.job.is_none())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<F, T, const BYTES: usize, S> defmt::Format for SubmitAsync<'_, F, T, BYTES, S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "SubmitAsync(submitted: {=bool})", self.job.is_none());
    }
}
