//! The runs of a declared simulation.

use super::Sim;
use crate::{
    chip::Chip,
    failed::Failed,
    machine::Machine,
    runs::Report,
    schedule::Schedule,
    search::{self, Goal},
};

impl Sim<'_> {
    /// Runs the scenario on the chip, once for each of this many seeds. Fails the test with a report
    /// if a run fails, or if the runs show too little.
    ///
    /// If it is the test's first simulation, the first 64 seeds also run in a second process, which is
    /// the test's program again. A difference fails the test.
    ///
    /// The scenario is the main program of core 0. When it ends, the run goes on until the other
    /// contexts have come to rest.
    ///
    /// # Panics
    ///
    /// A run failed: an assertion, a wait that nothing can end, a lost slot, a handler that waits, a
    /// critical section that is held. Or the runs do not show that the test tests something: no job
    /// ran, an allowed event never happened, a [`sometimes!`](crate::sometimes) never held. The
    /// message says so, with the seed and the schedule.
    ///
    /// The number of seeds is 0, and neither [`everywhere`](Self::everywhere) nor
    /// [`exhaustive`](Self::exhaustive) asks for other runs.
    #[track_caller]
    pub fn run<F: Fn(&Chip)>(&mut self, seeds: u64, scenario: F) {
        assert!(
            seeds > 0 || self.everywhere > 0 || self.exhaustive.is_some(),
            "`run(0, ..)` runs no seed: ask for one or more"
        );
        if let Err(failed) = self.search(seeds, true, None, scenario) {
            panic!("{failed}");
        }
    }

    /// As [`run`](Self::run), and returns the failure. The runs are not compared with those of a
    /// second process.
    ///
    /// # Errors
    ///
    /// As the panics of [`run`](Self::run).
    pub fn try_run<F: Fn(&Chip)>(&mut self, seeds: u64, scenario: F) -> Result<Report, Failed> {
        self.search(seeds, false, None, scenario)
    }

    /// Runs the scenario once, by a schedule: that of a [`FailedRun`](crate::FailedRun), for
    /// instance, which makes a test of a failure that was found.
    ///
    /// The text of a printed schedule parses as a [`Schedule`].
    ///
    /// # Errors
    ///
    /// The run failed. Or it passed, and some steps of the schedule found no place.
    pub fn replay<F: Fn(&Chip)>(
        &mut self,
        schedule: &Schedule,
        scenario: F,
    ) -> Result<Report, Failed> {
        self.search(0, false, Some(schedule.clone()), scenario)
    }

    fn search<F: Fn(&Chip)>(
        &mut self,
        seeds: u64,
        twice: bool,
        replay: Option<Schedule>,
        scenario: F,
    ) -> Result<Report, Failed> {
        for core in 0..self.plan.cores {
            if !self.plan.tasks.iter().any(|task| task.core == core) {
                let name = format!("core {core}");
                self.task_with(core, 0, name, Box::new(|_| ()));
            }
        }
        // It comes last, since a test declares interrupts between two searches, too.
        let declared = self.plan.interrupts.len();
        self.interrupt("timers", u8::MAX, || {
            if let Some(machine) = Machine::current() {
                machine.ring();
            }
        });
        self.plan.alarm = Some(declared);
        let path = std::any::type_name::<F>();
        let found = search::run(
            &self.plan,
            &Goal {
                everywhere: self.everywhere,
                exhaustive: self.exhaustive,
                granularity: self.granularity,
                first_seed: self.first_seed,
                seeds,
                twice,
                replay,
                regressions: self.regressions.clone(),
                path,
            },
            &|| scenario(&Chip(())),
        );
        self.plan.interrupts.pop();
        found
    }
}
