//! A worker that sends its jobs to the other side of a link.
//!
//! ```text
//!              hello                      welcome              window full, or a job still to be sent
//!     start ──────────► waits for an ──────────────► in session ◄──► takes nothing
//!               ▲       answer            │
//!               └─────────────────────────┴── ready, silence: the jobs in flight are lost
//! ```
//!
//! A job that the worker took from the queue is in flight until its answer arrives. Its slot is
//! `BUSY` with this worker, and holds the job itself, so that it can be encoded again. A job may
//! end early, by its timeout or by the link's silence. The worker still waits for that job's
//! answer: the other side may be at work on it, so its place in the window is taken.

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

/// A worker whose jobs [`serve`](super::serve()) runs on the other side of a link.
///
/// At most WINDOW jobs are in flight at a time. A larger window keeps the other side busy while
/// answers are on their way. But a job in flight is bound to this link, and waits there for the
/// jobs before it.
///
/// ```no_run
/// # use corepool::{LossReason, SpinWorker, StaticPool, remote::*};
/// # fn core_0(uart: impl Link, jobs: &'static JobTable) -> Result<(), RemoteError> {
/// static POOL: StaticPool<16, 64> = StaticPool::new();
///
/// let (mut outbox, mut inbox) = ([0; 256], [0; 256]);
/// let buffers = Buffers { outbox: &mut outbox, inbox: &mut inbox };
/// let mut worker = RemoteWorker::<_>::new(uart, jobs, buffers, RemoteConfig::default());
/// if let Err(error) = worker.run(POOL.pool_ref(), &SpinWorker) {
///     // `link_mut` has the link, to set it up anew
///     let _uart = worker.link_mut();
///     println!("{error}; has ever answered: {}", worker.has_met());
///     worker.run(POOL.pool_ref(), &SpinWorker)?; // a new session
/// }
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
    /// A worker for this link. A WINDOW of 0 is a build error.
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

    /// Whether the other side has ever answered with the same job table. If it has not, the other
    /// end may be no worker at all.
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

    /// Sends the pool's jobs to the other side, and ends their futures, in the calling context. It
    /// returns when the pool is shut down and no job is left, or when it has taken `max_jobs` jobs
    /// and all have ended. `worker` is the way to sleep meanwhile. Its hooks are called as for any
    /// worker, and the link gets its waker.
    ///
    /// If it is called again, it begins a new session. So a link that came back can be used again.
    /// Jobs that were still queued when it returned stay in the queue, for the next call or for
    /// another worker.
    ///
    /// If it pops a job that cannot travel, it runs that job on this side, and the link rests
    /// meanwhile. Such a job cannot wait for other jobs of the pool, and neither can callbacks that
    /// run here: they get [`WouldDeadlock`](crate::JobError::WouldDeadlock).
    ///
    /// * **Context**: any in which `worker` may sleep, and no job of this pool.
    /// * **Cost**: O(WORKERS + WAITERS) to join and leave, and O(WINDOW + bytes in the buffers) for
    ///   each look at the link. The call waits for jobs and answers until the pool ends or the
    ///   worker does.
    ///
    /// # Errors
    ///
    /// [`RemoteError::NoClock`] if the pool has no port with a clock. [`RemoteError::Mismatch`] if
    /// the other side has another job table. [`RemoteError::Lost`] if the link ends or is silent
    /// for too long. [`RemoteError::Run`] if the worker cannot join, the pool is broken, or the
    /// worker is declared lost.
    pub fn run<W: Worker, const BYTES: usize, S: Spill>(
        &mut self,
        pool: PoolRef<'_, BYTES, S>,
        worker: &W,
    ) -> Result<RemoteEnd, RemoteError> {
        let pool = pool.erased;
        let port = pool.port().ok_or(RemoteError::NoClock)?;
        let now = port.now().ok_or(RemoteError::NoClock)?;
        let side = &mut self.side;
        side.outbox.forget_unbegun();
        side.session = side.session.wrapping_add(1);
        side.link.wake_on_data(&worker.waker());
        let mut end = Ok(RemoteEnd::ShutDown);
        let ran = life::stay_seated(pool, worker, 0, |seat, _| {
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
                // The party that declared the worker lost has ended the jobs in flight.
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

    /// Does all that can be done without waiting. True if it did anything.
    fn step(&mut self) -> Result<bool, RemoteError> {
        let side = &mut *self.side;
        let mut moved = side.inbox.fill(&mut side.link).map_err(RemoteError::Lost)?;
        while let Some(frame) = self.side.inbox.next_frame() {
            moved = true;
            match frame.and_then(|frame| self.read(frame)) {
                Ok(answer) => self.take_in(answer)?,
                // Before the session it may be the rest of an earlier session's frame.
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

    /// Whether the worker has nothing left to do, ever.
    fn is_over(&self) -> bool {
        if self.pool.phase().is_closed() && !self.can_take() {
            // Jobs that have ended in the queue keep the pool from its end until their indices are
            // taken out.
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

    /// The number of jobs to have in flight.
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

    /// Counts an answer into the pace, a mean in which older answers count less.
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
            // The worker was claimed for work that it cannot take.
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
            // The other side may not have received the greeting yet. This is no answer to it, so the
            // patience is not renewed.
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
