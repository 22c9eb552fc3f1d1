//! The decisions of a run: by a seed, by a list, or one after the other.

pub(crate) mod cores;
pub(crate) mod seeded;

use std::collections::HashMap;

use self::{
    cores::Cores,
    seeded::{Seeded, Strategy},
};
use crate::{
    plan::Returns,
    schedule::{Action, Deviation, nanos},
};

/// The decisions that are open at a point. A source of decisions asks for those that it considers: most
/// points are looked at in vain.
pub(crate) trait Open {
    /// The core that comes to the point.
    fn core(&self) -> usize;
    /// The other cores that can run.
    fn ready(&self) -> Cores;
    /// The other cores whose next access is to the same address.
    fn rivals(&self) -> Cores;
    /// All that can happen here but a switch to another core.
    fn events(&self) -> Events;
}

/// Events that the schedule may choose.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The interrupts that may fire by themselves.
    pub(crate) interrupts: Vec<usize>,
    /// The longest stall, in nanoseconds, if one is allowed.
    pub(crate) stall: Option<u64>,
    pub(crate) hang: Option<Returns>,
    /// The tasks whose park may return without a reason.
    pub(crate) parked: Vec<usize>,
}

/// All decisions at a point, in an order that is the same in each run.
fn all(open: &impl Open) -> Vec<Action> {
    let events = open.events();
    let mut all: Vec<_> = open.ready().iter().map(Action::Switch).collect();
    all.extend(events.interrupts.into_iter().map(Action::Fire));
    all.extend(
        events
            .stall
            .map(|longest| Action::Stall(open.core(), longest)),
    );
    if let Some(returns) = events.hang {
        all.extend(hangs(returns));
    }
    all.extend(events.parked.into_iter().map(Action::Wake));
    all
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
            Self::Seeded(seeded) => seeded.is_due(step),
            Self::Named(_) | Self::Numbered(_) => true,
        }
    }

    /// Whether the core that goes on after a switch looks at its next point.
    pub(crate) fn looks_after_switches(&self) -> bool {
        matches!(self, Self::Seeded(seeded) if seeded.switches_at_any_point())
    }

    /// The deviation at this point, if there is one.
    pub(crate) fn choose(
        &mut self,
        step: u64,
        place: (&str, &str, u32),
        open: &impl Open,
    ) -> Option<Action> {
        match self {
            Self::Plain => None,
            Self::Seeded(seeded) => seeded.choose(step, open),
            Self::Named(named) => lookup(named, place),
            Self::Numbered(numbered) => {
                let all = all(open);
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
                Strategy::Priorities { of, .. } | Strategy::PartialOrder { of } => {
                    ready.iter().max_by_key(|&core| of[core])
                }
                Strategy::Starve { victim, .. } => ready.without(*victim).random(&mut seeded.rng),
                Strategy::Walk { .. } => ready.random(&mut seeded.rng),
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

    /// Whether [`spins`](Self::spins) has to be called.
    pub(crate) fn hears_of_spins(&self) -> bool {
        matches!(self, Self::Seeded(seeded) if matches!(
            seeded.strategy,
            Strategy::Priorities { .. } | Strategy::PartialOrder { .. }
        ))
    }

    /// The core looks again in a loop that waits.
    pub(crate) fn spins(&mut self, core: usize) {
        let Self::Seeded(seeded) = self else {
            return;
        };
        match &mut seeded.strategy {
            Strategy::Priorities { of, lowest, .. } => {
                *lowest -= 1;
                of[core] = *lowest;
            }
            Strategy::PartialOrder { of } => of[core] = 0,
            _ => {}
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
