//! How the state word changes: each transition is a critical section.

use super::{super::section::locked, *};

impl State {
    /// Swaps `from` for `to`, unless another party has changed the word.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn swap_rarely(&self, from: Snapshot, to: u32) -> Result<(), Snapshot> {
        self.rare_transition(|now| {
            if now.0 == from.0 {
                Ok((to, Ok(())))
            } else {
                Err(Err(now))
            }
        })
    }

    /// Makes one step. `step` returns the new word and a report, or a report alone if there is
    /// nothing to change. The caller has the slot's index from a list, or is `BUSY`.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(super) fn transition<R>(&self, step: impl Fn(Snapshot) -> Result<(u32, R), R>) -> R {
        // Relaxed: the section sees the earlier transitions. The caller has seen the first word of
        // the slot's tenant, since its submitter has pushed the index in a section.
        self.transition_from(Ordering::Relaxed, step)
    }

    /// [`transition`](Self::transition) by any party.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(super) fn rare_transition<R>(&self, step: impl Fn(Snapshot) -> Result<(u32, R), R>) -> R {
        // Acquire: pairs with the Release of `occupy`, which is no section. The caller may have found
        // the slot before its submitter has pushed the index.
        self.transition_from(Ordering::Acquire, step)
    }

    #[inline(always)]
    fn transition_from<R>(
        &self,
        order: Ordering,
        step: impl Fn(Snapshot) -> Result<(u32, R), R>,
    ) -> R {
        locked(|| match step(Snapshot(self.0.load(order))) {
            Err(report) => report,
            Ok((to, report)) => {
                // Release: pairs with the Acquire of `load`, outside of sections.
                self.0.store(to, Ordering::Release);
                report
            }
        })
    }

    /// Begins the job: a worker has popped its index, or a promise's holder keeps the promise.
    /// `runner` is the worker's number plus one, or 0.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn begin(&self, runner: u16) -> Begin {
        self.transition(|s| Ok(s.begin(runner)))
    }

    /// Whether the index, which is in the queue, stands for no job. If so, no submitter takes the
    /// slot over before the index has left the queue. The queue calls this in its critical section,
    /// so the call begins none.
    pub(crate) fn reap(&self) -> bool {
        // Acquire: as in `rare_transition`.
        let now = self.load();
        let is_in_vain = now.is_queued_in_vain();
        if is_in_vain {
            // Release: as in `transition_from`.
            self.0.store(now.0 | REAPED, Ordering::Release);
        }
        is_in_vain
    }
}
