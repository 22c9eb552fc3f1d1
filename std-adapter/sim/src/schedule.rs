//! A schedule: the decisions of a run that differ from the plain order.
//!
//! In the plain order the context that runs goes on until it waits. Then the next core in order takes
//! over. No fault happens, no interrupt fires by itself, and each drawn value is its least.

use std::{fmt, str::FromStr, time::Duration};

/// How often contexts may be interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Before each public call, and around each job, poll, callback, wait, wake-up and critical
    /// section.
    Calls,
    /// Also before each atomic access, cell access and fence of the core.
    Atomics,
}

/// One decision: at this place of this context, the chip did this. It parses from its text in a
/// printed schedule: `CONTEXT@LABEL#VISIT:ACTION`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deviation {
    /// The context: a task or an interrupt.
    pub context: String,
    /// The label of the point.
    pub label: String,
    /// The number of the visit of that context to that label in the run, from 1.
    pub visit: u32,
    /// The chip's decision there.
    pub action: Action,
}

/// A decision of the chip, with its text in a printed schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `core=N`: the core of this number runs next, and the current context waits.
    Switch(usize),
    /// `fire=N`: the interrupt of this number fires. The first that the test declares is 0.
    Fire(usize),
    /// `stall=N/T`: the core of this number stands still for T nanoseconds.
    Stall(usize, u64),
    /// `hang` or `hang=T`: the current core stops, for ever or for T nanoseconds.
    Hang(Option<u64>),
    /// `wake=N`: the parker of the context with this number returns without a reason.
    Wake(usize),
    /// `draw=T`: a drawn value is its least plus T.
    Draw(u64),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(core) => write!(f, "core={core}"),
            Self::Fire(irq) => write!(f, "fire={irq}"),
            Self::Stall(core, nanos) => write!(f, "stall={core}/{nanos}"),
            Self::Hang(None) => write!(f, "hang"),
            Self::Hang(Some(nanos)) => write!(f, "hang={nanos}"),
            Self::Wake(context) => write!(f, "wake={context}"),
            Self::Draw(value) => write!(f, "draw={value}"),
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{}#{}:{}",
            self.context, self.label, self.visit, self.action
        )
    }
}

/// The text that is no schedule, or no step of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASchedule(pub(crate) String);

impl std::error::Error for NotASchedule {}

impl fmt::Display for NotASchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no schedule: a schedule is `calls/` or `atomics/` and steps with commas between them, and a step is CONTEXT@LABEL#VISIT:ACTION",
            self.0
        )
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(stall) = text.strip_prefix("stall=") {
            let (core, nanos) = stall.split_once('/').ok_or(())?;
            let core = core.parse().map_err(drop)?;
            return Ok(Self::Stall(core, nanos.parse().map_err(drop)?));
        }
        let (verb, value) = match text.split_once('=') {
            Some((verb, value)) => (verb, Some(value.parse::<u64>().map_err(drop)?)),
            None => (text, None),
        };
        let number = value
            .and_then(|value| usize::try_from(value).ok())
            .ok_or(());
        Ok(match verb {
            "core" => Self::Switch(number?),
            "fire" => Self::Fire(number?),
            "hang" => Self::Hang(value),
            "wake" => Self::Wake(number?),
            "draw" => Self::Draw(value.ok_or(())?),
            _ => return Err(()),
        })
    }
}

impl FromStr for Deviation {
    type Err = NotASchedule;

    fn from_str(text: &str) -> Result<Self, NotASchedule> {
        let parse = || {
            let (context, rest) = text.split_once('@')?;
            let (label, rest) = rest.split_once('#')?;
            let (visit, action) = rest.split_once(':')?;
            Some(Self {
                context: context.into(),
                label: label.into(),
                visit: visit.parse().ok()?,
                action: action.parse().ok()?,
            })
        };
        parse().ok_or_else(|| NotASchedule(text.into()))
    }
}

/// A schedule: what a run does otherwise than in the plain order.
///
/// Its text is that of a report and of `COREPOOL_SIM_REPLAY`: the granularity, `/`, and the steps with
/// commas between them.
///
/// ```
/// use corepool_sim::Schedule;
///
/// let schedule: Schedule = "calls/core 0@submit#1:core=1,core 1@busy#2:stall=1/3000".parse().unwrap();
/// assert_eq!(schedule.steps.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The granularity of the run, which tells at which points it counts.
    pub granularity: Granularity,
    /// The deviations from the plain order.
    pub steps: Vec<Deviation>,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.granularity {
            Granularity::Calls => "calls/",
            Granularity::Atomics => "atomics/",
        })?;
        write_steps(f, &self.steps)
    }
}

/// Writes steps with commas between them.
pub(crate) fn write_steps(f: &mut fmt::Formatter<'_>, steps: &[Deviation]) -> fmt::Result {
    for (number, step) in steps.iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        write!(f, "{comma}{step}")?;
    }
    Ok(())
}

impl FromStr for Schedule {
    type Err = NotASchedule;

    fn from_str(text: &str) -> Result<Self, NotASchedule> {
        let (granularity, steps) = match text.split_once('/') {
            Some(("calls", steps)) => (Granularity::Calls, steps),
            Some(("atomics", steps)) => (Granularity::Atomics, steps),
            _ => return Err(NotASchedule(text.into())),
        };
        let steps = steps.split(',').map(str::trim);
        let steps = steps.filter(|step| !step.is_empty()).map(str::parse);
        Ok(Self {
            granularity,
            steps: steps.collect::<Result<_, _>>()?,
        })
    }
}

/// A duration in nanoseconds. 585 years and more are the longest.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A range of durations, of which a run draws one. One duration is a range of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(crate) least: Duration,
    pub(crate) most: Duration,
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self {
            least: duration,
            most: duration,
        }
    }
}

impl From<std::ops::Range<Duration>> for Span {
    fn from(range: std::ops::Range<Duration>) -> Self {
        Self {
            least: range.start,
            most: range.end.max(range.start),
        }
    }
}

impl From<std::ops::RangeInclusive<Duration>> for Span {
    fn from(range: std::ops::RangeInclusive<Duration>) -> Self {
        Self {
            least: *range.start(),
            most: *range.end().max(range.start()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        let text = "atomics/core 0@submit#1:core=1,button@handler#2:fire=0,core 1@job#1:hang,a@b#3:hang=5,a@b#4:stall=1/7,chip@pace#1:draw=9,a@park#1:wake=2";
        let schedule: Schedule = text.parse().unwrap();
        assert_eq!(schedule.steps.len(), 7);
        assert_eq!(schedule.to_string(), text);
    }

    #[test]
    fn a_step_that_is_none_is_named() {
        let error = "calls/core 0@submit#1:core=1, nonsense"
            .parse::<Schedule>()
            .unwrap_err();
        assert_eq!(error, NotASchedule("nonsense".into()));
    }

    #[test]
    fn a_schedule_without_its_granularity_is_none() {
        let text = "core 0@submit#1:core=1";
        assert_eq!(text.parse::<Schedule>(), Err(NotASchedule(text.into())));
    }
}
