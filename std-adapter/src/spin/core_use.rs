//! Whether a worker keeps its core while it spins.

use std::{cell::Cell, cmp::Ordering};

use super::pause::Pause;

/// Whether a worker keeps its core while it spins.
///
/// A worker that yields its core may get it back too late for a job that comes within microseconds. So it keeps
/// the core for 250 looks. But where the submitter has no other core, the job comes only after the worker has
/// yielded, and the first look after that finds it. After such a job, the worker keeps its core for ten looks only.
#[derive(Clone, Debug)]
pub(super) struct CoreUse {
    /// The last round in which the worker found the queue empty.
    round: Cell<u32>,
    /// The first round in which the worker yields its core.
    yields_from: Cell<u32>,
}

impl Default for CoreUse {
    fn default() -> Self {
        Self {
            round: Cell::new(0),
            yields_from: Cell::new(Self::ALONE),
        }
    }
}

impl CoreUse {
    /// How many looks keep a core that the worker has for itself.
    pub(super) const ALONE: u32 = 250;
    /// How many looks keep a core that the worker shares with the submitter.
    const SHARED: u32 = 10;

    /// The worker found the queue empty for the `round`-th time in a row, counted from 0. Returns how the worker
    /// pauses before it looks again.
    #[inline]
    pub(super) fn pause(&self, round: u32) -> Pause {
        let last_round = self.round.replace(round);
        if round == 0 {
            let yields_from = self.yields_from.get();
            match last_round.cmp(&yields_from) {
                Ordering::Less => {}
                Ordering::Equal => self.yields_from.set(Self::SHARED),
                // Others have had the core, and submitted nothing.
                Ordering::Greater => self.yields_from.set(Self::ALONE),
            }
        }
        Pause::in_round(round, self.yields_from.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job comes after `looks` looks at an empty queue. Returns how many of them kept the core.
    fn kept(core: &CoreUse, looks: u32) -> usize {
        let pauses = (0..looks).map(|round| core.pause(round));
        pauses.filter(|&pause| pause == Pause::KeepCore).count()
    }

    #[test]
    fn a_worker_keeps_its_core_for_a_while() {
        let core = CoreUse::default();
        assert_eq!(kept(&core, 1_000), 250);
        assert_eq!(kept(&core, 100), 100);
        assert_eq!(kept(&core, 1_000), 250);
    }

    #[test]
    fn a_job_that_comes_when_the_worker_has_yielded_says_that_the_core_is_shared() {
        let core = CoreUse::default();
        assert_eq!(kept(&core, 251), 250);
        assert_eq!(kept(&core, 11), 10);
        assert_eq!(kept(&core, 5), 5);
        assert_eq!(kept(&core, 11), 10);
    }

    #[test]
    fn a_job_that_comes_later_than_that_says_that_it_is_not() {
        let core = CoreUse::default();
        assert_eq!(kept(&core, 251), 250);
        assert_eq!(kept(&core, 12), 10);
        assert_eq!(kept(&core, 1_000), 250);
    }
}
