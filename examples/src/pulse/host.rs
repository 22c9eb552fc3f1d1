//! The host as the platform of the application.

use std::cell::Cell;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use corepool_std::{StartError, Workers, run_workers_with};
use indicatif::{ProgressBar, ProgressStyle};
use pulse_app::{Outcome, POOL, Platform};

thread_local! {
    /// The number of the worker that this thread is.
    static WORKER: Cell<u8> = const { Cell::new(u8::MAX) };
}

/// Lends OS threads to the application's pool, until the return value is dropped.
pub fn lend_workers(count: u8) -> Result<Workers, StartError> {
    run_workers_with(POOL.pool_ref(), "pulse", count.into(), |id| {
        WORKER.set(id.index() as u8);
        Ok(())
    })
}

/// Keeps the tick, shows the progress and collects the outcomes.
pub struct Host {
    ticks: Option<Ticks>,
    progress: ProgressBar,
    outcomes: Vec<(u32, Outcome)>,
}

impl Host {
    /// A host that ticks with the given period, or as fast as it is asked to.
    pub fn new(windows: usize, period: Option<Duration>) -> Self {
        // Draws on standard error, and only if that is a terminal.
        let progress = ProgressBar::new(windows as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} windows, {elapsed}")
        {
            progress.set_style(style);
        }
        Self {
            ticks: period.map(Ticks::new),
            progress,
            outcomes: Vec::with_capacity(windows),
        }
    }

    /// The outcomes in the order of the windows, and how well the tick was kept.
    pub fn end(mut self) -> (Vec<(u32, Outcome)>, Option<Ticks>) {
        self.progress.finish_and_clear();
        self.outcomes.sort_by_key(|&(window, _)| window);
        (self.outcomes, self.ticks)
    }
}

impl Platform for Host {
    fn worker() -> u8 {
        WORKER.get()
    }

    fn tick(&mut self) {
        if let Some(ticks) = &mut self.ticks {
            ticks.next();
        }
    }

    fn report(&mut self, window: u32, outcome: Outcome) {
        self.outcomes.push((window, outcome));
        self.progress.inc(1);
    }
}

/// The tick of the control loop.
pub struct Ticks {
    start: Instant,
    period: Duration,
    count: u32,
    latest: Duration,
}

impl Ticks {
    fn new(period: Duration) -> Self {
        Self {
            start: Instant::now(),
            period,
            count: 0,
            latest: Duration::ZERO,
        }
    }

    /// Sleeps until the next tick. One that comes late does not move those after it.
    fn next(&mut self) {
        self.count += 1;
        let due = self.start + self.period * self.count;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        self.latest = self.latest.max(due.elapsed());
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            period,
            latest,
            ..
        } = self;
        write!(
            f,
            "{count} ticks, one every {period:.3?}; the longest delay was {latest:.3?}"
        )
    }
}
