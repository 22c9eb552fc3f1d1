//! Frames on their way out.

use postcard::ser_flavors::{Cobs, Slice, crc::CrcModifier};
use serde::Serialize;

use super::frame::{CHECK, SMALL_FRAME};
use crate::{error::LossReason, machine::link::Link};

/// Why the outbox did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The outbox has no room now.
    NoRoom,
    /// The message never fits.
    TooLarge,
    /// The body's own code refused to encode it.
    Encoding,
}

/// The frames that are still to be sent.
#[derive(Debug)]
pub(crate) struct Outbox<'b> {
    bytes: &'b mut [u8],
    /// The bytes before this have been sent.
    start: usize,
    end: usize,
    /// The first frame has been sent in part.
    begun: bool,
}

impl<'b> Outbox<'b> {
    pub(crate) fn new(bytes: &'b mut [u8]) -> Self {
        Self {
            bytes,
            start: 0,
            end: 0,
            begun: false,
        }
    }

    /// The length of the longest frame that fits.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the frames that are not sent yet, except the rest of a frame that was begun. Without
    /// that rest the other side would see a damaged frame.
    pub(crate) fn forget_unbegun(&mut self) {
        let unsent = self.bytes.get(self.start..self.end).unwrap_or_default();
        let zero = unsent.iter().position(|&byte| byte == 0);
        let rest = zero.filter(|_| self.begun).map_or(0, |zero| zero + 1);
        self.end = self.start + rest;
    }

    /// Whether there is room for any message without a body.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() - (self.end - self.start) >= SMALL_FRAME
    }

    /// Adds a message and its body, in a frame of at most `limit` bytes.
    pub(crate) fn push<M: Serialize, B: Serialize + ?Sized>(
        &mut self,
        limit: usize,
        message: M,
        body: &B,
    ) -> Result<(), PushError> {
        match self.push_at_end(limit, &message, body) {
            // The bytes that have been sent make room.
            Err(PushError::NoRoom) if self.start > 0 => {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                self.push_at_end(limit, &message, body)
            }
            outcome => outcome,
        }
    }

    fn push_at_end<M: Serialize, B: Serialize + ?Sized>(
        &mut self,
        limit: usize,
        message: &M,
        body: &B,
    ) -> Result<(), PushError> {
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let (all, taken) = (room.len(), self.end);
        let room = room.get_mut(..limit.min(all)).unwrap_or_default();
        let frame = Cobs::try_new(Slice::new(room)).and_then(|flavor| {
            let flavor = CrcModifier::new(flavor, CHECK.digest());
            postcard::serialize_with_flavor(&(message, body), flavor)
        });
        match frame {
            Ok(frame) => {
                self.end += frame.len();
                Ok(())
            }
            Err(postcard::Error::SerializeBufferFull) if all < limit && taken > 0 => {
                Err(PushError::NoRoom)
            }
            Err(postcard::Error::SerializeBufferFull) => Err(PushError::TooLarge),
            Err(_) => Err(PushError::Encoding),
        }
    }

    /// Adds the end of a frame, in case that one was begun, if there is room.
    pub(crate) fn push_delimiter(&mut self) {
        if let Some(next) = self.bytes.get_mut(self.end) {
            *next = 0;
            self.end += 1;
        }
    }

    /// Sends as many bytes as the link takes. True if it took any.
    pub(crate) fn flush<L: Link + ?Sized>(&mut self, link: &mut L) -> Result<bool, LossReason> {
        let mut moved = false;
        while let Some(rest) = self.bytes.get(self.start..self.end)
            && !rest.is_empty()
        {
            let sent = link.send(rest)?.min(rest.len());
            if sent == 0 {
                return Ok(moved);
            }
            self.begun = rest.get(sent - 1) != Some(&0);
            self.start += sent;
            moved = true;
        }
        self.start = 0;
        self.end = 0;
        Ok(moved)
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
