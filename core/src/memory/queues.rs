//! The run queues of a pool, one for each priority.

use crate::memory::pool::Pool;

/// The run queues.
#[derive(Clone, Copy)]
pub(crate) struct Queues<'p>(Pool<'p>);

impl<'p> Pool<'p> {
    /// Its run queues.
    #[inline(always)]
    pub(crate) fn queues(self) -> Queues<'p> {
        Queues(self)
    }
}

impl Queues<'_> {
    /// Puts a slot into the run queue of its priority, without waking a worker. The caller has
    /// changed the slot's `QUEUED` from clear to set, so the slot is in one queue, once.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn push(self, index: u16, priority: usize) {
        self.0.queue(priority).push(index);
    }

    /// Takes the oldest index of the most urgent queue that has one.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn pop(self) -> Option<u16> {
        self.pop_from(0)
    }

    /// [`pop`](Self::pop), of the queues with priority `least` and above.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn pop_from(self, least: usize) -> Option<u16> {
        (least..self.0.geometry().priorities)
            .rev()
            .find_map(|priority| self.0.queue(priority).pop_if(|_| true))
    }

    /// Whether any queue has an index.
    pub(crate) fn has_any(self) -> bool {
        self.has_any_from(0)
    }

    /// Whether any queue with priority `least` or above has an index.
    pub(crate) fn has_any_from(self, least: usize) -> bool {
        (least..self.0.geometry().priorities).any(|priority| !self.0.queue(priority).is_empty())
    }

    /// The priority of the most urgent queue that has an index.
    pub(crate) fn most_urgent(self) -> Option<usize> {
        (0..self.0.geometry().priorities)
            .rev()
            .find(|&priority| !self.0.queue(priority).is_empty())
    }

    /// About how many indices are queued.
    pub(crate) fn len(self) -> usize {
        (0..self.0.geometry().priorities)
            .map(|priority| self.0.queue(priority).len())
            .sum()
    }
}
