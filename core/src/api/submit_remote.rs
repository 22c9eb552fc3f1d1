//! Submits of remote jobs that wait for room, for a while or without blocking.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    api::future::JobFuture,
    api::pool_ref::PoolRef,
    api::submit_async::poll_submit,
    engine::room::RoomWaiter,
    error::SubmitError,
    jobs::ambient::Policy,
    jobs::remote_job::{RemoteJob, Travelling},
    memory::payload::NoSpill,
};

/// A submit of a remote job that waits for room without blocking: the future that
/// [`submit_remote_async`](crate::StaticPool::submit_remote_async) returns.
///
/// It is to a remote job what [`SubmitAsync`](crate::SubmitAsync) is to a closure.
///
/// * **Context**: any may poll it.
/// * **Cost**: as for [`SubmitAsync`](crate::SubmitAsync).
/// * **Cancel safety**: if it is dropped before it is ready, it has submitted nothing, and drops
///   the job.
#[must_use = "nothing is submitted until it is awaited"]
pub struct SubmitRemoteAsync<'p, J, const BYTES: usize, S = NoSpill> {
    pool: PoolRef<'p, BYTES, S>,
    job: Option<J>,
    room: RoomWaiter<'p>,
}

impl<'p, const BYTES: usize, S: Policy> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::submit_remote_timeout`](crate::StaticPool::submit_remote_timeout).
    pub fn submit_remote_timeout<J: RemoteJob>(
        self,
        job: J,
        timeout: Duration,
    ) -> Result<JobFuture<'p, J::Output>, SubmitError<J>> {
        self.plain()
            .submit_waiting(Travelling(job), Some(timeout))
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_remote_async`](crate::StaticPool::submit_remote_async).
    pub fn submit_remote_async<J: RemoteJob>(self, job: J) -> SubmitRemoteAsync<'p, J, BYTES, S> {
        SubmitRemoteAsync {
            pool: self,
            job: Some(job),
            room: RoomWaiter::default(),
        }
    }
}

impl<J, const BYTES: usize, S> Unpin for SubmitRemoteAsync<'_, J, BYTES, S> {}

impl<'p, J: RemoteJob, const BYTES: usize, S: Policy> Future
    for SubmitRemoteAsync<'p, J, BYTES, S>
{
    type Output = Result<JobFuture<'p, J::Output>, SubmitError<J>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { pool, job, room } = &mut *self;
        let submit = |job| pool.submit_remote(job);
        poll_submit(pool.erased, pool.priority, room, job, submit, cx.waker())
    }
}

impl<J, const BYTES: usize, S> fmt::Debug for SubmitRemoteAsync<'_, J, BYTES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitRemoteAsync")
            .field("submitted", &self.job.is_none())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<J, const BYTES: usize, S> defmt::Format for SubmitRemoteAsync<'_, J, BYTES, S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "SubmitRemoteAsync(submitted: {=bool})",
            self.job.is_none()
        );
    }
}
