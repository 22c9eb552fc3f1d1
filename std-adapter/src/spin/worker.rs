//! How a worker spins: the three rules together.

use std::sync::Arc;

use super::{
    core_use::CoreUse,
    gathering::Gathering,
    parker::ThreadParker,
    pause::Pause,
    turn::{SoleSpinner, Turn},
};

/// How often a worker looks again before it parks, by default.
pub(crate) const SPINS: u32 = 1_050;

/// How one worker spins.
#[derive(Clone, Debug)]
pub(crate) struct WorkerSpin {
    spins: u32,
    core: CoreUse,
    gathering: Gathering,
    turn: Turn,
}

impl WorkerSpin {
    /// For a worker that looks `spins` times again before it parks.
    pub(crate) fn new(spins: u32) -> Self {
        Self {
            spins,
            core: CoreUse::default(),
            gathering: Gathering::default(),
            turn: Turn::default(),
        }
    }

    /// For a worker that takes turns with others, if there is a turn.
    pub(crate) fn taking_turns(self, spinner: Option<Arc<SoleSpinner>>) -> Self {
        Self {
            turn: Turn::at(spinner),
            ..self
        }
    }

    /// The worker found the queue empty for the `round`-th time in a row, counted from 0. True, after a pause, if the
    /// worker is to look again. False if it is to park by `parker`.
    #[inline]
    pub(crate) fn looks_again(&self, round: u32, parker: &ThreadParker) -> bool {
        if self.gathering.is_due(round) && self.spins > 0 {
            self.gathering.pause();
        }
        let pause = self.core.pause(round);
        let looks = round < self.spins && (pause == Pause::KeepCore || self.turn.may_spin(parker));
        if looks {
            pause.take();
        } else {
            self.turn.give_back();
        }
        looks
    }

    #[inline]
    pub(crate) fn job_starts(&self) {
        self.gathering.job_starts();
        self.turn.job_starts();
    }

    #[inline]
    pub(crate) fn job_ends(&self) {
        self.turn.job_ends();
    }

    /// How many jobs the worker has run since it last found the queue empty.
    #[cfg(test)]
    pub(crate) fn jobs(&self) -> u32 {
        self.gathering.jobs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_workers_spins_on_when_both_have_yielded_their_cores() {
        let spinner = Some(Arc::new(SoleSpinner::new(2)));
        let [one, other] = [(); 2].map(|()| WorkerSpin::new(SPINS).taking_turns(spinner.clone()));
        let looks = |worker: &WorkerSpin, round| worker.looks_again(round, &ThreadParker::new());
        assert!(looks(&one, CoreUse::ALONE));
        assert!(looks(&other, CoreUse::ALONE - 1), "it has its core yet");
        assert!(!looks(&other, CoreUse::ALONE));
        assert!(!looks(&one, SPINS), "it parks");
        assert!(looks(&other, CoreUse::ALONE));
    }

    #[test]
    fn a_worker_without_turns_spins_as_often_as_it_is_told() {
        let looks = |spins, round| WorkerSpin::new(spins).looks_again(round, &ThreadParker::new());
        assert!(!looks(0, 0));
        assert!(looks(2, 1));
        assert!(!looks(2, 2));
        assert!(looks(SPINS, SPINS - 1));
    }
}
