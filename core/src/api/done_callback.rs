//! Callbacks at a job's end.

use core::marker::PhantomData;

use crate::{
    api::future::JobFuture,
    engine::{callbacks, guard, outcome},
    error::{CallbackError, JobError},
    jobs::kinds::Callback,
    jobs::submit,
    lockfree::state::{BUSY, DONE},
    lockfree::sync::call,
    memory::payload::{NoSpill, PAYLOAD_ALIGN},
};

impl<'p, T> JobFuture<'p, T> {
    /// The job's completer calls `callback` with the job's result or error.
    ///
    /// The completer runs callbacks in their order, in its own context. It is a worker, a canceller,
    /// a promise's holder, or the caller of `worker_lost`. If the job has ended already, the callback
    /// runs at once, in the caller's context.
    ///
    /// **The future is done after its callbacks have returned**, and its waiter is woken then. The
    /// waiter moves the result out of the slot, and a callback borrows it there. So the waiter is
    /// delayed by the time that all its callbacks take. A callback with much to do submits a job for
    /// it. Python's order is the other one, and so is that of [`share`](Self::share): a
    /// [`SharedFuture`](crate::SharedFuture) is done before its callbacks run.
    ///
    /// A callback that waits for a job waits on top of the job that has ended. If that wait depends
    /// on the future's own waiter, and both run on workers of the pool, one of the two gets
    /// [`JobError::WouldDeadlock`](crate::JobError::WouldDeadlock). A callback that blocks by other
    /// means until the waiter has gone on blocks for ever.
    ///
    /// A callback that has to know its job captures the job's [`id`](Self::id). One that has to see
    /// its future captures a clone of the [`SharedFuture`](crate::SharedFuture).
    ///
    /// A callback carries no [`Ambient`](crate::Ambient) value. A closure that needs one calls
    /// [`capture`](crate::Ambient::capture) where it is made, and [`enter`](crate::Ambient::enter)
    /// where it runs.
    ///
    /// Each callback that waits takes a slot of the pool, and its closure must fit the slot.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1); the callback itself if the job has ended, or ends meanwhile.
    ///
    /// # Errors
    ///
    /// [`CallbackError::Full`] if no slot is free. [`CallbackError::TooLarge`] if the closure does
    /// not fit. The callback comes back in both.
    ///
    /// ```
    /// use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// static SEEN: AtomicU32 = AtomicU32::new(0);
    ///
    /// let mut job = POOL.submit(|| 5).unwrap();
    /// job.add_done_callback(|outcome| SEEN.store(*outcome.unwrap(), Relaxed)).unwrap();
    /// POOL.run_pending(1);
    /// assert_eq!(SEEN.load(Relaxed), 5);
    /// ```
    pub fn add_done_callback<F>(&mut self, callback: F) -> Result<(), CallbackError<F>>
    where
        F: FnOnce(Result<&T, &JobError>) + Send + 'static,
    {
        call("add_done_callback");
        let has_ended = self.is_ready();
        self.call_at_end(has_ended, callback)
    }

    /// [`add_done_callback`](Self::add_done_callback), for one of several holders, too. If the job has
    /// ended, the callback runs at once.
    pub(super) fn call_at_end<F>(
        &self,
        has_ended: bool,
        callback: F,
    ) -> Result<(), CallbackError<F>>
    where
        F: FnOnce(Result<&T, &JobError>) + Send + 'static,
    {
        if has_ended {
            self.call_now(callback);
            return Ok(());
        }
        if size_of::<F>() > self.pool().geometry().bytes || align_of::<F>() > PAYLOAD_ALIGN {
            return Err(CallbackError::TooLarge(callback));
        }
        let Some(place) = self.pool().slots().claim() else {
            return Err(CallbackError::Full(callback));
        };
        let slot = self.pool().slot(place);
        // SAFETY: the slot was claimed just now. The callback fits, as checked above against the
        // pool's own size. ANY_SIZE only makes the type's own check pass.
        unsafe {
            submit::fill::<Callback<F, T>, NoSpill, ANY_SIZE, 0>(
                slot,
                Callback(callback, PhantomData),
            );
        }
        // With DONE, the pool's end neither counts the callback as unfinished nor ends it.
        slot.state.occupy(0, BUSY | DONE);
        callbacks::add(self.pool(), self.slot(), place);
        Ok(())
    }

    fn call_now(&self, callback: impl FnOnce(Result<&T, &JobError>)) {
        let outcome = self.slot().state.load().outcome();
        let error = if self.is_taken() {
            Some(JobError::AlreadyTaken)
        } else {
            // SAFETY: it is the job's outcome, and the payload is this handle's, or is only read
            // while the handle has a holder.
            unsafe { outcome::error(self.pool(), self.slot(), outcome) }
        };
        let mut callback = Some(callback);
        guard::call(self.pool(), &mut || {
            let outcome = match &error {
                Some(error) => Err(error),
                // SAFETY: the job has returned, so the slot has a `T`, which is this handle's, or is
                // only read while the handle has a holder.
                None => Ok(unsafe { &*outcome::result_place(self.slot()).cast::<T>() }),
            };
            if let Some(callback) = callback.take() {
                callback(outcome);
            }
        });
    }
}

/// A payload size that every closure fits. `add_done_callback` checks the closure against the pool's
/// own size.
const ANY_SIZE: usize = 1 << (usize::BITS - 2);
