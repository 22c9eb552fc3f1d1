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
    /// A thread of the host, of this name, used a simulated static.
    HostThread(String),
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
    /// passes or fails in another way.
    pub schedule: Schedule,
    /// The number of deviations of the first failing run.
    pub deviations: usize,
    /// The number of runs that the reduction took.
    pub reduced_by: u64,
    /// The least schedule as text, a column for each context.
    pub lanes: String,
    /// The course of the least schedule, for other pictures.
    pub picture: Picture,
    /// The files that the environment asked for: `COREPOOL_SIM_PICTURES`.
    pub files: Vec<PathBuf>,
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
                f.write_str(" found no place. Without them the run passes")?;
                return match file {
                    Some(file) => write!(
                        f,
                        ". Take the line out of {}, and search anew",
                        file.display()
                    ),
                    None => Ok(()),
                };
            }
            FailedBy::HostThread(name) => {
                return write!(
                    f,
                    "the thread `{name}` of the host used a pool or a static of the simulation. Only simulated contexts may use them"
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
        writeln!(f, "  {}: {}", run.context, run.cause)?;
        writeln!(
            f,
            "  {} deviations reduced to {}, in {} runs",
            run.deviations,
            run.schedule.steps.len(),
            run.reduced_by
        )?;
        writeln!(f, "{}", run.lanes)?;
        if let Some(seed) = run.seed {
            writeln!(
                f,
                "  the same run:       COREPOOL_SIM_SEED={seed} cargo test {test}"
            )?;
        }
        write!(
            f,
            "  the least schedule: COREPOOL_SIM_REPLAY='{}' cargo test {test}",
            run.schedule
        )?;
        let mut files = run.files.iter();
        files.try_for_each(|file| write!(f, "\n  a picture:          {}", file.display()))
    }
}
