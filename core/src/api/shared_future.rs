//! A future that several parties hold.

use core::{
    fmt,
    future::Future,
    mem::ManuallyDrop,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::{
    api::future::JobFuture,
    engine::block::Limit,
    engine::outcome,
    engine::shared::{self, SharedWait},
    error::{Blocked, CallbackError, JobError},
    lockfree::sync::{call, looks},
};

/// A [`JobFuture`] that can be cloned, for several waiters. Each gets the result by reference.
/// [`share`](JobFuture::share) makes it.
///
/// It dereferences to the [`JobFuture`], for [`done`](JobFuture::done),
/// [`state`](JobFuture::state), [`id`](JobFuture::id) and [`cancel`](JobFuture::cancel), which
/// cancels the job for all holders.
///
/// A clone takes no slot. A clone that waits takes one of the pool's WAITERS places meanwhile.
/// **The slot is taken until the last clone is dropped.** Then the result is dropped, or the job is
/// detached.
///
/// **The future is done before its callbacks run**, as in Python: both look at the result, and a slow
/// callback delays no holder. A clone that a callback has captured is done in that callback.
///
/// ```
/// use corepool::StaticPool;
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let calibration = POOL.submit(|| [3, 4]).unwrap().share();
/// let for_display = calibration.clone();
/// POOL.run_pending(1); // a worker does this elsewhere
/// assert_eq!(calibration.result().unwrap(), &[3, 4]);
/// assert_eq!(for_display.result().cloned().unwrap(), [3, 4]);
/// ```
///
/// [`wait_shared`](crate::wait_shared) waits for several of them.
#[must_use = "dropping the last SharedFuture detaches its job: use submit_detached to say so"]
pub struct SharedFuture<'p, T> {
    /// The handle, which all holders share. Invariant: this value is a holder, which the slot's link
    /// counts.
    future: ManuallyDrop<JobFuture<'p, T>>,
}

// SAFETY: each holder gives out `&T`, and the last one drops the `T`.
unsafe impl<T: Send + Sync> Send for SharedFuture<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for SharedFuture<'_, T> {}

impl<'p, T> JobFuture<'p, T> {
    /// Makes the future one that can be cloned, for several waiters. Callbacks that were added
    /// before stay.
    ///
    /// The result must be `Sync`, since a callback may look at it while a holder does.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1). The job's completer looks at WAITERS places.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let first = POOL.submit(|| String::from("one text")).unwrap().share();
    /// let second = first.clone();
    /// assert_eq!(first.result().unwrap(), second.result().unwrap());
    /// ```
    pub fn share(self) -> SharedFuture<'p, T>
    where
        T: Sync,
    {
        let future = ManuallyDrop::new(self);
        // SAFETY: this is the handle.
        unsafe { shared::share(future.pool(), future.slot()) };
        SharedFuture { future }
    }
}

impl<'p, T> SharedFuture<'p, T> {
    /// Waits for the job to end and returns a reference to its result.
    ///
    /// A job of the same pool that calls this runs the awaited job, if no party has begun it. All else
    /// is as for [`JobFuture::result`].
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: O(1) if the job has ended. Otherwise the caller waits for the job, in one of the
    ///   WAITERS places, at O(WAITERS).
    ///
    /// # Errors
    ///
    /// How the job ended, if not with a result. A panic's payload is cloned for each caller if it is
    /// a [`PanicPayload`](crate::PanicPayload), and is left out if not.
    /// [`JobError::TooManyWaiters`] if the caller has to wait and all WAITERS places are taken.
    /// [`JobError::WouldDeadlock`] as for [`JobFuture::result`]. [`JobError::AlreadyTaken`] if the
    /// result was taken before the future was shared.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| vec![1, 2, 3]).unwrap().share();
    /// let values: &Vec<u32> = job.result().unwrap();
    /// assert_eq!(values.len(), 3);
    /// assert_eq!(job.result().unwrap()[0], 1); // as often as it is asked
    /// ```
    pub fn result(&self) -> Result<&T, JobError> {
        call("result");
        self.block_until(Limit::NEVER)?;
        self.look()
    }

    /// [`result`](Self::result), for no longer than `timeout`. A time-out changes nothing.
    ///
    /// * **Context**: any that may block; with a `timeout` of zero, any.
    /// * **Cost**: as for [`result`](Self::result). The caller waits for `timeout` at most.
    ///
    /// # Errors
    ///
    /// As for [`result`](Self::result), and [`JobError::TimedOut`]. [`JobError::NoClock`] if the
    /// job has not ended and the pool has no [`Port`](crate::Port) with a clock.
    ///
    /// ```
    /// # use corepool::{JobError, StaticPool};
    /// # use core::time::Duration;
    /// # use corepool::{ContextId, Parker, Port, SpinWorker};
    /// # struct Chip;
    /// # // SAFETY: one thread alone uses the pool.
    /// # unsafe impl Port for Chip {
    /// #     fn context(&self) -> ContextId { ContextId::MIN }
    /// #     fn now(&self) -> Option<Duration> { Some(std::time::UNIX_EPOCH.elapsed().unwrap()) }
    /// #     fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) { f(&SpinWorker) }
    /// # }
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// POOL.install(&Chip); // a port with a clock
    /// let (promise, sample) = POOL.promise::<u16>().unwrap();
    /// let sample = sample.share();
    /// assert!(matches!(sample.result_timeout(Duration::from_millis(1)), Err(JobError::TimedOut)));
    /// # promise.set_result(1).unwrap();
    /// ```
    pub fn result_timeout(&self, timeout: Duration) -> Result<&T, JobError> {
        call("result_timeout");
        if !self.done() {
            let limit = Limit::after(self.pool(), Some(timeout))?;
            if timeout.is_zero() {
                return Err(JobError::TimedOut);
            }
            self.block_until(limit)?;
        }
        self.look()
    }

    /// A reference to the result, if the job has ended.
    ///
    /// * **Context**: any; it suits interrupt handlers and main loops.
    /// * **Cost**: O(1).
    ///
    /// # Errors
    ///
    /// How the job ended, if not with a result, as for [`result`](Self::result).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 3).unwrap().share();
    /// assert!(job.try_result().is_none());
    /// POOL.run_pending(1);
    /// assert_eq!(job.try_result().unwrap().unwrap(), &3);
    /// ```
    pub fn try_result(&self) -> Option<Result<&T, JobError>> {
        looks("try_result");
        self.done().then(|| self.look())
    }

    /// [`result`](Self::result), for async callers: the future that it returns awaits the job.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1). See [`ResultAsync`] for a poll.
    /// * **Cancel safety**: as for [`ResultAsync`]: safe.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// # use core::{future::Future as _, pin::pin, task::{Context, Poll, Waker}};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    ///
    /// let shared = POOL.submit(|| 5).unwrap().share();
    /// POOL.run_pending(1); // a worker does this elsewhere
    /// let awaits = async {
    ///     assert_eq!(shared.result_async().await.unwrap(), &5);
    /// };
    /// # let polled = pin!(awaits).poll(&mut Context::from_waker(Waker::noop()));
    /// # assert_eq!(polled, Poll::Ready(()));
    /// ```
    pub fn result_async(&self) -> ResultAsync<'_, 'p, T> {
        ResultAsync {
            shared: self,
            wait: SharedWait::new(self.pool(), self.slot()),
        }
    }

    /// The job's completer calls `callback` with the job's result or error, after the holders have
    /// been woken. If the future is done, the callback runs at once, in the caller's context.
    ///
    /// A callback that captures a clone of this future finds it done. The clone is a holder until the
    /// callback has run.
    /// All else is as for [`JobFuture::add_done_callback`].
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1); the callback itself if the future is done, or ends meanwhile.
    ///
    /// # Errors
    ///
    /// [`CallbackError::Full`] if no slot is free. [`CallbackError::TooLarge`] if the closure does
    /// not fit. The callback comes back in both.
    ///
    /// ```
    /// use corepool::StaticPool;
    ///
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    ///
    /// let job = POOL.submit(|| 5).unwrap().share();
    /// let seen = job.clone();
    /// job.add_done_callback(move |_| assert!(seen.done() && seen.result().is_ok())).unwrap();
    /// POOL.run_pending(1); // a worker does this elsewhere
    /// # assert_eq!(POOL.free_slots(), 3);
    /// ```
    pub fn add_done_callback<F>(&self, callback: F) -> Result<(), CallbackError<F>>
    where
        F: FnOnce(Result<&T, &JobError>) + Send + 'static,
    {
        call("add_done_callback");
        let has_ended = self.slot().state.load().is_shown();
        self.future.call_at_end(has_ended, callback)
    }

    fn block_until(&self, limit: Limit) -> Result<(), Blocked> {
        SharedWait::new(self.pool(), self.slot()).block(limit)
    }

    /// The result or the error of a job that has ended.
    fn look(&self) -> Result<&T, JobError> {
        if self.is_taken() {
            return Err(JobError::AlreadyTaken);
        }
        let (pool, slot) = (self.pool(), self.slot());
        // SAFETY: the outcome is shown. The payload is only read while the handle has a holder.
        match unsafe { outcome::error(pool, slot, slot.state.load().outcome()) } {
            Some(error) => {
                slot.state.note_told();
                Err(error)
            }
            // SAFETY: the job has returned, so the slot has a `T`. It stays there while this value,
            // which is a holder, is borrowed.
            None => Ok(unsafe { &*outcome::result_place(slot).cast::<T>() }),
        }
    }
}

impl<'p, T> Deref for SharedFuture<'p, T> {
    type Target = JobFuture<'p, T>;

    fn deref(&self) -> &JobFuture<'p, T> {
        &self.future
    }
}

impl<T> Clone for SharedFuture<'_, T> {
    fn clone(&self) -> Self {
        shared::hold(self.slot());
        // SAFETY: the copy is a holder, which was counted in just now. Holders use the handle by
        // shared references only, and the last one drops it once.
        let future = unsafe { core::ptr::read(&self.future) };
        Self { future }
    }
}

impl<T> Drop for SharedFuture<'_, T> {
    fn drop(&mut self) {
        call("drop");
        if shared::release(self.slot()) {
            // SAFETY: this was the last holder, so the handle is dropped once, and not used again.
            unsafe { ManuallyDrop::drop(&mut self.future) };
        }
    }
}

impl<T> fmt::Debug for SharedFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFuture").field(&**self).finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for SharedFuture<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "SharedFuture({})", **self);
    }
}

/// The future that [`result_async`](SharedFuture::result_async) returns: a wait for a shared future.
///
/// Polled again after it was ready, it is ready again.
///
/// * **Context**: any may poll it.
/// * **Cost**: O(1) a poll; the first one and one with another waker take a place, at O(WAITERS).
///   The end of another shared job may wake it, too.
/// * **Cancel safety**: safe: a drop gives the place back, and the job goes on.
#[must_use = "nothing is waited for until it is awaited"]
pub struct ResultAsync<'a, 'p, T> {
    shared: &'a SharedFuture<'p, T>,
    wait: SharedWait<'p>,
}

impl<'a, T> Future for ResultAsync<'a, '_, T> {
    type Output = Result<&'a T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        looks("poll");
        self.wait.poll_ready(cx.waker()).map(|waited| match waited {
            Ok(()) => self.shared.look(),
            Err(blocked) => Err(blocked.into()),
        })
    }
}

impl<T> fmt::Debug for ResultAsync<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResultAsync").field(self.shared).finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for ResultAsync<'_, '_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "ResultAsync({})", self.shared);
    }
}
