//! What goes over the wire: messages in frames.
//!
//! ```text
//!     frame    COBS( message  body  CRC-32 )  0x00
//!     message  a `ToServer` or `ToClient`, in postcard's encoding
//!     body     a job's arguments or its result, likewise; nothing for other messages
//! ```
//!
//! No frame has a zero byte but the last, so that a receiver finds the next frame whatever it
//! has missed. A frame that is damaged does not match its checksum and is dropped; an empty one is
//! nothing.

pub(crate) mod inbox;
pub(crate) mod message;
pub(crate) mod outbox;

use crc::{CRC_32_ISCSI, Crc};

/// The most bytes that a frame has beside a job's arguments or result, and without what COBS adds:
/// message, checksum, zero.
const AROUND_BODY: usize = 1 + 3 + 3 + CHECKSUM + 1;

const CHECKSUM: usize = size_of::<u32>();

/// The most bytes of a frame without a body.
pub(crate) const SMALL_FRAME: usize = 40;

static CHECK: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// How many bytes the frame of a body of at most `body` bytes has at most.
pub(crate) const fn frame_bytes(body: usize) -> usize {
    let plain = body.saturating_add(AROUND_BODY);
    // One byte of COBS at the beginning, and one for each 254.
    plain.saturating_add(plain / 254 + 1)
}

/// A frame that was damaged, or not made for this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;
