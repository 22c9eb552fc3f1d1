//! The reduction of a failing schedule to what the failure needs.

use crate::{
    choice::Chooser,
    failure::Cause,
    runs::Runs,
    schedule::{Deviation, Granularity},
};

/// The most runs in which a reduction leaves deviations out.
const MOST_RUNS: u64 = 4_000;
/// The most points of the runs in which it then searches for a shorter schedule.
const MOST_POINTS: u64 = 3_000_000;

/// The least schedule that was found for this failure, from one that fails so.
pub(crate) fn reduce(
    runs: &mut Runs<'_>,
    cause: &Cause,
    schedule: Vec<Deviation>,
    granularity: Granularity,
) -> Vec<Deviation> {
    let smaller = leave_out(runs, cause, schedule, granularity);
    match smaller.len() {
        0 | 1 => smaller,
        count => {
            let shorter = shorter(runs, cause, count, granularity);
            shorter.unwrap_or(smaller)
        }
    }
}

/// Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
/// 2002). It leaves out ever smaller parts of the schedule while the run fails in the same way.
fn leave_out(
    runs: &mut Runs<'_>,
    cause: &Cause,
    mut schedule: Vec<Deviation>,
    granularity: Granularity,
) -> Vec<Deviation> {
    let last = runs.report.runs + MOST_RUNS;
    let mut part = schedule.len().div_ceil(2);
    while part > 0 {
        let mut start = 0;
        let mut has_shrunk = false;
        while start < schedule.len() {
            if runs.report.runs > last {
                return schedule;
            }
            let end = (start + part).min(schedule.len());
            let shorter = [&schedule[..start], &schedule[end..]].concat();
            let ended = runs.once(Chooser::named(&shorter), granularity, true);
            let is_same = ended.cause.is_some_and(|other| cause.is_like(&other));
            // A deviation that found no place, or had no effect, is none.
            if is_same && ended.deviations.len() < schedule.len() {
                schedule = ended.deviations;
                has_shrunk = true;
            } else {
                start = end;
            }
        }
        if part > 1 || !has_shrunk {
            part /= 2;
        }
    }
    schedule
}

/// A schedule of one deviation, or of two if `count` is more, that fails in the same way. The
/// search takes `MOST_POINTS` points at most.
fn shorter(
    runs: &mut Runs<'_>,
    cause: &Cause,
    count: usize,
    granularity: Granularity,
) -> Option<Vec<Deviation>> {
    let end = runs.report.points + MOST_POINTS;
    let mut found = None;
    for deviations in 1..count.min(3) {
        let chosen = &mut Vec::new();
        runs.each_with(
            chosen,
            deviations,
            granularity,
            &mut |runs, ended, chosen| {
                if chosen.len() == deviations
                    && ended
                        .cause
                        .as_ref()
                        .is_some_and(|other| cause.is_like(other))
                {
                    found = Some(chosen.to_vec());
                }
                found.is_none() && runs.report.points < end
            },
        );
        if let Some(chosen) = &found {
            let ended = runs.once(Chooser::numbered(chosen), granularity, true);
            return Some(ended.deviations);
        }
    }
    None
}
