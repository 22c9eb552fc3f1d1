//! A future whose result is set by hand.

use core::{fmt, marker::PhantomData, mem};

use crate::{
    engine::{run, settle},
    error::{Failure, LossReason},
    lockfree::defer::Defer,
    lockfree::state::{DONE, Outcome},
    memory::payload::{Spill, Stored},
    memory::pool::{Pool, PoolInUse},
    memory::slot::SlotRef,
};

/// The other end of a [`JobFuture`](crate::JobFuture) that no worker runs: its holder sets the result.
/// An interrupt handler that ends a transfer is the usual one.
///
/// Dropped without a result, it ends the future with
/// [`JobError::WorkerLost`](crate::JobError::WorkerLost), so that nobody waits for ever.
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
    /// Invariant: QUEUED is set in the slot's state and stands for this value; no index of the slot
    /// is in a queue.
    pool: PoolInUse<'p>,
    slot: SlotRef<'p>,
    put: unsafe fn(*mut u8, T),
    result: PhantomData<T>,
}

// SAFETY: it moves a `T` in and gives none out.
unsafe impl<T: Send> Send for Promise<'_, T> {}
// SAFETY: shared references give access to the state word only.
unsafe impl<T: Send> Sync for Promise<'_, T> {}

impl<'p, T> Promise<'p, T> {
    /// # Safety
    ///
    /// The type's invariant; the slot was set up for a `T` stored by `S` in `BYTES`.
    pub(crate) unsafe fn new<S: Spill, const BYTES: usize>(
        pool: Pool<'p>,
        slot: SlotRef<'p>,
    ) -> Self {
        Self {
            // SAFETY: the slot is occupied.
            pool: unsafe { pool.in_use() },
            slot,
            put: Stored::<T, S, BYTES, 0>::put,
            result: PhantomData,
        }
    }

    /// Sets the result: the future is done, callbacks run here, waiters are woken.
    ///
    /// * **Context**: any, interrupt handlers included.
    /// * **Cost**: O(1), and the callbacks.
    ///
    /// # Errors
    ///
    /// The result comes back if the future was cancelled, or broken with its pool, before.
    pub fn set_result(self, result: T) -> Result<(), T> {
        let this = mem::ManuallyDrop::new(self);
        let (pool, slot) = (this.pool.raw(), this.slot);
        if run::take_up(pool, slot, 0).is_none() {
            return Err(result);
        }
        // What does not fit the slot is stored by code of the user's, which may unwind.
        let unwound = Defer(|| {
            let failure = Failure::Lost(LossReason::PROMISE_DROPPED);
            // SAFETY: BUSY, and nothing was put into the payload.
            unsafe { settle::fail(pool, slot, failure) };
        });
        // SAFETY: BUSY, so the payload is the caller's; a `Promised` needs no drop.
        unsafe { (this.put)(slot.payload(), result) };
        unwound.disarm();
        settle::publish(pool, slot, Outcome::Returned);
        Ok(())
    }

    /// Whether nobody needs the result any more: the future was cancelled, or has ended with its
    /// pool.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): one atomic load.
    pub fn is_cancelled(&self) -> bool {
        self.slot.state.load().has(DONE)
    }
}

impl<T> Drop for Promise<'_, T> {
    fn drop(&mut self) {
        let (pool, slot) = (self.pool.raw(), self.slot);
        if run::take_up(pool, slot, 0).is_some() {
            let failure = Failure::Lost(LossReason::PROMISE_DROPPED);
            // SAFETY: BUSY; a `Promised` takes no room and needs no drop.
            unsafe { settle::fail(pool, slot, failure) };
        }
    }
}

impl<T> fmt::Debug for Promise<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("slot", &self.slot.index())
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
