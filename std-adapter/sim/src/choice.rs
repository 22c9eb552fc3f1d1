//! The decisions of a run: by a seed, by a list, or one after the other.

use std::collections::HashMap;

use fastrand::Rng;

use crate::{
    plan::Returns,
    schedule::{Action, Deviation, nanos},
};

/// A set of cores, of at most 32.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cores(u32);

impl Cores {
    /// The cores of a chip of `count` for which `is_in` holds.
    pub(crate) fn that(count: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let bits = (0..count).filter(|&core| is_in(core));
        Self(bits.fold(0, |set, core| set | 1 << core))
    }

    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(crate) fn has(self, core: usize) -> bool {
        self.0 & 1 << core != 0
    }

    fn without(self, core: usize) -> Self {
        Self(self.0 & !(1 << core))
    }

    /// The cores in their order.
    fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let core = rest.trailing_zeros() as usize;
            (rest != 0).then(|| {
                rest &= rest - 1;
                core
            })
        })
    }

    /// One of them at random.
    fn any(self, rng: &mut Rng) -> Option<usize> {
        match self.count() {
            0 => None,
            1 => self.iter().next(),
            count => self.iter().nth(rng.usize(0..count)),
        }
    }
}

/// The decisions that are open at a point.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// The other cores that can run.
    pub(crate) cores: Cores,
    /// The interrupts that may fire by themselves.
    pub(crate) interrupts: Vec<usize>,
    /// The longest stall, in nanoseconds, if one is allowed.
    pub(crate) stall: Option<u64>,
    /// The core that comes to the point.
    pub(crate) core: usize,
    pub(crate) hang: Option<Returns>,
    /// The tasks whose park may return without a reason.
    pub(crate) parked: Vec<usize>,
}

impl Options {
    fn all(&self) -> Vec<Action> {
        let mut all: Vec<_> = self.cores.iter().map(Action::Switch).collect();
        all.extend(self.interrupts.iter().copied().map(Action::Fire));
        all.extend(self.stall.map(|longest| Action::Stall(self.core, longest)));
        if let Some(returns) = self.hang {
            all.extend(hangs(returns));
        }
        all.extend(self.parked.iter().copied().map(Action::Wake));
        all
    }
}

/// The extreme lengths of a hang.
fn hangs(returns: Returns) -> Vec<Action> {
    let never = Action::Hang(None);
    let after = |span: crate::Span| {
        [
            Action::Hang(Some(nanos(span.least))),
            Action::Hang(Some(nanos(span.most))),
        ]
    };
    match returns {
        Returns::Never => vec![never],
        Returns::After(span) => after(span).to_vec(),
        Returns::Sometimes(span) => [&[never][..], &after(span)].concat(),
    }
}

/// The source of a run's decisions.
#[derive(Debug)]
pub(crate) enum Chooser {
    /// The plain order, without a deviation.
    Plain,
    /// Random decisions.
    Seeded(Box<Seeded>),
    /// The named deviations, and no other.
    Named(HashMap<(String, String, u32), Action>),
    /// The decisions with these numbers, each with the option of that number; the options of later
    /// decisions are counted.
    Numbered(Numbered),
}

#[derive(Debug)]
pub(crate) struct Numbered {
    /// In order.
    chosen: Vec<(usize, usize)>,
    next: usize,
    /// How many options each decision after the last chosen one has.
    pub(crate) options: Vec<usize>,
}

impl Numbered {
    /// The option that this decision takes, of `count`.
    fn decide(&mut self, count: usize) -> Option<usize> {
        let number = self.next;
        self.next += 1;
        let chosen = self.chosen.iter().find(|(decision, _)| *decision == number);
        match chosen {
            Some((_, option)) if *option < count => return Some(*option),
            Some(_) => {}
            None if self.chosen.last().is_none_or(|(last, _)| *last < number) => {
                self.options.push(count);
            }
            None => {}
        }
        None
    }
}

/// How a seed decides.
#[derive(Debug)]
enum Strategy {
    /// A decision at random intervals with this mean.
    Walk { mean: u64 },
    /// As a walk, and interrupts alone happen; from a point on, at each point.
    Storm { mean: u64, from: u64 },
    /// Decisions at these points, and at no other.
    Few { steps: Vec<u64> },
    /// The core of the highest priority runs; at these points the running core's priority becomes the
    /// lowest (PCT: Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of
    /// Finding Bugs", ASPLOS 2010). A core that waits in a loop falls behind as well.
    Priorities {
        of: Vec<u64>,
        changes: Vec<u64>,
        lowest: u64,
    },
    /// A walk that leaves one core out for so many points at a time.
    Starve {
        mean: u64,
        victim: usize,
        scale: u64,
        until: u64,
    },
}

/// Random decisions from a seed.
#[derive(Debug)]
pub(crate) struct Seeded {
    rng: Rng,
    cores: usize,
    strategy: Strategy,
    /// The point of the next decision.
    next: u64,
    /// The kinds of events that this seed leaves out.
    without: Without,
    /// An interrupt fires in one of 2^`seldom` waits.
    seldom: u32,
    /// Stalls and hangs happen at these points or soon after, in order.
    faults: Vec<u64>,
    draws: Draws,
}

/// The values that a seed prefers to draw.
#[derive(Debug)]
enum Draws {
    Any,
    Least,
    Most,
    Ends,
}

#[derive(Debug)]
struct Without {
    interrupts: bool,
    stalls: bool,
    hangs: bool,
    wakes: bool,
}

impl Seeded {
    /// `points`: about how many points a run has. `storms`: there are interrupts that fire by
    /// themselves.
    pub(crate) fn new(seed: u64, cores: usize, points: u64, storms: bool) -> Self {
        // Neighbouring seeds must not give similar sequences.
        let mut rng =
            Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        let mut some = |most: u64| {
            let count = rng.u64(1..=most);
            let mut steps: Vec<_> = (0..count).map(|_| rng.u64(0..=points)).collect();
            steps.sort_unstable();
            steps
        };
        let (few, changes, mut faults) = (some(4), some(3), some(4));
        faults.reverse();
        // The magnitudes are equally likely, up to a quarter of the run.
        let magnitudes = (points / 4).checked_ilog2().unwrap_or(0);
        let mean = 1 << rng.u32(0..=magnitudes);
        let strategy = match rng.u8(0..8) {
            0..2 => Strategy::Walk { mean },
            2..4 if storms => Strategy::Storm {
                mean,
                from: rng.u64(0..=points),
            },
            2..5 => Strategy::Few { steps: few },
            5..7 => {
                let mut of: Vec<_> = (0..cores as u64).map(|core| core + (1 << 32)).collect();
                rng.shuffle(&mut of);
                Strategy::Priorities {
                    of,
                    changes,
                    lowest: 1 << 32,
                }
            }
            _ => Strategy::Starve {
                mean,
                victim: rng.usize(0..cores),
                scale: 10_u64.pow(rng.u32(1..4)),
                until: 0,
            },
        };
        // A quarter of the seeds leaves a kind out.
        let without = Without {
            interrupts: rng.u8(..) < 32,
            stalls: rng.u8(..) < 64,
            hangs: rng.u8(..) < 64,
            wakes: rng.u8(..) < 64,
        };
        let seldom = rng.u32(0..=8);
        let draws = match rng.u8(0..4) {
            0 => Draws::Any,
            1 => Draws::Least,
            2 => Draws::Most,
            _ => Draws::Ends,
        };
        Self {
            rng,
            cores,
            strategy,
            next: 0,
            without,
            seldom,
            faults,
            draws,
        }
    }

    fn plan_next(&mut self, step: u64) {
        self.next = match &self.strategy {
            Strategy::Storm { from, .. } if step >= *from => step + 1,
            Strategy::Walk { mean }
            | Strategy::Storm { mean, .. }
            | Strategy::Starve { mean, .. } => step + self.rng.u64(1..=2 * mean),
            Strategy::Few { steps } => {
                let later = steps.iter().find(|&&later| later > step);
                later.copied().unwrap_or(u64::MAX)
            }
            Strategy::Priorities { .. } => step + 1,
        };
    }

    fn choose(&mut self, step: u64, core: usize, options: &Options) -> Option<Action> {
        let first = self.next == 0;
        self.plan_next(step);
        if first {
            return None;
        }
        let fault = self.fault(step, options);
        match &mut self.strategy {
            Strategy::Priorities {
                of,
                changes,
                lowest,
            } => {
                let changes_here = changes.contains(&step);
                if changes_here {
                    *lowest -= 1;
                    of[core] = *lowest;
                    if fault.is_some() && self.rng.bool() {
                        return fault;
                    }
                } else if fault.is_some() && self.rng.u8(..) < 4 {
                    return fault;
                }
                let best = options.cores.iter().max_by_key(|&core| of[core])?;
                (of[best] > of[core]).then_some(Action::Switch(best))
            }
            Strategy::Starve {
                victim,
                scale,
                until,
                ..
            } => {
                if step >= *until {
                    *until = step + *scale;
                    *victim = self.rng.usize(0..self.cores);
                }
                let others = options.cores.without(*victim);
                if fault.is_some() && self.rng.u8(..) < 64 {
                    return fault;
                }
                others.any(&mut self.rng).map(Action::Switch)
            }
            Strategy::Storm { .. } => fault,
            Strategy::Walk { .. } | Strategy::Few { .. } => {
                let next = options.cores.any(&mut self.rng);
                if fault.is_some() && (next.is_none() || self.rng.bool()) {
                    return fault;
                }
                next.map(Action::Switch)
            }
        }
    }

    /// A value from 0 to `most`. One of eight is any.
    fn draw(&mut self, most: u64) -> u64 {
        match self.draws {
            _ if self.rng.u8(0..8) == 0 => self.rng.u64(0..=most),
            Draws::Any => self.rng.u64(0..=most),
            Draws::Least => 0,
            Draws::Most => most,
            Draws::Ends => most * self.rng.u64(0..=1),
        }
    }

    /// An event that the seed does not leave out.
    fn fault(&mut self, step: u64, options: &Options) -> Option<Action> {
        let mut events = Vec::new();
        if !self.without.interrupts {
            events.extend(options.interrupts.iter().copied().map(Action::Fire));
        }
        let is_time = self.faults.last().is_some_and(|&fault| fault <= step);
        if let Some(longest) = options.stall.filter(|_| is_time && !self.without.stalls) {
            // Half of the stalls are of about the longest length; the others are of any magnitude.
            let longest = if self.rng.bool() {
                longest
            } else {
                longest >> self.rng.u32(0..30)
            };
            let core = self.rng.usize(0..self.cores);
            events.push(Action::Stall(core, 1 + self.rng.u64(longest / 2..=longest)));
        }
        if let Some(returns) = options.hang.filter(|_| is_time && !self.without.hangs) {
            events.push(Action::Hang(self.hang(returns)));
        }
        if !self.without.wakes {
            events.extend(options.parked.iter().copied().map(Action::Wake));
        }
        let event = self.rng.choice(events);
        if matches!(event, Some(Action::Stall(..) | Action::Hang(_))) {
            self.faults.pop();
        }
        event
    }

    fn hang(&mut self, returns: Returns) -> Option<u64> {
        let span = match returns {
            Returns::Never => return None,
            Returns::Sometimes(_) if self.rng.bool() => return None,
            Returns::After(span) | Returns::Sometimes(span) => span,
        };
        let (least, most) = (nanos(span.least), nanos(span.most));
        // The magnitudes are equally likely.
        let most = least + ((most - least) >> self.rng.u32(0..20));
        Some(self.rng.u64(least..=most))
    }
}

impl Chooser {
    pub(crate) fn named(schedule: &[Deviation]) -> Self {
        let named = schedule.iter().map(|step| {
            let place = (step.context.clone(), step.label.clone(), step.visit);
            (place, step.action)
        });
        Self::Named(named.collect())
    }

    pub(crate) fn numbered(chosen: &[(usize, usize)]) -> Self {
        Self::Numbered(Numbered {
            chosen: chosen.to_vec(),
            next: 0,
            options: Vec::new(),
        })
    }

    /// The next point at which this has to be asked.
    pub(crate) fn next_look(&self, step: u64) -> u64 {
        match self {
            Self::Plain => u64::MAX,
            Self::Seeded(seeded) => seeded.next,
            Self::Named(_) | Self::Numbered(_) => step + 1,
        }
    }

    pub(crate) fn is_due(&self, step: u64) -> bool {
        match self {
            Self::Plain => false,
            Self::Seeded(seeded) => seeded.next <= step,
            Self::Named(_) | Self::Numbered(_) => true,
        }
    }

    /// The deviation at this point, if there is one.
    pub(crate) fn choose(
        &mut self,
        step: u64,
        core: usize,
        place: (&str, &str, u32),
        options: &Options,
    ) -> Option<Action> {
        match self {
            Self::Plain => None,
            Self::Seeded(seeded) => seeded.choose(step, core, options),
            Self::Named(named) => lookup(named, place),
            Self::Numbered(numbered) => {
                let all = options.all();
                numbered.decide(all.len()).map(|option| all[option])
            }
        }
    }

    /// The interrupt that fires while every context waits, if one does.
    pub(crate) fn fires_while_waiting(
        &mut self,
        place: (&str, &str, u32),
        interrupts: &[usize],
    ) -> Option<usize> {
        match self {
            Self::Plain => None,
            Self::Seeded(seeded) => {
                let fires = seeded.rng.u32(0..1 << seeded.seldom) == 0;
                let interrupt = seeded.rng.choice(interrupts.iter().copied());
                interrupt.filter(|_| fires && !seeded.without.interrupts)
            }
            Self::Named(named) => match lookup(named, place) {
                Some(Action::Fire(interrupt)) => Some(interrupt),
                _ => None,
            },
            Self::Numbered(numbered) => numbered
                .decide(interrupts.len())
                .map(|option| interrupts[option]),
        }
    }

    /// The core that runs next, of several that can. `first` is the plain order's.
    pub(crate) fn choose_core(
        &mut self,
        place: (&str, &str, u32),
        first: usize,
        ready: Cores,
    ) -> usize {
        let chosen = match self {
            Self::Plain => None,
            Self::Seeded(seeded) => match &seeded.strategy {
                Strategy::Priorities { of, .. } => ready.iter().max_by_key(|&core| of[core]),
                Strategy::Starve { victim, .. } => ready.without(*victim).any(&mut seeded.rng),
                Strategy::Walk { .. } => ready.any(&mut seeded.rng),
                Strategy::Few { .. } | Strategy::Storm { .. } => None,
            },
            Self::Named(named) => match lookup(named, place) {
                Some(Action::Switch(core)) => Some(core),
                _ => None,
            },
            Self::Numbered(numbered) => numbered
                .decide(ready.count() - 1)
                .and_then(|option| ready.without(first).iter().nth(option)),
        };
        chosen.filter(|&core| ready.has(core)).unwrap_or(first)
    }

    /// A value from 0 to `most`. The plain order's is 0.
    pub(crate) fn draw(&mut self, place: (&str, &str, u32), most: u64) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Seeded(seeded) => seeded.draw(most),
            Self::Named(named) => match lookup(named, place) {
                Some(Action::Draw(value)) => value.min(most),
                _ => 0,
            },
            Self::Numbered(numbered) => numbered.decide(1).map_or(0, |_| most),
        }
    }

    /// The core looks again in a loop that waits.
    pub(crate) fn spins(&mut self, core: usize) {
        if let Self::Seeded(seeded) = self
            && let Strategy::Priorities { of, lowest, .. } = &mut seeded.strategy
        {
            *lowest -= 1;
            of[core] = *lowest;
        }
    }
}

fn lookup(
    named: &HashMap<(String, String, u32), Action>,
    place: (&str, &str, u32),
) -> Option<Action> {
    let (context, label, visit) = place;
    named
        .get(&(context.to_string(), label.to_string(), visit))
        .copied()
}
