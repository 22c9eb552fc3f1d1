//! The messages of the two sides.

use serde::{Deserialize, Serialize};

use super::frame::Malformed;

/// The version of these messages. It is raised with any change of them.
pub(crate) const PROTOCOL: u8 = 1;

/// The messages of the side that submits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToServer {
    /// Begins a session, and ends any earlier one.
    Hello(Hello),
    /// A job to run. Its arguments follow.
    Request { id: u16, job: u16 },
    /// Takes the job back if it does not run yet, or sets its cancel flag if it does.
    Cancel { id: u16 },
    /// Asks for the state of a job.
    Query { id: u16 },
    /// Ends the session: no more messages follow.
    Bye,
}

/// The messages of the side that runs the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToClient {
    /// The server has no session, and so no jobs. It sends this at its start, too.
    Ready,
    /// The answer to a `Hello`.
    Welcome(Hello),
    /// A job's result, which follows.
    Result { id: u16 },
    /// A job ended without a result. The text of a panic follows.
    Fault { id: u16, fault: Fault },
    /// The job was taken back.
    Cancelled { id: u16 },
    /// The job is queued or runs.
    Running { id: u16 },
    /// The job has ended, or never arrived.
    Unknown { id: u16 },
}

/// The properties of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u8,
    /// The session's number, which the client chooses and the server repeats.
    pub(crate) session: u8,
    /// The key of the job table.
    pub(crate) jobs: u64,
    /// The most bytes of a frame to this side.
    pub(crate) frame: u32,
    /// The most jobs in flight.
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

/// The message at the beginning of a frame, and its length in bytes.
pub(crate) fn message<'f, M: Deserialize<'f>>(frame: &'f [u8]) -> Result<(M, usize), Malformed> {
    let (message, body) = postcard::take_from_bytes(frame).map_err(|_| Malformed)?;
    Ok((message, frame.len() - body.len()))
}
