//! Whether a worker lets jobs gather before it looks at the queue again.

use std::cell::Cell;

/// The number of pauses of the processor, of 10 to 90 ns each, for which jobs may gather.
const PAUSES: u32 = 128;

/// How many jobs are worth the delay. A submitter that waits for its jobs before it submits the next has fewer in
/// flight.
const WORTH: u32 = 8;

/// Whether a worker lets jobs gather before it looks at the queue again.
///
/// A worker that is quicker than the submitter finds the queue empty after each job. Each of its looks takes the
/// submitter's cache line away, and slows the submitter down as well. So when the second look finds the next job,
/// the worker lets some gather before it looks again. It goes on so as long as enough gather each time.
///
/// If too few gather, the submitter may be waiting for them before it submits the next. Then the worker tries again
/// only when its second look has found the next job twice as often as before the last try.
#[derive(Clone, Debug)]
pub(super) struct Gathering {
    /// How many jobs the worker has run since it last found the queue empty.
    jobs: Cell<u32>,
    /// The last round in which it found the queue empty.
    round: Cell<u32>,
    /// Whether the worker let jobs gather then.
    gathers: Cell<bool>,
    /// How often the second look has found the next job since the last try.
    at_once: Cell<u32>,
    /// The value of `at_once` at which the worker tries again.
    suffices: Cell<u32>,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            jobs: Cell::new(0),
            round: Cell::new(u32::MAX),
            gathers: Cell::new(false),
            at_once: Cell::new(0),
            suffices: Cell::new(1),
        }
    }
}

impl Gathering {
    /// The largest value of `suffices`.
    const MOST: u32 = 1_024;

    #[inline]
    pub(super) fn job_starts(&self) {
        self.jobs.set(self.jobs.get().saturating_add(1));
    }

    /// The worker found the queue empty for the `round`-th time in a row, counted from 0. True if it lets jobs
    /// gather before it looks again.
    #[inline]
    pub(super) fn is_due(&self, round: u32) -> bool {
        let last_round = self.round.replace(round);
        if round > 0 {
            return false;
        }
        let jobs = self.jobs.replace(0);
        if self.gathers.get() {
            self.gathers.set(jobs >= WORTH);
            let failed = self.suffices.get().saturating_mul(2).min(Self::MOST);
            self.suffices.set(if jobs >= WORTH { 1 } else { failed });
        } else if last_round == 0 {
            self.at_once.set(self.at_once.get() + 1);
            self.gathers.set(self.at_once.get() >= self.suffices.get());
        }
        if self.gathers.get() {
            self.at_once.set(0);
        }
        self.gathers.get()
    }

    /// Stays away from the queue while jobs gather.
    #[inline]
    pub(super) fn pause(&self) {
        for _ in 0..PAUSES {
            std::hint::spin_loop();
        }
    }

    /// How many jobs the worker has run since it last found the queue empty.
    #[cfg(test)]
    pub(super) fn jobs(&self) -> u32 {
        self.jobs.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker runs `jobs` jobs, and then finds the queue empty in `rounds` rounds. True if it lets jobs
    /// gather after the first round.
    fn idle(gathering: &Gathering, jobs: u32, rounds: u32) -> bool {
        for _ in 0..jobs {
            gathering.job_starts();
        }
        let gathers = gathering.is_due(0);
        for round in 1..rounds {
            assert!(!gathering.is_due(round));
        }
        gathers
    }

    #[test]
    fn jobs_gather_after_one_was_there_at_the_second_look() {
        let gathering = Gathering::default();
        assert!(!idle(&gathering, 1, 1));
        assert!(idle(&gathering, 1, 1));
    }

    #[test]
    fn jobs_gather_for_as_long_as_there_are_enough_each_time() {
        let gathering = Gathering::default();
        idle(&gathering, 1, 1);
        assert!(idle(&gathering, 1, 1));
        assert!(idle(&gathering, WORTH, 5));
        assert!(idle(&gathering, WORTH, 1));
        assert!(!idle(&gathering, WORTH - 1, 1));
    }

    #[test]
    fn no_job_waits_for_others_if_the_worker_had_to_wait_for_it() {
        let gathering = Gathering::default();
        for _ in 0..3 {
            assert!(!idle(&gathering, 1, 2));
        }
        assert!(!idle(&gathering, 100, 2));
    }

    #[test]
    fn the_more_often_too_few_gathered_the_less_often_jobs_gather() {
        let gathering = Gathering::default();
        let one_by_one = |jobs: u32| (0..jobs).filter(|_| idle(&gathering, 1, 1)).count();
        assert_eq!(one_by_one(100), 6);
        assert!(one_by_one(100 * Gathering::MOST) < 120);
    }

    #[test]
    fn enough_jobs_once_make_the_worker_ready_for_the_next() {
        let gathering = Gathering::default();
        while !(idle(&gathering, 1, 1) && gathering.suffices.get() == Gathering::MOST) {}
        assert!(idle(&gathering, WORTH, 1));
        assert!(!idle(&gathering, 1, 1));
        assert!(!idle(&gathering, 1, 1));
        assert!(idle(&gathering, 1, 1));
    }
}
