//! The points of a run that is recorded.

use std::collections::{BTreeMap, HashSet};

use rustc_hash::FxHashMap;

/// One point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) step: u64,
    /// In nanoseconds.
    pub(crate) time: u64,
    pub(crate) context: usize,
    pub(crate) label: &'static str,
    /// The number of deviations that had happened when the context left the point.
    pub(crate) deviations: usize,
}

/// The points of a run.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) events: Vec<Event>,
    visits: FxHashMap<(usize, &'static str), u32>,
    deviations: usize,
    /// The labels of the application's own points.
    own: HashSet<&'static str>,
}

/// The most events of a trace. A run ends as failed before it has more points than these.
const MOST_EVENTS: usize = 200_000;

impl Trace {
    pub(crate) fn point(&mut self, step: u64, time: u64, context: usize, label: &'static str) {
        if self.events.len() < MOST_EVENTS {
            self.events.push(Event {
                step,
                time,
                context,
                label,
                deviations: self.deviations,
            });
        }
    }

    /// The application itself names a point.
    pub(crate) fn names(&mut self, label: &'static str) {
        self.own.insert(label);
    }

    /// Whether the application itself names points so.
    pub(crate) fn is_own(&self, label: &str) -> bool {
        self.own.contains(label)
    }

    /// The last point of each context: its step and the context.
    pub(crate) fn last_points(&self) -> Vec<(u64, usize)> {
        let last: BTreeMap<_, _> = self
            .events
            .iter()
            .map(|event| (event.context, event.step))
            .collect();
        last.into_iter()
            .map(|(context, step)| (step, context))
            .collect()
    }

    /// The last point has one more deviation.
    pub(crate) fn deviation(&mut self) {
        self.deviations += 1;
        if let Some(last) = self.events.last_mut() {
            last.deviations = self.deviations;
        }
    }

    /// The number of this visit of a context to a label, from 1.
    pub(crate) fn visit(&mut self, context: usize, label: &'static str) -> u32 {
        let visits = self.visits.entry((context, label)).or_default();
        *visits += 1;
        *visits
    }
}
