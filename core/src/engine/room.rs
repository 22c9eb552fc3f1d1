//! Waiting for a free slot.

use core::{task::Waker, time::Duration};

use crate::{
    engine::block,
    engine::block::Awaited,
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
    /// The wait is over: its place is free.
    pub(crate) fn end(&mut self) {
        self.place = None;
    }

    /// Leaves the waker; true if there may be room instead, or the pool takes no more work. `None` if there is no
    /// place to leave it.
    pub(crate) fn poll(&mut self, pool: Pool<'p>, priority: usize, waker: &Waker) -> Option<bool> {
        if self.place.as_ref().is_none_or(|place| !place.is_for(waker)) {
            self.place = None;
            self.place = pool.waiters().register(waker, ROOM);
        }
        // The waker is in its place before the mark, and the mark is made only if nothing is free.
        let full = pool.slots().mark_room_wanted();
        // Pairs with the fences of `Seats::wake_all`, of `Seats::wake_all_at_the_end` and of `Slots::leave_stale`: either the pool's
        // end, or that of a job in the queue, is seen here, or the waker there.
        fence(Ordering::SeqCst);
        let waits = full && !pool.phase().is_closed() && !pool.slots().has_room(priority);
        if waits && self.place.is_none() {
            return None;
        }
        Some(!waits)
    }
}

/// Waits until there is a slot for a job of this priority, or was for a moment, or the pool takes no more work.
pub(crate) fn wait(
    pool: Pool<'_>,
    priority: usize,
    deadline: Option<Duration>,
) -> Result<(), Blocked> {
    let mut awaited = AwaitedRoom {
        pool,
        priority,
        room: RoomWaiter::default(),
        refused: false,
    };
    block::wait(pool, &mut awaited, deadline)?;
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
