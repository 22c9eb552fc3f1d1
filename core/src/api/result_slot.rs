//! A job's slot, and whether its result was taken, in one word.

use core::marker::PhantomData;

use crate::memory::slot::{Header, SlotRef};

/// A job's slot, and whether its result was moved out, in one word.
///
/// So a future is two words, which move between functions in registers. A submitter mostly moves its
/// future at once. A flag of its own would be written apart, and then read together with the others:
/// a store-forwarding stall.
pub(super) struct ResultSlot<'p> {
    /// The slot's address. Its lowest bit is the flag `TAKEN`.
    marked: *const (),
    slot: PhantomData<SlotRef<'p>>,
}

/// Set if the result was moved out.
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
        // SAFETY: it is the address of the slot that `new` was given.
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
