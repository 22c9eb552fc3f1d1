//! Frames that have arrived, and the arguments of jobs that wait for their turn.

use core::ops::Range;

use super::frame::{CHECK, CHECKSUM, Malformed};
use crate::{error::LossReason, machine::link::Link};

/// The bytes that have arrived.
///
/// ```text
///     bytes  [ kept frames | gap | frames to come, raw | free ]
///              0      kept   start                  end
/// ```
#[derive(Debug)]
pub(crate) struct Inbox<'b> {
    bytes: &'b mut [u8],
    kept: usize,
    start: usize,
    /// No frame ends before this.
    scanned: usize,
    end: usize,
    /// The inbox is inside a frame that is longer than its room.
    skipping: bool,
}

impl<'b> Inbox<'b> {
    pub(crate) fn new(bytes: &'b mut [u8]) -> Self {
        Self {
            bytes,
            kept: 0,
            start: 0,
            scanned: 0,
            end: 0,
            skipping: false,
        }
    }

    /// The most bytes of a frame.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Moves received bytes into the inbox, as far as there is room. True if there were any.
    pub(crate) fn fill<L: Link + ?Sized>(&mut self, link: &mut L) -> Result<bool, LossReason> {
        if self.end == self.bytes.len() {
            self.close_gap();
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            return Ok(false);
        }
        let count = link.receive(room)?.min(room.len());
        self.end += count;
        Ok(count > 0)
    }

    fn close_gap(&mut self) {
        let gap = self.start - self.kept;
        self.bytes.copy_within(self.start..self.end, self.kept);
        self.start -= gap;
        self.scanned -= gap;
        self.end -= gap;
    }

    /// The range of the next frame that has arrived, decoded. It is valid until the next call of
    /// any method but [`get`](Self::get) and [`keep`](Self::keep).
    pub(crate) fn next_frame(&mut self) -> Option<Result<Range<usize>, Malformed>> {
        loop {
            let unscanned = self.bytes.get(self.scanned..self.end).unwrap_or_default();
            let Some(length) = unscanned.iter().position(|&byte| byte == 0) else {
                self.scanned = self.end;
                if self.kept == 0 && self.end - self.start == self.bytes.len() {
                    // There is no room for the rest of the frame.
                    self.skipping = true;
                    self.forget_raw();
                }
                return None;
            };
            let (start, zero) = (self.start, self.scanned + length);
            self.start = zero + 1;
            self.scanned = self.start;
            if core::mem::take(&mut self.skipping) {
                return Some(Err(Malformed));
            }
            if start < zero {
                return Some(self.decode(start..zero));
            }
        }
    }

    fn forget_raw(&mut self) {
        self.start = self.kept;
        self.scanned = self.kept;
        self.end = self.kept;
    }

    fn decode(&mut self, raw: Range<usize>) -> Result<Range<usize>, Malformed> {
        let start = raw.start;
        let frame = self.bytes.get_mut(raw).ok_or(Malformed)?;
        let length = cobs::decode_in_place(frame).map_err(|_| Malformed)?;
        let length = length.checked_sub(CHECKSUM).ok_or(Malformed)?;
        let (content, rest) = frame.split_at_checked(length).ok_or(Malformed)?;
        let checksum = rest.first_chunk().ok_or(Malformed)?;
        if CHECK.checksum(content) != u32::from_le_bytes(*checksum) {
            return Err(Malformed);
        }
        Ok(start..start + length)
    }

    /// The bytes of a frame.
    pub(crate) fn get(&self, frame: Range<usize>) -> &[u8] {
        self.bytes.get(frame).unwrap_or_default()
    }

    /// Keeps part of the last frame, behind the parts that were kept before.
    pub(crate) fn keep(&mut self, part: Range<usize>) {
        let length = part.len();
        self.bytes.copy_within(part, self.kept);
        self.kept += length;
    }

    /// The bytes of a kept part.
    pub(crate) fn kept(&self, part: Range<usize>) -> &[u8] {
        self.bytes.get(part).unwrap_or_default()
    }

    /// Forgets a kept part.
    pub(crate) fn release(&mut self, part: Range<usize>) {
        let length = part.len();
        self.bytes.copy_within(part.end..self.kept, part.start);
        self.kept -= length;
    }

    /// Forgets all kept parts.
    pub(crate) fn release_all(&mut self) {
        self.kept = 0;
    }
}
