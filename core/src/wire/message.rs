//! The messages of the two sides.

use serde::{Deserialize, Serialize};

use super::frame::Malformed;

/// Of this module's messages: to be raised with any change of them.
pub(crate) const PROTOCOL: u8 = 1;

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

/// The message at the beginning of a frame, and how many bytes it has.
pub(crate) fn message<'f, M: Deserialize<'f>>(frame: &'f [u8]) -> Result<(M, usize), Malformed> {
    let (message, body) = postcard::take_from_bytes(frame).map_err(|_| Malformed)?;
    Ok((message, frame.len() - body.len()))
}
