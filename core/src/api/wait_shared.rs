//! `wait`, for shared futures, and its async form.
//!
//! The holders of a shared future have one listener for all of them. So the waiter takes a place in
//! each pool that has some of the jobs. Each end of a shared job there wakes it, and it looks at all
//! its futures.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    api::{
        several::{
            Member, ReturnWhen, Waited, begin_one_of, is_over, is_over_by_runs, partition,
            pool_to_block_in,
        },
        shared_future::SharedFuture,
        wait::{MOST_POOLS, WaitError},
    },
    engine::block::{self, Awaited, Limit},
    engine::shared::Places,
    error::Blocked,
    lockfree::state::Snapshot,
    lockfree::sync::call,
    memory::pool::Pool,
    memory::seat::DependsOn,
    memory::slot::SlotRef,
};

/// [`wait`](crate::wait()), for shared futures: waits until `when` holds for `futures`, or until
/// `timeout` is over.
///
/// Moves the futures that are done to the front, and returns both parts. A time-out is not an
/// error: the call returns the two parts as they are then. An empty slice returns at once. A loop
/// over the futures that are not done, with [`ReturnWhen::FirstCompleted`], handles each as it ends.
///
/// The futures may belong to up to four pools. The caller then blocks as for [`wait`](crate::wait()).
/// It runs jobs in the same way, too.
///
/// A circle of waits is found if the wait is for all futures, and for jobs of the caller's pool.
/// In a wait for the first of several, no circle is found.
///
/// * **Context**: any that may block; with a `timeout` of zero, any.
/// * **Cost**: O(futures) a look. Each end of a shared job in these pools wakes the caller for a
///   look. The caller waits, in one of the WAITERS places of each pool.
///
/// # Errors
///
/// As for [`wait`](crate::wait()), and [`WaitError::TooManyPools`] if the futures belong to more than
/// four pools. The futures are unchanged.
///
/// ```
/// use corepool::{ReturnWhen, StaticPool, wait_shared};
///
/// static POOL: StaticPool<8, 32> = StaticPool::new();
///
/// let mut shared = [1, 2, 3].map(|n| POOL.submit(move || n).unwrap().share());
/// let mut sum = 0;
/// let mut left = &mut shared[..];
/// while !left.is_empty() {
///     let waited = wait_shared(left, None, ReturnWhen::FirstCompleted).unwrap(); // it runs the jobs here
///     sum += waited.done.iter().map(|job| *job.result().unwrap()).sum::<u32>();
///     left = waited.not_done;
/// }
/// assert_eq!(sum, 6);
/// ```
pub fn wait_shared<'a, 'p, T>(
    futures: &'a mut [SharedFuture<'p, T>],
    timeout: Option<Duration>,
    when: ReturnWhen,
) -> Result<Waited<'a, SharedFuture<'p, T>>, WaitError> {
    call("wait_shared");
    let Some(pool) = pool_to_block_in(futures.iter()) else {
        return Ok(partition(futures));
    };
    let limit = Limit::after(pool, timeout)?;
    let looks_only = timeout.is_some_and(|timeout| timeout.is_zero());
    if !looks_only && !is_over(futures, when) {
        check_pools(futures)?;
        let mut waiter = Waiter::new();
        let mut awaited = AwaitedShared {
            pool,
            futures,
            when,
            waiter: &mut waiter,
        };
        match block::wait(pool, &mut awaited, limit) {
            Ok(()) => waiter.outcome()?,
            Err(Blocked::TimedOut) => {}
            Err(blocked) => return Err(blocked.into()),
        }
    }
    Ok(partition(futures))
}

/// [`wait_shared`], for async callers: it awaits instead of blocking.
///
/// For a time limit, await it together with a timer of the async runtime.
///
/// * **Context**: any.
/// * **Cost**: O(1): nothing is waited for before the first poll.
/// * **Cancel safety**: as for [`WaitSharedAsync`].
///
/// ```
/// use corepool::{ReturnWhen, StaticPool, wait_shared_async};
/// # use core::{future::Future as _, pin::pin, task::{Context, Poll, Waker}};
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let mut shared = [1, 2].map(|n| POOL.submit(move || n).unwrap().share());
/// POOL.run_pending(1); // a worker does this elsewhere
/// let first = async {
///     let waited = wait_shared_async(&mut shared, ReturnWhen::FirstCompleted).await.unwrap();
///     assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
/// };
/// # let polled = pin!(first).poll(&mut Context::from_waker(Waker::noop()));
/// # assert_eq!(polled, Poll::Ready(()));
/// ```
pub fn wait_shared_async<'a, 'p, T>(
    futures: &'a mut [SharedFuture<'p, T>],
    when: ReturnWhen,
) -> WaitSharedAsync<'a, 'p, T> {
    WaitSharedAsync {
        futures: Some(futures),
        when,
        waiter: Waiter::new(),
    }
}

/// The future that [`wait_shared_async`] returns: a wait for several shared futures.
///
/// Its output is that of [`wait_shared`]. Polled again after it was ready, it stays pending.
///
/// * **Context**: any may poll it.
/// * **Cost**: O(futures) a poll; the first one and one with another waker take a place in each
///   pool, at O(WAITERS). Each end of a shared job in these pools wakes it.
/// * **Cancel safety**: safe: a drop gives the places back, and the futures are as before.
#[must_use = "nothing is waited for until it is awaited"]
pub struct WaitSharedAsync<'a, 'p, T> {
    /// `None` when the wait is over.
    futures: Option<&'a mut [SharedFuture<'p, T>]>,
    when: ReturnWhen,
    waiter: Waiter<'p>,
}

impl<'a, 'p, T> Future for WaitSharedAsync<'a, 'p, T> {
    type Output = Result<Waited<'a, SharedFuture<'p, T>>, WaitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(futures) = this.futures.as_deref() else {
            return Poll::Pending;
        };
        let is_ready = futures.is_empty() || is_over(futures, this.when);
        let checked = if is_ready {
            Ok(())
        } else {
            check_pools(futures)
        };
        let is_ready =
            is_ready || checked.is_err() || this.waiter.leave(futures, this.when, cx.waker());
        if !is_ready {
            return Poll::Pending;
        }
        let outcome = checked.and_then(|()| this.waiter.outcome());
        this.waiter.places = Places::NONE;
        match (outcome, this.futures.take()) {
            (Ok(()), Some(futures)) => Poll::Ready(Ok(partition(futures))),
            (Err(error), _) => Poll::Ready(Err(error)),
            (Ok(()), None) => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for WaitSharedAsync<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let futures = self.futures.as_ref().map_or(0, |futures| futures.len());
        f.debug_struct("WaitSharedAsync")
            .field("futures", &futures)
            .field("when", &self.when)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for WaitSharedAsync<'_, '_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let futures = self.futures.as_ref().map_or(0, |futures| futures.len());
        defmt::write!(f, "WaitSharedAsync({=usize} futures)", futures);
    }
}

/// Refuses futures of more pools than a waiter has places for.
fn check_pools<T>(futures: &[SharedFuture<'_, T>]) -> Result<(), WaitError> {
    let mut known: [Option<Pool<'_>>; MOST_POOLS] = [None; MOST_POOLS];
    for pool in futures.iter().map(Member::pool) {
        let is_it = |place: &&mut Option<Pool<'_>>| place.is_none_or(|known| known.is(pool));
        let place = known.iter_mut().find(is_it);
        *place.ok_or(WaitError::TooManyPools)? = Some(pool);
    }
    Ok(())
}

/// The places of a waiter for shared futures.
struct Waiter<'p> {
    places: Places<'p, MOST_POOLS>,
    /// A pool had no place left.
    refused: bool,
}

impl<'p> Waiter<'p> {
    fn new() -> Self {
        Self {
            places: Places::NONE,
            refused: false,
        }
    }

    /// Leaves the waker in the pools of these futures. True if the wait is over, or was refused.
    fn leave<T>(
        &mut self,
        futures: &[SharedFuture<'p, T>],
        when: ReturnWhen,
        waker: &Waker,
    ) -> bool {
        let has_places = self.places.leave(waker, futures.iter().map(Member::pool));
        let is_over = is_over(futures, when);
        self.refused = !is_over && !has_places;
        is_over || self.refused
    }

    fn outcome(&self) -> Result<(), WaitError> {
        if self.refused {
            Err(WaitError::TooManyWaiters)
        } else {
            Ok(())
        }
    }
}

/// A wait for shared futures, by a caller that blocks.
struct AwaitedShared<'a, 'p, T> {
    /// The pool in which the caller blocks.
    pool: Pool<'p>,
    futures: &'a [SharedFuture<'p, T>],
    when: ReturnWhen,
    waiter: &'a mut Waiter<'p>,
}

impl<'p, T> AwaitedShared<'_, 'p, T> {
    /// The futures of the pool in which the caller blocks.
    fn own(&self) -> impl Iterator<Item = &SharedFuture<'p, T>> {
        let is_own = |future: &&SharedFuture<'p, T>| Member::pool(*future).is(self.pool);
        self.futures.iter().filter(is_own)
    }
}

impl<'p, T> Awaited<'p> for AwaitedShared<'_, 'p, T> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        is_over_by_runs(self.pool, self.futures, self.when)
            || waker.is_some_and(|waker| self.waiter.leave(self.futures, self.when, waker))
    }

    fn depends_on(&self) -> DependsOn {
        // A wait for all is also a wait for the first that is not done. After its end, the waiter looks
        // again.
        let is_for_all = self.when == ReturnWhen::AllCompleted || self.futures.len() == 1;
        let first = self.own().find(|future| !future.has_ended());
        match first {
            Some(first) if is_for_all => DependsOn::Job(Member::slot(first).index()),
            _ => DependsOn::Others,
        }
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        begin_one_of(self.own(), runner)
    }
}
