//! The way to a [`StaticPool`]: it is made, gets its port, and has views.

use crate::{
    api::pool_ref::PoolRef,
    api::static_pool::StaticPool,
    engine::wakers::TaskWakers,
    jobs::ambient::{Ambient, Carrying},
    lockfree::queue::{Lane, QueueCell},
    lockfree::sync::{array_of, const_unless_loom},
    machine::port::Port,
    memory::pool::Shared,
    memory::seat::Seat,
    memory::slot::Slot,
    memory::waiter::Waiter,
};

/// # Set up
impl<
    const SLOTS: usize,
    const BYTES: usize,
    const PRIORITIES: usize,
    const WORKERS: usize,
    const WAITERS: usize,
> StaticPool<SLOTS, BYTES, PRIORITIES, WORKERS, WAITERS>
{
    const_unless_loom! {
        /// An empty pool. All of it is zero, so in a `static` it takes RAM and no flash.
        ///
        /// ```
        /// use corepool::StaticPool;
        ///
        /// static SMALL: StaticPool<4, 32> = StaticPool::new(); // the other numbers have defaults
        /// static LARGE: StaticPool<64, 128, 2, 4, 8> = StaticPool::new();
        /// # assert_eq!((SMALL.capacity(), LARGE.capacity()), (4, 64));
        /// ```
        pub fn new() -> Self {
            #[allow(clippy::let_unit_value)]
            let _ = Self::CHECKED;
            Self {
                shared: Shared::new(),
                slots: array_of!(Slot::new()),
                lanes: array_of!(Lane::new()),
                cells: array_of!(array_of!(QueueCell::new())),
                waiters: array_of!(Waiter::new()),
                seats: array_of!(Seat::new()),
            }
        }
    }

    /// Installs the services of the machine: a clock, sleep, names of contexts. Call it once,
    /// before workers join.
    ///
    /// False if there is a port already, which then stays. False, too, while the pool has a worker:
    /// the pool would not know that worker's context.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// # use corepool::StaticPool;
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
    /// assert!(POOL.install(&Chip));
    /// assert!(!POOL.install(&Chip)); // the first one stays
    /// ```
    pub fn install<P: Port>(&self, port: &'static P) -> bool {
        self.pool_ref().install(port)
    }

    /// A copyable view of the pool, with the same methods. Its type has no parameter of the pool
    /// but BYTES.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::{PoolRef, StaticPool};
    ///
    /// /// Takes pools of any size with slots of 32 bytes.
    /// fn start(pool: PoolRef<'static, 32>) {
    ///     pool.submit_detached(|| println!("started")).unwrap();
    /// }
    ///
    /// static POOL: StaticPool<8, 32> = StaticPool::new();
    /// start(POOL.pool_ref());
    /// # POOL.run_pending(1);
    /// ```
    #[inline(always)]
    pub fn pool_ref(&self) -> PoolRef<'_, BYTES> {
        PoolRef::new(self.erased(), &TaskWakers::<Self>::TABLE)
    }

    /// A view that submits at `priority`: from 0, the default and least urgent, to PRIORITIES - 1.
    ///
    /// A worker takes the oldest job of the most urgent priority first. A running job is not
    /// interrupted. For a priority that the pool does not have, submits fail with
    /// [`SubmitError::NoSuchPriority`](crate::SubmitError::NoSuchPriority).
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    ///
    /// ```
    /// use corepool::StaticPool;
    /// static POOL: StaticPool<8, 32, 2> = StaticPool::new();
    ///
    /// let background = POOL.submit(|| 1).unwrap();
    /// let urgent = POOL.at(1).submit(|| 2).unwrap();
    /// POOL.run_pending(1);
    /// assert!(urgent.done() && !background.done());
    /// ```
    pub fn at(&self, priority: usize) -> PoolRef<'_, BYTES> {
        self.pool_ref().at(priority)
    }

    /// A view whose jobs carry an ambient value, such as the current tracing span. See [`Ambient`].
    ///
    /// Each submit captures the submitter's value, and each job runs with it. That goes for closures,
    /// for each poll of a task, for `map` and for scopes. The value takes room in the job's slot.
    ///
    /// A remote job carries none: it may leave the address space, and the value means nothing there. Data
    /// such as a request's id is a field of the job. A callback carries none either. Its closure calls
    /// [`capture`](Ambient::capture) where it is made, and [`enter`](Ambient::enter) where it runs.
    ///
    /// A `map` captures the value anew for each job that it submits. A submit that waits for room
    /// captures it once, and [`submit_async`](Self::submit_async) with each attempt.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1). The submits of the view capture the value, and its jobs enter it.
    ///
    /// ```
    /// use corepool::{Ambient, StaticPool};
    /// use std::cell::Cell;
    ///
    /// thread_local! {
    ///     static REQUEST: Cell<u32> = const { Cell::new(0) };
    /// }
    ///
    /// /// The number of the request that a context works for.
    /// struct Request;
    ///
    /// impl Ambient for Request {
    ///     type Captured = u32;
    ///
    ///     fn capture() -> u32 {
    ///         REQUEST.get()
    ///     }
    ///
    ///     fn enter<R>(request: &mut u32, work: impl FnOnce() -> R) -> R {
    ///         let before = REQUEST.replace(*request);
    ///         let returned = work();
    ///         REQUEST.set(before);
    ///         returned
    ///     }
    /// }
    ///
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// REQUEST.set(7);
    /// let job = POOL.carrying::<Request>().submit(|| REQUEST.get()).unwrap();
    /// REQUEST.set(8);
    /// assert_eq!(job.result().unwrap(), 7);
    /// ```
    pub fn carrying<A: Ambient>(&self) -> PoolRef<'_, BYTES, Carrying<A>> {
        self.pool_ref().carrying()
    }
}
