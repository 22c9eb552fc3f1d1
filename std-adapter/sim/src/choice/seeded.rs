//! Decisions from a seed.

use fastrand::Rng;

use super::Open;
use crate::{
    plan::Returns,
    schedule::{Action, nanos},
};

/// How a seed decides.
#[derive(Debug)]
pub(super) enum Strategy {
    /// A decision at random intervals with this mean.
    Walk { mean: u64 },
    /// A walk in which nothing but interrupts happens. From the point `from` on, they happen at each point.
    Storm { mean: u64, from: u64 },
    /// Decisions at these points, and at no other.
    Few { steps: Vec<u64> },
    /// The core of the highest priority runs. At the points of `changes`, the running core's priority
    /// becomes the lowest. A core that waits in a loop gets the lowest as well. The strategy is PCT
    /// (Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
    /// ASPLOS 2010).
    Priorities {
        of: Vec<u64>,
        /// The latest first.
        changes: Vec<u64>,
        lowest: u64,
    },
    /// The core of the highest priority runs. After each step the core's priority is drawn anew, and so
    /// are those of the cores whose next access is to the same address. The strategy is POS (Yuan, Yang
    /// and Gu, "Partial Order Aware Concurrency Sampling", CAV 2018).
    PartialOrder { of: Vec<u64> },
    /// A walk that leaves one core out for `scale` points at a time.
    Starve {
        mean: u64,
        victim: usize,
        scale: u64,
        until: u64,
    },
}

/// The mean number of points from one event to the next, with a strategy whose switches follow from
/// priorities.
const MEAN_OF_EVENTS: u64 = 64;

/// Random decisions from a seed.
#[derive(Debug)]
pub(crate) struct Seeded {
    pub(super) rng: Rng,
    cores: usize,
    pub(super) strategy: Strategy,
    /// The point of the next decision.
    pub(super) next: u64,
    /// The kinds of events that this seed leaves out.
    pub(super) without: Without,
    /// An interrupt fires in one of 2^`seldom` waits.
    pub(super) seldom: u32,
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
pub(super) struct Without {
    pub(super) interrupts: bool,
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
        let (few, mut changes, mut faults) = (some(4), some(3), some(4));
        changes.reverse();
        faults.reverse();
        // The magnitudes are equally likely, up to a quarter of the run.
        let magnitudes = (points / 4).checked_ilog2().unwrap_or(0);
        let mean = 1 << rng.u32(0..=magnitudes);
        let strategy = match rng.u8(0..9) {
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
            7 => Strategy::PartialOrder {
                of: (0..cores).map(|_| rng.u64(1..)).collect(),
            },
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
            // The switches come with a core that can go on, and need no plan.
            Strategy::Priorities { changes, .. } => {
                let event = step + self.rng.u64(1..=2 * MEAN_OF_EVENTS);
                changes.last().map_or(event, |&change| event.min(change))
            }
            Strategy::PartialOrder { .. } => step + 1,
        };
    }

    /// Whether a decision is planned for this point, or may be taken at each.
    pub(super) fn is_due(&self, step: u64) -> bool {
        self.next <= step || self.switches_at_any_point()
    }

    /// Whether a switch may be due at a point for which no decision is planned, since another core can go
    /// on there.
    pub(super) fn switches_at_any_point(&self) -> bool {
        matches!(self.strategy, Strategy::Priorities { .. })
    }

    pub(super) fn choose(&mut self, step: u64, open: &impl Open) -> Option<Action> {
        let is_planned = self.next <= step;
        let is_first = self.next == 0;
        if is_planned {
            self.plan_next(step);
        }
        if is_first && !self.switches_at_any_point() {
            return None;
        }
        let core = open.core();
        match &mut self.strategy {
            Strategy::Priorities {
                of,
                changes,
                lowest,
            } => {
                let changes_here = changes.pop_if(|change| *change <= step).is_some();
                if changes_here {
                    *lowest -= 1;
                    of[core] = *lowest;
                }
                // Half of the changes are an event as well.
                if is_planned && (!changes_here || self.rng.bool()) {
                    let event = self.event(step, open);
                    if event.is_some() {
                        return event;
                    }
                }
                self.best(open)
            }
            Strategy::PartialOrder { of } => {
                of[core] = self.rng.u64(1..);
                for rival in open.rivals().iter() {
                    of[rival] = self.rng.u64(1..);
                }
                if self.rng.u64(..MEAN_OF_EVENTS) == 0 {
                    let event = self.event(step, open);
                    if event.is_some() {
                        return event;
                    }
                }
                self.best(open)
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
                let victim = *victim;
                if self.rng.u8(..) < 64 {
                    let event = self.event(step, open);
                    if event.is_some() {
                        return event;
                    }
                }
                let others = open.ready().without(victim);
                others.random(&mut self.rng).map(Action::Switch)
            }
            Strategy::Storm { .. } => self.event(step, open),
            Strategy::Walk { .. } | Strategy::Few { .. } => {
                let next = open.ready().random(&mut self.rng);
                if next.is_none() || self.rng.bool() {
                    let event = self.event(step, open);
                    if event.is_some() {
                        return event;
                    }
                }
                next.map(Action::Switch)
            }
        }
    }

    /// A switch to the core of the highest priority, if that is another one.
    fn best(&self, open: &impl Open) -> Option<Action> {
        let (Strategy::Priorities { of, .. } | Strategy::PartialOrder { of }) = &self.strategy
        else {
            return None;
        };
        let best = open.ready().iter().max_by_key(|&core| of[core])?;
        (of[best] > of[open.core()]).then_some(Action::Switch(best))
    }

    /// A value from 0 to `most`. One of eight is any.
    pub(super) fn draw(&mut self, most: u64) -> u64 {
        match self.draws {
            _ if self.rng.u8(0..8) == 0 => self.rng.u64(0..=most),
            Draws::Any => self.rng.u64(0..=most),
            Draws::Least => 0,
            Draws::Most => most,
            Draws::Ends => most * self.rng.u64(0..=1),
        }
    }

    /// An event that the seed does not leave out.
    fn event(&mut self, step: u64, open: &impl Open) -> Option<Action> {
        let open = open.events();
        let mut events = Vec::new();
        if !self.without.interrupts {
            events.extend(open.interrupts.into_iter().map(Action::Fire));
        }
        let is_time = self.faults.last().is_some_and(|&fault| fault <= step);
        if let Some(longest) = open.stall.filter(|_| is_time && !self.without.stalls) {
            // Half of the stalls are of about the longest length; the others are of any magnitude.
            let longest = if self.rng.bool() {
                longest
            } else {
                longest >> self.rng.u32(0..30)
            };
            let core = self.rng.usize(0..self.cores);
            events.push(Action::Stall(core, 1 + self.rng.u64(longest / 2..=longest)));
        }
        if let Some(returns) = open.hang.filter(|_| is_time && !self.without.hangs) {
            events.push(Action::Hang(self.hang(returns)));
        }
        if !self.without.wakes {
            events.extend(open.parked.into_iter().map(Action::Wake));
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
