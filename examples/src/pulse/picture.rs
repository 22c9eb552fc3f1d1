//! The result on a terminal: table, picture and verdict.

use std::io::{self, Write};

use pulse_app::{Outcome, Plan, Pulse, Reading, median_milli_bpm};

use super::Verdict;

/// Columns of the picture, unless the terminal is narrower: with its margin it fits a terminal of 80.
const MOST_COLUMNS: usize = 64;
/// Columns of the picture on the narrowest terminal.
const LEAST_COLUMNS: usize = 8;
/// Columns of a terminal beside the picture: its left margin, and one at the right.
const MARGIN: usize = 11;
/// Windows that the table lists without being asked to.
const TABLE_ROWS: usize = 100;
/// Rows of the curve.
const ROWS: usize = 11;
/// Beats per minute that the curve spans at least.
const LEAST_SPAN: u32 = 20;

/// All outcomes of a run, in the order of the windows.
pub struct Summary {
    plan: Plan,
    workers: u8,
    outcomes: Vec<(u32, Outcome)>,
    columns: usize,
}

impl Summary {
    /// `width` is that of the terminal, if there is one.
    pub fn new(
        plan: Plan,
        workers: u8,
        outcomes: Vec<(u32, Outcome)>,
        width: Option<usize>,
    ) -> Self {
        let columns = width.map_or(MOST_COLUMNS, |width| {
            let room = width.saturating_sub(MARGIN);
            room.clamp(LEAST_COLUMNS, MOST_COLUMNS)
        });
        Self {
            plan,
            workers,
            outcomes,
            columns,
        }
    }

    /// Writes the table, if it is short or asked for, and the picture.
    pub fn write(&self, out: &mut impl Write, with_table: bool) -> io::Result<()> {
        if with_table || self.outcomes.len() <= TABLE_ROWS {
            self.write_table(out)?;
        } else {
            writeln!(out, "{} windows: --table lists them", self.outcomes.len())?;
        }
        writeln!(out)?;
        self.write_curve(out)?;
        self.write_lanes(out)?;
        writeln!(out)
    }

    /// Writes how many windows came to what, and the median of the good ones.
    pub fn write_verdict(&self, out: &mut impl Write) -> io::Result<Verdict> {
        let count = |is: fn(&Outcome) -> bool| {
            self.outcomes
                .iter()
                .filter(|(_, outcome)| is(outcome))
                .count()
        };
        let measured = count(|outcome| matches!(outcome, Outcome::Measured(_)));
        let mut good: Vec<u32> = self
            .pulses()
            .filter(|(_, pulse)| pulse.is_good())
            .map(|(_, pulse)| pulse.milli_bpm)
            .collect();
        writeln!(
            out,
            "{} windows: {} good, {} bad, {} dropped, {} failed",
            self.outcomes.len(),
            good.len(),
            measured - good.len(),
            count(|outcome| matches!(outcome, Outcome::Dropped(_))),
            count(|outcome| matches!(outcome, Outcome::Failed(_))),
        )?;
        match median_milli_bpm(&mut good) {
            Some(median) => {
                writeln!(out, "median of the good windows: {:.1} bpm", bpm(median))?;
                Ok(Verdict::Pulse)
            }
            None => {
                writeln!(out, "no window is good, so there is no median")?;
                Ok(Verdict::NoGoodWindow)
            }
        }
    }

    /// The windows with a pulse, by their place in `outcomes`.
    fn pulses(&self) -> impl Iterator<Item = (usize, Pulse)> {
        self.outcomes
            .iter()
            .enumerate()
            .filter_map(|(place, (_, outcome))| match outcome {
                Outcome::Measured(reading) => Some((place, reading.pulse?)),
                _ => None,
            })
    }

    fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "window    from      to  worker    bpm  quality")?;
        for (window, outcome) in &self.outcomes {
            let seconds = |ms: u64| ms as f64 / 1000.0;
            let from = seconds(self.plan.start_ms(*window));
            let to = seconds(self.plan.end_ms(*window));
            write!(out, "{window:6} {from:7.1} {to:7.1}  ")?;
            match outcome {
                Outcome::Measured(Reading {
                    pulse: Some(pulse),
                    worker,
                }) => {
                    let bpm = bpm(pulse.milli_bpm);
                    let quality = f64::from(pulse.quality) / 1000.0;
                    let verdict = if pulse.is_good() { "good" } else { "bad" };
                    writeln!(out, "{worker:6} {bpm:6.1}     {quality:4.2} {verdict}")?;
                }
                Outcome::Measured(Reading {
                    pulse: None,
                    worker,
                }) => {
                    writeln!(out, "{worker:6}      -        - no pulse")?;
                }
                Outcome::Dropped(why) => writeln!(out, "dropped: {why}")?,
                Outcome::Failed(error) => writeln!(out, "failed: {error}")?,
            }
        }
        Ok(())
    }

    /// Draws beats per minute over time.
    fn write_curve(&self, out: &mut impl Write) -> io::Result<()> {
        let axis = Axis::of(self.pulses());
        let mut cells = vec![vec![' '; self.columns]; ROWS];
        for (place, pulse) in self.pulses() {
            let cell = &mut cells[axis.row(pulse.milli_bpm)][self.column(place)];
            // Where windows share a column, a good one is not hidden by a bad one.
            if pulse.is_good() {
                *cell = '●';
            } else if *cell == ' ' {
                *cell = '·';
            }
        }
        writeln!(out, "     bpm   ● good window   · bad window")?;
        if self
            .pulses()
            .any(|(_, pulse)| axis.is_beyond(pulse.milli_bpm))
        {
            writeln!(out, "           a · at the edge lies beyond")?;
        }
        for (row, cells) in cells.iter().enumerate().rev() {
            let cells: String = cells.iter().collect();
            writeln!(out, "{:8.0} ┤{}", bpm(axis.value(row)), cells.trim_end())?;
        }
        let first = self.outcomes.first().map_or(0, |&(window, _)| window);
        let last = self.outcomes.last().map_or(0, |&(window, _)| window);
        let start = |window| format!("{:.0} s", self.plan.start_ms(window) as f64 / 1000.0);
        let width = self.width();
        writeln!(out, "         └{}", "─".repeat(width))?;
        // The two times keep apart, however short the axis is. One window has one time.
        let (first, last) = (start(first), start(last));
        let rest = width.saturating_sub(first.len()).max(last.len() + 2);
        let last = if self.outcomes.len() > 1 {
            last
        } else {
            String::new()
        };
        let times = format!("          {first}{last:>rest$}");
        writeln!(out, "{}", times.trim_end())
    }

    /// Draws which worker ran which window.
    fn write_lanes(&self, out: &mut impl Write) -> io::Result<()> {
        let lane = |is_in: &dyn Fn(&Outcome) -> bool| -> String {
            let mut cells = vec![' '; self.columns];
            for (place, (_, outcome)) in self.outcomes.iter().enumerate() {
                if is_in(outcome) {
                    cells[self.column(place)] = '■';
                }
            }
            String::from_iter(cells).trim_end().into()
        };
        for worker in 0..self.workers {
            let cells = lane(
                &|outcome| matches!(outcome, Outcome::Measured(reading) if reading.worker == worker),
            );
            writeln!(out, "worker {worker} │{cells}")?;
        }
        for (name, cells) in [
            (
                "dropped ",
                lane(&|outcome| matches!(outcome, Outcome::Dropped(_))),
            ),
            (
                "failed  ",
                lane(&|outcome| matches!(outcome, Outcome::Failed(_))),
            ),
        ] {
            if !cells.is_empty() {
                writeln!(out, "{name} │{cells}")?;
            }
        }
        Ok(())
    }

    /// The column of the window at a place: one each, or several to a column if there are many.
    fn column(&self, place: usize) -> usize {
        place / self.outcomes.len().div_ceil(self.columns).max(1)
    }

    /// The number of columns in use.
    fn width(&self) -> usize {
        self.outcomes
            .len()
            .checked_sub(1)
            .map_or(0, |last| self.column(last) + 1)
    }
}

/// The vertical axis of the curve, in thousandths of a beat per minute.
struct Axis {
    lowest: u32,
    step: u32,
}

impl Axis {
    /// An axis for the good pulses, or for all if none is good.
    fn of(pulses: impl Iterator<Item = (usize, Pulse)>) -> Self {
        let (good, bad): (Vec<_>, Vec<_>) =
            pulses.map(|(_, pulse)| pulse).partition(Pulse::is_good);
        let shown = if good.is_empty() { bad } else { good };
        let lowest = shown
            .iter()
            .map(|pulse| pulse.milli_bpm)
            .min()
            .unwrap_or(60_000)
            / 1000;
        let highest = shown
            .iter()
            .map(|pulse| pulse.milli_bpm)
            .max()
            .unwrap_or(60_000)
            .div_ceil(1000);
        let span = (highest - lowest).max(LEAST_SPAN);
        let step = span.div_ceil(ROWS as u32 - 1);
        // The pulses in the middle of what is left.
        let lowest = lowest.saturating_sub((step * (ROWS as u32 - 1) - (highest - lowest)) / 2);
        Self {
            lowest: lowest * 1000,
            step: step * 1000,
        }
    }

    fn row(&self, milli_bpm: u32) -> usize {
        let row = (milli_bpm.saturating_sub(self.lowest) + self.step / 2) / self.step;
        (row as usize).min(ROWS - 1)
    }

    /// Whether a pulse is drawn at an edge, and is not of that row.
    fn is_beyond(&self, milli_bpm: u32) -> bool {
        let row = self.row(milli_bpm);
        self.value(row).abs_diff(milli_bpm) > self.step
    }

    fn value(&self, row: usize) -> u32 {
        self.lowest + row as u32 * self.step
    }
}

fn bpm(milli_bpm: u32) -> f64 {
    f64::from(milli_bpm) / 1000.0
}

#[cfg(test)]
mod tests {
    use pulse_app::Dropped;

    use super::*;

    fn measured(milli_bpm: u32, quality: u16, worker: u8) -> Outcome {
        Outcome::Measured(Reading {
            pulse: Some(Pulse { milli_bpm, quality }),
            worker,
        })
    }

    fn summary(outcomes: impl IntoIterator<Item = Outcome>) -> Summary {
        summary_at(None, outcomes)
    }

    fn summary_at(width: Option<usize>, outcomes: impl IntoIterator<Item = Outcome>) -> Summary {
        let plan = Plan::new(100_000, 10_000, 2_000).unwrap();
        Summary::new(plan, 2, (0..).zip(outcomes).collect(), width)
    }

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_outcome_has_its_line_and_its_lane() {
        let summary = summary([
            measured(60_000, 900, 0),
            measured(150_000, 100, 1),
            Outcome::Measured(Reading {
                pulse: None,
                worker: 1,
            }),
            Outcome::Dropped(Dropped::NoFrame),
            Outcome::Dropped(Dropped::PoolFull),
            Outcome::Failed(corepool::JobError::Cancelled),
        ]);
        let expected = "\
window    from      to  worker    bpm  quality
     0     0.0    10.0       0   60.0     0.90 good
     1     2.0    12.0       1  150.0     0.10 bad
     2     4.0    14.0       1      -        - no pulse
     3     6.0    16.0  dropped: jobs hold all frames
     4     8.0    18.0  dropped: the pool is full
     5    10.0    20.0  failed: the job was cancelled

     bpm   ● good window   · bad window
           a · at the edge lies beyond
      70 ┤ ·
      68 ┤
      66 ┤
      64 ┤
      62 ┤
      60 ┤●
      58 ┤
      56 ┤
      54 ┤
      52 ┤
      50 ┤
         └──────
          0 s  10 s
worker 0 │■
worker 1 │ ■■
dropped  │   ■■
failed   │     ■

";
        assert_eq!(written(|out| summary.write(out, false)), expected);
        let verdict = written(|out| summary.write_verdict(out).map(drop));
        assert_eq!(
            verdict,
            "6 windows: 1 good, 2 bad, 2 dropped, 1 failed\nmedian of the good windows: 60.0 bpm\n"
        );
    }

    #[test]
    fn many_windows_share_the_columns_of_a_terminal() {
        for count in [64, 65, 1000] {
            let summary = summary((0..count).map(|i| measured(60_000 + i, 900, (i % 2) as u8)));
            let picture = written(|out| {
                summary
                    .write_curve(out)
                    .and_then(|()| summary.write_lanes(out))
            });
            assert!(
                picture.lines().all(|line| line.chars().count() <= 80),
                "{picture}"
            );
        }
    }

    #[test]
    fn a_picture_fits_a_narrow_terminal() {
        for count in [1, 2, 60, 1000] {
            let pulses = (0..count).map(|i| measured(60_000 + 9 * i, 900, (i % 2) as u8));
            let summary = summary_at(Some(40), pulses);
            let picture = written(|out| {
                summary
                    .write_curve(out)
                    .and_then(|()| summary.write_lanes(out))
            });
            assert!(
                picture.lines().all(|line| line.chars().count() < 40),
                "{picture}"
            );
        }
    }

    #[test]
    fn the_times_of_a_short_axis_keep_apart() {
        for (count, times) in [(1, "0 s"), (2, "0 s  2 s"), (3, "0 s  4 s")] {
            let summary = summary((0..count).map(|_| measured(60_000, 900, 0)));
            let curve = written(|out| summary.write_curve(out));
            assert_eq!(curve.lines().last().unwrap().trim(), times);
        }
    }

    #[test]
    fn a_long_table_is_written_if_it_is_asked_for() {
        for (count, asked, is_there) in [(100, false, true), (101, false, false), (101, true, true)]
        {
            let summary = summary((0..count).map(|_| measured(60_000, 900, 0)));
            let written = written(|out| summary.write(out, asked));
            assert_eq!(written.contains("quality"), is_there, "{count}");
            assert_eq!(written.contains("--table"), !is_there, "{count}");
        }
    }

    #[test]
    fn any_pulse_has_a_row() {
        for good in (40_000..=180_000).step_by(777) {
            for other in [40_000, good, 180_000] {
                let summary = summary([measured(good, 900, 0), measured(other, 900, 0)]);
                let curve = written(|out| summary.write_curve(out));
                assert_eq!(curve.matches('●').count(), 3, "{good}, {other}: {curve}");
            }
        }
    }

    #[test]
    fn nothing_is_drawn_of_no_windows() {
        let summary = summary([]);
        assert!(!written(|out| summary.write(out, true)).is_empty());
        assert!(matches!(
            summary.write_verdict(&mut Vec::new()),
            Ok(Verdict::NoGoodWindow)
        ));
    }
}
