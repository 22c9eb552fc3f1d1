//! A link whose bytes are a list, and end with an error.

use std::{cell::RefCell, collections::VecDeque, task::Waker};

use arbitrary::Arbitrary;
use corepool::{LossReason, remote::Link};

pub(crate) const END: LossReason = LossReason("the input is used up");

/// A change in the traffic of the link.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Traffic {
    /// So many bytes arrive at a time from now on.
    Chunk(u8),
    /// So many are taken at a time from now on.
    Take(u8),
    /// Nothing arrives once.
    Pause,
}

pub(crate) struct Wire {
    lossless: bool,
    chunk: usize,
    take: usize,
    arriving: VecDeque<u8>,
    /// All that was handed out.
    pub(crate) delivered: Vec<u8>,
    /// All that was taken.
    pub(crate) sent: Vec<u8>,
    /// How often in a row the side under test slept.
    sleeps: u32,
}

impl Wire {
    pub(crate) fn new(lossless: bool) -> Self {
        Self {
            lossless,
            chunk: usize::MAX,
            take: usize::MAX,
            arriving: VecDeque::new(),
            delivered: Vec::new(),
            sent: Vec::new(),
            sleeps: 0,
        }
    }

    pub(crate) fn set(&mut self, traffic: Traffic) {
        match traffic {
            Traffic::Chunk(bytes) => self.chunk = usize::from(bytes).max(1),
            Traffic::Take(bytes) => self.take = usize::from(bytes),
            Traffic::Pause => {}
        }
    }

    pub(crate) fn arrive(&mut self, bytes: &[u8]) {
        self.arriving.extend(bytes);
    }

    /// The side under test waits: a peer that takes nothing for ever would be waited for as long.
    pub(crate) fn sleep(&mut self) {
        self.take = usize::MAX;
        self.sleeps += 1;
        assert!(self.sleeps < 100, "it sleeps, and nothing will wake it");
    }
}

/// Where the bytes come from.
pub(crate) trait Script {
    fn wire(&self) -> &RefCell<Wire>;

    /// Goes on by a step. False: there is none left.
    fn next(&mut self) -> bool;
}

pub(crate) struct ScriptedLink<S>(pub(crate) S);

impl<S: Script> Link for ScriptedLink<S> {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        let mut wire = self.0.wire().borrow_mut();
        let count = bytes.len().min(wire.take);
        wire.sent.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        self.0.wire().borrow_mut().sleeps = 0;
        let is_idle = self.0.wire().borrow().arriving.is_empty();
        if is_idle && !self.0.next() {
            return Err(END);
        }
        let mut wire = self.0.wire().borrow_mut();
        let count = buffer.len().min(wire.chunk).min(wire.arriving.len());
        for to in &mut buffer[..count] {
            *to = wire.arriving.pop_front().unwrap_or_default();
        }
        wire.delivered.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    fn wake_on_data(&mut self, _waker: &Waker) {}

    fn is_lossless(&self) -> bool {
        self.0.wire().borrow().lossless
    }
}
