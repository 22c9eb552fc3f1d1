//! Runs of a scenario: power-on, boot, the test, the end.

use std::{collections::HashSet, mem, panic, sync::Once};

use crate::{
    choice::Chooser,
    crash,
    failure::{CHIP, Cause},
    fibers::{Stacks, Yielder},
    machine::{Ended, Machine},
    panics,
    plan::Plan,
    port,
    schedule::Granularity,
    statics::Static,
    symbols,
};

/// The events that runs without a failure have shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of runs.
    pub runs: u64,
    /// The number of points of all runs.
    pub points: u64,
    /// The number of changes from one context to another.
    pub switches: u64,
    /// How often each interrupt fired, in the order of their declaration.
    pub fired: Vec<u64>,
    /// The number of stalls.
    pub stalls: u64,
    /// The number of hangs.
    pub hangs: u64,
    /// The number of jobs that ran, and of polls of tasks.
    pub jobs: u64,
    /// The number of runs that differ by more than the order of steps that commute, if
    /// [`Sim::count_distinct`](crate::Sim::count_distinct) asks for it. Steps are accesses of the core's
    /// memory, and points of the application.
    pub distinct: u64,
    /// The deepest nesting of handlers.
    pub depth: usize,
    /// A number that is the same if all recorded runs were the same.
    pub hash: u64,
}

/// Is told of each run, with the decisions that it took otherwise than in the plain order.
type EachRun<'e> = dyn FnMut(&mut Runs<'_>, &Ended, &[(usize, usize)]) -> bool + 'e;

/// The runs of one simulation.
pub(crate) struct Runs<'s> {
    plan: &'s Plan<'s>,
    main: &'s dyn Fn(),
    stacks: Stacks,
    /// The statics that the symbols name, of the plan's crates.
    of_crates: Vec<Static>,
    /// The footprints of the runs.
    footprints: HashSet<u64>,
    /// The points of the next run whose places are wanted.
    points: Vec<(u64, usize)>,
    /// The address of a static of the core's that the plan does not name.
    pub(crate) unnamed: Option<usize>,
    pub(crate) report: Report,
}

impl<'s> Runs<'s> {
    pub(crate) fn new(plan: &'s Plan<'s>, of_crates: Vec<Static>, main: &'s dyn Fn()) -> Self {
        Self {
            plan,
            main,
            stacks: Stacks::default(),
            of_crates,
            unnamed: None,
            footprints: HashSet::new(),
            points: Vec::new(),
            report: Report {
                // The alarm is not the test's.
                fired: vec![0; plan.interrupts.len() - usize::from(plan.alarm.is_some())],
                ..Report::default()
            },
        }
    }

    /// Forgets what the runs until now have shown.
    pub(crate) fn forget(&mut self) {
        self.footprints.clear();
        self.report = Report {
            fired: vec![0; self.report.fired.len()],
            ..Report::default()
        };
    }

    /// The footprints of the runs, in no order.
    pub(crate) fn footprints(&self) -> Vec<u64> {
        self.footprints.iter().copied().collect()
    }

    /// Adds what runs in another process have shown. The order of such processes does not matter.
    pub(crate) fn add(&mut self, other: &Report, footprints: Vec<u64>) {
        self.footprints.extend(footprints);
        let report = &mut self.report;
        report.runs += other.runs;
        report.points += other.points;
        report.switches += other.switches;
        report.stalls += other.stalls;
        report.hangs += other.hangs;
        report.jobs += other.jobs;
        report.distinct = self.footprints.len() as u64;
        report.depth = report.depth.max(other.depth);
        report.hash = report.hash.wrapping_add(other.hash);
        for (sum, fired) in report.fired.iter_mut().zip(&other.fired) {
            *sum += fired;
        }
    }

    /// Whether each run resets something at these addresses, from the first to the one behind the last.
    pub(crate) fn resets(&self, range: (usize, usize)) -> bool {
        let mut statics = self.of_crates.iter().chain(&self.plan.statics);
        statics.any(|known| known.overlaps(range))
    }

    /// Runs a schedule and records it. In a standstill, it finds the place in the source of each context's last point.
    pub(crate) fn once_with_places(
        &mut self,
        chooser: &dyn Fn() -> Chooser,
        granularity: Granularity,
    ) -> Ended {
        let mut ended = self.once(chooser(), granularity, true);
        if ended.cause.as_mut().and_then(Cause::lines).is_some() {
            self.points = ended.trace.last_points();
            ended = self.once(chooser(), granularity, true);
        }
        ended
    }

    pub(crate) fn once(
        &mut self,
        chooser: Chooser,
        granularity: Granularity,
        is_traced: bool,
    ) -> Ended {
        self.once_with(chooser, granularity, is_traced).0
    }

    fn once_with(
        &mut self,
        chooser: Chooser,
        granularity: Granularity,
        is_traced: bool,
    ) -> (Ended, Chooser) {
        let (ended, chooser) = self.run(chooser, granularity, is_traced);
        let report = &mut self.report;
        report.runs += 1;
        report.points += ended.points;
        report.switches += ended.switches;
        report.stalls += u64::from(ended.stalls);
        report.hangs += u64::from(ended.hangs);
        report.jobs += ended.jobs;
        if let Some(footprint) = ended.footprint {
            report.distinct += u64::from(self.footprints.insert(footprint));
        }
        self.unnamed = self.unnamed.or(ended.unnamed);
        report.depth = report.depth.max(ended.depth);
        report.hash = report.hash.rotate_left(5) ^ ended.hash;
        for (sum, fired) in report.fired.iter_mut().zip(&ended.fired) {
            *sum += u64::from(*fired);
        }
        (ended, chooser)
    }

    /// Runs all schedules that have the chosen deviations and up to `more` later ones, until `each`
    /// returns false.
    pub(crate) fn each_with(
        &mut self,
        chosen: &mut Vec<(usize, usize)>,
        more: usize,
        granularity: Granularity,
        each: &mut EachRun<'_>,
    ) -> bool {
        let (ended, chooser) = self.once_with(Chooser::numbered(chosen), granularity, false);
        if !each(self, &ended, chosen) {
            return false;
        }
        let Chooser::Numbered(numbered) = chooser else {
            return true;
        };
        if more == 0 || ended.cause.is_some() {
            return true;
        }
        let first = chosen.last().map_or(0, |(last, _)| last + 1);
        for (offset, &options) in numbered.options.iter().enumerate() {
            for option in 0..options {
                chosen.push((first + offset, option));
                let goes_on = self.each_with(chosen, more - 1, granularity, each);
                chosen.pop();
                if !goes_on {
                    return false;
                }
            }
        }
        true
    }

    fn run(
        &mut self,
        chooser: Chooser,
        granularity: Granularity,
        is_traced: bool,
    ) -> (Ended, Chooser) {
        let (plan, main) = (self.plan, self.main);
        port::next_run();
        // A static of a crate may have a pool in it, which is all zero at first.
        for place in self.of_crates.iter().chain(&plan.statics) {
            // SAFETY: the contexts of the last run were discarded at its end. Only simulated contexts use
            // a simulated static, as `Sim::reset` and `Sim::pool` demand. The test has kept no reference to
            // what it holds: it is a `LendsNothing`, or the caller of `Sim::reset_any` or
            // `Sim::reset_crates` has promised it. A future of a pool that was kept has failed its run.
            unsafe { place.reset() };
        }
        for (number, pool) in plan.pools.iter().enumerate() {
            pool.pool.install(number);
        }
        let machine = Machine::new(plan, chooser, granularity, is_traced)
            .finds_places(mem::take(&mut self.points));
        for (task, fiber) in machine.fibers().iter().enumerate() {
            let machine = &machine;
            let code = move |yielder: &Yielder| {
                machine.run_task(task, yielder, || match &plan.tasks[task].body {
                    Some(body) => body(task),
                    None if task == 0 => main(),
                    None => {}
                });
            };
            // SAFETY: the fiber is discarded below, before what it borrows goes. `run_task` does
            // not return.
            fiber.replace(unsafe { self.stacks.fiber(code) });
        }
        crash::chip_runs(true);
        machine.drive();
        crash::chip_runs(false);
        for fiber in machine.fibers() {
            self.stacks.discard(fiber.take());
        }
        let hung = machine.hung_slots();
        let (mut ended, chooser) = machine.into_ended();
        if ended.cause.is_none() {
            ended.cause = lost_slots(plan, hung);
            ended.context = CHIP.into();
        }
        if let Some(lines) = ended.cause.as_mut().and_then(Cause::lines) {
            lines.extend(waiting_jobs(plan));
        }
        (ended, chooser)
    }
}

/// The pool that has fewer free slots than it should. Each job that a hung core runs has one.
fn lost_slots(plan: &Plan<'_>, hung: usize) -> Option<Cause> {
    plan.pools.iter().enumerate().find_map(|(number, pool)| {
        let (free, expected) = (pool.pool.free_slots(), pool.pool.capacity());
        (free + hung < expected).then(|| Cause::SlotsLost {
            pool: name_of_pool(plan, number),
            free,
            expected: expected - hung,
        })
    })
}

/// The pools that have unfinished jobs: for a report.
fn waiting_jobs(plan: &Plan<'_>) -> impl Iterator<Item = String> {
    plan.pools.iter().enumerate().filter_map(|(number, pool)| {
        let jobs = match pool.pool.unfinished() {
            0 => return None,
            1 => "1 job is".into(),
            jobs => format!("{jobs} jobs are"),
        };
        let cure = match (pool.has_workers, pool.pends) {
            (false, None) => ", which has no worker: call `workers`, `worker_at` or `pends`",
            _ => "",
        };
        let name = name_of_pool(plan, number);
        Some(format!("{jobs} unfinished in the pool `{name}`{cure}"))
    })
}

/// The path of a pool's static, or the pool's number.
fn name_of_pool(plan: &Plan<'_>, number: usize) -> String {
    let address = plan.pools[number].pool.address().addr();
    symbols::static_at(address).map_or(number.to_string(), |symbol| symbol.path.clone())
}

/// Makes the core call the machine at each point, and panics in simulated contexts silent: the report
/// shows the one that fails a run. All other panics go on to the hook of before.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    corepool::sim::install(Machine::hook);
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let Some(machine) = Machine::current() else {
                return before(info);
            };
            if machine.is_unwinding() {
                panics::tell_of_second(info);
            }
            machine.unwinds();
            panics::note(info);
        }));
    });
}
