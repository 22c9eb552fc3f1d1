//! A run as a picture: a column for each context, a row for each point.

mod lanes;
mod perfetto;
mod standing;
mod svg;

use std::{fmt, time::Duration};

use crate::{plan::Plan, schedule::Deviation, trace::Trace};

/// The course of a run: its points, in their order. It is written as text, as SVG, or as a trace.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    contexts: Vec<Column>,
    rows: Vec<Row>,
    /// The context that fails at the last row.
    failed: String,
}

/// A context.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    core: usize,
}

/// A point.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    step: u64,
    time: Duration,
    context: usize,
    label: &'static str,
    /// The application itself names the point.
    is_own: bool,
    /// The decisions of the chip since the last row that differ from the plain order.
    deviations: Vec<Deviation>,
}

/// The rows of a text that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rows {
    /// The rows around each deviation, and the last ones. While a core stalls or hangs, also the first row of
    /// each point that the application names.
    #[default]
    Telling,
    /// All.
    All,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture")
            .field("contexts", &self.contexts.len())
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl Picture {
    pub(crate) fn new(
        plan: &Plan<'_>,
        trace: &Trace,
        schedule: &[Deviation],
        failed: &str,
    ) -> Self {
        let tasks = plan.tasks.iter().map(|task| (&task.name, task.core));
        let interrupts = plan.interrupts.iter().map(|irq| (&irq.name, irq.core));
        let contexts = tasks.chain(interrupts).map(|(name, core)| Column {
            name: name.clone(),
            core,
        });
        let mut noted = 0;
        let rows = trace.events.iter().map(|event| {
            let deviations = schedule.iter().take(event.deviations).skip(noted);
            noted = event.deviations;
            Row {
                step: event.step,
                time: Duration::from_nanos(event.time),
                context: event.context,
                label: event.label,
                is_own: trace.is_own(event.label),
                deviations: deviations.cloned().collect(),
            }
        });
        Self {
            contexts: contexts.collect(),
            rows: rows.collect(),
            failed: failed.into(),
        }
    }

    pub(crate) fn none() -> Self {
        Self {
            contexts: Vec::new(),
            rows: Vec::new(),
            failed: String::new(),
        }
    }

    /// Which rows are shown.
    fn shown(&self, rows: Rows) -> Vec<bool> {
        /// Rows around each deviation and at the end that are shown.
        const AROUND: usize = 3;
        const AT_THE_END: usize = 12;
        let count = self.rows.len();
        let mut shown = vec![rows == Rows::All; count];
        for (at, row) in self.rows.iter().enumerate() {
            if !row.deviations.is_empty() {
                shown[at.saturating_sub(AROUND)..(at + AROUND + 1).min(count)].fill(true);
            }
        }
        shown[count.saturating_sub(AT_THE_END)..].fill(true);
        for at in self.told_while_standing() {
            shown[at] = true;
        }
        shown
    }

    /// The contexts that a shown row has.
    fn columns(&self, shown: &[bool]) -> Vec<usize> {
        let columns = 0..self.contexts.len();
        columns
            .filter(|&column| {
                let mut rows = self.rows.iter().zip(shown);
                rows.any(|(row, shown)| *shown && row.context == column)
            })
            .collect()
    }

    /// A deviation at a row: its action, and its place if that is another one.
    fn remark(&self, row: &Row, deviation: &Deviation) -> String {
        let is_here = deviation.context == self.contexts[row.context].name;
        match is_here && deviation.label == row.label {
            true => format!("◀ {}", deviation.action),
            false => format!("◀ {deviation}"),
        }
    }

    /// The last row's remark.
    fn end(&self) -> String {
        format!("✗ {} fails", self.failed)
    }
}
