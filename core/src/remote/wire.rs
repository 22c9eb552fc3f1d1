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

use core::ops::Range;

use crc::{CRC_32_ISCSI, Crc};
use postcard::ser_flavors::{Cobs, Slice, crc::CrcModifier};
use serde::{Deserialize, Serialize};

use super::link::Link;
use crate::error::LossReason;

/// Of this module's messages: to be raised with any change of them.
pub(crate) const PROTOCOL: u8 = 1;
/// The most bytes that a frame has beside a job's arguments or result, and without what COBS adds:
/// message, checksum, zero.
const AROUND_BODY: usize = 1 + 3 + 3 + CHECKSUM + 1;
const CHECKSUM: usize = size_of::<u32>();
/// The most bytes of a frame without a body.
pub(crate) const SMALL_FRAME: usize = 40;

static CHECK: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// What the side that submits says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToServer {
    /// Begins a session: whatever was before is void.
    Hello(Hello),
    /// The arguments of a job follow.
    Request { id: u16, job: u16 },
    /// Take the job back if it does not run yet; tell it if it does.
    Cancel { id: u16 },
    /// What is it with this job?
    Query { id: u16 },
    /// There will be no more.
    Bye,
}

/// What the side that runs the jobs says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToClient {
    /// There is no session, and so there are no jobs. Said at start, too.
    Ready,
    /// To a hello.
    Welcome(Hello),
    /// The result of a job follows.
    Result { id: u16 },
    /// A job ended without a result; the text of a panic follows.
    Fault { id: u16, fault: Fault },
    /// The job was taken back.
    Cancelled { id: u16 },
    /// It is queued or runs.
    Running { id: u16 },
    /// It has ended, or never came.
    Unknown { id: u16 },
}

/// What each side says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u8,
    /// Chosen by the one who says hello, and said back.
    pub(crate) session: u8,
    /// The key of the job table.
    pub(crate) jobs: u64,
    /// How many bytes a frame may have that is sent to this side.
    pub(crate) frame: u32,
    /// How many jobs may be in flight.
    pub(crate) window: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// The job table has no such job.
    UnknownJob,
    /// The arguments could not be decoded.
    Arguments,
    Panicked,
    /// The result could not be encoded.
    Result,
    /// The result does not fit a frame.
    ResultTooLarge,
}

/// How many bytes the frame of a body of at most `body` bytes has at most.
pub(crate) const fn frame_bytes(body: usize) -> usize {
    let plain = body.saturating_add(AROUND_BODY);
    // One byte of COBS at the beginning, and one for each 254.
    plain.saturating_add(plain / 254 + 1)
}

/// Why a message was not put into an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// There is no room now.
    NoRoom,
    /// There never is.
    TooLarge,
    /// It says itself that it cannot be encoded.
    Encoding,
}

/// Frames that are to be sent.
#[derive(Debug)]
pub(crate) struct Outbox<'b> {
    bytes: &'b mut [u8],
    /// What is before has been sent.
    start: usize,
    end: usize,
    /// The first of the frames has been sent in part.
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

    /// Forgets what is not sent yet, except the rest of a frame: without it the other side would see
    /// a damaged one.
    pub(crate) fn forget_unbegun(&mut self) {
        let unsent = self.bytes.get(self.start..self.end).unwrap_or_default();
        let zero = unsent.iter().position(|&byte| byte == 0);
        let rest = zero.filter(|_| self.begun).map_or(0, |zero| zero + 1);
        self.end = self.start + rest;
    }

    /// Whether any message without a body has room.
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
            // What has been sent makes room.
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

    /// Adds the end of a frame that may have been begun, if there is room.
    pub(crate) fn push_delimiter(&mut self) {
        if let Some(next) = self.bytes.get_mut(self.end) {
            *next = 0;
            self.end += 1;
        }
    }

    /// Gives the link what it takes. Whether it took anything.
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

/// A frame that was damaged, or not made for this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What arrives.
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
    /// No frame ends before.
    scanned: usize,
    end: usize,
    /// In the midst of a frame that is longer than there is room.
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

    /// How many bytes a frame may have.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Takes from the link what has arrived and has room. Whether anything has.
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

    /// The next frame that has arrived, without what was added for the way: where it is. It is there
    /// until the next call of anything but [`get`](Self::get) and [`keep`](Self::keep).
    pub(crate) fn next_frame(&mut self) -> Option<Result<Range<usize>, Malformed>> {
        loop {
            let unscanned = self.bytes.get(self.scanned..self.end).unwrap_or_default();
            let Some(length) = unscanned.iter().position(|&byte| byte == 0) else {
                self.scanned = self.end;
                if self.kept == 0 && self.end - self.start == self.bytes.len() {
                    // There is no room for the rest of it.
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

    /// A frame.
    pub(crate) fn get(&self, frame: Range<usize>) -> &[u8] {
        self.bytes.get(frame).unwrap_or_default()
    }

    /// Keeps part of the frame that came last, behind those that were kept before.
    pub(crate) fn keep(&mut self, part: Range<usize>) {
        let length = part.len();
        self.bytes.copy_within(part, self.kept);
        self.kept += length;
    }

    /// What was kept.
    pub(crate) fn kept(&self, part: Range<usize>) -> &[u8] {
        self.bytes.get(part).unwrap_or_default()
    }

    /// Forgets part of what was kept.
    pub(crate) fn release(&mut self, part: Range<usize>) {
        let length = part.len();
        self.bytes.copy_within(part.end..self.kept, part.start);
        self.kept -= length;
    }

    /// Forgets all that was kept.
    pub(crate) fn release_all(&mut self) {
        self.kept = 0;
    }
}

/// The message at the beginning of a frame, and how many bytes it has.
pub(crate) fn message<'f, M: Deserialize<'f>>(frame: &'f [u8]) -> Result<(M, usize), Malformed> {
    let (message, body) = postcard::take_from_bytes(frame).map_err(|_| Malformed)?;
    Ok((message, frame.len() - body.len()))
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::vec::Vec;

    use serde::{Serializer, ser::SerializeTuple};

    use super::*;

    /// Takes so many bytes at all.
    struct Narrow {
        room: usize,
        took: Vec<u8>,
    }

    impl Link for Narrow {
        fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.took.extend(&bytes[..count]);
            Ok(count)
        }

        fn receive(&mut self, _buffer: &mut [u8]) -> Result<usize, LossReason> {
            Ok(0)
        }

        fn wake_on_data(&mut self, _waker: &core::task::Waker) {}
    }

    /// What arrives of three frames of which so many bytes have been sent when they are forgotten,
    /// and of a fourth.
    fn forgotten_after(sent: usize, again: bool) -> Vec<u8> {
        let mut bytes = [0; 64];
        let mut outbox = Outbox::new(&mut bytes);
        for id in 1..4 {
            let request = ToServer::Request { id, job: 9 };
            outbox.push(usize::MAX, request, &[1_u8; 9]).unwrap();
        }
        let mut link = Narrow {
            room: sent,
            took: Vec::new(),
        };
        outbox.flush(&mut link).unwrap();
        outbox.forget_unbegun();
        if again {
            outbox.forget_unbegun();
        }
        outbox.push(usize::MAX, ToServer::Bye, &[2_u8; 30]).unwrap();
        link.room = usize::MAX;
        outbox.flush(&mut link).unwrap();
        link.took
    }

    /// How many bytes each of the frames has.
    const LENGTH: usize = 1 + 1 + 1 + 1 + 9 + CHECKSUM + 1;

    #[test]
    fn what_is_forgotten_leaves_whole_frames() {
        for sent in 0..=3 * LENGTH {
            for again in [false, true] {
                let took = forgotten_after(sent, again);
                let frames = took.split_inclusive(|&byte| byte == 0);
                let lengths: Vec<_> = frames.map(<[u8]>::len).collect();
                let (last, before) = lengths.split_last().unwrap();
                assert_eq!(*last, 1 + 30 + CHECKSUM + 2);
                assert_eq!(before, vec![LENGTH; sent.div_ceil(LENGTH)]);
            }
        }
    }

    /// A body of so many bytes, of which none is 0.
    struct Body(usize);

    impl Serialize for Body {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut tuple = serializer.serialize_tuple(self.0)?;
            for _ in 0..self.0 {
                tuple.serialize_element(&1_u8)?;
            }
            tuple.end()
        }
    }

    /// The longest message that has a body.
    const REQUEST: ToServer = ToServer::Request {
        id: u16::MAX,
        job: u16::MAX,
    };

    #[test]
    fn the_longest_frame_of_a_body_is_as_long_as_foretold() {
        for body in (0..20).chain(230..260).chain(490..520) {
            let mut bytes = [0; 600];
            let mut outbox = Outbox::new(&mut bytes);
            outbox.push(usize::MAX, REQUEST, &Body(body)).unwrap();
            let length = outbox.end;
            // Where the frame's own zero is the 254th byte, one more is foretold than is used.
            assert!(
                (length..=length + 1).contains(&frame_bytes(body)),
                "{body}: {length}, {}",
                frame_bytes(body)
            );
        }
    }

    #[test]
    fn a_message_without_a_body_has_room_as_long_as_so_much_is_free() {
        let mut bytes = [0; SMALL_FRAME + LENGTH];
        let mut outbox = Outbox::new(&mut bytes);
        let mut link = Narrow {
            room: 1,
            took: Vec::new(),
        };
        let request = ToServer::Request { id: 1, job: 9 };
        assert!(outbox.has_room());
        outbox.push(usize::MAX, request, &[1_u8; 9]).unwrap();
        assert!(outbox.has_room());
        outbox.push_delimiter();
        assert!(!outbox.has_room());
        // What was sent is free.
        outbox.flush(&mut link).unwrap();
        assert!(outbox.has_room());
    }

    #[test]
    fn a_frame_that_is_longer_than_the_limit_is_too_large_however_much_room_there_is() {
        let mut bytes = [0; 2 * LENGTH];
        let mut outbox = Outbox::new(&mut bytes);
        let request = ToServer::Request { id: 1, job: 9 };
        outbox.push(LENGTH, request, &[1_u8; 9]).unwrap();
        let too_large = outbox.push(LENGTH - 1, request, &[1_u8; 9]);
        assert_eq!(too_large, Err(PushError::TooLarge));
        // As much room as the limit.
        let too_large = outbox.push(LENGTH, request, &[1_u8; 10]);
        assert_eq!(too_large, Err(PushError::TooLarge));
    }

    #[test]
    fn a_frame_that_the_whole_outbox_has_no_room_for_is_too_large() {
        let mut bytes = [0; LENGTH];
        let mut outbox = Outbox::new(&mut bytes);
        let request = ToServer::Request { id: 1, job: 9 };
        let too_large = outbox.push(usize::MAX, request, &[1_u8; 10]);
        assert_eq!(too_large, Err(PushError::TooLarge));
        outbox.push(usize::MAX, request, &[1_u8; 9]).unwrap();
        let full = outbox.push(usize::MAX, request, &[1_u8; 9]);
        assert_eq!(full, Err(PushError::NoRoom));
    }

    #[test]
    fn a_delimiter_is_a_zero_of_its_own_if_there_is_room() {
        let mut bytes = [0; LENGTH + 2];
        let mut outbox = Outbox::new(&mut bytes);
        let request = ToServer::Request { id: 1, job: 9 };
        outbox.push_delimiter();
        outbox.push(usize::MAX, request, &[1_u8; 9]).unwrap();
        outbox.push_delimiter();
        outbox.push_delimiter();
        let mut link = Narrow {
            room: usize::MAX,
            took: Vec::new(),
        };
        outbox.flush(&mut link).unwrap();
        let zeros: Vec<_> = (0..link.took.len())
            .filter(|&at| link.took[at] == 0)
            .collect();
        assert_eq!(zeros, [0, LENGTH, LENGTH + 1]);
    }
}
