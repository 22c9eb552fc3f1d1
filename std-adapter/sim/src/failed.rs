//! The report of a failed simulation.

use std::{fmt, path::PathBuf};

use crate::{
    failure::Cause,
    picture::Picture,
    schedule::{self, Deviation, Schedule},
};

/// A failed simulation.
#[derive(Clone, PartialEq, Eq)]
pub struct Failed {
    /// The test's name, if the thread has it.
    pub test: Option<String>,
    /// The cause.
    pub kind: FailedBy,
}

/// The cause of a failed simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedBy {
    /// A run failed.
    Run(Box<FailedRun>),
    /// No run failed, and the runs do not show that the test tests something: the sentences say so.
    ShowsTooLittle(Vec<String>),
    /// A variable of the environment has a value that is none of its own.
    Environment(String),
    /// The scenario of a simulation began another simulation.
    Nested,
    /// These steps of a schedule found no place, since the code has changed. The schedule was given, or is
    /// in this file of regressions.
    FitsNoMore(Vec<Deviation>, Option<PathBuf>),
    /// A thread of the host used a simulated static: its name, if it has one.
    HostThread(Option<String>),
    /// Simulated code uses a pool in the static of this path, and the test does not name it.
    NotNamed(String),
    /// The program's symbols have no static to reset of this crate.
    NoStatics(String),
    /// A process that runs a share of the seeds ended in this way.
    Shard(String),
}

/// A failed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRun {
    /// The cause.
    pub cause: Cause,
    /// The context that failed.
    pub context: String,
    /// The seed. None: the plain order, a run of `everywhere`, or a given schedule.
    pub seed: Option<u64>,
    /// The number of runs before this one.
    pub runs: u64,
    /// The least schedule that was found for this failure: without any one of its deviations, the run
    /// passes or fails in another way. It has no steps if no schedule repeats the failure.
    pub schedule: Schedule,
    /// The number of deviations of the first failing run.
    pub deviations: usize,
    /// The number of runs that the reduction took.
    pub reduced_by: u64,
    /// The least schedule as text, a column for each context. Empty if no schedule repeats the failure.
    pub lanes: String,
    /// The course of the least schedule, for other pictures.
    pub picture: Picture,
    /// The files that the environment asked for: `COREPOOL_SIM_PICTURES`.
    pub files: Vec<PathBuf>,
}

impl FailedRun {
    /// Whether a schedule repeats the failure.
    pub(crate) fn is_reduced(&self) -> bool {
        !self.lanes.is_empty()
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failed {}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let test = self.test.as_deref().unwrap_or("NAME");
        let run = match &self.kind {
            FailedBy::Run(run) => run,
            FailedBy::ShowsTooLittle(sentences) => {
                f.write_str("the simulation shows too little:")?;
                return sentences
                    .iter()
                    .try_for_each(|sentence| write!(f, "\n  {sentence}"));
            }
            FailedBy::Environment(text) => return f.write_str(text),
            FailedBy::Nested => {
                return f.write_str(
                    "a scenario began another simulation. Declare one `Sim` for each test, outside of the scenario",
                );
            }
            FailedBy::FitsNoMore(steps, file) => {
                f.write_str("the schedule fits no more, since the code has changed: ")?;
                schedule::write_steps(f, steps)?;
                f.write_str(" found no place. Without that the run passes. ")?;
                return match file {
                    Some(file) => write!(
                        f,
                        "Take the line out of {}, and search anew",
                        file.display()
                    ),
                    None => f.write_str("Take that out of the schedule, or search anew"),
                };
            }
            FailedBy::HostThread(name) => {
                match name {
                    Some(name) => write!(f, "the thread `{name}`")?,
                    None => f.write_str("a thread without a name")?,
                }
                return f.write_str(
                    " of the host used a pool or a static of the simulation. Only simulated contexts may use them: let a `task` stand for a thread, and simulate in a test program of its own what other tests use",
                );
            }
            FailedBy::NotNamed(path) => {
                return write!(
                    f,
                    "simulated code uses a pool in the static `{path}`, which keeps its state from run to run. Name the pool by `pool`"
                );
            }
            FailedBy::Shard(text) => {
                return write!(f, "a shard of the simulation failed: {text}");
            }
            FailedBy::NoStatics(name) => {
                return write!(
                    f,
                    "the program's symbols have no crate and no static `{name}` that a simulation can reset. Name each static by `reset` if the program is stripped, or if the host is not Linux"
                );
            }
        };
        write!(f, "the simulation failed in run {}", run.runs)?;
        match run.seed {
            Some(seed) => writeln!(f, ", of seed {seed}")?,
            None => writeln!(f)?,
        }
        write!(f, "  {}: {}", run.context, run.cause)?;
        if run.deviations > 0 {
            write!(
                f,
                "\n  {} reduced to {}, in {}",
                count_of(run.deviations as u64, "deviation"),
                run.schedule.steps.len(),
                count_of(run.reduced_by, "run")
            )?;
        }
        f.write_str(&run.lanes)?;
        if let Some(seed) = run.seed {
            write!(
                f,
                "\n  the same run:       COREPOOL_SIM_SEED={seed} cargo test {test} -- --include-ignored"
            )?;
        }
        if run.is_reduced() {
            write!(
                f,
                "\n  the least schedule: COREPOOL_SIM_REPLAY='{}' cargo test {test} -- --include-ignored",
                run.schedule
            )?;
        }
        let mut files = run.files.iter();
        files.try_for_each(|file| write!(f, "\n  a picture:          {}", file.display()))
    }
}

fn count_of(count: u64, one: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {one}{ending}")
}
