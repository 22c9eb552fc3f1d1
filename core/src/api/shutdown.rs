//! The end of a pool, for async callers.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    api::pool_ref::PoolRef,
    engine::life::{self, AwaitedEnd},
    error::ShutdownError,
    jobs::ambient::Policy,
};

/// The future that [`shutdown_async`](crate::StaticPool::shutdown_async) returns. It is ready when
/// all jobs have ended and all workers have left. It does not wait for promises.
///
/// Polled again after it was ready, it is ready again.
///
/// For a time limit, give it to a timer of the async runtime: `timeout` of tokio, `with_timeout` of
/// embassy-time. When the time is over, the timer drops this future, which gives its place back. The
/// pool stays shut down, and its jobs go on. [`unfinished`](crate::StaticPool::unfinished) and
/// [`workers`](crate::StaticPool::workers) say how many are left. A later call awaits the end.
///
/// It ends with [`ShutdownError::TooManyWaiters`] if all WAITERS places are taken. It ends with
/// [`ShutdownError::WouldDeadlock`] if a job, task or callback of the pool polls it. Without a port
/// the pool does not detect that, and the task waits for itself for ever.
///
/// * **Context**: any may poll it, but no job, task or callback of the pool.
/// * **Cost**: O(SLOTS + WORKERS + WAITERS) a poll. A worker or guest that leaves wakes it, and so
///   does a job that a cancel ends.
/// * **Cancel safety**: safe: the pool stays shut down, and a later call awaits its end.
#[must_use = "the pool's end is not waited for until it is awaited"]
pub struct Shutdown<'p> {
    end: AwaitedEnd<'p>,
}

impl<'p, const BYTES: usize, S: Policy> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::shutdown_async`](crate::StaticPool::shutdown_async).
    pub fn shutdown_async(self, cancel_futures: bool) -> Shutdown<'p> {
        life::begin_shutdown(self.erased, cancel_futures);
        Shutdown {
            end: AwaitedEnd::new(self.erased),
        }
    }
}

impl Future for Shutdown<'_> {
    type Output = Result<(), ShutdownError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.end.pool().seats().current().is_some() {
            return Poll::Ready(Err(ShutdownError::WouldDeadlock));
        }
        self.end.poll_end(cx.waker())
    }
}

impl fmt::Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("workers", &self.end.pool().joined().count())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Shutdown<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Shutdown({=usize} workers)",
            self.end.pool().joined().count()
        );
    }
}
