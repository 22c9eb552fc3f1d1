//! The session of a remote worker: greeting, welcome, questions, and the end for a silent side.

use core::time::Duration;

use super::{
    client::{Client, Peer},
    config::RemoteError,
};
use crate::{
    error::LossReason,
    machine::{link::Link, worker::Worker},
    wire::message::{Hello, PROTOCOL, ToServer},
};

impl<L: Link, W: Worker, const WINDOW: usize> Client<'_, '_, '_, L, W, WINDOW> {
    /// Sends a hello, or repeats it. A repeated hello names the same session, so that a late welcome
    /// counts.
    pub(super) fn greet(&mut self) {
        let hello = Hello {
            protocol: PROTOCOL,
            session: self.side.session,
            jobs: self.side.jobs.key(),
            frame: u32::try_from(self.side.inbox.capacity()).unwrap_or(u32::MAX),
            window: u16::try_from(WINDOW).unwrap_or(u16::MAX),
        };
        // Ends a frame that an earlier session may have begun.
        self.side.outbox.push_delimiter();
        self.say(ToServer::Hello(hello));
    }

    pub(super) fn be_welcome(&mut self, theirs: Hello) -> Result<(), RemoteError> {
        // A welcome to an earlier session, or a second one to this, counts for nothing.
        if theirs.session != self.side.session || self.session.is_some() {
            return Ok(());
        }
        let ours = (PROTOCOL, self.side.jobs.key());
        let theirs_key = (theirs.protocol, theirs.jobs);
        if ours != theirs_key {
            return Err(RemoteError::Mismatch {
                ours,
                theirs: theirs_key,
            });
        }
        self.side.met = true;
        self.session = Some(Peer {
            frame: usize::try_from(theirs.frame).unwrap_or(usize::MAX),
            window: usize::from(theirs.window).max(1),
        });
        Ok(())
    }

    /// Sends a goodbye, also to a side that was greeted and has not answered yet.
    pub(super) fn say_goodbye(&mut self) {
        if self.say(ToServer::Bye) {
            // The link takes as much of it as it can. If the other side does not receive it all, that
            // side notices the end of the link.
            let _ = self.side.outbox.flush(&mut self.side.link);
        }
    }

    pub(super) fn leave_session(&mut self, now: Duration) {
        self.session = None;
        self.side.session = self.side.session.wrapping_add(1);
        self.side.outbox.forget_unbegun();
        self.greeted_since = now;
        self.ask_at = now;
    }

    pub(super) fn look_at_the_clock(&mut self) -> Result<(), RemoteError> {
        if self.session.is_some() && self.flights.is_empty() {
            return Ok(());
        }
        let now = self.now();
        if self.silent_at().is_some_and(|at| now >= at) {
            if self.session.is_none() {
                return Err(RemoteError::Lost(LossReason::SILENT));
            }
            self.lose_link(LossReason::SILENT);
            self.leave_session(now);
        }
        self.end_late_flights(now)?;
        if self.asks() && now >= self.ask_at {
            self.ask_at = now.saturating_add(self.side.config.probe);
            if self.session.is_none() {
                self.greet();
            } else {
                for at in 0..self.flights.len() {
                    if let Some(flight) = self.flights.get(at)
                        && flight.sent
                    {
                        let id = flight.id;
                        // Either message is answered.
                        self.say(if flight.cancel_sent {
                            ToServer::Cancel { id }
                        } else {
                            ToServer::Query { id }
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// When the worker has to look at the clock next.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        let deadlines = self.flights.iter().filter_map(|flight| flight.deadline);
        let silence = self.silent_at();
        let ask = self.asks().then_some(self.ask_at);
        deadlines.chain(silence).chain(ask).min()
    }

    /// Whether the worker asks the other side from time to time.
    pub(super) fn asks(&self) -> bool {
        self.session.is_none() || (!self.flights.is_empty() && !self.side.link.is_lossless())
    }

    /// When the link counts as silent.
    pub(super) fn silent_at(&self) -> Option<Duration> {
        if self.session.is_none() {
            let patience = self.side.config.patience?;
            return self.greeted_since.checked_add(patience);
        }
        if self.flights.is_empty() {
            return None;
        }
        self.heard.checked_add(self.side.config.silence?)
    }
}
