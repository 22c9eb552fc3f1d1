//! What the waker of a task does with the state word.

use super::*;

impl State {
    /// A waker fired. `Some`: the caller queues the task.
    pub(crate) fn wake(&self) -> Option<Snapshot> {
        self.rare_transition(|s| {
            if s.has(SUSPENDED) && s.lacks(QUEUED | BUSY | DONE) {
                let to = s.0 | QUEUED;
                Ok((to, Some(Snapshot(to))))
            } else if s.has(BUSY) && s.lacks(DONE | NOTIFIED) {
                Ok((s.0 | NOTIFIED, None))
            } else {
                Err(None)
            }
        })
    }

    /// Somebody has a waker of the task.
    pub(crate) fn set_cloned(&self) {
        if self.load().lacks(CLONED) {
            // Relaxed: a hint of who may wake the task, which hands nothing over. Of a task that has ended, it
            // marks the slot's next tenant: of that one less is known then.
            self.0.fetch_or(CLONED, Ordering::Relaxed);
        }
    }
}
