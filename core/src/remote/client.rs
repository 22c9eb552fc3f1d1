//! The side that has the pool, for one stay in it: its session, its jobs in flight.

use core::time::Duration;

use heapless::Vec;

use super::{config::RemoteConfig, table::JobTable};
use crate::{
    machine::{link::Link, port::Port, worker::Worker},
    memory::{pool::Pool, seat::SeatRef},
    wire::{inbox::Inbox, message::ToServer, outbox::Outbox},
};

/// One end of a link: what outlives a stay in the pool.
pub(super) struct Side<'b, L> {
    pub(super) link: L,
    pub(super) jobs: &'static JobTable,
    pub(super) config: RemoteConfig,
    pub(super) outbox: Outbox<'b>,
    pub(super) inbox: Inbox<'b>,
    /// Of the last session; no two that follow each other are equal.
    pub(super) session: u8,
    /// Whether there has been a session.
    pub(super) met: bool,
}

/// A job that was taken from the queue.
#[derive(Clone, Copy)]
pub(super) struct Flight {
    pub(super) id: u16,
    /// Its slot; `None` if the job has ended early.
    pub(super) slot: Option<u16>,
    /// Whether it has been sent since it last had to be.
    pub(super) sent: bool,
    /// Until when the answer must be there.
    pub(super) deadline: Option<Duration>,
    /// How often it can be sent again.
    pub(super) retries: u8,
    /// Whether the other side has been told that it is cancelled.
    pub(super) cancel_sent: bool,
}

/// What the other side has said of itself.
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
    /// How many jobs have been sent.
    pub(super) taken: u32,
    /// How long answers take lately, each counted from the one before if the job was sent by then.
    pub(super) pace: Option<Duration>,
    /// When the last answer came, or the first of the flights began.
    pub(super) answered: Duration,
    /// When something arrived last, or the first of the flights began.
    pub(super) heard: Duration,
    /// When to ask, or to greet, again.
    pub(super) ask_at: Duration,
    /// When the first of the greetings was sent that are not answered.
    pub(super) greeted_since: Duration,
    /// Woken for work, and has not taken any since.
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

    /// Says something without a body, if there is room. What must be heard is said again, or asked
    /// for.
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
