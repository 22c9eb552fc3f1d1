//! Waiting for a free slot.

use core::task::Waker;

use crate::{
    engine::block::{self, Awaited, Limit},
    engine::waiters::Registration,
    error::Blocked,
    lockfree::sync::{Ordering, fence},
    memory::pool::Pool,
    memory::waiter::ROOM,
};

/// A wait for a free slot, or for the pool's end.
#[derive(Default)]
pub(crate) struct RoomWaiter<'p> {
    place: Option<Registration<'p>>,
}

impl<'p> RoomWaiter<'p> {
    /// Ends the wait, and frees its place.
    pub(crate) fn end(&mut self) {
        self.place = None;
    }

    /// Leaves the waker. True if there may be room instead, or if the pool takes no more work.
    /// `None` if no place for a waiter is left.
    pub(crate) fn poll(&mut self, pool: Pool<'p>, priority: usize, waker: &Waker) -> Option<bool> {
        if self.place.as_ref().is_none_or(|place| !place.is_for(waker)) {
            self.place = None;
            self.place = pool.waiters().register(waker, ROOM);
        }
        // The waker is in its place before the mark is set, and the mark is set only if no slot is
        // free.
        let full = pool.slots().mark_room_wanted();
        // Pairs with the fences of `Seats::wake_all` and `Seats::wake_all_at_the_end`
        // (`engine/wakeups.rs`) and of `Slots::leave_stale` (`engine/slots.rs`). Either this waiter
        // sees that the pool or a queued job has ended, or the party that ended it sees the waker.
        fence(Ordering::SeqCst);
        let waits = full && !pool.phase().is_closed() && !pool.slots().has_room(priority);
        if waits && self.place.is_none() {
            return None;
        }
        Some(!waits)
    }
}

/// Waits until a slot may be free for a job of this priority, or the pool takes no more work.
/// Another submitter may take the slot first.
pub(crate) fn wait(pool: Pool<'_>, priority: usize, limit: Limit) -> Result<(), Blocked> {
    let mut awaited = AwaitedRoom {
        pool,
        priority,
        room: RoomWaiter::default(),
        refused: false,
    };
    block::wait(pool, &mut awaited, limit)?;
    if awaited.refused {
        return Err(Blocked::TooManyWaiters);
    }
    Ok(())
}

struct AwaitedRoom<'p> {
    pool: Pool<'p>,
    priority: usize,
    room: RoomWaiter<'p>,
    refused: bool,
}
impl<'p> Awaited<'p> for AwaitedRoom<'p> {
    fn poll(&mut self, waker: Option<&Waker>) -> bool {
        let Some(waker) = waker else {
            return self.pool.slots().has_room(self.priority) || self.pool.phase().is_closed();
        };
        let waits = self.room.poll(self.pool, self.priority, waker);
        waits.unwrap_or_else(|| {
            self.refused = true;
            true
        })
    }
}
