//! The search for a failing run.

mod verdicts;

use std::{path::PathBuf, time::Instant};

use crate::{
    asked::Asked,
    choice::{Chooser, seeded::Seeded},
    crash::{self, Watch},
    failed::{Failed, FailedBy},
    machine::{Ended, Machine},
    one_at_a_time::{self, UnderWay},
    plan::Plan,
    regressions::Regressions,
    runs::{self, Report, Runs},
    schedule::{Deviation, Granularity, Schedule},
    second::{self, CHECKED},
    shards::{self, Found, Shards, Share, Tally},
    sometimes, speed,
    statics::Static,
    symbols::{self, Snapshot},
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
    /// The statics of the program before the first run.
    before: Option<Snapshot>,
    /// The process runs a share for its parent.
    is_shard: bool,
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
    let of_crates = statics_of(&plan.crates).map_err(failed)?;
    let mut search = Search {
        plan,
        runs: Runs::new(plan, of_crates, main),
        points: [0; 2],
        asked: &asked,
        test: test.as_deref(),
        has_more: None,
        before: Snapshot::take(),
        is_shard: false,
    };
    let replay = asked.replay.as_ref().or(goal.replay.as_ref());
    if let Some(schedule) = replay {
        return match search.replay(schedule) {
            Err(kind) => Err(failed(kind)),
            Ok(steps) if !steps.is_empty() => Err(failed(FailedBy::FitsNoMore(steps, None))),
            Ok(_) => Ok(search.runs.report),
        };
    }
    let is_first = goal.seeds > 0 && shards::is_first();
    if let Some(share) = Share::of_this_shard().filter(|_| is_first) {
        search.end_as_shard(share, goal, &failed);
    }
    let file = asked.regressions.as_ref().or(goal.regressions.as_ref());
    let regressions = file.map(|file| Regressions::read(file, test.as_deref()));
    let regressions = regressions
        .transpose()
        .map_err(|text| failed(FailedBy::Environment(text)))?;
    for schedule in regressions.iter().flat_map(|known| &known.schedules) {
        match search.replay(schedule) {
            Err(kind) => return Err(failed(kind)),
            Ok(steps) if !steps.is_empty() => {
                let file = regressions.as_ref().map(|known| known.file().to_path_buf());
                return Err(failed(FailedBy::FitsNoMore(steps, file)));
            }
            Ok(_) => {}
        }
    }
    let outcome = search.go(goal, is_first);
    if let Some(kind) = search.misuse() {
        return Err(failed(kind));
    }
    if let Err(kind) = outcome {
        if let FailedBy::Run(run) = &kind
            && let Some(regressions) = regressions.filter(|_| run.is_reduced())
        {
            regressions.append(&run.schedule);
        }
        return Err(failed(kind));
    }
    let too_little = search.shows_too_little(goal);
    if asked.is_whole() && !too_little.is_empty() {
        return Err(failed(FailedBy::ShowsTooLittle(too_little)));
    }
    Ok(search.runs.report)
}

type Outcome<T = ()> = Result<T, FailedBy>;

/// One of this number of seeds runs twice, besides the first ones.
const CHECKED_ONE_OF: u64 = 100;

impl Search<'_> {
    fn go(&mut self, goal: &Goal<'_>, is_first: bool) -> Outcome {
        self.plain(goal)?;
        if let Some(seed) = self.asked.seed {
            return self.seed(seed, goal, false);
        }
        let shares = self.asked.shards.filter(|_| is_first).unwrap_or(1);
        let mut shards = self.start_shards(shares)?;
        if goal.everywhere > 0 {
            self.all_with(goal.everywhere, u64::MAX, goal)?;
        }
        if let Some(most) = goal.exhaustive
            && !self.all_with(usize::MAX, most, goal)?
        {
            self.has_more = Some(most);
        }
        self.seeds(Share::of_parent(shares), goal, &mut shards)?;
        while let Some(found) = shards.wait() {
            self.take(found, goal)?;
        }
        Ok(())
    }

    /// The runs of the plain order.
    fn plain(&mut self, goal: &Goal<'_>) -> Outcome {
        for granularity in [Granularity::Calls, Granularity::Atomics] {
            if goal.granularity.is_some_and(|only| only != granularity) {
                continue;
            }
            // A static that the first run sets makes that run differ from all others.
            let is_checked = goal.seeds > 0;
            let ended = self.once(None, granularity, is_checked, &|| Chooser::Plain)?;
            self.points[granularity as usize] = ended.points;
            self.judge(ended, None, granularity, || Chooser::Plain)?;
        }
        Ok(())
    }

    /// The runs of the seeds in a share.
    fn seeds(&mut self, share: Share, goal: &Goal<'_>, shards: &mut Shards) -> Outcome {
        let seeds = self.asked.schedules.unwrap_or(goal.seeds);
        let end = self.asked.time.map(|time| Instant::now() + time);
        let goes_on = |number| number < seeds || end.is_some_and(|end| Instant::now() < end);
        let mine = (0..)
            .take_while(|&number| goes_on(number))
            .filter(|&number| share.has(number));
        for number in mine {
            let is_checked = number < CHECKED || number.is_multiple_of(CHECKED_ONE_OF);
            self.seed(goal.first_seed + number, goal, is_checked)?;
            if number + 1 == CHECKED && goal.twice {
                self.compare_with_second()?;
            }
            if let Some(found) = shards.ended() {
                self.take(found, goal)?;
            }
            if one_at_a_time::is_touched() || self.runs.unnamed.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn start_shards(&self, shares: u64) -> Outcome<Shards> {
        if shares == 1 {
            return Ok(Shards::default());
        }
        let test = self.test.ok_or_else(|| {
            FailedBy::Environment(format!(
                "COREPOOL_SIM_SHARDS={shares}: a shard is called by the test's name, which this thread does not have. Let the test simulate on its own thread"
            ))
        })?;
        Shards::of_test(test, shares)
            .map_err(|error| FailedBy::Shard(format!("it did not start: {error}")))
    }

    /// Takes the result of a shard.
    fn take(&mut self, found: Found, goal: &Goal<'_>) -> Outcome {
        match found {
            Found::Passed(tally) => {
                sometimes::note_seen(&tally.sometimes);
                self.runs.add(&tally.report, tally.footprints);
                Ok(())
            }
            Found::Seed(seed) => {
                self.seed(seed, goal, true)?;
                let text = format!("seed {seed} failed in a shard, and passes in its parent");
                Err(self.nondeterminism(text, Some(seed), Granularity::Calls))
            }
            Found::Failed(text) => Err(FailedBy::Shard(text)),
        }
    }

    /// Runs the share of this shard, and ends the process.
    fn end_as_shard(
        &mut self,
        share: Share,
        goal: &Goal<'_>,
        failed: &dyn Fn(FailedBy) -> Failed,
    ) -> ! {
        self.is_shard = true;
        let outcome = self.plain(goal).and_then(|()| {
            // The parent has these runs.
            self.runs.forget();
            self.seeds(share, goal, &mut Shards::default())
        });
        let kind = self.misuse().or(outcome.err());
        shards::tell(&match kind {
            None => Found::Passed(Box::new(Tally {
                report: self.runs.report.clone(),
                footprints: self.runs.footprints(),
                sometimes: sometimes::seen(),
            })),
            Some(FailedBy::Run(run)) if run.seed.is_some() => {
                Found::Seed(run.seed.unwrap_or_default())
            }
            Some(kind) => Found::Failed(failed(kind).to_string()),
        })
    }

    /// A use of the simulation that makes its runs worthless.
    fn misuse(&self) -> Option<FailedBy> {
        let unnamed = self.runs.unnamed.and_then(symbols::static_at);
        let unnamed = unnamed.map(|symbol| FailedBy::NotNamed(symbol.path.clone()));
        unnamed.or_else(|| one_at_a_time::touched_by().map(FailedBy::HostThread))
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
        let ended = self.once(Some(seed), granularity, is_checked, &chooser)?;
        if self.is_shard && ended.cause.is_some() {
            // The parent reduces it.
            shards::tell(&Found::Seed(seed));
        }
        self.judge(ended, Some(seed), granularity, chooser)
    }

    /// Runs a schedule, and if it is checked, once more: both runs have to be the same.
    fn once(
        &mut self,
        seed: Option<u64>,
        granularity: Granularity,
        is_checked: bool,
        chooser: &dyn Fn() -> Chooser,
    ) -> Outcome<Ended> {
        let ended = self.runs.once(chooser(), granularity, is_checked);
        if is_checked && ended.cause.is_none() {
            let again = self.runs.once(chooser(), granularity, true);
            if let Some(cause) = &again.cause {
                let text = format!("the first passed, the second failed with \"{cause}\"");
                return Err(self.nondeterminism(text, seed, granularity));
            }
            if again.hash != ended.hash {
                return Err(self.differs(&ended, &again, seed, granularity));
            }
        }
        Ok(ended)
    }
}

/// The statics of crates, as the symbols have them.
fn statics_of(crates: &[String]) -> Result<Vec<Static>, FailedBy> {
    let of_crate = |name: &String| {
        let symbols = symbols::named(name);
        let statics: Vec<_> = symbols.filter_map(Static::of_symbol).collect();
        // The statics of the host's crates are in use during a simulation.
        let package = name.replace('-', "_");
        let krate = package.split("::").next().unwrap_or_default();
        match statics.is_empty() || symbols::OF_THE_HOST.contains(&krate) {
            true => Err(FailedBy::NoStatics(name.clone())),
            false => Ok(statics),
        }
    };
    let all: Result<Vec<_>, _> = crates.iter().map(of_crate).collect();
    Ok(all?.into_iter().flatten().collect())
}
