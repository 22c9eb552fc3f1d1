//! The transitions of a task's waker.

use super::*;

impl State {
    /// The task's waker was woken. `Some`: the caller queues the task.
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

    /// Notes that a party has cloned the task's waker.
    pub(crate) fn set_cloned(&self) {
        if self.load().lacks(CLONED) {
            self.rare_transition(|s| {
                // The task has ended, and its slot may be free. Its next tenant's word comes by a
                // store, which is no section.
                if s.has(DONE) {
                    return Err(());
                }
                // The bit is a hint, and hands nothing over. A waker of a task that has ended may
                // mark the slot's next tenant. Then the pool knows less of it than it could.
                Ok((s.0 | CLONED, ()))
            });
        }
    }
}
