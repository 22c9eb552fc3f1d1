//! Values that are known one by one, so that none is lost or dropped twice.

use std::cell::RefCell;

use corepool_model::Job;

thread_local! {
    /// Whether each value that was made is there still.
    static THERE: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
}

/// Forgets all values.
pub(crate) fn reset() {
    THERE.with_borrow_mut(Vec::clear);
}

/// How many values are there.
pub(crate) fn there() -> usize {
    THERE.with_borrow(|there| there.iter().filter(|there| **there).count())
}

/// A value that a job or callback captures, or a job's result.
///
/// It is in a box, for a sanitizer to see what becomes of it.
#[derive(Debug)]
pub(crate) struct Value {
    number: Box<usize>,
    /// The job that it is of.
    pub(crate) job: Job,
}

impl Value {
    pub(crate) fn new(job: Job) -> Self {
        let number = THERE.with_borrow_mut(|there| {
            there.push(true);
            there.len() - 1
        });
        Self {
            number: Box::new(number),
            job,
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        let was_there =
            THERE.with_borrow_mut(|there| std::mem::replace(&mut there[*self.number], false));
        assert!(was_there, "a value of {:?} was dropped twice", self.job);
    }
}
