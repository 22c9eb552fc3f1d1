//! Waiting on many futures: `wait` and `as_completed`.
//!
//! A set of futures takes one of the pool's WAITERS places, with one waker for all of them, and each
//! future of the set is told to report there. A completer puts its slot on the place's list and
//! rings: one notification per completion, whatever the size of the set. The list is a chain
//! through the slots' links, last completion first; the waiter takes it all at once and turns it
//! around.
//!
//! ```text
//!     waiter                          completer of a member
//!     take a place, open its bell
//!     each future: leave "report to
//!       place, position", hold bell
//!                                     make the slot ready
//!                                     push it on the place's list
//!     take the list  ◄──────────────  ring, let go of the bell
//!     leave: take back what is not
//!       reported, close the bell      (a completer that is late still holds the bell: the place is
//!                                      not given to another set before it lets go)
//! ```

use core::{
    fmt,
    future::{Future, poll_fn},
    task::{Poll, Waker},
    time::Duration,
};

use crate::{
    api::future::JobFuture,
    engine::block::{Awaited, DependsOn},
    error::Blocked,
    lockfree::{defer::Defer, state::Snapshot, sync::Ordering},
    memory::{
        pool::{Pool, Waiter},
        slot::{Member, Membership, SlotRef},
    },
};

/// A set of futures for [`as_completed`]: a fixed-capacity vector.
pub type FutureSet<'p, T, const N: usize> = heapless::Vec<JobFuture<'p, T>, N>;

/// When [`wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReturnWhen {
    /// When any future is done.
    FirstCompleted,
    /// When any future has failed, or all are done. A cancellation is no failure.
    FirstException,
    /// When all futures are done.
    AllCompleted,
}

/// Why a wait on several futures could not be made or did not end.
///
/// A time-out of [`wait`] is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WaitError {
    /// As many waits as the pool has WAITERS are under way.
    TooManyWaiters,
    /// The futures are of more than one pool. A set reports to a place in its pool.
    MixedPools,
    /// Waiting here could never end: the caller is a job of the same pool on which an awaited job
    /// depends, or its context may not block.
    WouldDeadlock,
    /// A timeout was given, but the pool has no port and so no clock. Install a `Port`.
    NoClock,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyWaiters => crate::error::TOO_MANY_WAITERS,
            Self::MixedPools => "the futures are of more than one pool: wait for each pool's own",
            Self::WouldDeadlock => {
                "waiting here could never end: the caller's context may not block, or an awaited job \
                 depends on the caller"
            }
            Self::NoClock => "the pool has no clock for a timeout: install a port",
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

/// One of the pool's places for waiters, while it is taken.
pub(crate) struct Registration<'p> {
    pool: Pool<'p>,
    place: &'p Waiter,
    number: u16,
    waker: Waker,
}

impl<'p> Registration<'p> {
    /// Takes a place and puts the waker there. `None` if there is none left.
    pub(crate) fn begin(pool: Pool<'p>, waker: &Waker, interest: u16) -> Option<Self> {
        // The waker's code may unwind: it is called before anything is taken.
        let (rung, own) = (waker.clone(), waker.clone());
        let mut places = pool.waiters().iter().enumerate();
        let (number, place) = places.find(|(_, place)| place.bell.take())?;
        // Release: as in `take_completed`; who was told there before has gone on.
        place.completed.store(0, Ordering::Release);
        // Relaxed: see `ring_waiters`.
        place.interest.store(interest, Ordering::Relaxed);
        // SAFETY: taken just now.
        unsafe { place.bell.open(rung) };
        Some(Self {
            pool,
            place,
            number: number as u16,
            waker: own,
        })
    }

    /// Whether it was begun for this waker.
    pub(crate) fn is_for(&self, waker: &Waker) -> bool {
        self.waker.will_wake(waker)
    }

    /// Tells a future of this pool to report here. False if it is ready instead.
    fn enlist<T>(&self, future: &mut JobFuture<'p, T>, position: usize) -> bool {
        debug_assert!(future.pool().is(self.pool));
        // SAFETY: this value is a holder itself.
        unsafe { self.place.bell.hold() };
        let member = Member {
            waiter: self.number,
            position: position as u16,
        };
        future.enlist(member, &Self::MEMBERSHIP)
    }

    /// What the completer of a member does.
    const MEMBERSHIP: Membership = Membership {
        report: push_completed,
        tell: |pool, member| {
            if let Some(place) = pool.waiters().get(usize::from(member.waiter)) {
                // Even if the waker unwinds.
                let _release = Defer(|| {
                    place.bell.release();
                });
                // SAFETY: each member of a set holds the set's bell, which is open or was.
                pool.guarded(&mut || unsafe { place.bell.wake_held() });
            }
        },
        forget: |pool, member| {
            if let Some(place) = pool.waiters().get(usize::from(member.waiter)) {
                // Each member holds the set's bell.
                place.bell.release();
            }
        },
    };

    /// The completions since the last call, oldest first: slot plus one, chained by link.
    fn take_completed(&self) -> u16 {
        // Acquire: pairs with the Release of `push_completed`. Release: pairs with the Acquire of `Pool::is_told`; who
        // finds that nothing is left there sees that the caller has gone on.
        let newest = self.place.completed.swap(0, Ordering::AcqRel);
        self.pool.reverse_chain(newest)
    }
}

impl Pool<'_> {
    /// For the place of a set that the caller only looks at. If it goes to sleep after, it needs no other place: there
    /// may be none while a completer still holds the first.
    fn waker_for_looks(self) -> Waker {
        self.own_waker().unwrap_or(Waker::noop().clone())
    }
}

/// Adds a done slot to its set's list of completions.
fn push_completed<'p>(pool: Pool<'p>, member: Member, slot: SlotRef<'p>) {
    let Some(place) = pool.waiters().get(usize::from(member.waiter)) else {
        return;
    };
    let link = slot.link();
    let mut last = place.completed.load(Ordering::Relaxed);
    loop {
        // Release: pairs with the Acquire of `SlotRef::reports_to`; the job has ended.
        link.store(last, Ordering::Release);
        // Release: pairs with the Acquire of `take_completed`; publishes the link.
        match place.completed.compare_exchange_weak(
            last,
            slot.index() + 1,
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            Ok(_) => return,
            Err(now) => last = now,
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        // The waker, which may unwind as it is dropped, is dropped after this.
        self.place.interest.store(0, Ordering::Relaxed);
        // SAFETY: opened in `begin`, closed once.
        unsafe { self.place.bell.close() };
    }
}

/// The two parts of a waited-for slice, in no particular order within each.
#[derive(Debug)]
pub struct Waited<'a, 'p, T> {
    /// The futures that are done.
    pub done: &'a mut [JobFuture<'p, T>],
    /// The others.
    pub not_done: &'a mut [JobFuture<'p, T>],
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for Waited<'_, '_, T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Waited({=usize} done, {=usize} not)",
            self.done.len(),
            self.not_done.len()
        );
    }
}

/// Waits until one or all of `futures` are done, or until `timeout` is over.
///
/// Puts the futures that are done in front and returns both parts. A time-out is no error: the
/// parts then are as they are. An empty slice returns at once.
///
/// A job of the same pool that calls it runs those of the futures' jobs that nobody has begun, and
/// nothing else, as [`JobFuture::result`] does.
///
/// * **Context**: any that may block; with a `timeout` of zero, any.
/// * **Cost**: O(futures + WAITERS) in all: one registration and at most one notification for each
///   future. The caller waits, in one of the WAITERS places. A job of the pool looks for those that
///   nobody has begun, at O(futures) a look. Before it sleeps it looks for a circle of waits, which
///   grows with SLOTS.
///
/// # Errors
///
/// [`WaitError::MixedPools`] if the futures are of several pools. [`WaitError::NoClock`] for a
/// `timeout` in a pool without a clock. [`WaitError::TooManyWaiters`] if no place is left.
/// [`WaitError::WouldDeadlock`] if the wait could never end, or the caller's context may not block.
/// The futures are as before.
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
) -> Result<Waited<'a, 'p, T>, WaitError> {
    let Some(pool) = futures.first().map(JobFuture::pool) else {
        return Ok(partition(futures));
    };
    if !futures.iter().all(|future| future.pool().is(pool)) {
        return Err(WaitError::MixedPools);
    }
    let deadline = pool.deadline_in(timeout)?;
    let mut set = AwaitedSet {
        pool,
        futures,
        when,
        place: None,
        reported: 0,
        failed: false,
        refused: false,
    };
    let waited = if set.is_over() || timeout.is_some_and(|timeout| timeout.is_zero()) {
        Ok(())
    } else {
        pool.block_on(&mut set, deadline)
    };
    let AwaitedSet {
        futures, refused, ..
    } = set;
    for future in futures.iter_mut() {
        future.delist();
    }
    if refused {
        return Err(WaitError::TooManyWaiters);
    }
    match waited {
        Ok(()) | Err(Blocked::TimedOut) => Ok(partition(futures)),
        Err(blocked) => Err(blocked.into()),
    }
}

/// A wait for futures of one pool.
struct AwaitedSet<'a, 'p, T> {
    pool: Pool<'p>,
    futures: &'a mut [JobFuture<'p, T>],
    when: ReturnWhen,
    place: Option<Registration<'p>>,
    /// How many have completed since the place was taken, or had before, and whether one has failed.
    reported: usize,
    failed: bool,
    /// There was no place.
    refused: bool,
}

impl<'p, T> AwaitedSet<'_, 'p, T> {
    /// Looks at each future.
    fn is_over(&self) -> bool {
        let mut futures = self.futures.iter();
        match self.when {
            ReturnWhen::FirstCompleted => futures.any(JobFuture::is_ready),
            ReturnWhen::FirstException => {
                futures.any(|future| future.is_ready() && future.failed())
                    || self.futures.iter().all(JobFuture::is_ready)
            }
            ReturnWhen::AllCompleted => futures.all(JobFuture::is_ready),
        }
    }

    /// Takes a place for this waker, and has the futures report there.
    fn register(&mut self, waker: &Waker) {
        for future in self.futures.iter_mut() {
            future.delist();
        }
        self.place = None;
        self.place = Registration::begin(self.pool, waker, 0);
        (self.reported, self.failed) = (0, false);
        let Some(place) = &self.place else {
            return;
        };
        for (position, future) in self.futures.iter_mut().enumerate() {
            if !place.enlist(future, position) {
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
                None => self.register(&self.pool.waker_for_looks()),
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
        // Who has reported is ready.
        match self.when {
            ReturnWhen::FirstCompleted => self.reported > 0,
            ReturnWhen::FirstException => self.failed || self.reported == self.futures.len(),
            ReturnWhen::AllCompleted => self.reported == self.futures.len(),
        }
    }

    fn depends_on(&self) -> DependsOn {
        match (&self.place, self.when) {
            (None, _) => DependsOn::Others,
            (Some(place), ReturnWhen::AllCompleted) => DependsOn::AllOf(place.number),
            // Any of them may be the one that ends the wait, be it by a failure.
            (Some(place), _) => DependsOn::AnyOf(place.number),
        }
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        begin_one_of(self.futures.iter(), runner)
    }
}

/// Begins a job of these futures that nobody has begun.
pub(crate) fn begin_one_of<'a, 'p: 'a, T: 'a>(
    mut futures: impl Iterator<Item = &'a JobFuture<'p, T>>,
    runner: u16,
) -> Option<(SlotRef<'p>, Snapshot)> {
    futures.find_map(|future| {
        let slot = future.slot();
        Some((slot, slot.state.begin_in_queue(runner)?))
    })
}

/// Swaps the futures that are done to the front.
fn partition<'a, 'p, T>(futures: &'a mut [JobFuture<'p, T>]) -> Waited<'a, 'p, T> {
    let mut count = 0;
    for position in 0..futures.len() {
        if futures.get(position).is_some_and(JobFuture::is_ready) {
            // An error says that the two are one: nothing to swap.
            if let Ok([first, second]) = futures.get_disjoint_mut([count, position]) {
                core::mem::swap(first, second);
            }
            count += 1;
        }
    }
    let (done, not_done) = futures.split_at_mut_checked(count).unwrap_or_default();
    Waited { done, not_done }
}

/// Why [`AsCompleted`] has no next future, although some are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AsCompletedError {
    /// The time was over. [`AsCompleted::into_unfinished`] gives the futures back.
    TimedOut {
        /// How many futures were not done.
        unfinished: usize,
        /// How many there were at first.
        total: usize,
    },
    /// The wait could not be made or would not end.
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

/// An iterator over futures as they complete: what [`as_completed`] returns.
///
/// First the futures that are done already, then each when it completes, in the order of their
/// completion. Dropping it detaches the rest; [`into_unfinished`](Self::into_unfinished) gives the
/// rest back. After an error it ends.
pub struct AsCompleted<'p, T, const N: usize> {
    /// The first member's; `None` if there is none.
    pool: Option<Pool<'p>>,
    /// `None` where a future was handed out.
    members: heapless::Vec<Option<JobFuture<'p, T>>, N>,
    /// Positions of members that have reported, or needed no report.
    reported: heapless::Deque<u16, N>,
    place: Option<Registration<'p>>,
    left: usize,
    total: usize,
    deadline: Result<Option<Duration>, Blocked>,
    ended: bool,
}

/// Iterates over futures in the order in which they complete.
///
/// `timeout` counts from this call. The set may hold any number of futures up to its capacity, of
/// one pool. Each is in it once, since a `JobFuture` is the only handle of its job.
///
/// * **Context**: any for the call; any that may block for `next`.
/// * **Cost**: O(futures + WAITERS) in all: one registration and one notification for each future.
///   `next` waits for the next completion, as [`wait()`] does.
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
    let pool = futures.first().map(JobFuture::pool);
    let deadline = pool.map_or(Ok(None), |pool| pool.deadline_in(timeout));
    let total = futures.len();
    let mut members = heapless::Vec::new();
    while let Some(future) = futures.pop() {
        // There is room: both have capacity N.
        let _ = members.push(Some(future));
    }
    members.reverse();
    AsCompleted {
        pool,
        members,
        reported: heapless::Deque::new(),
        place: None,
        left: total,
        total,
        deadline,
        ended: false,
    }
}

impl<'p, T, const N: usize> AsCompleted<'p, T, N> {
    /// The next future that is done, for async callers: awaits instead of blocking. The timeout has
    /// no part in it; use a timer of the executor's.
    ///
    /// * **Context**: any may poll it.
    /// * **Cost**: O(futures + WAITERS) for the first poll, and for one with another waker. Else
    ///   O(completions since).
    /// * **Cancel safety**: safe: a future that has completed meanwhile comes with the next call.
    ///
    /// # Errors
    ///
    /// [`WaitError::TooManyWaiters`] if no place among WAITERS is left; [`WaitError::MixedPools`]
    /// if the futures are of several pools.
    ///
    /// ```
    /// # use corepool::{FutureSet, StaticPool, as_completed};
    /// # use core::{pin::pin, task::{Context, Poll, Waker}};
    /// # static POOL: StaticPool<4, 32> = StaticPool::new();
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

    /// The futures that were not handed out.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(futures).
    pub fn into_unfinished(mut self) -> FutureSet<'p, T, N> {
        for member in self.members.iter_mut().flatten() {
            member.delist();
        }
        // The wakers may unwind as they are dropped, while the futures are still here.
        self.place = None;
        let mut unfinished = FutureSet::new();
        for future in self.members.iter_mut().filter_map(Option::take) {
            // There is room: both have capacity N.
            let _ = unfinished.push(future);
        }
        unfinished
    }

    /// Without a waker, only looks.
    fn poll_next(
        &mut self,
        waker: Option<&Waker>,
    ) -> Result<Poll<Option<JobFuture<'p, T>>>, WaitError> {
        if self.left == 0 {
            return Ok(Poll::Ready(None));
        }
        self.report_to(waker)?;
        if let Some(place) = &self.place {
            let mut next = place.take_completed();
            while let Some(index) = next.checked_sub(1) {
                let slot = place.pool.slot(index);
                next = slot.link().load(Ordering::Relaxed);
                // SAFETY: found in the set's list, so it is DONE, and its cell says to whom it
                // reported.
                if let Some(member) = unsafe { slot.member() } {
                    // There is room: each member reports once.
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

    /// The first of the members that have reported, and so are ready.
    fn take_reported(&mut self) -> Option<JobFuture<'p, T>> {
        let position = self.reported.pop_front()?;
        self.members.get_mut(usize::from(position))?.take()
    }

    /// Has all members that have not reported yet report to `waker`, or to the caller's own.
    fn report_to(&mut self, waker: Option<&Waker>) -> Result<(), WaitError> {
        let Some(pool) = self.pool else {
            return Ok(());
        };
        if let Some(place) = &self.place
            && waker.is_none_or(|waker| place.is_for(waker))
        {
            return Ok(());
        }
        let waker = waker.map_or_else(|| pool.waker_for_looks(), Waker::clone);
        // A member of another pool would report to another place of that number.
        if !self
            .members
            .iter()
            .flatten()
            .all(|member| member.pool().is(pool))
        {
            return Err(WaitError::MixedPools);
        }
        for member in self.members.iter_mut().flatten() {
            member.delist();
        }
        self.place = None;
        let place = Registration::begin(pool, &waker, 0).ok_or(WaitError::TooManyWaiters)?;
        self.reported.clear();
        for (position, member) in self.members.iter_mut().enumerate() {
            if let Some(future) = member
                && !place.enlist(future, position)
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
        if self.left == 0 || self.ended {
            return None;
        }
        let pool = self.pool?;
        let mut wait = AwaitedNext {
            set: self,
            next: Ok(Poll::Pending),
        };
        let waited = match wait.set.deadline {
            Ok(deadline) => pool.block_on(&mut wait, deadline),
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
            // Unreachable: the wait is over when there is a next one.
            (Ok(()), Ok(Poll::Pending)) => return None,
        };
        self.ended = true;
        Some(Err(error))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left + 1))
    }
}

/// A wait for the next of a set.
struct AwaitedNext<'a, 'p, T, const N: usize> {
    set: &'a mut AsCompleted<'p, T, N>,
    next: Result<Poll<Option<JobFuture<'p, T>>>, WaitError>,
}

impl<'p, T, const N: usize> Awaited<'p> for AwaitedNext<'_, 'p, T, N> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        self.next = self.set.poll_next(waker);
        !matches!(self.next, Ok(Poll::Pending))
    }

    fn depends_on(&self) -> DependsOn {
        let place = self.set.place.as_ref();
        place.map_or(DependsOn::Others, |place| DependsOn::AnyOf(place.number))
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        begin_one_of(self.set.members.iter().flatten(), runner)
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
