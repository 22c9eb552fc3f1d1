//! The parts of the pulse monitor: [`args`] → [`recording`] → [`host`] → [`picture`].

mod args;
mod host;
mod picture;
mod recording;

use std::io::{self, Write as _};

use console::Term;
use corepool_std::StartError;
use pulse_app::{FRAMES, Monitor, POOL, Plan, PlanError, WhenBusy, control_loop};

pub use args::Args;
use host::Host;
use picture::Summary;
use recording::Recording;

/// How a run ended that found nothing to complain of.
pub enum Verdict {
    Pulse,
    NoGoodWindow,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Recording(#[from] recording::Error),
    #[error("{option}: {problem}")]
    Plan {
        option: &'static str,
        problem: PlanError,
    },
    #[error(transparent)]
    Workers(#[from] StartError),
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    fn of_plan(problem: PlanError) -> Self {
        let option = match problem {
            PlanError::Rate => "--rate",
            PlanError::Window { .. } => "--window",
            PlanError::Hop { .. } => "--hop",
        };
        Self::Plan { option, problem }
    }
}

/// Measures the recording and prints what was found.
pub fn run(args: &Args) -> Result<Verdict, Error> {
    let recording = match &args.file {
        Some(file) => Recording::read(file, args.rate_mhz)?,
        None => Recording::shipped(args.rate_mhz)?,
    };
    let plan =
        Plan::new(recording.rate_mhz, args.window_ms, args.hop_ms).map_err(Error::of_plan)?;
    let windows = plan.windows_in(recording.samples.len());
    if windows == 0 {
        return Err(recording.too_short(args.window_ms).into());
    }

    let when_busy = if args.speed.is_some() {
        WhenBusy::DropWindow
    } else {
        WhenBusy::Wait
    };
    let mut monitor = Monitor::new(&POOL, &FRAMES, plan, when_busy);
    let mut host = Host::new(windows, args.speed.map(|speed| recording.period(speed)));
    {
        // Lent until the end of this block.
        let _workers = host::lend_workers(args.workers)?;
        control_loop(&mut monitor, recording.samples.iter().copied(), &mut host);
    }
    let (outcomes, ticks) = host.end();

    let mut out = io::BufWriter::new(io::stdout().lock());
    writeln!(out, "{recording}")?;
    let width = Term::stdout()
        .size_checked()
        .map(|(_, columns)| columns.into());
    let summary = Summary::new(plan, args.workers, outcomes, width);
    summary.write(&mut out, args.table)?;
    if let Some(ticks) = ticks {
        writeln!(out, "{ticks}")?;
    }
    let verdict = summary.write_verdict(&mut out)?;
    out.flush()?;
    Ok(verdict)
}
