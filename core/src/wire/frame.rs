//! What a frame has beside a message and its body, and how long it can be.

use crc::{CRC_32_ISCSI, Crc};

/// The most bytes that a frame has beside a job's arguments or result, and without what COBS adds:
/// message, checksum, zero.
pub(super) const AROUND_BODY: usize = 1 + 3 + 3 + CHECKSUM + 1;

pub(super) const CHECKSUM: usize = size_of::<u32>();

/// The most bytes of a frame without a body.
pub(crate) const SMALL_FRAME: usize = 40;

pub(super) static CHECK: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// How many bytes the frame of a body of at most `body` bytes has at most.
pub(crate) const fn frame_bytes(body: usize) -> usize {
    let plain = body.saturating_add(AROUND_BODY);
    // One byte of COBS at the beginning, and one for each 254.
    plain.saturating_add(plain / 254 + 1)
}

/// A frame that was damaged, or not made for this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;
