//! A link between two cores of a chip: a queue of bytes in each direction, in memory that both see.
//!
//! That is all they need to have in common. On a chip whose cores share no more than a few hundred bytes
//! the queues are there, and the pool is in the memory of one core.

use core::{fmt, marker::PhantomData, task::Waker};

use corepool::{LossReason, ports::Cores, remote::Link};
use heapless::spsc::{Consumer, Producer, Queue};

/// How many bytes are under way in one direction, at most, plus one.
pub const LENGTH: usize = 128;

/// The bytes that are under way in one direction.
pub type Direction = Queue<u8, LENGTH>;

/// One core's end.
pub struct Mailbox<C> {
    sends: Producer<'static, u8>,
    receives: Consumer<'static, u8>,
    /// The core at the other end.
    peer: usize,
    chip: PhantomData<fn() -> C>,
}

impl<C> fmt::Debug for Mailbox<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox(to core {})", self.peer)
    }
}

/// Both ends: that of the first of `cores`, which sends by the first of the directions, and that of
/// the second.
pub fn between<C: Cores>(
    cores: [usize; 2],
    directions: [&'static mut Direction; 2],
) -> [Mailbox<C>; 2] {
    let [(there, from_there), (back, from_back)] = directions.map(Queue::split);
    let end = |sends, receives, peer| Mailbox {
        sends,
        receives,
        peer,
        chip: PhantomData,
    };
    [
        end(there, from_back, cores[1]),
        end(back, from_there, cores[0]),
    ]
}

impl<C: Cores> Link for Mailbox<C> {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        let taken = bytes
            .iter()
            .take_while(|byte| self.sends.enqueue(**byte).is_ok());
        let count = taken.count();
        if count > 0 {
            C::wake(self.peer);
        }
        Ok(count)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        let mut count = 0;
        for (place, byte) in buffer
            .iter_mut()
            .zip(core::iter::from_fn(|| self.receives.dequeue()))
        {
            *place = byte;
            count += 1;
        }
        if count > 0 {
            // There is room for more.
            C::wake(self.peer);
        }
        Ok(count)
    }

    /// The other core wakes this one, which has one thread.
    fn wake_on_data(&mut self, _waker: &Waker) {}

    fn is_lossless(&self) -> bool {
        true
    }
}
