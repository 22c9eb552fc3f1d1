//! A future whose result is set by hand.

use core::{fmt, marker::PhantomData, mem};

use crate::{
    engine::{run, settle},
    error::{Failure, PromiseError},
    lockfree::defer::Defer,
    lockfree::state::{CANCEL, DONE, Outcome},
    lockfree::sync::{call, looks},
    memory::payload::{Spill, Stored},
    memory::pool::{Pool, PoolInUse},
    memory::slot::SlotRef,
};

/// The other end of a [`JobFuture`](crate::JobFuture) that no worker runs: the promise's holder
/// sets the result. A typical holder is the interrupt handler at the end of a transfer.
///
/// If the promise is dropped without a result, the future ends with
/// [`JobError::PromiseDropped`](crate::JobError::PromiseDropped), so that no caller waits for ever.
///
/// Before the holder calls [`start`](Self::start), [`cancel`](crate::JobFuture::cancel) ends the
/// future. From then on, `cancel` only asks the holder.
///
/// ```
/// use corepool::StaticPool;
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let (promise, sample) = POOL.promise::<u16>().unwrap();
/// promise.set_result(1023).unwrap(); // in the interrupt handler
/// assert_eq!(sample.result().unwrap(), 1023);
/// ```
#[must_use = "a dropped promise ends its future with an error"]
pub struct Promise<'p, T> {
    pool: PoolInUse<'p>,
    /// Invariant: no queue has the slot's index, and `stage` names the bit that stands for this
    /// value.
    slot: SlotRef<'p>,
    stage: Stage,
    put: unsafe fn(*mut u8, T),
    result: PhantomData<T>,
}

/// The stage of a promise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// QUEUED in the slot's state word stands for the promise. The future can be cancelled.
    Unstarted,
    /// BUSY stands for the promise.
    Started,
    /// The future had ended before. The slot is not the promise's any more.
    TooLate,
}

// SAFETY: the promise moves a `T` in and gives none out.
unsafe impl<T: Send> Send for Promise<'_, T> {}
// SAFETY: shared references give access to the state word only.
unsafe impl<T: Send> Sync for Promise<'_, T> {}

impl<'p, T> Promise<'p, T> {
    /// # Safety
    ///
    /// QUEUED in the slot's state word stands for the promise, and no queue has the slot's index.
    /// The slot was filled for a `T` stored by `S` in `BYTES`.
    pub(crate) unsafe fn new<S: Spill, const BYTES: usize>(
        pool: Pool<'p>,
        slot: SlotRef<'p>,
    ) -> Self {
        Self {
            // SAFETY: the slot is occupied.
            pool: unsafe { pool.in_use() },
            slot,
            stage: Stage::Unstarted,
            put: Stored::<T, S, BYTES, 0>::put,
            result: PhantomData,
        }
    }

    /// Announces that the work is under way. The future is running from now on, and its
    /// [`cancel`](crate::JobFuture::cancel) does not end it any more: a transfer in flight goes on.
    ///
    /// False if the future was cancelled before, or has ended with its pool. Then the holder need
    /// not begin. A second call returns the same.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (mut promise, sample) = POOL.promise::<u16>().unwrap();
    /// assert!(promise.start());
    /// assert!(!sample.cancel() && sample.running()); // only asked for
    /// assert!(promise.cancel_requested());
    /// assert!(promise.set_cancelled()); // and here it is honoured
    /// assert!(sample.cancelled());
    /// ```
    pub fn start(&mut self) -> bool {
        call("start");
        if self.stage == Stage::Unstarted {
            let begun = run::take_up(self.pool.pool(), self.slot, 0);
            self.stage = match begun {
                Some(_) => Stage::Started,
                None => Stage::TooLate,
            };
        }
        self.stage == Stage::Started
    }

    /// Sets the result: callbacks run here, waiters are woken, and the future is done.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1), and the callbacks.
    ///
    /// # Errors
    ///
    /// The result comes back if the future was cancelled before, or was broken with its pool.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (promise, sample) = POOL.promise::<u16>().unwrap();
    /// sample.cancel();
    /// assert_eq!(promise.set_result(1023), Err(1023)); // no party waits for it
    /// ```
    pub fn set_result(self, result: T) -> Result<(), T> {
        call("set_result");
        let mut this = mem::ManuallyDrop::new(self);
        if !this.start() {
            return Err(result);
        }
        let (pool, slot) = (this.pool.pool(), this.slot);
        // A spill policy, which is the user's code, may unwind.
        let unwound = Defer(|| {
            // SAFETY: the caller is BUSY, and the payload is empty.
            unsafe { settle::fail(pool, slot, Failure::PromiseDropped) };
        });
        // SAFETY: the caller is BUSY, so the payload is the caller's. A `Promised` needs no drop.
        unsafe { (this.put)(slot.payload(), result) };
        unwound.disarm();
        settle::publish(pool, slot, Outcome::Returned);
        Ok(())
    }

    /// Sets an error of the application instead of a result. The future ends with
    /// [`JobError::Failed`](crate::JobError::Failed).
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1), and the callbacks.
    ///
    /// # Errors
    ///
    /// The error comes back if the future was cancelled before, or was broken with its pool.
    ///
    /// ```
    /// # use corepool::{PromiseError, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (promise, sample) = POOL.promise::<u16>().unwrap();
    /// promise.set_error(PromiseError(&core::fmt::Error)).unwrap(); // any error in a `static`
    /// let error = sample.result().unwrap_err();
    /// assert_eq!(error.to_string(), core::fmt::Error.to_string());
    /// ```
    pub fn set_error(self, error: PromiseError) -> Result<(), PromiseError> {
        call("set_error");
        if self.fail(Failure::Set(error)) {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Grants a request to cancel: the future ends as cancelled. False if it has ended before.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1), and the callbacks.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (mut promise, sample) = POOL.promise::<u16>().unwrap();
    /// promise.start();
    /// sample.cancel(); // asks
    /// if promise.cancel_requested() {
    ///     assert!(promise.set_cancelled()); // and is granted
    /// }
    /// assert!(sample.cancelled());
    /// ```
    pub fn set_cancelled(self) -> bool {
        call("set_cancelled");
        let mut this = mem::ManuallyDrop::new(self);
        let is_in_time = this.start();
        if is_in_time {
            settle::end_unrun(this.pool.pool(), this.slot, Outcome::Cancelled);
        }
        is_in_time
    }

    /// Whether the future has ended without this promise: it was cancelled, or has ended with its
    /// pool. A future that was dropped has not ended.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (promise, sample) = POOL.promise::<u16>().unwrap();
    /// assert!(!promise.is_cancelled());
    /// sample.cancel();
    /// assert!(promise.is_cancelled()); // so the transfer need not begin
    /// ```
    pub fn is_cancelled(&self) -> bool {
        looks("is_cancelled");
        self.stage == Stage::TooLate || self.slot.state.load().has(DONE)
    }

    /// Whether the future was asked to cancel after [`start`](Self::start), or has ended without this
    /// promise.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let (mut promise, sample) = POOL.promise::<u16>().unwrap();
    /// promise.start();
    /// sample.cancel();
    /// assert!(promise.cancel_requested() && !promise.is_cancelled());
    /// ```
    pub fn cancel_requested(&self) -> bool {
        looks("cancel_requested");
        self.is_cancelled() || self.slot.state.load().has(CANCEL)
    }

    /// Ends the future with this failure. False if it has ended before.
    fn fail(self, failure: Failure) -> bool {
        let mut this = mem::ManuallyDrop::new(self);
        let is_in_time = this.start();
        if is_in_time {
            // SAFETY: the caller is BUSY. A `Promised` takes no room and needs no drop.
            unsafe { settle::fail(this.pool.pool(), this.slot, failure) };
        }
        is_in_time
    }
}

impl<T> Drop for Promise<'_, T> {
    fn drop(&mut self) {
        if self.start() {
            // SAFETY: the caller is BUSY. A `Promised` takes no room and needs no drop.
            unsafe { settle::fail(self.pool.pool(), self.slot, Failure::PromiseDropped) };
        }
    }
}

impl<T> fmt::Debug for Promise<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("slot", &self.slot.index())
            .field("is_started", &(self.stage == Stage::Started))
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for Promise<'_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Promise({=u16})", self.slot.index());
    }
}
