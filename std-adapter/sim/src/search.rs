//! The search for a failing run.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    asked::Asked,
    choice::{Chooser, seeded::Seeded},
    crash::{self, Watch},
    failed::{Failed, FailedBy, FailedRun},
    failure::Cause,
    machine::{Ended, Machine},
    one_at_a_time::{self, UnderWay},
    picture::Picture,
    plan::Plan,
    reduce,
    regressions::Regressions,
    runs::{self, Report, Runs},
    schedule::{Deviation, Granularity, Schedule},
    second, sometimes, speed,
};

/// The goal of a search: the runs that are wanted.
pub(crate) struct Goal<'p> {
    pub(crate) everywhere: usize,
    /// All schedules are wanted, and there are to be no more than this number.
    pub(crate) exhaustive: Option<u64>,
    pub(crate) granularity: Option<Granularity>,
    pub(crate) first_seed: u64,
    pub(crate) seeds: u64,
    /// The first runs are to be the same in a second process.
    pub(crate) twice: bool,
    /// The one run that is wanted.
    pub(crate) replay: Option<Schedule>,
    /// The file of the regressions.
    pub(crate) regressions: Option<PathBuf>,
    /// The path of the scenario's function.
    pub(crate) path: &'p str,
}

/// The search in one simulation.
struct Search<'s> {
    plan: &'s Plan<'s>,
    runs: Runs<'s>,
    /// About how many points a run has, at each granularity.
    points: [u64; 2],
    asked: &'s Asked,
    test: Option<&'s str>,
    /// There are more schedules than this bound of `exhaustive`.
    has_more: Option<u64>,
}

pub(crate) fn run(plan: &Plan<'_>, goal: &Goal<'_>, main: &dyn Fn()) -> Result<Report, Failed> {
    let test = std::thread::current()
        .name()
        .filter(|name| *name != "main")
        .map(str::to_string);
    let failed = |kind| Failed {
        test: test.clone(),
        kind,
    };
    if one_at_a_time::is_mine() {
        return Err(failed(FailedBy::Nested));
    }
    let asked = Asked::of_environment().map_err(|text| failed(FailedBy::Environment(text)))?;
    let _under_way = UnderWay::begin(plan);
    let _watch = Watch::begin(test.as_deref(), Machine::place);
    runs::listen();
    sometimes::begin();
    speed::hint();
    let mut search = Search {
        plan,
        runs: Runs::new(plan, main),
        points: [0; 2],
        asked: &asked,
        test: test.as_deref(),
        has_more: None,
    };
    let replay = asked.replay.as_ref().or(goal.replay.as_ref());
    if let Some(schedule) = replay {
        let unfit = search.replay(schedule);
        return match unfit {
            Err(run) => Err(failed(FailedBy::Run(run))),
            Ok(steps) if !steps.is_empty() => Err(failed(FailedBy::FitsNoMore(steps, None))),
            Ok(_) => Ok(search.runs.report),
        };
    }
    let file = asked.regressions.as_ref().or(goal.regressions.as_ref());
    let regressions = file.map(|file| Regressions::read(file, test.as_deref()));
    let regressions = regressions
        .transpose()
        .map_err(|text| failed(FailedBy::Environment(text)))?;
    for schedule in regressions.iter().flat_map(|known| &known.schedules) {
        match search.replay(schedule) {
            Err(run) => return Err(failed(FailedBy::Run(run))),
            Ok(steps) if !steps.is_empty() => {
                let file = regressions.as_ref().map(|known| known.file().to_path_buf());
                return Err(failed(FailedBy::FitsNoMore(steps, file)));
            }
            Ok(_) => {}
        }
    }
    let outcome = search.go(goal);
    if let Some(name) = one_at_a_time::touched_by() {
        return Err(failed(FailedBy::HostThread(name)));
    }
    if let Err(run) = outcome {
        if let Some(regressions) = regressions.filter(|_| !run.cause.is_nondeterminism()) {
            regressions.append(&run.schedule);
        }
        return Err(failed(FailedBy::Run(run)));
    }
    let too_little = search.shows_too_little(goal);
    if asked.is_whole() && !too_little.is_empty() {
        return Err(failed(FailedBy::ShowsTooLittle(too_little)));
    }
    Ok(search.runs.report)
}

type Outcome<T = ()> = Result<T, Box<FailedRun>>;

/// The number of seeds, from the first on, that run twice.
const CHECKED: u64 = 64;
/// One of this number of later seeds runs twice.
const CHECKED_ONE_OF: u64 = 100;

impl Search<'_> {
    fn go(&mut self, goal: &Goal<'_>) -> Outcome {
        let asked = self.asked;
        for granularity in [Granularity::Calls, Granularity::Atomics] {
            if goal.granularity.is_some_and(|only| only != granularity) {
                continue;
            }
            let ended = self.runs.once(Chooser::Plain, granularity, false);
            self.points[granularity as usize] = ended.points;
            self.judge(ended, None, granularity, || Chooser::Plain)?;
        }
        if let Some(seed) = asked.seed {
            return self.seed(seed, goal, false);
        }
        if goal.everywhere > 0 {
            self.all_with(goal.everywhere, u64::MAX, goal)?;
        }
        if let Some(most) = goal.exhaustive
            && !self.all_with(usize::MAX, most, goal)?
        {
            self.has_more = Some(most);
        }
        let seeds = asked.schedules.unwrap_or(goal.seeds);
        let end = asked.time.map(|time| Instant::now() + time);
        let goes_on = |number| number < seeds || end.is_some_and(|end| Instant::now() < end);
        for number in (0..).take_while(|&number| goes_on(number)) {
            let is_checked = number < CHECKED || number.is_multiple_of(CHECKED_ONE_OF);
            self.seed(goal.first_seed + number, goal, is_checked)?;
            if number + 1 == CHECKED && goal.twice {
                self.compare_with_second()?;
            }
            if one_at_a_time::is_touched() {
                break;
            }
        }
        Ok(())
    }

    /// Runs all schedules with up to this many deviations. False if there are more than `most`.
    fn all_with(&mut self, deviations: usize, most: u64, goal: &Goal<'_>) -> Outcome<bool> {
        let granularity = goal.granularity.unwrap_or(Granularity::Calls);
        let mut failing = None;
        let mut count = 0;
        let are_all = self.runs.each_with(
            &mut Vec::new(),
            deviations,
            granularity,
            &mut |_, ended, chosen| {
                count += 1;
                if ended.cause.is_some() {
                    failing = Some(chosen.to_vec());
                }
                failing.is_none() && count <= most
            },
        );
        if let Some(chosen) = failing {
            let ended = self
                .runs
                .once(Chooser::numbered(&chosen), granularity, false);
            self.judge(ended, None, granularity, || Chooser::numbered(&chosen))?;
        }
        Ok(are_all)
    }

    /// Compares the runs until now with those of a second process. That process ends here.
    fn compare_with_second(&mut self) -> Outcome {
        let hash = self.runs.report.hash;
        if self.asked.is_second {
            second::tell(hash);
        }
        match second::hash_of(self.test) {
            Some(second) if second != hash => {
                let text = format!("the first {CHECKED} seeds differ in a second process");
                Err(self.nondeterminism(text, None, Granularity::Calls))
            }
            _ => Ok(()),
        }
    }

    /// Runs one schedule. Returns its steps that found no place.
    fn replay(&mut self, schedule: &Schedule) -> Outcome<Vec<Deviation>> {
        let Schedule { granularity, steps } = schedule;
        let ended = self.runs.once(Chooser::named(steps), *granularity, true);
        let happened = ended.deviations.clone();
        self.judge(ended, None, *granularity, || Chooser::named(steps))?;
        let mut unfit = steps.clone();
        unfit.retain(|step| !happened.contains(step));
        Ok(unfit)
    }

    fn seed(&mut self, seed: u64, goal: &Goal<'_>, is_checked: bool) -> Outcome {
        let granularity = goal.granularity.unwrap_or(match seed % 4 {
            3 => Granularity::Atomics,
            _ => Granularity::Calls,
        });
        let (cores, points) = (self.plan.cores, self.points[granularity as usize]);
        let storms = self.plan.interrupts.iter().any(|irq| irq.spontaneous > 0);
        let chooser = || Chooser::Seeded(Box::new(Seeded::new(seed, cores, points, storms)));
        crash::run_begins(Some(seed));
        let ended = self.runs.once(chooser(), granularity, is_checked);
        if is_checked && ended.cause.is_none() {
            let again = self.runs.once(chooser(), granularity, true);
            if again.hash != ended.hash {
                return Err(self.differs(&ended, &again, Some(seed), granularity));
            }
        }
        self.judge(ended, Some(seed), granularity, chooser)
    }

    /// Nothing if the run has passed. Else it is run again, recorded and reduced.
    fn judge(
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
        let least = self.runs.once(Chooser::named(&schedule), granularity, true);
        let (cause, context, trace) = match least.cause {
            Some(cause) => (cause, least.context, least.trace),
            None => (cause, recorded.context, recorded.trace),
        };
        let picture = Picture::new(self.plan, &trace, &schedule, &context);
        Err(Box::new(FailedRun {
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
        }))
    }

    fn differs(
        &mut self,
        one: &Ended,
        other: &Ended,
        seed: Option<u64>,
        granularity: Granularity,
    ) -> Box<FailedRun> {
        let pairs = one.trace.events.iter().zip(&other.trace.events);
        let text = match pairs.clone().find(|(one, other)| one != other) {
            Some((one, other)) => format!(
                "at point {}, the first is at `{}` of context {} and the second at `{}` of context {}",
                one.step, one.label, one.context, other.label, other.context
            ),
            None => "one is longer than the other".into(),
        };
        self.nondeterminism(text, seed, granularity)
    }

    fn nondeterminism(
        &mut self,
        text: String,
        seed: Option<u64>,
        granularity: Granularity,
    ) -> Box<FailedRun> {
        Box::new(FailedRun {
            cause: Cause::Nondeterminism(text),
            context: "chip".into(),
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
        })
    }

    /// The sentences about all that the runs have not shown.
    fn shows_too_little(&self, goal: &Goal<'_>) -> Vec<String> {
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
            if irq.spontaneous > 0 && fired == 0 {
                sentences.push(format!("the interrupt `{}` never fired", irq.name));
            }
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
