//! The places in the application's source of the contexts' last points, in the run that a report shows.

use std::{backtrace::Backtrace, cell::RefCell};

use crate::crash;

/// Finds the places of points, each given by its step and its context.
#[derive(Default)]
pub(super) struct Places {
    wanted: Vec<(u64, usize)>,
    /// The contexts, with the places of their points.
    found: RefCell<Vec<(usize, String)>>,
}

impl Places {
    pub(super) fn of(wanted: Vec<(u64, usize)>) -> Self {
        Self {
            wanted,
            found: RefCell::default(),
        }
    }

    /// A context comes to a point: the caller is on its stack.
    pub(super) fn note(&self, step: u64, context: usize) {
        if self.wanted.contains(&(step, context)) {
            let place = crash::place_in(&Backtrace::force_capture().to_string());
            self.found
                .borrow_mut()
                .extend(place.map(|place| (context, place)));
        }
    }

    /// The place of a context's point, if it is known.
    pub(super) fn place_of(&self, context: usize) -> Option<String> {
        let found = self.found.borrow();
        let (_, place) = found.iter().rfind(|(known, _)| *known == context)?;
        Some(place.clone())
    }
}
