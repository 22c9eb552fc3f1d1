//! For tests: a link whose other side is a closure.

use std::collections::VecDeque;

use serde::Serialize;
#[cfg(not(loom))]
use {
    super::{JobContext, JobEntry, JobTable, RemoteJob},
    core::time::Duration,
    postcard_schema::Schema,
    serde::Deserialize,
};

pub(crate) use crate::wire::message::{ToClient, ToServer};
use crate::{
    error::LossReason,
    machine::link::Link,
    wire::{
        message::message,
        outbox::{Outbox, PushError},
    },
};

#[cfg(not(loom))]
#[derive(Serialize, Deserialize, Schema)]
pub(crate) struct Double(pub(crate) u8);

#[cfg(not(loom))]
impl RemoteJob for Double {
    type Output = u8;
    const NAME: &'static str = "double";
    const IDEMPOTENT: bool = true;

    fn run(self, _context: &mut JobContext<'_>) -> u8 {
        self.0.wrapping_mul(2)
    }
}

/// [`Double`], but in 10 ms.
#[cfg(not(loom))]
#[derive(Serialize, Deserialize, Schema)]
pub(crate) struct DoubleSoon(pub(crate) u8);

#[cfg(not(loom))]
impl RemoteJob for DoubleSoon {
    type Output = u8;
    const NAME: &'static str = "double_soon";
    const IDEMPOTENT: bool = true;
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(10));

    fn run(self, _context: &mut JobContext<'_>) -> u8 {
        self.0.wrapping_mul(2)
    }
}

/// A job with a result of 40 bytes.
#[cfg(not(loom))]
#[derive(Serialize, Deserialize, Schema)]
pub(crate) struct Forty;

#[cfg(not(loom))]
impl RemoteJob for Forty {
    type Output = [[u8; 20]; 2];
    const NAME: &'static str = "forty";

    fn run(self, _context: &mut JobContext<'_>) -> Self::Output {
        [[40; 20]; 2]
    }
}

#[cfg(not(loom))]
pub(crate) static JOBS: JobTable = JobTable::new(&[
    JobEntry::of::<Double>(),
    JobEntry::of::<DoubleSoon>(),
    JobEntry::of::<Forty>(),
]);

/// The bytes of a frame.
pub(crate) fn frame<M: Serialize, B: Serialize>(message: M, body: B) -> Vec<u8> {
    let mut bytes = [0; 64];
    let mut outbox = Outbox::new(&mut bytes);
    let pushed: Result<(), PushError> = outbox.push(usize::MAX, message, &body);
    pushed.unwrap();
    let mut sink = Sink(Vec::new());
    outbox.flush(&mut sink).unwrap();
    sink.0
}

/// A link that takes everything.
struct Sink(Vec<u8>);

impl Link for Sink {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn receive(&mut self, _buffer: &mut [u8]) -> Result<usize, LossReason> {
        Ok(0)
    }

    fn wake_on_data(&mut self, _waker: &core::task::Waker) {}
}

/// The answers of a script to a message.
#[derive(Default)]
pub(crate) struct Says(VecDeque<u8>);

impl Says {
    pub(crate) fn say(&mut self, message: ToClient) {
        self.say_with(message, ());
    }

    pub(crate) fn say_with(&mut self, message: ToClient, body: impl Serialize) {
        self.say_bytes(&frame(message, body));
    }

    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }
}

/// Numbers without an apparent order (xorshift). The same seed gives the same numbers.
#[cfg(not(loom))]
pub(crate) fn random(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed >> 8
    }
}

/// The link to a side that answers at once, by `script`.
pub(crate) struct Scripted<F> {
    script: F,
    heard: Vec<u8>,
    says: Says,
    pub(crate) lossless: bool,
}

impl<F: FnMut(ToServer, &mut Says)> Scripted<F> {
    pub(crate) fn new(script: F) -> Self {
        Self {
            script,
            heard: Vec::new(),
            says: Says::default(),
            lossless: true,
        }
    }
}

impl<F: FnMut(ToServer, &mut Says)> Link for Scripted<F> {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        for &byte in bytes {
            if byte != 0 {
                self.heard.push(byte);
                continue;
            }
            let mut frame = core::mem::take(&mut self.heard);
            if frame.is_empty() {
                continue;
            }
            let length = cobs::decode_in_place(&mut frame).unwrap();
            // The checksum stays, behind the body.
            let (message, _) = message::<ToServer>(&frame[..length]).unwrap();
            (self.script)(message, &mut self.says);
        }
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        let count = buffer.len().min(self.says.0.len());
        for (to, from) in buffer.iter_mut().zip(self.says.0.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn wake_on_data(&mut self, _waker: &core::task::Waker) {}

    fn is_lossless(&self) -> bool {
        self.lossless
    }
}
