//! The slot of a future, and whether the result was taken from it, in one word.

use core::marker::PhantomData;

use crate::memory::slot::{Header, SlotRef};

/// A job's slot, and whether its result was moved out, in one word.
///
/// A future is two words, so that it goes from function to function in registers. Who submits mostly moves
/// it at once, and a processor waits where it reads from memory together what it has just written in parts.
pub(super) struct ResultSlot<'p> {
    /// The slot's address, with the lowest bit for the flag.
    marked: *const (),
    slot: PhantomData<SlotRef<'p>>,
}

/// The flag.
const TAKEN: usize = 1;

const _: () = assert!(align_of::<Header>() > TAKEN, "the lowest bit is free");

impl<'p> ResultSlot<'p> {
    #[inline(always)]
    pub(super) fn new(slot: SlotRef<'p>) -> Self {
        Self {
            marked: slot.address(),
            slot: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn slot(&self) -> SlotRef<'p> {
        let address = self.marked.map_addr(|marked| marked & !TAKEN);
        // SAFETY: the address of the slot that `new` was given.
        unsafe { SlotRef::at(address) }
    }

    #[inline(always)]
    pub(super) fn is_taken(&self) -> bool {
        self.marked.addr() & TAKEN != 0
    }

    #[inline(always)]
    pub(super) fn set_taken(&mut self) {
        self.marked = self.marked.map_addr(|marked| marked | TAKEN);
    }
}
