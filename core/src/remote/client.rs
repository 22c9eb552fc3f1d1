//! The pool's side of a link, for one stay in the pool: its session, and its jobs in flight.

use core::time::Duration;

use heapless::Vec;

use super::{config::RemoteConfig, table::JobTable};
use crate::{
    machine::{link::Link, port::Port, worker::Worker},
    memory::{pool::Pool, seat::SeatRef},
    wire::{inbox::Inbox, message::ToServer, outbox::Outbox},
};

/// One end of a link: the part that outlives a stay in the pool.
pub(super) struct Side<'b, L> {
    pub(super) link: L,
    pub(super) jobs: &'static JobTable,
    pub(super) config: RemoteConfig,
    pub(super) outbox: Outbox<'b>,
    pub(super) inbox: Inbox<'b>,
    /// The number of the last session. Two sessions in a row have different numbers.
    pub(super) session: u8,
    /// Whether there has been a session.
    pub(super) met: bool,
}

/// A job that the worker took from the queue.
#[derive(Clone, Copy)]
pub(super) struct Flight {
    pub(super) id: u16,
    /// The job's slot. `None` if the job has ended early.
    pub(super) slot: Option<u16>,
    /// Whether the request is in the outbox or sent. Cleared if the worker has to send it again.
    pub(super) sent: bool,
    /// The deadline for the answer.
    pub(super) deadline: Option<Duration>,
    /// How often the worker may still send it again.
    pub(super) retries: u8,
    /// Whether the cancel of the job has been sent.
    pub(super) cancel_sent: bool,
}

/// The properties of the other side, from its `Hello`.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    pub(super) frame: usize,
    pub(super) window: usize,
}

/// One stay in the pool.
pub(super) struct Client<'a, 'b, 'p, L: Link, W: Worker, const WINDOW: usize> {
    pub(super) pool: Pool<'p>,
    pub(super) port: &'static dyn Port,
    pub(super) worker: &'a W,
    pub(super) seat: SeatRef<'p>,
    pub(super) side: &'a mut Side<'b, L>,
    pub(super) flights: Vec<Flight, WINDOW>,
    pub(super) session: Option<Peer>,
    pub(super) next_id: u16,
    /// The number of jobs that were taken.
    pub(super) taken: u32,
    /// The mean time between the latest answers.
    pub(super) pace: Option<Duration>,
    /// When the last answer came, or the first of the flights began.
    pub(super) answered: Duration,
    /// When something arrived last, or the first of the flights began.
    pub(super) heard: Duration,
    /// When the worker asks, or greets, next.
    pub(super) ask_at: Duration,
    /// When the worker began to greet, if it has had no welcome since.
    pub(super) greeted_since: Duration,
    /// The worker was claimed for some work, and has not taken any since.
    pub(super) owes_work: bool,
}

impl<'a, 'b, 'p, L: Link, W: Worker, const WINDOW: usize> Client<'a, 'b, 'p, L, W, WINDOW> {
    /// A stay that begins at `now`.
    pub(super) fn new(
        pool: Pool<'p>,
        port: &'static dyn Port,
        worker: &'a W,
        seat: SeatRef<'p>,
        side: &'a mut Side<'b, L>,
        now: Duration,
    ) -> Self {
        Self {
            pool,
            port,
            worker,
            seat,
            side,
            flights: Vec::new(),
            session: None,
            next_id: 0,
            taken: 0,
            pace: None,
            answered: now,
            heard: now,
            ask_at: now,
            greeted_since: now,
            owes_work: false,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.port.now().unwrap_or(self.heard)
    }

    /// Sends a message without a body, if there is room. The worker repeats or asks for anything
    /// that must not be lost.
    pub(super) fn say(&mut self, message: ToServer) -> bool {
        let limit = self.session.map_or(usize::MAX, |peer| peer.frame);
        self.side.outbox.push(limit, message, &()).is_ok()
    }

    /// A number that no flight has.
    pub(super) fn fresh_id(&mut self) -> u16 {
        loop {
            self.next_id = self.next_id.wrapping_add(1);
            if self.flights.iter().all(|flight| flight.id != self.next_id) {
                return self.next_id;
            }
        }
    }
}
