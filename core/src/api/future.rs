//! The future of a job, which `submit` returns.

use core::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    api::result_slot::ResultSlot,
    engine::block::Limit,
    engine::outcome::HandOut,
    engine::{handle, outcome, settle},
    error::{Blocked, JobError},
    lockfree::state::{DONE, HANDLE, Outcome, Snapshot},
    lockfree::sync::{call, looks},
    memory::listener::{Listener, Member, Membership},
    memory::pool::{Pool, PoolInUse},
    memory::slot::SlotRef,
};

/// The future of a job: wait for its result, await it, poll it, cancel it, or add a callback.
///
/// It borrows its pool for `'p`, and is the only handle of its job.
///
/// **Dropping it detaches the job**: the job runs all the same, its worker drops the result, and
/// its slot is free after that. To cancel the job by the drop, use
/// [`cancel_on_drop`](Self::cancel_on_drop).
///
/// **The slot is taken while the future exists**, even after the job is done. To free the slot,
/// drop the future or take the result.
///
/// A job may end while it is queued: it is cancelled, or its waiter runs it. The index of such a job
/// stays in the queue and keeps the slot. A worker that pops it frees the slot. A submitter that
/// finds no free slot reaps the index, or takes the slot over at its own priority.
///
/// As a [`core::future::Future`]:
///
/// * **Context**: any may poll it.
/// * **Cost**: O(1) a poll.
/// * **Cancel safety**: safe. The job goes on if the awaited `&mut JobFuture` is dropped, or the
///   future itself. If only the `&mut` is dropped, the result is not lost either.
///
/// ```
/// use corepool::StaticPool;
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let sum = POOL.submit(|| (1..=10).sum::<u32>()).unwrap();
/// assert!(!sum.done());
/// POOL.run_pending(1); // a worker does this elsewhere
/// assert!(sum.done());
/// assert_eq!(sum.result().unwrap(), 55);
/// ```
#[must_use = "dropping a JobFuture detaches its job: use submit_detached to say so"]
pub struct JobFuture<'p, T> {
    /// Invariant: the slot is occupied by a job with result `T`, `HANDLE` is set and stands for
    /// this value.
    pool: PoolInUse<'p>,
    slot: ResultSlot<'p>,
    result: PhantomData<T>,
}

// SAFETY: the future gives out the `T`, and nothing else that is bound to a thread.
unsafe impl<T: Send> Send for JobFuture<'_, T> {}
// SAFETY: methods with a shared reference only load the state word and cancel. A cancel drops the
// job, which may happen in any context, since jobs are `Send`.
unsafe impl<T: Send> Sync for JobFuture<'_, T> {}

impl<T> Unpin for JobFuture<'_, T> {}

impl<'p, T> JobFuture<'p, T> {
    /// # Safety
    ///
    /// The type's invariant.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) unsafe fn new(pool: Pool<'p>, slot: SlotRef<'p>) -> Self {
        Self {
            // SAFETY: the slot is occupied.
            pool: unsafe { pool.in_use() },
            slot: ResultSlot::new(slot),
            result: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) fn pool(&self) -> Pool<'p> {
        self.pool.pool()
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> SlotRef<'p> {
        self.slot.slot()
    }

    /// Waits for the job to end and returns its result.
    ///
    /// **A job of the same pool** that calls this runs the awaited job on top of its own stack, if
    /// no party has begun it. It runs no other job, so it may hold a lock, a borrow or a barrier
    /// across the call. If the awaited job has begun, the caller sleeps.
    ///
    /// There is one exception. If every worker is blocked like this, and no further worker can be
    /// started, the pool would stand still. Then the last worker to block runs the oldest queued
    /// job on its stack. That job must not need a lock or a barrier that the caller holds. To avoid
    /// the case, give the pool more workers than jobs that wait at a time. Or let jobs wait only
    /// for jobs that they have submitted.
    ///
    /// **Any other caller** sleeps. If the pool has no worker, and the [`Port`](crate::Port) allows
    /// it, the caller runs queued jobs in order until its own job has ended. On a chip that has
    /// only a main loop, jobs run like this.
    ///
    /// A worker whose wait could never end, since other blocked workers depend on it, gets
    /// [`JobError::WouldDeadlock`]. The pool does not detect a circle of waits in these cases:
    ///
    /// * a wait in the circle has a time limit, or is for a [`Promise`](crate::Promise);
    /// * a task in the circle has had its waker cloned, other than by a [`JobFuture`] of this pool;
    /// * a worker in the circle has number 64 or higher, on a chip;
    /// * a job in the circle, or its callbacks, runs without a worker's seat;
    /// * the circle goes through several pools.
    ///
    /// * **Context**: any that may block. In an interrupt handler use
    ///   [`try_result`](Self::try_result) or a callback.
    /// * **Cost**: O(1) if the job has ended. Otherwise the caller waits for the job. A job of the
    ///   pool may run the awaited job meanwhile, on its own stack. The wait begins with O(WORKERS).
    ///   It looks at SLOTS only if the job depends on another blocked worker, or on a task.
    ///
    /// # Errors
    ///
    /// How the job ended, if not with a result. [`JobError::WouldDeadlock`] if the wait could never
    /// end, or the caller's context may not block. [`JobError::TooManyWaiters`] if the caller has
    /// to wait for a worker's seat to run queued jobs, and all WAITERS places are taken. An error
    /// of the call detaches the job.
    ///
    /// ```
    /// # use corepool::{JobError, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 6 * 7).unwrap();
    /// assert_eq!(job.result().unwrap(), 42); // there is no worker, so it runs here
    ///
    /// let job = POOL.submit(|| 1).unwrap();
    /// job.cancel();
    /// assert!(matches!(job.result(), Err(JobError::Cancelled)));
    /// ```
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn result(mut self) -> Result<T, JobError> {
        call("result");
        self.wait_until(Limit::NEVER)?;
        let slot = self.slot();
        self.take_from(slot, slot.state.load(), HandOut::Last)
    }

    /// Waits for the job to end, but no longer than `timeout`, and returns its result.
    ///
    /// A time-out changes nothing: the job goes on, and a later call can get its result. With a
    /// `timeout` of zero the call looks, and returns. A job that the caller runs meanwhile, as for
    /// [`result`](Self::result), runs to its end, even if that takes longer than `timeout`.
    ///
    /// * **Context**: any that may block; with a `timeout` of zero, any.
    /// * **Cost**: as for [`result`](Self::result). The caller waits for `timeout` at most.
    ///
    /// # Errors
    ///
    /// As for [`result`](Self::result), and [`JobError::TimedOut`]. [`JobError::NoClock`] if the
    /// job has not ended and the pool has no [`Port`](crate::Port) with a clock.
    /// [`JobError::AlreadyTaken`] if an earlier call has returned the result.
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
    /// let (promise, mut sample) = POOL.promise::<u16>().unwrap();
    /// assert!(matches!(sample.result_timeout(Duration::from_millis(1)), Err(JobError::TimedOut)));
    /// promise.set_result(1023).unwrap(); // late, and not lost
    /// assert_eq!(sample.result_timeout(Duration::from_millis(1)).unwrap(), 1023);
    /// ```
    pub fn result_timeout(&mut self, timeout: Duration) -> Result<T, JobError> {
        call("result_timeout");
        self.wait_ready(Some(timeout))?;
        self.take()
    }

    /// The result, if the job has ended.
    ///
    /// * **Context**: any; it suits interrupt handlers and main loops.
    /// * **Cost**: O(1).
    ///
    /// # Errors
    ///
    /// How the job ended, if not with a result. [`JobError::AlreadyTaken`] if an earlier call has
    /// returned the result.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let mut job = POOL.submit(|| 3).unwrap();
    /// assert!(job.try_result().is_none());
    /// POOL.run_pending(1);
    /// assert_eq!(job.try_result().unwrap().unwrap(), 3);
    /// ```
    pub fn try_result(&mut self) -> Option<Result<T, JobError>> {
        looks("try_result");
        let slot = self.slot();
        let state = slot.state.load();
        if !state.is_ready() {
            return None;
        }
        // `take_from` would do the same, but its result would be copied into the `Some` here.
        if !self.has_result(state) {
            // SAFETY: the job is ready, and this is the handle.
            let error = unsafe { outcome::why_nothing(self.pool(), slot, HandOut::Again) };
            return Some(Err(error));
        }
        self.slot.set_taken();
        // SAFETY: the slot has a `T`, by `has_result`. It is read once, since the slot is marked as
        // taken.
        Some(Ok(unsafe { outcome::take_result(slot) }))
    }

    /// Waits for the job to end, and returns its error. `None` if the job has a result, which can
    /// still be taken. If the wait fails, the call returns the wait's error instead.
    ///
    /// The first error that is returned for a panic has the panic's payload. Later ones have it if
    /// it is a [`PanicPayload`](crate::PanicPayload).
    ///
    /// * **Context**: any that may block.
    /// * **Cost**: as for [`result`](Self::result).
    ///
    /// ```
    /// # use corepool::{JobError, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let mut job = POOL.submit(|| 1).unwrap();
    /// assert!(job.error().is_none());
    /// assert_eq!(job.result().unwrap(), 1);
    /// ```
    pub fn error(&mut self) -> Option<JobError> {
        call("error");
        match self.wait_ready(None) {
            Ok(()) => self.take_error(),
            Err(blocked) => Some(blocked.into()),
        }
    }

    /// [`error`](Self::error), for no longer than `timeout`.
    ///
    /// * **Context**: any that may block; with a `timeout` of zero, any.
    /// * **Cost**: as for [`result_timeout`](Self::result_timeout).
    ///
    /// # Errors
    ///
    /// [`JobError::TimedOut`]; [`JobError::NoClock`], [`JobError::WouldDeadlock`] and
    /// [`JobError::TooManyWaiters`] as for [`result_timeout`](Self::result_timeout). The job has
    /// not ended then.
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
    /// let (promise, mut sample) = POOL.promise::<u16>().unwrap();
    /// drop(promise);
    /// let error = sample.error_timeout(Duration::from_millis(1)).unwrap();
    /// assert!(matches!(error, Some(JobError::PromiseDropped)));
    /// ```
    pub fn error_timeout(&mut self, timeout: Duration) -> Result<Option<JobError>, JobError> {
        call("error_timeout");
        self.wait_ready(Some(timeout))?;
        Ok(self.take_error())
    }

    /// Asks the job not to run. True if the job is cancelled, by this call or before.
    ///
    /// A queued job is dropped here, in the caller's context, and so is a task between two polls.
    /// The canceller runs the callbacks and wakes the waiter before the call returns. A running job
    /// cannot be stopped: the call returns false, and sets the job's
    /// [`CancelToken`](crate::CancelToken). A task that is being polled ends as cancelled at its
    /// next suspension. The call returns false for a job that has ended in another way.
    ///
    /// Another party may be dropping the job at the same time, to end it: another `cancel` of a
    /// shared future, a shutdown, or a break. The job is not cancelled yet, so this call returns
    /// false. [`state`](Self::state) is `Running` until the job has ended.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1), the job's destructor and its callbacks.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| unreachable!()).unwrap();
    /// assert!(job.cancel() && job.cancelled());
    /// POOL.run_pending(1);
    /// ```
    pub fn cancel(&self) -> bool {
        call("cancel");
        let state = &self.slot().state;
        loop {
            if settle::cancel(self.pool(), self.slot(), Outcome::Cancelled) {
                return true;
            }
            let has_ended = state.load().has(DONE);
            // If neither holds, the task was suspended meanwhile, and the next round claims it.
            if state.request_cancel() || has_ended {
                #[cfg(feature = "remote")]
                handle::tell_runner(self.pool(), self.slot());
                return state.load().has_ended_with(Outcome::Cancelled);
            }
        }
    }

    /// Whether the result was moved out.
    pub(super) fn is_taken(&self) -> bool {
        self.slot.is_taken()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.slot().state.load().is_ready()
    }

    /// Whether the job has ended with an error other than cancellation.
    pub(crate) fn failed(&self) -> bool {
        self.slot().state.load().failed()
    }

    /// [`result`](Self::result), until the limit at most.
    pub(crate) fn result_until(&mut self, limit: Limit) -> Result<T, JobError> {
        self.wait_until(limit)?;
        self.take()
    }

    fn wait_ready(&mut self, timeout: Option<Duration>) -> Result<(), Blocked> {
        if self.is_ready() {
            return Ok(());
        }
        let limit = Limit::after(self.pool(), timeout)?;
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Blocked::TimedOut);
        }
        self.wait_until(limit)
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    fn wait_until(&mut self, limit: Limit) -> Result<(), Blocked> {
        if self.is_ready() {
            return Ok(());
        }
        self.block_until(limit)
    }

    #[cfg_attr(not(target_os = "none"), inline(never))]
    fn block_until(&mut self, limit: Limit) -> Result<(), Blocked> {
        let (pool, slot) = (self.pool(), self.slot());
        // SAFETY: this is the handle.
        unsafe { handle::wait(pool, slot, limit) }
    }

    /// Leaves the waker. True if the job is ready instead.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn poll_ready(&mut self, waker: &Waker) -> bool {
        // SAFETY: this is the handle.
        self.is_ready() || unsafe { handle::leave_waker(self.pool(), self.slot(), waker) }
    }

    /// Makes the future a member of a set. `member` holds the set's shared waker. False if the job
    /// is ready: the hold is released.
    pub(crate) fn enlist(&mut self, member: Member, membership: &'static Membership) -> bool {
        let listener = Listener::Set(member, membership);
        if !self.delist() {
            handle::forget_listener(self.pool(), listener);
            return false;
        }
        // SAFETY: `delist` has returned true, so the cell is empty, and this handle's.
        unsafe { handle::leave_listener(self.pool(), self.slot(), listener) }
    }

    /// Takes back the listener. False if the completer has taken it: the job is ready.
    pub(crate) fn delist(&mut self) -> bool {
        handle::delist(self.pool(), self.slot())
    }

    /// Takes the result or the error of a job that is ready.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn take(&mut self) -> Result<T, JobError> {
        let slot = self.slot();
        self.take_from(slot, slot.state.load(), HandOut::Again)
    }

    /// Whether the job, which is ready, has returned a `T` that is still in the slot.
    #[inline(always)]
    fn has_result(&self, ready: Snapshot) -> bool {
        !self.slot.is_taken() && ready.outcome() == Outcome::Returned
    }

    /// [`take`](Self::take), if the caller knows the slot and the state word.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn take_from(
        &mut self,
        slot: SlotRef<'p>,
        ready: Snapshot,
        how: HandOut,
    ) -> Result<T, JobError> {
        if !self.has_result(ready) {
            // SAFETY: the job is ready, and this is the handle.
            return Err(unsafe { outcome::why_nothing(self.pool(), slot, how) });
        }
        self.slot.set_taken();
        // SAFETY: the slot has a `T`, by `has_result`. It is read once, since the slot is marked as
        // taken.
        Ok(unsafe { outcome::take_result(slot) })
    }

    fn take_error(&mut self) -> Option<JobError> {
        // SAFETY: the job is ready, and this is the handle.
        unsafe { outcome::take_error(self.pool(), self.slot(), HandOut::Again) }
    }
}

impl<T> Future for JobFuture<'_, T> {
    type Output = Result<T, JobError>;

    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        looks("poll");
        if self.poll_ready(cx.waker()) {
            Poll::Ready(self.take())
        } else {
            Poll::Pending
        }
    }
}

impl<T> Drop for JobFuture<'_, T> {
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn drop(&mut self) {
        call("drop");
        let slot = self.slot();
        if !self.slot.is_taken() {
            handle::detach(self.pool(), slot);
        } else if slot.state.load().is_left_to(HANDLE) {
            self.pool().slots().free(slot);
        } else {
            self.pool().slots().leave(slot, HANDLE);
        }
    }
}

// Here, so that the documentation has its methods after those above.
mod look;
