//! The progress of a long command, on standard error: its output stays as it is.

use std::{
    cell::{Cell, RefCell},
    io::{self, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often the elapsed time is drawn anew.
const TICK: Duration = Duration::from_millis(200);

/// Says which step a command is at: by a bar on a terminal, and by a line for each step elsewhere.
pub struct Progress<W> {
    bar: ProgressBar,
    /// Where the lines go if there is no bar.
    lines: RefCell<W>,
    count: usize,
    begun: Cell<usize>,
}

impl Progress<io::Stderr> {
    /// The progress of a command with so many steps.
    pub fn new(count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}, {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self::with(bar, io::stderr(), count)
    }
}

impl<W: Write> Progress<W> {
    fn with(bar: ProgressBar, lines: W, count: usize) -> Self {
        Self {
            bar,
            lines: RefCell::new(lines),
            count,
            begun: Cell::new(0),
        }
    }

    /// The next step begins.
    pub fn begin(&self, step: &str) {
        let (before, number) = (self.begun.get(), self.begun.get() + 1);
        self.begun.set(number);
        if self.bar.is_hidden() {
            // A reader that is gone does not stop the command.
            let _ = writeln!(self.lines.borrow_mut(), "{number}/{}: {step}", self.count);
        }
        self.bar.set_position(before as u64);
        self.bar.set_message(step.to_owned());
    }

    /// Prints while no bar is drawn.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }
}

impl<W> Drop for Progress<W> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_a_line_where_no_bar_is_drawn() {
        let progress = Progress::with(ProgressBar::hidden(), Vec::new(), 2);
        progress.begin("one board");
        progress.begin("another");
        let lines = progress.lines.take();
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "1/2: one board\n2/2: another\n"
        );
    }
}
