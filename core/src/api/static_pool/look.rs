//! The numbers of a [`StaticPool`], and its end, as any context sees them.

use crate::{
    api::static_pool::StaticPool, error::BrokenReason, lockfree::queue::QueueCell,
    memory::slot::Slot,
};

/// # Look
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    /// The number of slots: SLOTS.
    pub const fn capacity(&self) -> usize {
        SLOTS
    }

    /// The number of slots that are free now. It leaves out slots of ended jobs that a submit could
    /// take over. It is for tests and statistics: out of date at once if other contexts use the
    /// pool.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS), and once more for each time that another party takes or frees a slot
    ///   meanwhile.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 1).unwrap();
    /// POOL.run_pending(1);
    /// assert_eq!(POOL.free_slots(), 3); // the future keeps the slot
    /// drop(job);
    /// assert_eq!(POOL.free_slots(), 4);
    /// ```
    pub fn free_slots(&self) -> usize {
        self.pool_ref().free_slots()
    }

    /// The number of workers that can be in their run loop at a time: WORKERS.
    pub const fn max_workers(&self) -> usize {
        WORKERS
    }

    /// The number of jobs that are queued or running. It is out of date at once if other contexts
    /// use the pool.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let job = POOL.submit(|| 1).unwrap();
    /// assert_eq!(POOL.unfinished(), 1);
    /// POOL.run_pending(1);
    /// assert_eq!(POOL.unfinished(), 0);
    /// # drop(job);
    /// ```
    pub fn unfinished(&self) -> usize {
        self.pool_ref().unfinished()
    }

    /// The number of workers in their run loop, with guests: callers that run jobs while they
    /// block or in [`run_pending`](Self::run_pending).
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::{SpinWorker, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// assert_eq!(POOL.workers(), 0);
    /// std::thread::spawn(|| POOL.run(&SpinWorker)); // the second core
    /// while POOL.workers() == 0 {} // until it has joined
    /// # POOL.shutdown(true, false).unwrap();
    /// ```
    pub fn workers(&self) -> usize {
        self.pool_ref().workers()
    }

    /// The number of workers and guests that sleep, or are about to.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(WORKERS).
    ///
    /// ```
    /// # use corepool::{SpinWorker, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let busy = POOL.workers() - POOL.idle_workers();
    /// assert_eq!(busy, 0);
    /// ```
    pub fn idle_workers(&self) -> usize {
        self.pool_ref().idle_workers()
    }

    /// Why the pool is broken, if it is.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::{BrokenReason, StaticPool};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// assert!(POOL.broken_reason().is_none());
    /// POOL.break_pool("no supply voltage");
    /// assert_eq!(POOL.broken_reason(), Some(BrokenReason::Application("no supply voltage")));
    /// ```
    pub fn broken_reason(&self) -> Option<BrokenReason> {
        self.pool_ref().broken_reason()
    }

    /// Whether the pool has been shut down.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// POOL.shutdown(false, false).unwrap();
    /// assert!(POOL.is_shut_down());
    /// ```
    pub fn is_shut_down(&self) -> bool {
        self.pool_ref().is_shut_down()
    }

    /// The number of bytes of RAM that one more slot takes. The crate's documentation has a table.
    ///
    /// ```
    /// use corepool::StaticPool;
    ///
    /// type Pool = StaticPool<16, 64>;
    /// type Larger = StaticPool<1_016, 64>;
    /// # #[cfg(not(feature = "sim"))]
    /// assert_eq!((size_of::<Larger>() - size_of::<Pool>() + 500) / 1_000, Pool::bytes_per_slot());
    /// ```
    pub const fn bytes_per_slot() -> usize {
        size_of::<Slot<BYTES>>() + PRIORITIES * size_of::<QueueCell>()
    }
}
