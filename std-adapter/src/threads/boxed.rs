//! Where the host's pools keep what does not fit a slot.

use std::{mem::MaybeUninit, ptr::NonNull};

use corepool::Spill;

/// How many bytes a slot of a host pool has: jobs and results up to this size take no heap.
pub const SLOT_BYTES: usize = 64;

/// The spill policy of the host's pools: a job or result that does not fit a slot goes to the heap.
#[derive(Clone, Copy, Debug)]
pub struct Boxed;

// SAFETY: a box stays where it is until `release` frees it, which does not drop its value.
unsafe impl Spill for Boxed {
    const CAN_SPILL: bool = true;

    fn store<V>(value: V) -> NonNull<V> {
        NonNull::from(Box::leak(Box::new(value)))
    }

    unsafe fn release<V>(place: NonNull<V>) {
        // SAFETY: the caller promises that the place is from `store`. A `MaybeUninit` does not drop its value.
        drop(unsafe { Box::from_raw(place.cast::<MaybeUninit<V>>().as_ptr()) });
    }
}
