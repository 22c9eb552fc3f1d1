//! What the queue's index does with the state word, and how a party leaves the slot.

use super::*;

/// The parties that keep a slot after one has left it. `Queue` is a hint: a promise's holder may be meant, or the index
/// may be on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeftTo {
    /// To others, of whom the last frees the slot.
    Others,
    /// To the queue of this priority alone, or to who keeps the promise.
    Queue(usize),
    /// The slot is the caller's, to free it.
    Nobody,
}

impl State {
    /// Whether the index, which is in the queue, stands for nothing there. If so, nobody takes the slot over before
    /// the index has left the queue.
    pub(crate) fn reap(&self) -> bool {
        loop {
            // Anew after a swap that failed, which acquires nothing: who finds that the index has left the queue finds
            // the head moved.
            let now = self.load();
            if !now.is_queued_in_vain() {
                return false;
            }
            if now.has(REAPED) || self.swap_rarely(now, now.0 | REAPED).is_ok() {
                return true;
            }
        }
    }

    /// The index that the caller has [`reap`](Self::reap)ed has left the queue. True: it was the last that kept the
    /// slot, which is the caller's to free.
    pub(crate) fn leave_queue(&self) -> bool {
        self.rare_transition(|s| Ok((s.0 & !QUEUED, s.lacks(PARTIES & !QUEUED))))
    }

    /// A party other than the queue leaves the slot of a job that has ended or is about to.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn leave(&self, party: u32) -> LeftTo {
        loop {
            // Anew after a swap that failed, which acquires nothing: who frees the slot has seen what the
            // others did with it.
            let now = self.load();
            let others = now.0 & PARTIES & !party;
            if others == 0 {
                // Nobody else refers to the slot, so nobody else changes the word: no swap needed.
                return LeftTo::Nobody;
            }
            if self.swap_rarely(now, now.0 & !party).is_ok() {
                return if others == QUEUED {
                    LeftTo::Queue(now.priority())
                } else {
                    LeftTo::Others
                };
            }
        }
    }
}
