//! The messages and their frames, written down a second time: the core's own are not public, and are
//! what is checked.

use arbitrary::Arbitrary;
use crc::{CRC_32_ISCSI, Crc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub(crate) const PROTOCOL: u8 = 2;

static CHECK: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

#[derive(Arbitrary, Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ToServer {
    Hello(Hello),
    Request { id: u16, job: u16 },
    Cancel { id: u16 },
    Query { id: u16 },
    Bye,
}

#[derive(Arbitrary, Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ToClient {
    Ready,
    Welcome(Hello),
    Result { id: u16 },
    Fault { id: u16, fault: Fault },
    Cancelled { id: u16 },
    Running { id: u16 },
    Unknown { id: u16 },
}

#[derive(Arbitrary, Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u8,
    pub session: u8,
    pub jobs: u64,
    pub frame: u32,
    pub window: u16,
}

#[derive(Arbitrary, Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Fault {
    UnknownJob,
    Arguments,
    Panicked,
    Result,
    ResultTooLarge,
}

/// The body of a panic's fault: its text, and its file, line and column.
#[derive(Debug, Serialize, Deserialize)]
pub struct PanicSaid {
    pub text: Option<String>,
    pub location: Option<(String, u32, u32)>,
}

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("nothing here refuses to be encoded")
}

/// A frame with its zero.
pub(crate) fn frame<M: Serialize>(message: M, body: &[u8]) -> Vec<u8> {
    let mut content = encode(&message);
    content.extend_from_slice(body);
    content.extend(CHECK.checksum(&content).to_le_bytes());
    let mut frame = cobs::encode_vec(&content);
    frame.push(0);
    frame
}

/// The content of a frame without its zero: the message and the body, if it is undamaged.
pub(crate) fn content<M: DeserializeOwned>(frame: &[u8]) -> Option<(M, Vec<u8>)> {
    let mut content = cobs::decode_vec(frame).ok()?;
    let checksum = content.split_off(content.len().checked_sub(4)?);
    if CHECK.checksum(&content).to_le_bytes() != *checksum {
        return None;
    }
    let (message, body) = postcard::take_from_bytes(&content).ok()?;
    Some((message, body.to_vec()))
}

/// The frames that are complete, without their zeros.
pub(crate) fn frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|&byte| byte == 0)
        .filter_map(|frame| frame.strip_suffix(&[0]))
        .filter(|frame| !frame.is_empty())
}
