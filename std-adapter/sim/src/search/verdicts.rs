//! The verdicts on runs: a failure with its least schedule, two runs that differ, and runs that show too
//! little.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Goal, Outcome, Search};
use crate::{
    choice::Chooser,
    failed::{FailedBy, FailedRun},
    failure::{CHIP, Cause},
    machine::Ended,
    picture::Picture,
    reduce,
    schedule::{Granularity, Schedule},
    sometimes,
};

impl Search<'_> {
    /// Nothing if the run has passed. Else it is run again, recorded and reduced.
    pub(super) fn judge(
        &mut self,
        ended: Ended,
        seed: Option<u64>,
        granularity: Granularity,
        chooser: impl FnOnce() -> Chooser,
    ) -> Outcome {
        let Some(cause) = ended.cause else {
            return Ok(());
        };
        let runs = self.runs.report.runs;
        let recorded = self.runs.once(chooser(), granularity, true);
        if !recorded
            .cause
            .as_ref()
            .is_some_and(|again| cause.is_like(again))
        {
            // A future that the first run has kept is dropped in the second.
            if recorded.cause.is_none() && matches!(cause, Cause::SlotsLost { .. }) {
                return Err(self.unreduced(cause, seed, granularity));
            }
            let text = format!(
                "the first failed with \"{cause}\", the second {}",
                recorded
                    .cause
                    .map_or("passed".into(), |cause| format!("with \"{cause}\""))
            );
            return Err(self.nondeterminism(text, seed, granularity));
        }
        let deviations = recorded.deviations.len();
        let before = self.runs.report.runs;
        let schedule = reduce::reduce(
            &mut self.runs,
            &cause,
            recorded.deviations.clone(),
            granularity,
        );
        let reduced_by = self.runs.report.runs - before;
        let least = self
            .runs
            .once_with_places(&|| Chooser::named(&schedule), granularity);
        let (cause, context, trace) = match least.cause {
            Some(cause) => (cause, least.context, least.trace),
            None => (cause, recorded.context, recorded.trace),
        };
        let picture = Picture::new(self.plan, &trace, &schedule, &context);
        Err(FailedBy::Run(Box::new(FailedRun {
            lanes: picture.lanes(self.asked.rows),
            files: match &self.asked.pictures {
                Some(folder) => write(&picture, folder, self.test),
                None => Vec::new(),
            },
            picture,
            cause,
            context,
            seed,
            runs,
            schedule: Schedule {
                granularity,
                steps: schedule,
            },
            deviations,
            reduced_by,
        })))
    }

    pub(super) fn differs(
        &mut self,
        one: &Ended,
        other: &Ended,
        seed: Option<u64>,
        granularity: Granularity,
    ) -> FailedBy {
        let pairs = one.trace.events.iter().zip(&other.trace.events);
        let text = match pairs.clone().find(|(one, other)| one != other) {
            Some((one, other)) => format!(
                "at point {}, the first is at `{}` of {} and the second at `{}` of {}",
                one.step,
                one.label,
                self.plan.name_of(one.context),
                other.label,
                self.plan.name_of(other.context)
            ),
            None => "one is longer than the other".into(),
        };
        self.nondeterminism(text, seed, granularity)
    }

    pub(super) fn nondeterminism(
        &mut self,
        difference: String,
        seed: Option<u64>,
        granularity: Granularity,
    ) -> FailedBy {
        let is_named = |address| self.runs.resets(address);
        let statics = self.before.as_ref().map(|before| before.changed(is_named));
        let cause = Cause::Nondeterminism {
            difference,
            statics: statics.unwrap_or_default(),
        };
        self.unreduced(cause, seed, granularity)
    }

    /// A failure of the whole chip that no schedule repeats.
    fn unreduced(&self, cause: Cause, seed: Option<u64>, granularity: Granularity) -> FailedBy {
        FailedBy::Run(Box::new(FailedRun {
            cause,
            context: CHIP.into(),
            seed,
            runs: self.runs.report.runs,
            schedule: Schedule {
                granularity,
                steps: Vec::new(),
            },
            deviations: 0,
            reduced_by: 0,
            lanes: String::new(),
            picture: Picture::none(),
            files: Vec::new(),
        }))
    }

    /// The sentences about all that the runs have not shown.
    pub(super) fn shows_too_little(&self, goal: &Goal<'_>) -> Vec<String> {
        let report = &self.runs.report;
        let mut sentences = sometimes::never_held(goal.path);
        if !self.plan.pools.is_empty() && report.jobs == 0 {
            sentences.push("no job ran in any run".into());
        }
        if let Some(most) = self.has_more {
            sentences.push(format!(
                "there are more than {most} schedules: make the scenario smaller, or the bound of `exhaustive` larger"
            ));
        }
        // Each core's start is a switch and no point.
        if report.points == 0 {
            sentences.push("the scenario is empty: no context came to a point in any run".into());
        }
        for (irq, &fired) in self.plan.interrupts.iter().zip(&report.fired) {
            let cure = match (irq.spontaneous, irq.ticks) {
                _ if fired > 0 => continue,
                (0, None) => ": call `spontaneous`, `raise` or `pends`",
                (0, Some(_)) => ": shorten its period, or lengthen the scenario",
                _ => "",
            };
            sentences.push(format!(
                "the interrupt `{}` fired in no run{cure}",
                irq.name
            ));
        }
        if self.plan.stalls.most > 0 && report.stalls == 0 {
            sentences.push("no core ever stalled".into());
        }
        if self.plan.hangs.iter().any(Option::is_some) && report.hangs == 0 {
            sentences.push("no core ever hung".into());
        }
        sentences
    }
}

/// Writes the picture into a folder, and returns the files. An error is printed: the report of the
/// failure counts more.
fn write(picture: &Picture, folder: &Path, test: Option<&str>) -> Vec<PathBuf> {
    let name = test.unwrap_or("NAME").replace("::", "-");
    let files = [("svg", picture.svg()), ("json", picture.perfetto())];
    let written = files.into_iter().filter_map(|(kind, text)| {
        let file = folder.join(format!("{name}.{kind}"));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, text));
        if let Err(error) = &written {
            eprintln!("corepool-sim: cannot write {}: {error}", file.display());
        }
        written.is_ok().then_some(file)
    });
    written.collect()
}
