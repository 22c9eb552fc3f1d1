//! Jobs in flight: how they are sent, and how they end: by an answer, by a timeout, or with the
//! link.

use core::{cell::Cell, mem, ops::Range, time::Duration};

use super::{
    client::{Client, Flight},
    config::OnTimeout,
    config::RemoteError,
};
use crate::{
    engine::{
        guard,
        life::{self, OnLoss},
        run, settle,
    },
    error::{BrokenReason, CodecError, Failure, LossReason, Panic},
    lockfree::{
        defer::Defer,
        state::{CANCEL, Outcome},
    },
    machine::{
        link::Link,
        worker::{JobId, Worker},
    },
    memory::{pool::Pool, slot::SlotRef, travel::Travel},
    wire::{
        message::{Fault, PanicSaid, ToServer},
        outbox::PushError,
    },
};

impl<L: Link, W: Worker, const WINDOW: usize> Drop for Client<'_, '_, '_, L, W, WINDOW> {
    /// Ends every flight, even if a hook or a destructor unwinds, so that each future ends.
    fn drop(&mut self) {
        let pool = self.pool;
        let _told = Defer(|| pool.seats().wake_all());
        self.lose_all(LossReason::WORKER_LEFT);
    }
}

impl<L: Link, W: Worker, const WINDOW: usize> Client<'_, '_, '_, L, W, WINDOW> {
    /// Takes the job whose index was just popped.
    pub(super) fn take(&mut self, index: u16) {
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
        // `can_take` has checked that there is room.
        if self.flights.push(flight).is_err() {
            self.fail(Some(index), Failure::Lost(LossReason::WORKER_LEFT));
        }
        // The job is in flight first, so that it ends even if the clock or the hook unwinds.
        if is_first {
            self.heard = self.now();
            self.answered = self.heard;
            self.ask_at = self.heard.saturating_add(self.side.config.probe);
        }
        self.worker.on_job_start(JobId(index));
    }

    /// Sends the flights that have to be sent. True if any was sent or has ended.
    pub(super) fn send_flights(&mut self) -> bool {
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
                    let unwound = panicked_if_unwound(run.pool, slot);
                    // SAFETY: the job is in flight: the worker is BUSY with the slot, which holds
                    // the job. It is empty after `drop_job`.
                    unsafe { settle::drop_job(run.pool, slot) };
                    unwound.disarm();
                    // SAFETY: the worker is still BUSY with the slot, which is empty now.
                    unsafe { settle::panicked(run.pool, slot, panic) };
                }),
            }
            // The flight is gone, and another may have its place.
            at -= 1;
            moved = true;
        }
        moved
    }

    /// Puts the job in a slot into the outbox. Returns the time for its answer.
    pub(super) fn encode(
        &mut self,
        id: u16,
        index: u16,
        limit: usize,
    ) -> Result<Result<Option<Duration>, PushError>, Panic> {
        let slot = self.pool.slot(index);
        // SAFETY: the job is in flight, so the worker is BUSY with the slot.
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

    /// Removes a flight, and ends its job unless that has ended before.
    pub(super) fn end(&mut self, id: u16, end: impl FnOnce(&mut Self, u16)) {
        let Some(at) = self.flights.iter().position(|flight| flight.id == id) else {
            return;
        };
        if let Some(index) = self.flights.swap_remove(at).slot {
            end(self, index);
            self.worker.on_job_end(JobId(index));
        }
    }

    /// Puts an arrived result into the job's slot, and ends the job.
    pub(super) fn arrive(&mut self, index: u16, body: Range<usize>) {
        let slot = self.pool.slot(index);
        let bytes = self.side.inbox.get(body);
        // SAFETY: the job is in flight, so the worker is BUSY with the slot.
        let (travel, value) = unsafe { (slot.vtable().travel.as_ref(), slot.payload()) };
        let Some(travel) = travel else {
            return;
        };
        let unwound = panicked_if_unwound(self.pool, slot);
        let arrived = guard::catch(self.pool, || {
            // SAFETY: the payload holds the job, and is the worker's.
            unsafe { (travel.arrive)(value, bytes) }
        });
        unwound.disarm();
        match arrived {
            Ok(true) => settle::publish(self.pool, slot, Outcome::Returned),
            // SAFETY: the worker is BUSY, and `arrive` has left the payload empty.
            Ok(false) => unsafe {
                let failure = Failure::Codec(CodecError::ResultRefused);
                settle::fail(self.pool, slot, failure);
            },
            // SAFETY: the worker is BUSY, and `arrive` has left the payload empty.
            Err(panic) => unsafe { settle::panicked(self.pool, slot, panic) },
        }
    }

    pub(super) fn end_faulty(&mut self, index: u16, fault: Fault, body: Range<usize>) {
        let error = match fault {
            Fault::UnknownJob => CodecError::UnknownJob,
            Fault::Arguments => CodecError::ArgumentsRefused,
            Fault::Result => CodecError::Result,
            Fault::ResultTooLarge => CodecError::ResultTooLarge,
            Fault::Panicked => {
                let slot = self.pool.slot(index);
                let unwound = panicked_if_unwound(self.pool, slot);
                // SAFETY: the job is in flight: the worker is BUSY with the slot, which holds the
                // job.
                unsafe { settle::drop_job(self.pool, slot) };
                let said: PanicSaid<'_> =
                    postcard::from_bytes(self.side.inbox.get(body)).unwrap_or_default();
                let panic = guard::catch(self.pool, || {
                    (self.side.config.panic)(said.text, said.location())
                });
                let panic = panic.unwrap_or_else(|panic| panic);
                unwound.disarm();
                // SAFETY: the worker is BUSY with the slot, which is empty now.
                return unsafe { settle::panicked(self.pool, slot, panic) };
            }
        };
        self.fail(Some(index), Failure::Codec(error));
    }

    /// The other side does not know a job that was sent. The worker sends the job again, or ends it.
    pub(super) fn send_again_or_lose(&mut self, id: u16) {
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
                // The answers to earlier questions may be on their way, and say the same. They name the
                // old number.
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

    pub(super) fn end_late_flights(&mut self, now: Duration) -> Result<(), RemoteError> {
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
            self.lose(slot, LossReason::TIMED_OUT);
        }
        Ok(())
    }

    pub(super) fn forward_cancels(&mut self) {
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

    pub(super) fn fail(&self, slot: Option<u16>, failure: Failure) {
        if let Some(slot) = slot.map(|index| self.pool.slot(index)) {
            // The job ends even if its destructor unwinds.
            let _end = Defer(|| {
                // SAFETY: the worker is BUSY with the slot, which is empty now.
                unsafe { settle::fail(self.pool, slot, failure) };
            });
            // SAFETY: the job is in flight: the worker is BUSY with the slot, which holds the job.
            unsafe { settle::drop_job(self.pool, slot) };
        }
    }

    /// Ends a job in flight as lost, unless it has ended before.
    fn lose(&self, slot: Option<u16>, reason: LossReason) {
        self.fail(slot, Failure::Lost(reason));
        if let Some(index) = slot {
            // In a catch: the other jobs end even if the hook unwinds.
            guard::call(self.pool, &mut || self.worker.on_job_end(JobId(index)));
        }
    }

    /// Ends all jobs in flight as lost.
    pub(super) fn lose_all(&mut self, reason: LossReason) {
        let flights = mem::take(&mut self.flights);
        let left = Cell::new(flights.len());
        let lose = || {
            while let Some(at) = left.get().checked_sub(1) {
                left.set(at);
                let slot = flights.get(at).and_then(|flight| flight.slot);
                self.lose(slot, reason);
            }
        };
        // If a callback or a waker unwinds, this ends the others.
        let rest = Defer(lose);
        lose();
        drop(rest);
    }

    pub(super) fn lose_link(&mut self, reason: LossReason) {
        // The pool breaks before the jobs end, so that their callbacks and waiters find it broken.
        if self.side.config.on_loss == OnLoss::Break {
            life::break_with(self.pool, BrokenReason::WorkerLost(reason));
        }
        self.lose_all(reason);
    }
}

/// A guard that ends the job as panicked if foreign code unwinds and no port catches it. By then the
/// slot is empty, in each place that uses this guard.
fn panicked_if_unwound<'p>(pool: Pool<'p>, slot: SlotRef<'p>) -> Defer<impl FnMut()> {
    // SAFETY: the worker is BUSY with the slot, which is empty when the guard runs.
    Defer(move || unsafe { settle::panicked(pool, slot, Panic::unknown()) })
}
