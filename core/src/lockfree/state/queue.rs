//! The transitions of the queue's index, and those of a party that leaves the slot.

use super::*;

/// The parties that keep a slot after one has left it. `Queue` is a hint: `QUEUED` may stand for a
/// promise's holder, or the index may be on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeftTo {
    /// Other parties keep the slot. The last of them frees it.
    Others,
    /// Only the queue of this priority keeps the slot, or only a promise's holder.
    Queue(usize),
    /// No party keeps the slot: the caller frees it.
    Nobody,
}

impl State {
    /// The index, which the caller has [`reap`](Self::reap)ed, has left the queue. True if no other
    /// party keeps the slot: the caller frees it.
    pub(crate) fn leave_queue(&self) -> bool {
        self.rare_transition(|s| Ok((s.0 & !QUEUED, s.lacks(PARTIES & !QUEUED))))
    }

    /// A party other than the queue leaves the slot of a job that has ended or is about to end.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn leave(&self, party: u32) -> LeftTo {
        loop {
            // The word is loaded again after a swap that failed, since a failed swap acquires
            // nothing. The party that frees the slot has to see what the other parties did with it.
            let now = self.load();
            let others = now.0 & PARTIES & !party;
            if others == 0 {
                // No other party refers to the slot, so none changes the word, and a swap is not
                // needed.
                return LeftTo::Nobody;
            }
            if self.swap_rarely(now, now.0 & !party).is_ok() {
                return if others == QUEUED && part::OUT_OF_ORDER.is_used() {
                    LeftTo::Queue(now.priority())
                } else {
                    LeftTo::Others
                };
            }
        }
    }
}
