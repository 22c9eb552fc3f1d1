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

use core::{cell::Cell, fmt, mem, num::NonZeroU32, ops::Range, time::Duration};

use heapless::Vec;

use super::{
    job::JobTable,
    link::Link,
    serve::Buffers,
    travel::Travel,
    wire::{
        Fault, Hello, Inbox, Malformed, Outbox, PROTOCOL, PushError, ToClient, ToServer, message,
    },
};
use crate::{
    api::pool_ref::PoolRef,
    engine::{
        end, guard,
        life::{self, OnLoss},
        run, settle,
    },
    error::{BrokenReason, CodecError, Failure, LossReason, Panic, RunError},
    lockfree::{
        defer::Defer,
        state::{CANCEL, Outcome},
    },
    machine::{
        port::Port,
        worker::{JobId, Worker},
    },
    memory::{
        payload::Spill,
        pool::Pool,
        seat::{REMOTE, SeatRef},
        slot::SlotRef,
    },
};

/// The consequence if a job is not answered in its [`TIMEOUT`](super::RemoteJob::TIMEOUT), and is
/// not to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnTimeout {
    /// The job is lost, and the others go on. Its place in the window is free when the other side
    /// answers.
    LoseJob,
    /// The other side counts as hung: the link is given up, and all that is in flight is lost.
    LoseLink,
}

/// How a [`RemoteWorker`] deals with its link.
#[derive(Clone, Copy)]
pub struct RemoteConfig {
    /// How often the other side is asked, by a link that is not lossless, what it is with the jobs
    /// in flight, and how often it is greeted while it does not answer. 100 ms by default.
    pub probe: Duration,
    /// For how long the link may be silent while jobs are in flight, before they are lost. The other
    /// side does not answer while it runs a job that does not look whether it is cancelled. `None`,
    /// the default, is for ever.
    pub silence: Option<Duration>,
    /// How long to wait for the first answer, and for another after a silence, before the link is
    /// given up. `None`, the default, is for ever.
    pub patience: Option<Duration>,
    /// How often an idempotent job is sent again. 3 by default.
    pub retries: u8,
    /// What follows when a job's time is over.
    pub on_timeout: OnTimeout,
    /// Whether the pool is broken when jobs are lost with the link. Not by default.
    pub on_loss: OnLoss,
    /// How much work, in time, to have under way beside the job that is answered next. The more, the
    /// better the other side is kept busy, and the longer jobs wait there that another worker could
    /// begin. By how long answers take, this says how many jobs of the window are used; with zero, it
    /// is one. `None`, the default, is all of them.
    pub prefetch: Option<Duration>,
    /// How many jobs to take; then the other side is said goodbye to. `None`, the default, is without
    /// limit.
    pub max_jobs: Option<NonZeroU32>,
    /// Makes a panic on this side of the text of one on the other. By default one without payload.
    pub panic: fn(&str) -> Panic,
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            probe: Duration::from_millis(100),
            silence: None,
            patience: None,
            retries: 3,
            on_timeout: OnTimeout::LoseJob,
            on_loss: OnLoss::Continue,
            prefetch: None,
            max_jobs: None,
            panic: |_text| Panic::unknown(),
        }
    }
}

impl fmt::Debug for RemoteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteConfig")
            .field("probe", &self.probe)
            .field("silence", &self.silence)
            .field("patience", &self.patience)
            .field("retries", &self.retries)
            .field("on_timeout", &self.on_timeout)
            .field("on_loss", &self.on_loss)
            .field("prefetch", &self.prefetch)
            .field("max_jobs", &self.max_jobs)
            .finish_non_exhaustive()
    }
}

/// Why a remote worker came to its end as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RemoteEnd {
    /// The pool is shut down, and no job is left.
    ShutDown,
    /// It has had [`max_jobs`](RemoteConfig::max_jobs) jobs done.
    Retired,
}

/// Why a remote worker came to its end otherwise. The jobs that were in flight have ended as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RemoteError {
    /// It could not join the pool, the pool is broken, or it was declared lost.
    Run(RunError),
    /// The pool has no port with a clock. Install a `Port`.
    NoClock,
    /// The link was lost.
    Lost(LossReason),
    /// The other side knows other jobs, or speaks another version of the protocol: build both sides
    /// from the same sources.
    Mismatch {
        /// The protocol, and the key of the job table, of this side.
        ours: (u8, u64),
        /// Those of the other side.
        theirs: (u8, u64),
    },
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(error) => error.fmt(f),
            Self::NoClock => f.write_str("the pool has no clock: install a port"),
            Self::Lost(reason) => write!(f, "the link was lost: {reason}"),
            Self::Mismatch { ours, theirs } => write!(
                f,
                "the other side knows other jobs: protocol {} and job table {:016x} there, \
                 protocol {} and job table {:016x} here; build both from the same sources",
                theirs.0, theirs.1, ours.0, ours.1
            ),
        }
    }
}

impl core::error::Error for RemoteError {}

impl From<RunError> for RemoteError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

/// A worker whose jobs are run on the other side of a link, by [`serve`](super::serve).
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
    link: L,
    jobs: &'static JobTable,
    config: RemoteConfig,
    outbox: Outbox<'b>,
    inbox: Inbox<'b>,
    /// Of the last session; no two that follow each other are equal.
    session: u8,
    /// Whether there has been a session.
    met: bool,
}

impl<L, const WINDOW: usize> fmt::Debug for RemoteWorker<'_, L, WINDOW> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteWorker")
            .field("jobs", &self.jobs)
            .field("config", &self.config)
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
            link,
            jobs,
            config,
            outbox: Outbox::new(buffers.outbox),
            inbox: Inbox::new(buffers.inbox),
            session: 0,
            met: false,
        }
    }

    /// Whether the other side has ever answered as one that knows the same jobs. If it has not,
    /// what is at the other end may be no worker at all.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn has_met(&self) -> bool {
        self.met
    }

    /// The link.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1).
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
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
        self.outbox.forget_unbegun();
        self.session = self.session.wrapping_add(1);
        self.link.wake_on_data(&worker.waker());
        let mut end = Ok(RemoteEnd::ShutDown);
        let ran = life::stay_seated(pool, worker, |seat| {
            seat.set(REMOTE);
            let mut run: Run<'_, '_, '_, L, W, WINDOW> = Run {
                pool,
                port,
                worker,
                seat,
                side: self,
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
            };
            end = run.work();
        });
        let end = end?;
        ran?;
        Ok(end)
    }
}

/// A job that was taken from the queue.
#[derive(Clone, Copy)]
struct Flight {
    id: u16,
    /// Its slot; `None` if the job has ended early.
    slot: Option<u16>,
    /// Whether it has been sent since it last had to be.
    sent: bool,
    /// Until when the answer must be there.
    deadline: Option<Duration>,
    /// How often it can be sent again.
    retries: u8,
    /// Whether the other side has been told that it is cancelled.
    cancel_sent: bool,
}

/// What the other side has said of itself.
#[derive(Clone, Copy)]
struct Peer {
    frame: usize,
    window: usize,
}

/// One stay in the pool.
struct Run<'a, 'b, 'p, L: Link, W: Worker, const WINDOW: usize> {
    pool: Pool<'p>,
    port: &'static dyn Port,
    worker: &'a W,
    seat: SeatRef<'p>,
    side: &'a mut RemoteWorker<'b, L, WINDOW>,
    flights: Vec<Flight, WINDOW>,
    session: Option<Peer>,
    next_id: u16,
    /// How many jobs have been sent.
    taken: u32,
    /// How long answers take lately, each counted from the one before if the job was sent by then.
    pace: Option<Duration>,
    /// When the last answer came, or the first of the flights began.
    answered: Duration,
    /// When something arrived last, or the first of the flights began.
    heard: Duration,
    /// When to ask, or to greet, again.
    ask_at: Duration,
    /// When the first of the greetings was sent that are not answered.
    greeted_since: Duration,
    /// Woken for work, and has not taken any since.
    owes_work: bool,
}

impl<L: Link, W: Worker, const WINDOW: usize> Drop for Run<'_, '_, '_, L, W, WINDOW> {
    /// Even if a hook or a destructor unwinds, no future is left without an end.
    fn drop(&mut self) {
        let pool = self.pool;
        let _told = Defer(|| pool.seats().wake_all());
        self.lose_all(LossReason::WORKER_LEFT);
    }
}

impl<L: Link, W: Worker, const WINDOW: usize> Run<'_, '_, '_, L, W, WINDOW> {
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

    /// When the clock has to be looked at again.
    fn wakes_at(&self) -> Option<Duration> {
        let deadlines = self.flights.iter().filter_map(|flight| flight.deadline);
        let silence = self.silent_at();
        let ask = self.asks().then_some(self.ask_at);
        deadlines.chain(silence).chain(ask).min()
    }

    /// Whether the other side is to be asked from time to time.
    fn asks(&self) -> bool {
        self.session.is_none() || (!self.flights.is_empty() && !self.side.link.is_lossless())
    }

    /// When the link counts as silent.
    fn silent_at(&self) -> Option<Duration> {
        if self.session.is_none() {
            let patience = self.side.config.patience?;
            return self.greeted_since.checked_add(patience);
        }
        if self.flights.is_empty() {
            return None;
        }
        self.heard.checked_add(self.side.config.silence?)
    }

    fn look_at_the_clock(&mut self) -> Result<(), RemoteError> {
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
                        // Either is answered.
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

    fn now(&self) -> Duration {
        self.port.now().unwrap_or(self.heard)
    }

    fn end_late_flights(&mut self, now: Duration) -> Result<(), RemoteError> {
        for at in 0..self.flights.len() {
            let Some(flight) = self.flights.get_mut(at) else {
                break;
            };
            if flight.deadline.is_none_or(|deadline| now < deadline) {
                continue;
            }
            flight.deadline = None;
            if flight.slot.is_some() && flight.retries > 0 && !flight.cancel_sent {
                flight.retries -= 1;
                flight.sent = false;
                continue;
            }
            if self.side.config.on_timeout == OnTimeout::LoseLink {
                return Err(RemoteError::Lost(LossReason::TIMED_OUT));
            }
            flight.cancel_sent = true;
            let (id, slot) = (flight.id, flight.slot.take());
            self.say(ToServer::Cancel { id });
            self.fail(slot, Failure::Lost(LossReason::TIMED_OUT));
        }
        Ok(())
    }

    /// Says something without a body, if there is room. What must be heard is said again, or asked
    /// for.
    fn say(&mut self, message: ToServer) -> bool {
        let limit = self.session.map_or(usize::MAX, |peer| peer.frame);
        self.side.outbox.push(limit, message, &()).is_ok()
    }

    /// Says hello, or says it again: it is the same session until there has been one, so that the
    /// answer counts however long it takes.
    fn greet(&mut self) {
        let hello = Hello {
            protocol: PROTOCOL,
            session: self.side.session,
            jobs: self.side.jobs.key(),
            frame: u32::try_from(self.side.inbox.capacity()).unwrap_or(u32::MAX),
            window: u16::try_from(WINDOW).unwrap_or(u16::MAX),
        };
        // Ends what an earlier session may have left of a frame.
        self.side.outbox.push_delimiter();
        self.say(ToServer::Hello(hello));
    }

    /// Also to a side that was greeted and has not answered yet.
    fn say_goodbye(&mut self) {
        if self.say(ToServer::Bye) {
            // As much of it as the link takes; who does not hear it notices the end of the link.
            let _ = self.side.outbox.flush(&mut self.side.link);
        }
    }

    fn leave_session(&mut self, now: Duration) {
        self.session = None;
        self.side.session = self.side.session.wrapping_add(1);
        self.side.outbox.forget_unbegun();
        self.greeted_since = now;
        self.ask_at = now;
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

    fn be_welcome(&mut self, theirs: Hello) -> Result<(), RemoteError> {
        // Of an earlier session, or said twice.
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

    /// Takes a flight out, and ends its job if that has not ended before.
    fn end(&mut self, id: u16, end: impl FnOnce(&mut Self, u16)) {
        let Some(at) = self.flights.iter().position(|flight| flight.id == id) else {
            return;
        };
        if let Some(index) = self.flights.swap_remove(at).slot {
            end(self, index);
            self.worker.on_job_end(JobId(index));
        }
    }

    /// The result of the job in a slot has come.
    fn arrive(&mut self, index: u16, body: Range<usize>) {
        let slot = self.pool.slot(index);
        let bytes = self.side.inbox.get(body);
        // SAFETY: in flight, so the worker is BUSY with the slot.
        let (travel, value) = unsafe { (slot.vtable().travel.as_ref(), slot.payload()) };
        let Some(travel) = travel else {
            return;
        };
        let unwound = unless_forgotten(self.pool, slot);
        let arrived = guard::catch(self.pool, || {
            // SAFETY: the payload holds the job, and is the worker's.
            unsafe { (travel.arrive)(value, bytes) }
        });
        unwound.disarm();
        match arrived {
            Ok(true) => settle::publish(self.pool, slot, Outcome::Returned),
            // SAFETY: BUSY; `arrive` has left the payload empty.
            Ok(false) => unsafe {
                let failure = Failure::Codec(CodecError::ResultRefused);
                settle::fail(self.pool, slot, failure);
            },
            // SAFETY: as above.
            Err(panic) => unsafe { settle::panicked(self.pool, slot, panic) },
        }
    }

    fn end_faulty(&mut self, index: u16, fault: Fault, body: Range<usize>) {
        let error = match fault {
            Fault::UnknownJob => CodecError::UnknownJob,
            Fault::Arguments => CodecError::ArgumentsRefused,
            Fault::Result => CodecError::Result,
            Fault::ResultTooLarge => CodecError::ResultTooLarge,
            Fault::Panicked => {
                let slot = self.pool.slot(index);
                let unwound = unless_forgotten(self.pool, slot);
                // SAFETY: in flight: BUSY with the slot, which holds the job.
                unsafe { settle::drop_job(self.pool, slot) };
                let text = postcard::from_bytes(self.side.inbox.get(body)).unwrap_or_default();
                let panic = guard::catch(self.pool, || (self.side.config.panic)(text));
                let panic = panic.unwrap_or_else(|panic| panic);
                unwound.disarm();
                // SAFETY: BUSY with the slot, which is empty now.
                return unsafe { settle::panicked(self.pool, slot, panic) };
            }
        };
        self.fail(Some(index), Failure::Codec(error));
    }

    /// The other side does not know the job, although it was sent.
    fn send_again_or_lose(&mut self, id: u16) {
        let fresh = self.fresh_id();
        let again = self
            .flights
            .iter_mut()
            .find(|flight| flight.id == id && flight.slot.is_some() && flight.retries > 0);
        match again {
            Some(flight) if flight.cancel_sent => self.end(id, |run, index| {
                settle::end_unrun(run.pool, run.pool.slot(index), Outcome::Cancelled);
            }),
            Some(flight) => {
                // More of the same answers may be on their way, to earlier questions.
                flight.id = fresh;
                flight.retries -= 1;
                flight.sent = false;
                flight.deadline = None;
            }
            None => self.end(id, |run, index| {
                run.fail(Some(index), Failure::Lost(LossReason::DAMAGED));
            }),
        }
    }

    fn fail(&self, slot: Option<u16>, failure: Failure) {
        if let Some(slot) = slot.map(|index| self.pool.slot(index)) {
            // Whether or not the job's destructor unwinds.
            let _end = Defer(|| {
                // SAFETY: BUSY with the slot, which is empty now.
                unsafe { settle::fail(self.pool, slot, failure) };
            });
            // SAFETY: in flight: BUSY with the slot, which holds the job.
            unsafe { settle::drop_job(self.pool, slot) };
        }
    }

    /// All that is in flight is lost.
    fn lose_all(&mut self, reason: LossReason) {
        let flights = mem::take(&mut self.flights);
        let left = Cell::new(flights.len());
        let lose = || {
            while let Some(at) = left.get().checked_sub(1) {
                left.set(at);
                let slot = flights.get(at).and_then(|flight| flight.slot);
                self.fail(slot, Failure::Lost(reason));
            }
        };
        // If somebody who is told unwinds, the others still end.
        let rest = Defer(lose);
        lose();
        drop(rest);
    }

    fn lose_link(&mut self, reason: LossReason) {
        // Before the jobs end, so that who hears of them finds the pool broken.
        if self.side.config.on_loss == OnLoss::Break {
            life::break_with(self.pool, BrokenReason::WorkerLost(reason));
        }
        self.lose_all(reason);
    }

    fn forward_cancels(&mut self) {
        for at in 0..self.flights.len() {
            let Some(flight) = self.flights.get(at) else {
                break;
            };
            if let Some(index) = flight.slot
                && flight.sent
                && !flight.cancel_sent
                && self.pool.slot(index).state.load().has(CANCEL)
            {
                let id = flight.id;
                let said = self.say(ToServer::Cancel { id });
                if let Some(flight) = self.flights.get_mut(at) {
                    flight.cancel_sent = said;
                }
            }
        }
    }

    /// Takes the job whose index was just taken out of the queue.
    fn take(&mut self, index: u16) {
        let runner = self.seat.runner();
        let slot = self.pool.slot(index);
        let Some(begun) = run::begin(self.pool, slot, runner) else {
            return;
        };
        // SAFETY: `begin` made the worker BUSY with the slot.
        let Some(travel) = (unsafe { slot.vtable().travel.as_ref() }) else {
            return run::step(self.pool, slot, begun, Some(self.worker));
        };
        let is_first = self.flights.is_empty();
        self.taken = self.taken.saturating_add(1);
        let flight = Flight {
            id: self.fresh_id(),
            slot: Some(index),
            sent: false,
            deadline: None,
            retries: if travel.idempotent {
                self.side.config.retries
            } else {
                0
            },
            cancel_sent: false,
        };
        // There is room: `can_take` has looked.
        if self.flights.push(flight).is_err() {
            self.fail(Some(index), Failure::Lost(LossReason::WORKER_LEFT));
        }
        // In flight first, so that it ends even if the clock or the hook unwinds.
        if is_first {
            self.heard = self.now();
            self.answered = self.heard;
            self.ask_at = self.heard.saturating_add(self.side.config.probe);
        }
        self.worker.on_job_start(JobId(index));
    }

    /// A number that no flight has.
    fn fresh_id(&mut self) -> u16 {
        loop {
            self.next_id = self.next_id.wrapping_add(1);
            if self.flights.iter().all(|flight| flight.id != self.next_id) {
                return self.next_id;
            }
        }
    }

    /// Sends what is to be sent. Whether anything was.
    fn send_flights(&mut self) -> bool {
        let mut moved = false;
        let mut at = 0;
        while let (Some(peer), Some(flight)) = (self.session, self.flights.get(at).copied()) {
            at += 1;
            let Some(index) = flight.slot else {
                continue;
            };
            if flight.sent {
                continue;
            }
            match self.encode(flight.id, index, peer.frame) {
                Ok(Ok(timeout)) => {
                    moved = true;
                    let deadline = timeout.and_then(|timeout| self.now().checked_add(timeout));
                    if let Some(flight) = self.flights.get_mut(at - 1) {
                        flight.sent = true;
                        flight.deadline = deadline;
                    }
                    continue;
                }
                Ok(Err(PushError::NoRoom)) => return moved,
                Ok(Err(error)) => self.end(flight.id, |run, index| {
                    run.fail(
                        Some(index),
                        Failure::Codec(match error {
                            PushError::TooLarge => CodecError::ArgumentsTooLarge,
                            _ => CodecError::Arguments,
                        }),
                    );
                }),
                Err(panic) => self.end(flight.id, |run, index| {
                    let slot = run.pool.slot(index);
                    let unwound = unless_forgotten(run.pool, slot);
                    // SAFETY: in flight: BUSY with the slot, which holds the job, and is empty then.
                    unsafe { settle::drop_job(run.pool, slot) };
                    unwound.disarm();
                    // SAFETY: still BUSY with the slot, which is empty now.
                    unsafe { settle::panicked(run.pool, slot, panic) };
                }),
            }
            // Another has taken its place.
            at -= 1;
            moved = true;
        }
        moved
    }

    /// Puts the job in a slot into the outbox. Says how long its answer may take.
    fn encode(
        &mut self,
        id: u16,
        index: u16,
        limit: usize,
    ) -> Result<Result<Option<Duration>, PushError>, Panic> {
        let slot = self.pool.slot(index);
        // SAFETY: in flight, so the worker is BUSY with the slot.
        let (travel, value) = unsafe { (slot.vtable().travel.as_ref(), slot.payload()) };
        let Some((travel, job)) = travel.and_then(|travel: &'static Travel| {
            Some((travel, self.side.jobs.number_of((travel.job)())?))
        }) else {
            return Ok(Err(PushError::Encoding));
        };
        let outbox = &mut self.side.outbox;
        let message = ToServer::Request { id, job };
        // SAFETY: the payload holds the job, and is the worker's.
        let pushed = guard::catch(self.pool, || unsafe {
            (travel.encode)(value, outbox, limit, message)
        })?;
        Ok(pushed.map(|()| travel.timeout))
    }
}

/// Ends a job as panicked, if what its worker does with it meanwhile unwinds and nobody catches it.
/// What that does leaves the slot empty, even then.
fn unless_forgotten<'p>(pool: Pool<'p>, slot: SlotRef<'p>) -> Defer<impl FnMut()> {
    // SAFETY: BUSY with the slot, which is empty then.
    Defer(move || unsafe { settle::panicked(pool, slot, Panic::unknown()) })
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
