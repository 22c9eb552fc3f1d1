//! Where each part of a pool lies: slots, queues, seats, waiters' places.

use crate::{
    lockfree::queue::{Lane, Queue, QueueCell},
    lockfree::sync::Ordering,
    memory::pool::Pool,
    memory::seat::{GROUP, Seat, SeatRef},
    memory::slot::{Header, SlotRef},
    memory::waiter::Waiter,
};

impl<'p> Pool<'p> {
    /// The slot with this index. The index comes from a list of this pool, or from a loop below
    /// `slots`.
    #[inline(always)]
    pub(crate) fn slot(self, index: u16) -> SlotRef<'p> {
        debug_assert!(usize::from(index) < self.geometry().slots());
        let offset = self.geometry().slots_at + usize::from(index) * self.geometry().slot_size;
        // SAFETY: the index is below `slots`, so a slot of this pool begins there, valid for 'p.
        unsafe { SlotRef::new(self.at::<Header>(offset)) }
    }

    #[inline(always)]
    pub(crate) fn queue(self, priority: usize) -> Queue<'p> {
        debug_assert!(priority < self.geometry().priorities);
        // SAFETY: `priorities` lanes begin there, and `slots` cells for each of them.
        unsafe {
            let lane = self
                .at::<Lane>(self.geometry().lanes_at)
                .add(priority)
                .as_ref();
            let cells = self.at::<QueueCell>(self.geometry().cells_at);
            let cells = cells.add(priority * self.geometry().slots());
            let cells = core::slice::from_raw_parts(cells.as_ptr(), self.geometry().slots());
            Queue::new(lane, cells, self.geometry().cell_words)
        }
    }

    /// All seats.
    #[inline(always)]
    pub(crate) fn all_seats(self) -> &'p [Seat] {
        // SAFETY: `workers` seats begin there.
        unsafe {
            core::slice::from_raw_parts(
                self.at(self.geometry().seats_at).as_ptr(),
                self.geometry().workers,
            )
        }
    }

    /// All places of waiters.
    #[inline(always)]
    pub(crate) fn all_waiters(self) -> &'p [Waiter] {
        // SAFETY: `waiters` waiters begin there.
        unsafe {
            core::slice::from_raw_parts(
                self.at(self.geometry().waiters_at).as_ptr(),
                self.geometry().waiters,
            )
        }
    }

    /// The indices of all slots that were ever used.
    pub(crate) fn used_slots(self) -> core::ops::Range<u16> {
        0..self.shared().free.used(&self.geometry().free_words) as u16
    }

    /// The seat with this number.
    pub(crate) fn seat(self, number: usize) -> Option<SeatRef<'p>> {
        let seats = self.all_seats();
        let seat = seats.get(number)?;
        let word = &seats.get(number - number % GROUP)?.idle;
        Some(SeatRef::new(self, seat, word, number as u16))
    }

    /// Reverses a chain of slots. Takes and returns an index plus one.
    pub(crate) fn reverse_chain(self, mut newest: u16) -> u16 {
        let mut reversed = 0;
        while let Some(index) = newest.checked_sub(1) {
            // The chain is the caller's, so no other party changes its links.
            let link = self.slot(index).link();
            let older = link.load(Ordering::Relaxed);
            link.store(reversed, Ordering::Relaxed);
            reversed = newest;
            newest = older;
        }
        reversed
    }
}
