//! Blocking: one engine for every call that waits.
//!
//! What is waited for is a poll function, as in a future: it leaves the given waker where it will be
//! woken and says whether it is ready. Without a waker it only looks, which is cheap enough to do
//! some hundreds of times before a caller goes to sleep. The engine decides what the caller does
//! meanwhile.
//!
//! | caller | meanwhile |
//! |---|---|
//! | a job on a worker of this pool | runs queued work, so that waiting never starves the pool; sleeps like an idle worker when there is none |
//! | anybody else | sleeps; runs queued work, in a worker's seat, if the pool has no worker and the port agrees |
//! | in a context that may not block, says the port | gets `WouldDeadlock` |
//! | unknown, since there is no port | spins, and runs queued work |
//!
//! A job that waits for another buries the stack below it: the job it helps with runs on top of it
//! and must end first. So circles can come about in which nobody can go on, even where the jobs'
//! own dependencies have none. Before a worker goes to sleep in a wait without time limit it follows
//! the chain "job, its worker, the job which that worker waits for"; if the chain leads back to
//! itself, the wait ends as `WouldDeadlock`. Fork and join, where a job waits only for jobs that it
//! submitted itself, cannot get there: on each stack, the job on top was begun last.

use core::{task::Waker, time::Duration};

use crate::{
    error::Blocked,
    idle::Seated,
    pool::{LEAVING, Raw},
    port::{Parker, Port},
    slot::SlotRef,
    state,
    sync::{Ordering, fence, spin_loop},
    wait::Waiting,
    worker::{LentCaller, Worker},
};

/// What a blocked caller waits for.
pub(crate) struct Wait<'a> {
    /// Leaves the waker, if one is given, and says whether it is over.
    pub(crate) poll: &'a mut dyn FnMut(Option<&Waker>) -> bool,
    /// Until when at most, by the port's clock. `None` is without limit.
    pub(crate) deadline: Option<Duration>,
    /// The slot whose job must end before this is over, if there is just one.
    pub(crate) target: Option<u16>,
}

impl<'p> Raw<'p> {
    /// The moment `timeout` from now, for a deadline.
    pub(crate) fn deadline_in(
        self,
        timeout: Option<Duration>,
    ) -> Result<Option<Duration>, Blocked> {
        let Some(timeout) = timeout else {
            return Ok(None);
        };
        let now = self.port().and_then(Port::now).ok_or(Blocked::NoClock)?;
        // A deadline past the clock's end is none.
        Ok(now.checked_add(timeout))
    }

    /// Waits.
    pub(crate) fn block_on(self, mut wait: Wait<'_>) -> Result<(), Blocked> {
        let Some(port) = self.port() else {
            self.block_unknown(wait);
            return Ok(());
        };
        if (wait.poll)(None) {
            return Ok(());
        }
        if let Some(seat) = self.current_worker() {
            #[cfg(feature = "remote")]
            if seat.is_remote() {
                // While it waits here, nobody looks after its link.
                return if (wait.poll)(None) {
                    Ok(())
                } else {
                    Err(Blocked::WouldDeadlock)
                };
            }
            // SAFETY: the port says that this is the context of that worker, and a worker's context
            // runs other code than the worker's only inside the run loop.
            if let Some(worker) = unsafe { seat.worker() }
                && let Some(result) = self.block_worker(port, &mut wait, seat, worker, false)
            {
                return result;
            }
        }
        let mut wait = Some(&mut wait);
        // A port that has no parker for this context does not call.
        let mut result = Err(Blocked::WouldDeadlock);
        port.with_parker(&mut |parker| {
            if let Some(wait) = wait.take() {
                result = self.block_outsider(port, wait, parker);
            }
        });
        result
    }

    fn block_unknown(self, wait: Wait<'_>) {
        while !(wait.poll)(None) {
            if !self.has_queued() || self.run_unseated(1) == 0 {
                spin_loop();
            }
        }
    }

    fn block_outsider(
        self,
        port: &dyn Port,
        wait: &mut Wait<'_>,
        parker: &dyn Parker,
    ) -> Result<(), Blocked> {
        let waker = parker.waker();
        let mut round = 0;
        let deadline = wait.deadline;
        let queued = || deadline.map_or_else(|| self.queued(), |_| 0);
        while port.spin(round, &queued) {
            if (wait.poll)(None) {
                return Ok(());
            }
            round = round.saturating_add(1);
        }
        let mut turn = None;
        loop {
            if (wait.poll)(Some(&waker)) {
                return Ok(());
            }
            if self.has_no_worker() && port.lends_blocked_callers() && !self.is_over() {
                let caller = LentCaller(parker);
                // SAFETY: left below, in this same context, while `caller` is alive.
                if let Some(seat) = unsafe { self.join(&caller, true) } {
                    let leave = Leave(seat);
                    let result = self.block_worker(port, wait, seat, &caller, true);
                    drop(leave);
                    match result {
                        Some(result) => return result,
                        None => continue,
                    }
                }
                // Every seat is taken by a caller like this one. It will not run this caller's job
                // if it leaves before, so this one takes its seat then.
                if turn.is_none() {
                    turn = Waiting::begin(self, &waker, LEAVING);
                    // Pairs with the fence of `Raw::tell_of_leaving`.
                    fence(Ordering::SeqCst);
                    if turn.is_some() {
                        continue;
                    }
                }
                if turn.is_none() || self.seats().iter().any(|seat| !seat.bell.is_open()) {
                    // Nobody will tell, or somebody has already.
                    waker.wake_by_ref();
                }
            }
            if is_over(port, wait.deadline) {
                return Err(Blocked::TimedOut);
            }
            parker.park(wait.deadline);
        }
    }

    /// Waits as the worker in `seat`. `None`: it takes no other job, since it was declared lost, or it `lends`
    /// itself, for no longer than this wait, and there is none any more; it waits on like anybody else.
    fn block_worker(
        self,
        port: &dyn Port,
        wait: &mut Wait<'_>,
        seat: Seated<'p>,
        worker: &dyn Worker,
        lends: bool,
    ) -> Option<Result<(), Blocked>> {
        let waker = worker.waker();
        let waits_for = &seat.seat().waits_for;
        let endless_for = match wait.deadline {
            None => wait.target.map_or(0, |slot| slot + 1),
            Some(_) => 0,
        };
        // Others may wait for the pool's end, and that is when all have gone.
        let is_in_the_way = || lends && self.is_over();
        let mut round = 0;
        // Woken for some work and has not taken any since.
        let mut owes_work = false;
        let result = loop {
            if (wait.poll)(None) {
                break Some(Ok(()));
            }
            if seat.is_lost() || is_in_the_way() {
                break None;
            }
            if is_over(port, wait.deadline) {
                break Some(Err(Blocked::TimedOut));
            }
            // The job on top can go on, unless it waits itself.
            waits_for.store(0, Ordering::Relaxed);
            if self.run_one(Some(seat), Some(worker)) {
                round = 0;
                owes_work = false;
                // It may have been the last task, and the caller stays.
                self.wake_all_at_the_end();
                continue;
            }
            // Relaxed: after each job that ran on top came the fence of `wake_all_at_the_end`, which pairs with
            // the Acquire of `waits_in_a_circle`; those jobs are done.
            waits_for.store(endless_for, Ordering::Relaxed);
            if self.waits_in_a_circle(seat, endless_for) {
                break Some(Err(Blocked::WouldDeadlock));
            }
            if worker.spin(round) {
                round = round.saturating_add(1);
                continue;
            }
            seat.announce();
            if !self.has_queued() && !(wait.poll)(Some(&waker)) && !is_in_the_way() {
                worker.park(wait.deadline);
            }
            owes_work |= seat.retract();
        };
        waits_for.store(0, Ordering::Relaxed);
        if owes_work && self.has_queued() {
            self.wake_worker();
        }
        result
    }

    /// Whether the job in slot `target` (plus one; 0 for none) cannot go on before the worker in
    /// `seat` does.
    fn waits_in_a_circle(self, seat: Seated<'p>, target: u16) -> bool {
        // Of two workers that close a circle at the same time, one sees the other's `waits_for`.
        fence(Ordering::SeqCst);
        let mut target = target;
        for _ in 0..=self.dims().workers {
            let Some(slot) = target.checked_sub(1).map(|index| self.slot(index)) else {
                return false;
            };
            let Some(runner) = runner_of(slot) else {
                return false;
            };
            if usize::from(runner) == seat.id().index() {
                return true;
            }
            let Some(next) = self.seats().get(usize::from(runner)) else {
                return false;
            };
            // Acquire: pairs with the fence in `block_worker`. If the job was on top of that worker's
            // wait, and not below, it is done by now.
            target = next.waits_for.load(Ordering::Acquire);
            if runner_of(slot) != Some(runner) {
                return false;
            }
        }
        false
    }
}

/// The worker on whose stack the job in `slot` is, by its number.
fn runner_of(slot: SlotRef<'_>) -> Option<u16> {
    let state = slot.state.load();
    if state.lacks(state::BUSY) || state.has(state::DONE) {
        return None;
    }
    state.runner().checked_sub(1)
}

fn is_over(port: &dyn Port, deadline: Option<Duration>) -> bool {
    match (deadline, deadline.and_then(|_| port.now())) {
        (Some(deadline), Some(now)) => now >= deadline,
        _ => false,
    }
}

/// Leaves the seat when dropped.
pub(crate) struct Leave<'p>(pub(crate) Seated<'p>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        // SAFETY: made where the seat was joined, dropped once.
        unsafe { self.0.leave() };
    }
}
