//! The messages of the two sides.

use serde::{Deserialize, Serialize};

use super::frame::Malformed;
use crate::error::{Panic, PanicLocation};

/// The version of these messages. It is raised with any change of them.
pub(crate) const PROTOCOL: u8 = 2;

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
    /// A job ended without a result. For a panic, a `PanicSaid` follows.
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

/// The known facts of a panic: the body of its fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PanicSaid<'a> {
    pub(crate) text: Option<&'a str>,
    /// File, line and column.
    pub(crate) location: Option<(&'a str, u32, u32)>,
}

impl<'a> PanicSaid<'a> {
    /// The text and the location of a panic, in at most `room` bytes. The text is cut off if it is too
    /// long. The location is left out if it takes more than half of the room.
    pub(crate) fn of(panic: &'a Panic, room: usize) -> Self {
        Self::of_parts(panic.text(), panic.location(), room)
    }

    /// [`of`](Self::of) a text and a location.
    pub(crate) fn of_parts(
        text: Option<&'a str>,
        location: Option<PanicLocation<'a>>,
        room: usize,
    ) -> Self {
        // An option takes a byte, and a text a number and its bytes.
        let location = location.map(|at| {
            let numbers = number(at.file.len()) + number_of(at.line) + number_of(at.column);
            (at, 1 + numbers + at.file.len())
        });
        let location = location.filter(|(_, bytes)| *bytes <= room / 2);
        let taken = location.map_or(1, |(_, bytes)| bytes) + 1;
        let room = room.saturating_sub(taken);
        let room = room.saturating_sub(number(room));
        Self {
            text: text.map(|text| cut_off(text, room)),
            location: location.map(|(at, _)| (at.file, at.line, at.column)),
        }
    }

    pub(crate) fn location(self) -> Option<PanicLocation<'a>> {
        self.location
            .map(|(file, line, column)| PanicLocation { file, line, column })
    }
}

/// The bytes of an encoded number.
fn number(number: usize) -> usize {
    (usize::BITS - number.leading_zeros()).div_ceil(7).max(1) as usize
}

fn number_of(line: u32) -> usize {
    usize::try_from(line).map_or(5, number)
}

/// The beginning of a text, of at most `most` bytes.
pub(crate) fn cut_off(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The message at the beginning of a frame, and its length in bytes.
pub(crate) fn message<'f, M: Deserialize<'f>>(frame: &'f [u8]) -> Result<(M, usize), Malformed> {
    let (message, body) = postcard::take_from_bytes(frame).map_err(|_| Malformed)?;
    Ok((message, frame.len() - body.len()))
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::{format, string::String, vec};

    use super::*;
    use crate::error::PanicPayload;

    /// A payload with this text.
    struct Said(&'static str);

    impl PanicPayload for Said {
        fn text(&self) -> Option<&str> {
            Some(self.0)
        }

        fn location(&self) -> Option<PanicLocation<'_>> {
            Some(PanicLocation {
                file: "src/main.rs",
                line: 1_234,
                column: 5,
            })
        }

        fn share(&self) -> Self {
            Self(self.0)
        }
    }

    fn leaked(text: &str) -> &'static str {
        String::leak(String::from(text))
    }

    #[test]
    fn a_text_takes_all_the_room_that_there_is() {
        let text = leaked(&"é".repeat(9_000));
        let panic = Panic::shared(Said(text));
        for room in 3..17_000 {
            let said = PanicSaid::of(&panic, room);
            let encoded = postcard::to_slice(&said, &mut vec![0; room]).map(|bytes| bytes.len());
            let left = room - encoded.expect("it fits");
            // A character of the text takes two bytes, and a longer text may need a longer number.
            assert!(left <= 2, "{left} of {room} bytes are left");
        }
    }

    #[test]
    fn a_text_and_a_location_that_fit_arrive_whole() {
        let panic = Panic::shared(Said("out of paper"));
        let said = PanicSaid::of(&panic, 64);
        assert_eq!(said.text, Some("out of paper"));
        assert_eq!(
            said.location().map(|at| format!("{at}")).as_deref(),
            Some("src/main.rs:1234:5")
        );
    }

    #[test]
    fn a_location_that_takes_more_than_half_of_the_room_is_left_out() {
        let panic = Panic::shared(Said("out of paper"));
        let bytes = 1 + 1 + "src/main.rs".len() + 2 + 1;
        let said = PanicSaid::of(&panic, 2 * bytes - 1);
        assert_eq!((said.text, said.location()), (Some("out of paper"), None));
        assert!(PanicSaid::of(&panic, 2 * bytes).location().is_some());
    }
}
