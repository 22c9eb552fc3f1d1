//! A run as text: a column for each context, a row for each point.

use std::{fmt::Write, time::Duration};

use crate::{plan::Plan, schedule::Deviation, trace::Trace};

/// Rows around each deviation and at the end that are shown.
const AROUND: usize = 3;
const AT_THE_END: usize = 12;
const WIDTH: usize = 22;

/// Draws the part of the trace that matters.
pub(crate) fn draw(plan: &Plan<'_>, trace: &Trace, schedule: &[Deviation]) -> String {
    let events = &trace.events;
    let names: Vec<&str> = plan
        .tasks
        .iter()
        .map(|task| task.name.as_str())
        .chain(plan.interrupts.iter().map(|irq| irq.name.as_str()))
        .collect();
    let mut is_shown = vec![false; events.len()];
    let mut before = 0;
    let marks: Vec<usize> = (0..events.len())
        .filter(|&row| {
            let changed = events[row].deviations != before;
            before = events[row].deviations;
            changed
        })
        .collect();
    for &mark in &marks {
        let end = (mark + AROUND + 1).min(events.len());
        is_shown[mark.saturating_sub(AROUND)..end].fill(true);
    }
    let end = events.len();
    is_shown[end.saturating_sub(AT_THE_END)..].fill(true);
    // Columns of contexts that no shown row has are left out.
    let columns: Vec<usize> = (0..names.len())
        .filter(|&column| (0..end).any(|row| is_shown[row] && events[row].context == column))
        .collect();
    let mut text = format!("\n  {:>6} {:>12}  ", "point", "time");
    for &column in &columns {
        let _ = write!(text, "{:<WIDTH$}", clip(names[column]));
    }
    let mut has_gap = false;
    let mut noted = 0;
    for (row, event) in events.iter().enumerate() {
        if !is_shown[row] {
            has_gap = true;
            noted = event.deviations;
            continue;
        }
        if std::mem::take(&mut has_gap) {
            text.push_str("\n       ⋮");
        }
        let time = format!("{:.1?}", Duration::from_nanos(event.time));
        let _ = write!(text, "\n  {:>6} {:>12}  ", event.step, time);
        for &column in &columns {
            let cell = if column == event.context {
                event.label
            } else {
                "·"
            };
            let _ = write!(text, "{:<WIDTH$}", clip(cell));
        }
        for step in schedule.iter().take(event.deviations).skip(noted) {
            let _ = write!(text, " ◀ {}: without this one it passes", step.action);
        }
        noted = event.deviations;
    }
    text
}

fn clip(text: &str) -> String {
    text.chars().take(WIDTH - 1).collect()
}
