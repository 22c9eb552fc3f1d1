//! The side that has the pool: a worker that has its jobs done elsewhere.
//!
//! ```text
//!              hello                      welcome                 full, or no session
//!     start ──────────► waits for an ──────────────► in session ◄──► takes nothing
//!               ▲       answer            │
//!               └─────────────────────────┴── ready, silence: the jobs in flight are lost
//! ```
//!
//! A job that was taken from the queue is in flight until its answer is there: its slot is `BUSY`
//! with this worker, and holds the job itself, so that it can be encoded again. What is said of a
//! flight that has ended early, by its time or by the link's silence, is waited for all the same: the
//! other side may still be at work on it, so its place in the window is taken.

use core::{fmt, mem, ops::Range};

use super::{
    buffers::Buffers,
    client::{Client, Side},
    config::{RemoteConfig, RemoteEnd, RemoteError},
    table::JobTable,
};
use crate::{
    api::pool_ref::PoolRef,
    engine::{end, life, settle},
    error::{LossReason, RunError},
    lockfree::state::Outcome,
    machine::{link::Link, worker::Worker},
    memory::{payload::Spill, seat::REMOTE},
    wire::{
        frame::Malformed,
        inbox::Inbox,
        message::{ToClient, message},
        outbox::Outbox,
    },
};

/// A worker whose jobs are run on the other side of a link, by [`serve`](super::serve()).
///
/// At most WINDOW jobs are in flight at a time. More keep the other side busy while answers are on
/// their way. But a job in flight is bound to this link, and waits there for those before it.
///
/// ```no_run
/// # use corepool::{LossReason, SpinWorker, StaticPool, remote::*};
/// # fn core_0(uart: impl Link, jobs: &'static JobTable) -> Result<(), RemoteError> {
/// static POOL: StaticPool<16, 64> = StaticPool::new();
///
/// let (mut outbox, mut inbox) = ([0; 256], [0; 256]);
/// let buffers = Buffers { outbox: &mut outbox, inbox: &mut inbox };
/// let mut worker = RemoteWorker::<_>::new(uart, jobs, buffers, RemoteConfig::default());
/// worker.run(POOL.handle(), &SpinWorker)?;
/// # Ok(())
/// # }
/// ```
pub struct RemoteWorker<'b, L, const WINDOW: usize = 4> {
    side: Side<'b, L>,
}

impl<L, const WINDOW: usize> fmt::Debug for RemoteWorker<'_, L, WINDOW> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteWorker")
            .field("jobs", &self.side.jobs)
            .field("config", &self.side.config)
            .field("window", &WINDOW)
            .finish_non_exhaustive()
    }
}

impl<'b, L: Link, const WINDOW: usize> RemoteWorker<'b, L, WINDOW> {
    /// A worker by this link. A WINDOW of 0 is a build error.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1): the link is not used before [`run`](Self::run).
    pub fn new(
        link: L,
        jobs: &'static JobTable,
        buffers: Buffers<'b>,
        config: RemoteConfig,
    ) -> Self {
        const { assert!(WINDOW > 0, "a window of 0 jobs lets none through") };
        Self {
            side: Side {
                link,
                jobs,
                config,
                outbox: Outbox::new(buffers.outbox),
                inbox: Inbox::new(buffers.inbox),
                session: 0,
                met: false,
            },
        }
    }

    /// Whether the other side has ever answered as one that knows the same jobs. If it has not,
    /// what is at the other end may be no worker at all.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn has_met(&self) -> bool {
        self.side.met
    }

    /// The link.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.side.link
    }

    /// Lends the other side to the pool: takes jobs, sends them, and ends their futures, in the
    /// context that calls. It returns when the pool is shut down and no job is left. `worker` is
    /// how to sleep meanwhile, and has its hooks called as for any worker; its waker is given to
    /// the link.
    ///
    /// Called again, it begins anew: so a link that came back is used again. Jobs that were queued
    /// and not taken when it returned stay in the queue, for that or for another worker.
    ///
    /// A closure that it comes to in the queue is run here, and the link rests meanwhile. Such a
    /// job cannot wait for others of the pool, and neither can callbacks that run here:
    /// [`WouldDeadlock`](crate::JobError::WouldDeadlock).
    ///
    /// * **Context**: any in which `worker` may sleep, and no job of this pool.
    /// * **Cost**: O(WORKERS + WAITERS) to join and leave, and O(WINDOW + bytes in the buffers) for
    ///   each look at the link. The call waits for jobs and answers, until the pool's end or its
    ///   own.
    ///
    /// # Errors
    ///
    /// [`RemoteError::NoClock`] if the pool has no port with a clock. [`RemoteError::Mismatch`] if
    /// the other side knows other jobs. [`RemoteError::Lost`] if the link ends or is silent for too
    /// long. [`RemoteError::Run`] if the worker cannot join, the pool is broken, or the worker is
    /// declared lost.
    pub fn run<W: Worker, const BYTES: usize, S: Spill>(
        &mut self,
        pool: PoolRef<'_, BYTES, S>,
        worker: &W,
    ) -> Result<RemoteEnd, RemoteError> {
        let pool = pool.raw;
        let port = pool.port().ok_or(RemoteError::NoClock)?;
        let now = port.now().ok_or(RemoteError::NoClock)?;
        let side = &mut self.side;
        side.outbox.forget_unbegun();
        side.session = side.session.wrapping_add(1);
        side.link.wake_on_data(&worker.waker());
        let mut end = Ok(RemoteEnd::ShutDown);
        let ran = life::stay_seated(pool, worker, |seat| {
            seat.set(REMOTE);
            let mut client: Client<'_, '_, '_, L, W, WINDOW> =
                Client::new(pool, port, worker, seat, side, now);
            end = client.work();
        });
        let end = end?;
        ran?;
        Ok(end)
    }
}

impl<L: Link, W: Worker, const WINDOW: usize> Client<'_, '_, '_, L, W, WINDOW> {
    fn work(&mut self) -> Result<RemoteEnd, RemoteError> {
        let mut round = 0;
        loop {
            if self.seat.is_lost() {
                // Who declared it has ended what was in flight.
                return Err(RunError::DeclaredLost.into());
            }
            let moved = match self.step() {
                Ok(moved) => moved,
                Err(error) => {
                    if let RemoteError::Lost(reason) = error {
                        self.lose_link(reason);
                    }
                    return Err(error);
                }
            };
            let retired = self.is_retired();
            if self.flights.is_empty() && (retired || self.is_over()) {
                self.say_goodbye();
                return Ok(if retired {
                    RemoteEnd::Retired
                } else {
                    RemoteEnd::ShutDown
                });
            }
            if moved {
                round = 0;
            } else if self.worker.spin(round) {
                round = round.saturating_add(1);
            } else {
                self.sleep();
            }
        }
    }

    /// Does what can be done without waiting. Whether there was anything.
    fn step(&mut self) -> Result<bool, RemoteError> {
        let side = &mut *self.side;
        let mut moved = side.inbox.fill(&mut side.link).map_err(RemoteError::Lost)?;
        while let Some(frame) = self.side.inbox.next_frame() {
            moved = true;
            match frame.and_then(|frame| self.read(frame)) {
                Ok(answer) => self.take_in(answer)?,
                // Before the session it is what an earlier one has left.
                Err(Malformed) if self.side.link.is_lossless() && self.session.is_some() => {
                    return Err(RemoteError::Lost(LossReason::MALFORMED));
                }
                Err(Malformed) => {}
            }
        }
        self.look_at_the_clock()?;
        self.forward_cancels();
        if self.can_take()
            && let Some(index) = self.pool.queues().pop()
        {
            self.owes_work = false;
            self.take(index);
            moved = true;
        }
        moved |= self.send_flights();
        self.flush(moved)
    }

    fn flush(&mut self, moved: bool) -> Result<bool, RemoteError> {
        let side = &mut *self.side;
        let sent = side.outbox.flush(&mut side.link);
        sent.map(|sent| sent | moved).map_err(RemoteError::Lost)
    }

    fn is_retired(&self) -> bool {
        self.side
            .config
            .max_jobs
            .is_some_and(|most| self.taken >= most.get())
    }

    /// Whether nothing is left to be done, ever.
    fn is_over(&self) -> bool {
        if self.pool.phase().is_closed() && !self.can_take() {
            // Jobs that have ended in the queue keep the pool from its end until they are taken out.
            self.pool.slots().reap();
        }
        end::is_over(self.pool)
    }

    /// Whether another job can be sent.
    fn can_take(&self) -> bool {
        self.session
            .is_some_and(|peer| self.flights.len() < self.depth().min(peer.window).min(WINDOW))
            && self.flights.iter().all(|flight| flight.sent)
            && !self.is_retired()
    }

    /// How many jobs to have in flight.
    fn depth(&self) -> usize {
        let Some(prefetch) = self.side.config.prefetch else {
            return WINDOW;
        };
        let Some(pace) = self.pace else {
            return 1;
        };
        let beside = prefetch.as_nanos() / pace.as_nanos().max(1);
        usize::try_from(beside)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }

    /// An answer has come: the pace is a mean that forgets.
    fn keep_pace(&mut self) {
        let took = self.heard.saturating_sub(self.answered);
        self.answered = self.heard;
        self.pace = Some(match self.pace {
            Some(pace) => pace.saturating_mul(7).saturating_add(took) / 8,
            None => took,
        });
    }

    fn sleep(&mut self) {
        let takes = self.can_take();
        if takes {
            self.seat.announce();
        } else if mem::take(&mut self.owes_work) && self.pool.queues().has_any() {
            // It was woken for work that it cannot take.
            self.pool.seats().wake_one();
        }
        let over = self.flights.is_empty() && self.is_over();
        if !(over || takes && self.pool.queues().has_any()) {
            self.worker.park(self.wakes_at());
        }
        if takes {
            self.owes_work |= self.seat.retract();
        }
    }

    /// The message in a frame.
    fn read(&self, frame: Range<usize>) -> Result<(ToClient, Range<usize>), Malformed> {
        let (message, length) = message(self.side.inbox.get(frame.clone()))?;
        Ok((message, frame.start + length..frame.end))
    }

    fn take_in(&mut self, (answer, body): (ToClient, Range<usize>)) -> Result<(), RemoteError> {
        self.heard = self.now();
        if let ToClient::Result { .. } | ToClient::Fault { .. } = answer {
            self.keep_pace();
        }
        match answer {
            ToClient::Ready if self.session.is_some() => {
                self.lose_link(LossReason::RESTARTED);
                self.leave_session(self.heard);
            }
            // Has not heard the greeting, or not yet. No answer to it, so patience is not renewed.
            ToClient::Ready => self.ask_at = self.heard,
            ToClient::Welcome(hello) => self.be_welcome(hello)?,
            ToClient::Result { id } => self.end(id, |run, index| run.arrive(index, body)),
            ToClient::Fault { id, fault } => self.end(id, |run, index| {
                run.end_faulty(index, fault, body);
            }),
            ToClient::Cancelled { id } => self.end(id, |run, index| {
                settle::end_unrun(run.pool, run.pool.slot(index), Outcome::Cancelled);
            }),
            ToClient::Running { .. } => {}
            ToClient::Unknown { id } => self.send_again_or_lose(id),
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
