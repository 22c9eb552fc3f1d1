//! How the state word changes: by compare-and-swap.

use super::*;

impl State {
    /// Swaps `from` for `to`. AcqRel: each transition publishes what its own bits stand for
    /// (payload, listener cell, chain). It acquires what the bits of other parties stand for.
    ///
    /// Relaxed on failure: a caller that then finds nothing to swap touches only what it owned
    /// before, unless it has loaded the word again.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn swap(&self, from: Snapshot, to: u32) -> Result<(), Snapshot> {
        match self
            .0
            .compare_exchange_weak(from.0, to, Ordering::AcqRel, Ordering::Relaxed)
        {
            Ok(_) => Ok(()),
            Err(now) => Err(Snapshot(now)),
        }
    }

    /// [`swap`](Self::swap) as one piece of code, for all transitions that are rare.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(super) fn swap_rarely(&self, from: Snapshot, to: u32) -> Result<(), Snapshot> {
        self.swap(from, to)
    }

    /// Repeats `step` until its swap succeeds. `step` returns the new word and a report, or a
    /// report alone if there is nothing to swap.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(super) fn transition<R>(&self, step: impl Fn(Snapshot) -> Result<(u32, R), R>) -> R {
        self.transition_by(Self::swap, step)
    }

    /// [`transition`](Self::transition) for steps that not every job takes. On a chip it takes less
    /// code.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(super) fn rare_transition<R>(&self, step: impl Fn(Snapshot) -> Result<(u32, R), R>) -> R {
        self.transition_by(Self::swap_rarely, step)
    }

    #[inline(always)]
    fn transition_by<R>(
        &self,
        swap: impl Fn(&Self, Snapshot, u32) -> Result<(), Snapshot>,
        step: impl Fn(Snapshot) -> Result<(u32, R), R>,
    ) -> R {
        let mut now = self.load();
        loop {
            match step(now) {
                Err(report) => return report,
                Ok((to, report)) => match swap(self, now, to) {
                    Ok(()) => return report,
                    Err(other) => now = other,
                },
            }
        }
    }

    /// Begins the job: a worker has popped its index, or a promise's holder keeps the promise.
    /// `runner` is the worker's number plus one, or 0.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn begin(&self, runner: u16) -> Begin {
        let now = self.load();
        if now.lacks(BUSY | DONE) {
            let to = now.begun_by(runner) & !QUEUED;
            if self.swap(now, to).is_ok() {
                return Begin::Begun(Snapshot(to));
            }
        }
        self.begin_anew(runner)
    }

    /// [`begin`](Self::begin), if another party has changed the word.
    #[cold]
    fn begin_anew(&self, runner: u16) -> Begin {
        self.rare_transition(|s| Ok(s.begin(runner)))
    }

    /// Whether the index, which is in the queue, stands for no job. If so, no submitter takes the
    /// slot over before the index has left the queue.
    pub(crate) fn reap(&self) -> bool {
        loop {
            // The word is loaded again after a swap that failed, since a failed swap acquires
            // nothing. A caller that finds the index gone from the queue then also finds the head
            // moved.
            let now = self.load();
            if !now.is_queued_in_vain() {
                return false;
            }
            if now.has(REAPED) || self.swap_rarely(now, now.0 | REAPED).is_ok() {
                return true;
            }
        }
    }
}
