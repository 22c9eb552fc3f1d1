//! The shared parts of waits for several futures, and the wait for futures of several pools.
//!
//! A place among WAITERS belongs to one pool. So the waiter leaves its own waker with each future.
//! Each completion wakes it once. A look at the set is a look at each future.

use core::task::Waker;

use crate::{
    api::future::JobFuture, api::shared_future::SharedFuture, engine::block::Awaited, engine::life,
    lockfree::state::Snapshot, memory::pool::Pool, memory::slot::SlotRef,
};

/// A future that a wait for several is for.
pub(super) trait Member<'p> {
    fn pool(&self) -> Pool<'p>;
    fn slot(&self) -> SlotRef<'p>;
    fn has_ended(&self) -> bool;

    /// Whether the job has ended with an error other than cancellation.
    fn has_failed(&self) -> bool {
        self.has_ended() && self.slot().state.load().failed()
    }
}

impl<'p, T> Member<'p> for JobFuture<'p, T> {
    fn pool(&self) -> Pool<'p> {
        self.pool()
    }

    fn slot(&self) -> SlotRef<'p> {
        self.slot()
    }

    fn has_ended(&self) -> bool {
        self.is_ready()
    }
}

impl<'p, T> Member<'p> for SharedFuture<'p, T> {
    fn pool(&self) -> Pool<'p> {
        (**self).pool()
    }

    fn slot(&self) -> SlotRef<'p> {
        (**self).slot()
    }

    fn has_ended(&self) -> bool {
        self.slot().state.load().is_shown()
    }
}

/// The condition for [`wait`](crate::wait()) to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReturnWhen {
    /// When any future is done.
    FirstCompleted,
    /// When any future has failed, or all are done. A cancelled job has not failed.
    FirstException,
    /// When all futures are done.
    AllCompleted,
}

/// The two parts of a slice after a wait. The order within each part is unspecified.
#[derive(Debug)]
pub struct Waited<'a, F> {
    /// The futures that are done.
    pub done: &'a mut [F],
    /// The futures that are not done.
    pub not_done: &'a mut [F],
}

#[cfg(feature = "defmt")]
impl<F> defmt::Format for Waited<'_, F> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Waited({=usize} done, {=usize} not)",
            self.done.len(),
            self.not_done.len()
        );
    }
}

/// The pool in which a caller blocks: the one whose worker it is, else the first with a port, else
/// the first. `None` if there are no futures.
pub(super) fn pool_to_block_in<'a, 'p: 'a, F: Member<'p> + 'a>(
    futures: impl Iterator<Item = &'a F> + Clone,
) -> Option<Pool<'p>> {
    let mut pools = futures.clone().map(F::pool);
    let first = pools.clone().next()?;
    if pools.clone().all(|pool| pool.is(first)) {
        return Some(first);
    }
    let own = pools.clone().find(|pool| pool.seats().current().is_some());
    Some(
        own.or_else(|| pools.find(|pool| pool.port().is_some()))
            .unwrap_or(first),
    )
}

/// Whether a wait for these futures is over.
pub(super) fn is_over<'p, F: Member<'p>>(futures: &[F], when: ReturnWhen) -> bool {
    match when {
        ReturnWhen::FirstCompleted => futures.iter().any(F::has_ended),
        ReturnWhen::FirstException => {
            futures.iter().any(F::has_failed) || futures.iter().all(F::has_ended)
        }
        ReturnWhen::AllCompleted => futures.iter().all(F::has_ended),
    }
}

/// Leaves the waker with each future that is not ready.
pub(super) fn leave_waker<T>(futures: &mut [JobFuture<'_, T>], waker: &Waker) {
    for future in futures {
        future.poll_ready(waker);
    }
}

/// A wait for futures of several pools.
pub(super) struct AwaitedAcross<'a, 'p, T> {
    /// The pool in which the caller blocks.
    pub(super) pool: Pool<'p>,
    pub(super) futures: &'a mut [JobFuture<'p, T>],
    pub(super) when: ReturnWhen,
}

/// Runs the queued jobs of this future's pool, if that pool has no worker, until the job has ended.
/// For the pool in which the caller blocks, `engine::block` does so. False if it has run none.
pub(super) fn run_without_workers<'p>(blocks_in: Pool<'p>, future: &impl Member<'p>) -> bool {
    let pool = future.pool();
    let runs_here = || {
        let port = pool.port();
        pool.joined().has_no_worker() && port.is_none_or(|port| port.blocked_callers_run_jobs())
    };
    let mut ran = false;
    while !pool.is(blocks_in)
        && !future.has_ended()
        && runs_here()
        && life::run_pending(pool, 1) > 0
    {
        ran = true;
    }
    ran
}

/// Runs the queued jobs of the other pools that have no worker, until the wait is over. False if it
/// is not over.
pub(super) fn is_over_by_runs<'p, F: Member<'p>>(
    blocks_in: Pool<'p>,
    futures: &[F],
    when: ReturnWhen,
) -> bool {
    is_over(futures, when)
        || futures
            .iter()
            .any(|future| run_without_workers(blocks_in, future) && is_over(futures, when))
}

impl<'p, T> Awaited<'p> for AwaitedAcross<'_, 'p, T> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        if is_over_by_runs(self.pool, self.futures, self.when) {
            return true;
        }
        let Some(waker) = waker else {
            return false;
        };
        leave_waker(self.futures, waker);
        is_over(self.futures, self.when)
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        let own = self
            .futures
            .iter()
            .filter(|future| future.pool().is(self.pool));
        begin_one_of(own, runner)
    }
}

/// Begins a job of these futures that no party has begun.
pub(super) fn begin_one_of<'a, 'p: 'a, F: Member<'p> + 'a>(
    mut futures: impl Iterator<Item = &'a F>,
    runner: u16,
) -> Option<(SlotRef<'p>, Snapshot)> {
    futures.find_map(|future| {
        let slot = future.slot();
        Some((slot, slot.state.begin_in_queue(runner)?))
    })
}

/// Moves the futures that are done to the front.
pub(super) fn partition<'a, 'p, F: Member<'p>>(futures: &'a mut [F]) -> Waited<'a, F> {
    let mut count = 0;
    for position in 0..futures.len() {
        if futures.get(position).is_some_and(F::has_ended) {
            // An error means that both positions are the same: there is nothing to swap.
            if let Ok([first, second]) = futures.get_disjoint_mut([count, position]) {
                core::mem::swap(first, second);
            }
            count += 1;
        }
    }
    let (done, not_done) = futures.split_at_mut_checked(count).unwrap_or_default();
    Waited { done, not_done }
}
