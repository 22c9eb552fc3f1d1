//! The parts of a frame around a message's body, and the length of a frame.

use crc::{CRC_32_ISCSI, Crc};

/// The most bytes of a frame around a job's arguments or result: message, checksum, zero. COBS adds
/// its own.
pub(super) const AROUND_BODY: usize = 1 + 3 + 3 + CHECKSUM + 1;

pub(super) const CHECKSUM: usize = size_of::<u32>();

/// The most bytes of a frame without a body.
pub(crate) const SMALL_FRAME: usize = 40;

pub(super) static CHECK: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The most bytes of a frame with a body of at most `body` bytes.
pub(crate) const fn frame_bytes(body: usize) -> usize {
    let plain = body.saturating_add(AROUND_BODY);
    // COBS adds one byte at the beginning, and one for each 254.
    plain.saturating_add(plain / 254 + 1)
}

/// The most bytes of a body in a frame of at most `frame` bytes.
pub(crate) const fn body_bytes(frame: usize) -> usize {
    // The inverse of `frame_bytes`, or one less.
    frame.saturating_sub(AROUND_BODY + 1 + frame / 254)
}

/// A frame that was damaged, or is not for this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn the_longest_body_of_a_frame_fits_it_and_leaves_one_byte_at_most() {
        for frame in SMALL_FRAME..2_000 {
            let body = body_bytes(frame);
            assert!(frame_bytes(body) <= frame, "{body} bytes in {frame}");
            assert!(frame_bytes(body + 2) > frame, "{body} bytes in {frame}");
        }
    }
}
