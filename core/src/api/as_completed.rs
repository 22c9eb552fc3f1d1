//! `as_completed`: the futures of a set, in the order in which they complete.

use core::{
    fmt,
    future::{Future, poll_fn},
    task::{Poll, Waker},
    time::Duration,
};

use crate::{
    api::future::JobFuture,
    api::several::{begin_one_of, pool_to_block_in, run_without_workers},
    api::wait::{WaitError, enlist},
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

/// A set of futures for [`as_completed`]: a fixed-capacity vector.
///
/// Its methods are those of [`heapless::Vec`]. The crate [`heapless`](crate::heapless) is part of this
/// interface, so an application needs no dependency of its own for them.
pub type FutureSet<'p, T, const N: usize> = heapless::Vec<JobFuture<'p, T>, N>;

/// Why [`AsCompleted`] returns no next future, although some are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AsCompletedError {
    /// The time was over. [`AsCompleted::into_unfinished`] gives the futures back.
    TimedOut {
        /// The number of futures that were not done.
        unfinished: usize,
        /// The number of futures in the set at first.
        total: usize,
    },
    /// The wait could not begin, or would not end.
    Wait(WaitError),
}

impl fmt::Display for AsCompletedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { unfinished, total } => {
                write!(f, "{unfinished} (of {total}) futures unfinished")
            }
            Self::Wait(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AsCompletedError {}

/// The iterator that [`as_completed`] returns: the futures of a set as they complete.
///
/// It returns first the futures that are done already, and then each when it completes. Dropping it
/// detaches the remaining jobs. [`into_unfinished`](Self::into_unfinished) returns their futures
/// instead. After an error the iterator ends.
pub struct AsCompleted<'p, T, const N: usize> {
    /// The pool in which the caller blocks. `None` if there are no members.
    pool: Option<Pool<'p>>,
    /// The members are of several pools: they report to no place.
    is_across: bool,
    /// `None` in place of a future that was returned.
    members: heapless::Vec<Option<JobFuture<'p, T>>, N>,
    /// The positions of members that have reported, or that were ready before.
    reported: heapless::Deque<u16, N>,
    place: Option<Registration<'p>>,
    left: usize,
    total: usize,
    limit: Result<Limit, Blocked>,
    ended: bool,
}

/// Iterates over futures in the order in which they complete.
///
/// `timeout` counts from this call. The set may hold any number of futures, up to its capacity. Each
/// future is in it once, since a `JobFuture` is the only handle of its job.
///
/// The futures may belong to several pools, as in [`wait`](crate::wait()). Then futures that have
/// completed since the last look come in the set's order.
///
/// * **Context**: any for the call; any that may block for `next`.
/// * **Cost**: O(futures + WAITERS) in all: one registration and one notification for each future.
///   Over several pools, O(futures) a look. `next` waits for the next completion, as
///   [`wait`](crate::wait()) does.
///
/// ```
/// use corepool::{FutureSet, StaticPool, as_completed};
///
/// static POOL: StaticPool<4, 32> = StaticPool::new();
///
/// let jobs: FutureSet<'_, u32, 4> = (1..4)
///     .map(|n| POOL.submit(move || n * n).unwrap())
///     .collect();
/// let mut results = as_completed(jobs, None).map(|job| job.unwrap().result().unwrap());
/// assert_eq!(results.next(), Some(1));
/// assert_eq!(results.next(), Some(4));
/// assert_eq!(results.next(), Some(9));
/// assert_eq!(results.next(), None);
/// ```
pub fn as_completed<'p, T, const N: usize>(
    mut futures: FutureSet<'p, T, N>,
    timeout: Option<Duration>,
) -> AsCompleted<'p, T, N> {
    call("as_completed");
    let pool = pool_to_block_in(futures.iter());
    let is_across = futures
        .iter()
        .any(|future| !pool.is_some_and(|pool| future.pool().is(pool)));
    let limit = pool.map_or(Ok(Limit::NEVER), |pool| Limit::after(pool, timeout));
    let total = futures.len();
    let mut members = heapless::Vec::new();
    while let Some(future) = futures.pop() {
        // Both have capacity N, so there is room.
        let _ = members.push(Some(future));
    }
    members.reverse();
    AsCompleted {
        pool,
        is_across,
        members,
        reported: heapless::Deque::new(),
        place: None,
        left: total,
        total,
        limit,
        ended: false,
    }
}

impl<'p, T, const N: usize> AsCompleted<'p, T, N> {
    /// The next future that is done, for async callers: it awaits instead of blocking. The timeout
    /// does not apply; use a timer of the async runtime.
    ///
    /// * **Context**: any may poll it.
    /// * **Cost**: O(futures + WAITERS) for the first poll, and for a poll with another waker.
    ///   Otherwise O(completions since the last poll). Over several pools, O(futures) a poll.
    /// * **Cancel safety**: safe: the next call returns a future that has completed meanwhile.
    ///
    /// # Errors
    ///
    /// [`WaitError::TooManyWaiters`] if no place among WAITERS is left.
    ///
    /// ```
    /// # use corepool::{FutureSet, StaticPool, as_completed};
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let jobs: FutureSet<'_, u32, 2> = (1..3).map(|n| POOL.submit(move || n).unwrap()).collect();
    /// let mut set = as_completed(jobs, None);
    /// # let mut cx = Context::from_waker(Waker::noop());
    /// # assert!(pin!(set.next_done()).poll(&mut cx).is_pending());
    /// POOL.run_pending(1);
    /// # let run = async {
    /// let first = set.next_done().await.unwrap().unwrap();
    /// assert_eq!(first.result().unwrap(), 1);
    /// # };
    /// # assert_eq!(pin!(run).poll(&mut cx), Poll::Ready(()));
    /// ```
    pub fn next_done(
        &mut self,
    ) -> impl Future<Output = Option<Result<JobFuture<'p, T>, WaitError>>> {
        poll_fn(|cx| match self.poll_next(Some(cx.waker())) {
            Ok(Poll::Ready(next)) => Poll::Ready(next.map(Ok)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(error) => Poll::Ready(Some(Err(error))),
        })
    }

    /// The futures that were not returned yet.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(futures).
    ///
    /// ```
    /// # use corepool::{FutureSet, StaticPool, as_completed};
    /// static POOL: StaticPool<4, 32> = StaticPool::new();
    /// let jobs: FutureSet<'_, u32, 2> = (1..3).map(|n| POOL.submit(move || n).unwrap()).collect();
    /// let mut set = as_completed(jobs, None);
    /// let first = set.next().unwrap().unwrap();
    /// for job in set.into_unfinished() {
    ///     job.cancel(); // one is enough
    /// }
    /// # first.result().unwrap();
    /// ```
    pub fn into_unfinished(mut self) -> FutureSet<'p, T, N> {
        for member in self.members.iter_mut().flatten() {
            member.delist();
        }
        // The destructors of the wakers may unwind, so they run while `self` still has the futures.
        self.place = None;
        let mut unfinished = FutureSet::new();
        for future in self.members.iter_mut().filter_map(Option::take) {
            // Both have capacity N, so there is room.
            let _ = unfinished.push(future);
        }
        unfinished
    }

    /// The next future that is done. Without a waker, the call only looks.
    fn poll_next(
        &mut self,
        waker: Option<&Waker>,
    ) -> Result<Poll<Option<JobFuture<'p, T>>>, WaitError> {
        if self.left == 0 {
            return Ok(Poll::Ready(None));
        }
        if self.is_across {
            return Ok(self.poll_across(waker));
        }
        self.report_to(waker)?;
        if let Some(place) = &self.place {
            let mut next = place.take_completed();
            while let Some(index) = next.checked_sub(1) {
                let slot = place.pool().slot(index);
                next = slot.link().load(Ordering::Relaxed);
                // SAFETY: the slot was in the set's list, so it is DONE, and its cell has the set
                // that it reported to.
                if let Some(member) = unsafe { slot.member() } {
                    // Each member reports once, so there is room.
                    let _ = self.reported.push_back(member.position);
                }
            }
        }
        if let Some(future) = self.take_reported() {
            self.left -= 1;
            return Ok(Poll::Ready(Some(future)));
        }
        Ok(Poll::Pending)
    }

    /// Returns a done future. If none is done, the caller leaves its waker with each future.
    fn poll_across(&mut self, waker: Option<&Waker>) -> Poll<Option<JobFuture<'p, T>>> {
        let is_done = |member: &mut Option<JobFuture<'p, T>>| {
            member.as_mut().is_some_and(|future| match waker {
                Some(waker) => future.poll_ready(waker),
                None => future.is_ready(),
            })
        };
        let Some(done) = self
            .members
            .iter_mut()
            .find_map(|member| is_done(member).then(|| member.take()).flatten())
        else {
            return Poll::Pending;
        };
        self.left -= 1;
        Poll::Ready(Some(done))
    }

    /// Across pools, a caller that blocks runs the jobs of pools without a worker, until a member is done.
    fn run_without_workers(&self) {
        let Some(pool) = self.pool.filter(|_| self.is_across) else {
            return;
        };
        let mut members = self.members.iter().flatten();
        if members.clone().any(JobFuture::is_ready) {
            return;
        }
        let _done = members.find(|future| {
            run_without_workers(pool, *future);
            future.is_ready()
        });
    }

    /// Takes the first member that has reported, and so is ready.
    fn take_reported(&mut self) -> Option<JobFuture<'p, T>> {
        let position = self.reported.pop_front()?;
        self.members.get_mut(usize::from(position))?.take()
    }

    /// Has all members that have not reported yet report to a place with `waker`, or with the
    /// caller's own.
    fn report_to(&mut self, waker: Option<&Waker>) -> Result<(), WaitError> {
        let Some(pool) = self.pool else {
            return Ok(());
        };
        if let Some(place) = &self.place
            && waker.is_none_or(|waker| place.is_for(waker))
        {
            return Ok(());
        }
        let waker = waker.map_or_else(|| pool.seats().waker_for_looks(), Waker::clone);
        for member in self.members.iter_mut().flatten() {
            member.delist();
        }
        self.place = None;
        let place = pool
            .waiters()
            .register(&waker, 0)
            .ok_or(WaitError::TooManyWaiters)?;
        self.reported.clear();
        for (position, member) in self.members.iter_mut().enumerate() {
            if let Some(future) = member
                && !enlist(&place, future, position)
            {
                let _ = self.reported.push_back(position as u16);
            }
        }
        self.place = Some(place);
        Ok(())
    }
}

impl<'p, T, const N: usize> Iterator for AsCompleted<'p, T, N> {
    type Item = Result<JobFuture<'p, T>, AsCompletedError>;

    fn next(&mut self) -> Option<Self::Item> {
        call("next of as_completed");
        if self.left == 0 || self.ended {
            return None;
        }
        let pool = self.pool?;
        let mut wait = AwaitedNext {
            set: self,
            next: Ok(Poll::Pending),
        };
        let waited = match wait.set.limit {
            Ok(limit) => block::wait(pool, &mut wait, limit),
            Err(blocked) => Err(blocked),
        };
        let next = wait.next;
        let error = match (waited, next) {
            (Ok(()), Ok(Poll::Ready(next))) => return next.map(Ok),
            (_, Err(error)) => AsCompletedError::Wait(error),
            (Err(Blocked::TimedOut), _) => AsCompletedError::TimedOut {
                unfinished: self.left,
                total: self.total,
            },
            (Err(blocked), _) => AsCompletedError::Wait(blocked.into()),
            // Unreachable: the wait ends only if there is a next future.
            (Ok(()), Ok(Poll::Pending)) => return None,
        };
        self.ended = true;
        Some(Err(error))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left + 1))
    }
}

/// A wait for the next future of a set.
struct AwaitedNext<'a, 'p, T, const N: usize> {
    set: &'a mut AsCompleted<'p, T, N>,
    next: Result<Poll<Option<JobFuture<'p, T>>>, WaitError>,
}

impl<'p, T, const N: usize> Awaited<'p> for AwaitedNext<'_, 'p, T, N> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        self.set.run_without_workers();
        self.next = self.set.poll_next(waker);
        !matches!(self.next, Ok(Poll::Pending))
    }

    fn depends_on(&self) -> DependsOn {
        let place = self.set.place.as_ref();
        place.map_or(DependsOn::Others, |place| DependsOn::AnyOf(place.number()))
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        // A worker of one pool begins no job of another.
        let pool = self.set.pool?;
        let members = self.set.members.iter().flatten();
        begin_one_of(members.filter(|member| member.pool().is(pool)), runner)
    }
}

impl<T, const N: usize> fmt::Debug for AsCompleted<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .field("total", &self.total)
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<T, const N: usize> defmt::Format for AsCompleted<'_, T, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "AsCompleted({=usize} of {=usize} left)",
            self.left,
            self.total
        );
    }
}
