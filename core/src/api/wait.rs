//! Waiting on many futures: `wait`, and the set that `as_completed` shares.
//!
//! A set of futures takes one of the pool's WAITERS places, with one waker for all of them. Each
//! future of the set reports to that place. A completer pushes its slot onto the place's list, and
//! wakes the waiter: one notification per completion, for a set of any size. The list is a chain
//! through the slots' links, newest first. The waiter takes it as a whole and reverses it.
//!
//! ```text
//!     waiter                          completer of a member
//!     take a place, open its waker
//!     each future: leave "report to
//!       place, position", hold waker
//!                                     make the slot ready
//!                                     push it on the place's list
//!     take the list  ◄──────────────  wake the waiter, release the waker
//!     leave: take back what is not
//!       reported, close the waker     (a completer that is late still holds the waker: no other
//!                                      set gets the place before it releases the hold)
//! ```

use core::{fmt, task::Waker, time::Duration};

use crate::{
    api::future::JobFuture,
    api::several::{
        AwaitedAcross, ReturnWhen, Waited, begin_one_of, is_over, partition, pool_to_block_in,
    },
    engine::block::{self, Awaited, Limit},
    engine::waiters::Registration,
    error::Blocked,
    lockfree::state::Snapshot,
    lockfree::sync::Ordering,
    lockfree::sync::call,
    memory::pool::Pool,
    memory::seat::DependsOn,
    memory::slot::SlotRef,
};

/// Why a wait on several futures could not begin or did not end.
///
/// A time-out of [`wait`] is not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WaitError {
    /// All WAITERS places of the pool are taken.
    TooManyWaiters,
    /// Waiting here could never end. The caller is a job of the same pool that an awaited job
    /// depends on, or the caller's context may not block.
    WouldDeadlock,
    /// A timeout was given, but the pool has no port and so no clock. Install a `Port`.
    NoClock,
    /// The shared futures belong to more than four pools. Wait for those of four pools at a time.
    TooManyPools,
}

/// The pools whose shared futures a waiter can wait for at the same time.
pub(super) const MOST_POOLS: usize = 4;

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyWaiters => crate::error::TOO_MANY_WAITERS,
            Self::WouldDeadlock => {
                "waiting here could never end: the caller's context may not block, or an awaited job \
                 depends on the caller"
            }
            Self::NoClock => crate::error::NO_CLOCK,
            Self::TooManyPools => {
                "the shared futures belong to more than 4 pools: wait for those of 4 pools at a time"
            }
        })
    }
}

impl core::error::Error for WaitError {}

impl From<Blocked> for WaitError {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::NoClock => Self::NoClock,
            Blocked::TooManyWaiters => Self::TooManyWaiters,
            Blocked::TimedOut | Blocked::WouldDeadlock => Self::WouldDeadlock,
        }
    }
}

/// Waits until `when` holds for `futures`, or until `timeout` is over.
///
/// Moves the futures that are done to the front, and returns both parts. A time-out is not an
/// error: the call returns the two parts as they are then. An empty slice returns at once.
///
/// The futures may belong to several pools, such as one for each core. Then the call takes no place,
/// and each look at the set is O(futures). The caller then blocks by the port and clock of one pool:
/// the one that it works for, or else the first with a port. Where another of the pools has no
/// worker, the caller runs its queue, as it does when it waits for one of its jobs alone. No pool
/// detects a circle of waits through several pools.
///
/// A job of the same pool that calls this runs those of the jobs that no party has begun, and no
/// others, as [`JobFuture::result`] does.
///
/// * **Context**: any that may block; with a `timeout` of zero, any.
/// * **Cost**: O(futures + WAITERS) in all: one registration and at most one notification for each
///   future. The caller waits, in one of the WAITERS places. A job of the pool looks for jobs that
///   no party has begun, at O(futures) a look. Before it sleeps it looks for a circle of waits,
///   which grows with SLOTS.
///
/// # Errors
///
/// [`WaitError::NoClock`] for a `timeout` in a pool without a clock. [`WaitError::TooManyWaiters`] if no
/// place is left. [`WaitError::WouldDeadlock`] if the wait could never end, or the caller's context may not block.
/// The futures are unchanged.
///
/// ```
/// use corepool::{ReturnWhen, StaticPool, wait};
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let mut jobs = [POOL.submit(|| 1).unwrap(), POOL.submit(|| 2).unwrap()];
/// let waited = wait(&mut jobs, None, ReturnWhen::FirstCompleted).unwrap();
/// assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
/// ```
pub fn wait<'a, 'p, T>(
    futures: &'a mut [JobFuture<'p, T>],
    timeout: Option<Duration>,
    when: ReturnWhen,
) -> Result<Waited<'a, JobFuture<'p, T>>, WaitError> {
    call("wait");
    let Some(pool) = pool_to_block_in(futures.iter()) else {
        return Ok(partition(futures));
    };
    let limit = Limit::after(pool, timeout)?;
    let waited = if is_over(futures, when) || timeout.is_some_and(|timeout| timeout.is_zero()) {
        Ok(())
    } else if futures.iter().all(|future| future.pool().is(pool)) {
        wait_in(pool, futures, when, limit)
    } else {
        block::wait(
            pool,
            &mut AwaitedAcross {
                pool,
                futures,
                when,
            },
            limit,
        )
    };
    for future in futures.iter_mut() {
        future.delist();
    }
    match waited {
        Ok(()) | Err(Blocked::TimedOut) => Ok(partition(futures)),
        Err(blocked) => Err(blocked.into()),
    }
}

/// Waits for futures of this pool.
fn wait_in<'p, T>(
    pool: Pool<'p>,
    futures: &mut [JobFuture<'p, T>],
    when: ReturnWhen,
    limit: Limit,
) -> Result<(), Blocked> {
    let mut set = AwaitedSet {
        pool,
        futures,
        when,
        place: None,
        reported: 0,
        failed: false,
        refused: false,
    };
    let waited = block::wait(pool, &mut set, limit);
    if set.refused {
        return Err(Blocked::TooManyWaiters);
    }
    waited
}

/// A wait for futures of one pool.
struct AwaitedSet<'a, 'p, T> {
    pool: Pool<'p>,
    futures: &'a mut [JobFuture<'p, T>],
    when: ReturnWhen,
    place: Option<Registration<'p>>,
    /// The number of futures that were done before, or have reported since the place was taken.
    reported: usize,
    failed: bool,
    /// No place was left.
    refused: bool,
}

impl<'p, T> AwaitedSet<'_, 'p, T> {
    /// Takes a place for this waker, and has the futures report to it.
    fn register(&mut self, waker: &Waker) {
        for future in self.futures.iter_mut() {
            future.delist();
        }
        self.place = None;
        self.place = self.pool.waiters().register(waker, 0);
        (self.reported, self.failed) = (0, false);
        let Some(place) = &self.place else {
            return;
        };
        for (position, future) in self.futures.iter_mut().enumerate() {
            if !enlist(place, future, position) {
                self.reported += 1;
                self.failed |= future.failed();
            }
        }
    }
}

impl<'p, T> Awaited<'p> for AwaitedSet<'_, 'p, T> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        let is_told = |place: &Registration<'p>| waker.is_none_or(|waker| place.is_for(waker));
        if !self.place.as_ref().is_some_and(is_told) {
            match waker {
                Some(waker) => self.register(waker),
                None => self.register(&self.pool.seats().waker_for_looks()),
            }
        }
        let Some(place) = &self.place else {
            self.refused = true;
            return true;
        };
        let mut next = place.take_completed();
        while let Some(index) = next.checked_sub(1) {
            let slot = self.pool.slot(index);
            next = slot.link().load(Ordering::Relaxed);
            self.reported += 1;
            self.failed |= slot.state.load().failed();
        }
        // A future that has reported is ready.
        match self.when {
            ReturnWhen::FirstCompleted => self.reported > 0,
            ReturnWhen::FirstException => self.failed || self.reported == self.futures.len(),
            ReturnWhen::AllCompleted => self.reported == self.futures.len(),
        }
    }

    fn depends_on(&self) -> DependsOn {
        match (&self.place, self.when) {
            (None, _) => DependsOn::Others,
            (Some(place), ReturnWhen::AllCompleted) => DependsOn::AllOf(place.number()),
            // Any of the futures may end the wait, by a failure for instance.
            (Some(place), _) => DependsOn::AnyOf(place.number()),
        }
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        begin_one_of(self.futures.iter(), runner)
    }
}

/// Has a future report to this place. False if the future is ready instead.
pub(crate) fn enlist<'p, T>(
    place: &Registration<'p>,
    future: &mut JobFuture<'p, T>,
    position: usize,
) -> bool {
    debug_assert!(place.is_in(future.pool()));
    let (member, membership) = place.member(position as u16);
    future.enlist(member, membership)
}
