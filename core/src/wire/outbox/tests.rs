use std::vec::Vec;

use serde::{Serializer, ser::SerializeTuple};

use super::{
    super::{
        frame::{CHECKSUM, frame_bytes},
        message::ToServer,
    },
    *,
};

/// A link that takes `room` bytes in all.
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

/// The frames that arrive if three frames are forgotten after `sent` bytes of them were sent, and a
/// fourth follows.
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

/// The number of bytes of each frame.
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

/// A body of this many bytes, none of them 0.
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
        // If the frame's own zero is the 254th byte, the estimate has one byte more than the frame.
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
    // The sent bytes make room.
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
    // There is as much room as the limit.
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
