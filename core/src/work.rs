//! What a worker does: take an index, run the job, publish the outcome, tell who waits.

use core::{
    cell::Cell,
    mem::{self, ManuallyDrop},
};

use crate::{
    error::{Failure, JobError, LossReason, Panic},
    idle::Seated,
    log::trace,
    pool::{BROKEN, CANCELLING, Raw},
    scope,
    slot::{Step, Waiting},
    state::{BUSY, Outcome, QUEUED, Settle, Snapshot, Suspension, Unsettled},
    sync::{Ordering, fence},
    worker::{JobId, Worker},
};

/// Runs a closure when it is dropped: what must happen even if a job unwinds. Forget it where it
/// must happen only then.
pub(crate) struct Defer<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A job that has ended. The outcome says what the payload holds.
#[derive(Clone, Copy)]
pub(crate) struct Completion {
    pub(crate) index: u16,
    pub(crate) outcome: Outcome,
    /// What to leave at the very end.
    pub(crate) scope: Option<scope::Member>,
}

impl<'p> Raw<'p> {
    /// Calls `f`, with the port's net under it if there is one.
    pub(crate) fn catch_panic<R>(self, f: impl FnOnce() -> R) -> Result<R, Panic> {
        let Some(port) = self.port() else {
            return Ok(f());
        };
        let (mut f, mut result) = (Some(f), None);
        port.catch_panic(&mut || result = f.take().map(|f| f()))?;
        result.ok_or(Panic::unknown())
    }

    /// Calls `f`, and reports it if it panics.
    pub(crate) fn guarded(self, f: &mut dyn FnMut()) {
        if let Err(panic) = self.catch_panic(f) {
            self.report(panic);
        }
    }

    /// Runs the oldest, most urgent work item. False if there is none. `worker` is told of the job.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn run_one(self, seat: Option<Seated<'p>>, worker: Option<&dyn Worker>) -> bool {
        match self.dequeue() {
            Some(index) => {
                let runner = seat.map_or(0, |seat| seat.id().0 + 1);
                self.execute(index, runner, worker);
                true
            }
            None => false,
        }
    }

    /// Runs the job whose index was just taken out of the queue. `runner`: the number plus one of
    /// the worker that runs it, or 0.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn execute(self, index: u16, runner: u16, worker: Option<&dyn Worker>) {
        if let Some(begun) = self.begin(index, runner) {
            self.run_begun(index, begun, worker);
        }
    }

    /// Makes the caller `BUSY` with the job whose index was just taken out of the queue. `None` if it
    /// has been ended, or is ended here since the pool has come to its end.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn begin(self, index: u16, runner: u16) -> Option<Snapshot> {
        let Some(begun) = self.slot(index).state.begin(runner) else {
            self.leave_slot(index, QUEUED);
            return None;
        };
        if self.phase() & (CANCELLING | BROKEN) != 0 {
            self.end_unrun(index, self.outcome_of_phase());
            return None;
        }
        Some(begun)
    }

    /// Runs the job that the caller is `BUSY` with, as `begun` says.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn run_begun(self, index: u16, begun: Snapshot, worker: Option<&dyn Worker>) {
        let slot = self.slot(index);
        // SAFETY: `begin` made the caller BUSY with the slot.
        let (vtable, value) = unsafe { (slot.vtable(), slot.value()) };
        trace!("job {} starts", index);
        if let Some(worker) = worker {
            worker.on_job_start(JobId(index));
        }
        let unwound = Defer(|| {
            // SAFETY: still BUSY, and `run` leaves the payload empty when it unwinds.
            unsafe { self.end_panicked(index, Panic::unknown()) };
        });
        // SAFETY: the payload holds a job of this vtable, and is the caller's.
        let step = self.catch_panic(|| unsafe { (vtable.run)(value, self, index) });
        mem::forget(unwound);
        match step {
            Ok(Step::Ready) => self.complete(index, Outcome::Returned),
            Ok(Step::Pending) => {
                if let Some(suspend) = vtable.suspend {
                    suspend(self, index, begun);
                }
            }
            // SAFETY: still BUSY, and `run` leaves the payload empty when it unwinds.
            Err(panic) => unsafe { self.end_panicked(index, panic) },
        }
        if let Some(worker) = worker {
            worker.on_job_end(JobId(index));
        }
    }

    /// How a job ends that the pool's end finds in the queue.
    pub(crate) fn outcome_of_phase(self) -> Outcome {
        if self.phase() & BROKEN != 0 {
            Outcome::Broken
        } else {
            Outcome::Cancelled
        }
    }

    /// Ends a task, suspended just now, that the pool's end has missed because it was being polled.
    fn end_if_over(self, index: u16) {
        // Pairs with the fence of `enter_phase`: either the phase is seen here, or whoever ends the
        // pool sees the task suspended.
        fence(Ordering::SeqCst);
        if self.phase() & (CANCELLING | BROKEN) != 0 {
            self.cancel(index, self.outcome_of_phase());
        }
    }

    /// Drops the job in a slot that the caller is `BUSY` with, and publishes the outcome.
    pub(crate) fn end_unrun(self, index: u16, outcome: Outcome) {
        let slot = self.slot(index);
        // Whether or not the job's destructor unwinds.
        let _publish = Defer(|| self.complete(index, outcome));
        self.guarded(&mut || {
            // SAFETY: the caller is BUSY with the slot, which holds a job.
            unsafe { (slot.vtable().drop_job)(slot.value()) };
        });
    }

    /// Ends a job that nobody is at work on. False if there is none in the slot.
    pub(crate) fn cancel(self, index: u16, outcome: Outcome) -> bool {
        if self.slot(index).state.claim().is_none() {
            return false;
        }
        self.end_unrun(index, outcome);
        // Workers may have stayed for this one.
        self.wake_all_at_the_end();
        true
    }

    /// Puts a panic where the result would be.
    ///
    /// # Safety
    ///
    /// The caller is `BUSY` with the slot, and its payload is empty.
    unsafe fn put_panic(self, index: u16, panic: Panic) {
        // SAFETY: every payload has room for a panic behind a scope's pointer (`capacity`, and the
        // check of `Scope::submit`); the caller's promise for the rest.
        unsafe { self.slot(index).value().cast::<Panic>().write(panic) };
    }

    /// Ends a job that has panicked.
    ///
    /// # Safety
    ///
    /// As for `put_panic`.
    pub(crate) unsafe fn end_panicked(self, index: u16, panic: Panic) {
        // SAFETY: the caller's promise.
        unsafe { self.put_panic(index, panic) };
        self.complete(index, Outcome::Panicked);
    }

    /// Ends a job that the caller is `BUSY` with, and whose payload is empty.
    ///
    /// # Safety
    ///
    /// As for `put_panic`.
    pub(crate) unsafe fn fail(self, index: u16, failure: Failure) {
        // SAFETY: every payload has room for it, since it has room for a panic; the caller's promise.
        unsafe { self.slot(index).value().cast::<Failure>().write(failure) };
        self.complete(index, Outcome::Failed);
    }

    /// Publishes the outcome of the job that the caller is `BUSY` with, and tells who waits.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn complete(self, index: u16, outcome: Outcome) {
        // Before others can see it, and the slot's next job can begin.
        trace!("job {} ends: {:?}", index, outcome);
        let slot = self.slot(index);
        // SAFETY: the caller is BUSY with the slot.
        let scope = unsafe { self.scope_of(index) };
        match slot.state.publish(outcome) {
            None => {
                if let Some(scope) = scope {
                    // SAFETY: the scope waits for this call, once for each of its jobs.
                    unsafe { scope.leave() };
                }
            }
            Some(unsettled) => {
                let completion = Completion {
                    index,
                    outcome,
                    scope,
                };
                // SAFETY: that is what `publish` said.
                unsafe { self.settle(completion, unsettled) };
            }
        }
    }

    /// The scope of the job in a slot, if it has one.
    ///
    /// # Safety
    ///
    /// The slot is occupied, and the caller is one of the parties that keep it so.
    pub(crate) unsafe fn scope_of(self, index: u16) -> Option<scope::Member> {
        let slot = self.slot(index);
        // SAFETY: the caller's promise.
        let leave = unsafe { slot.vtable() }.leave_scope?;
        Some(scope::Member {
            leave,
            // SAFETY: occupied by a scoped job.
            scope: unsafe { slot.scope_address() },
        })
    }

    /// The completer's part after the outcome is published: callbacks, waiter, orphaned payload.
    ///
    /// # Safety
    ///
    /// `unsettled` is what `publish` has just said to the caller; or the caller is the completer by
    /// `lose`, and it is `Linger(0)`.
    #[cold]
    pub(crate) unsafe fn settle(self, completion: Completion, unsettled: Unsettled) {
        let (runner, found) = match unsettled {
            Unsettled::Collected(runner) => (runner, Some(Settle::Waiter)),
            Unsettled::Linger(runner) => (runner, None),
            Unsettled::TooLate => (0, Some(Settle::TakenOver)),
        };
        let mut settling = Settling {
            pool: self,
            completion,
            runner,
            found,
            waiter: None,
            ours: None,
        };
        settling.go_on();
    }

    /// Takes what the handle left for the completer, to tell it. If that is a set, the job goes into
    /// its list.
    ///
    /// # Safety
    ///
    /// The caller's swap has set COLLECTED, and nothing was taken from the cell since.
    unsafe fn collect(self, index: u16) -> Waiting {
        // SAFETY: COLLECTED: nobody writes the cell, and nobody else takes from it.
        let waiting = unsafe { self.slot(index).take_waiting() };
        if let Waiting::Set(member) = &waiting {
            // Before the slot is the handle's: the list needs its link.
            self.push_completed(member.waiter, index);
        }
        waiting
    }

    /// Wakes whom the handle left for the completer.
    fn tell(self, waiter: Option<Waiting>) {
        match waiter {
            Some(Waiting::Task(waker)) => waker.wake(),
            Some(Waiting::Set(member)) => {
                if let Some(place) = self.waiters().get(usize::from(member.waiter)) {
                    // SAFETY: each member of a set holds the set's bell, which is open or was.
                    unsafe { place.bell.ring_held() };
                    place.bell.release();
                }
            }
            None => {}
        }
    }

    /// The end of a job whose worker was declared lost, and comes back: the outcome is
    /// `WorkerLost`, which has no payload, so what is there is still the worker's.
    fn end_late(self, index: u16, outcome: Outcome) {
        trace!("job {} is too late", index);
        let _free = Defer(|| self.leave_slot(index, QUEUED));
        // SAFETY: see above.
        unsafe { self.drop_payload(index, outcome) };
    }

    /// Adds a done slot to a set's list of completions.
    fn push_completed(self, waiter: u16, index: u16) {
        let Some(place) = self.waiters().get(usize::from(waiter)) else {
            return;
        };
        let link = self.slot(index).link();
        let mut last = place.completed.load(Ordering::Relaxed);
        loop {
            link.store(last, Ordering::Relaxed);
            // Release: pairs with the Acquire of `take_completed`; publishes the link.
            match place.completed.compare_exchange(
                last,
                index + 1,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => last = now,
            }
        }
    }

    /// Drops what an ended job left in its payload.
    ///
    /// # Safety
    ///
    /// The payload is the caller's and holds what `outcome` says.
    pub(crate) unsafe fn drop_payload(self, index: u16, outcome: Outcome) {
        let slot = self.slot(index);
        match outcome {
            Outcome::Returned => {
                self.guarded(&mut || {
                    // SAFETY: the caller's promise.
                    unsafe { (slot.vtable().drop_result)(slot.value()) };
                });
            }
            Outcome::Panicked => {
                // SAFETY: the caller's promise.
                let panic = unsafe { slot.value().cast::<Panic>().read() };
                if panic.is_unobserved() {
                    self.report(panic);
                }
            }
            Outcome::Cancelled | Outcome::WorkerLost | Outcome::Broken | Outcome::Failed => {}
        }
    }

    /// A failure that nobody asked for.
    fn report(self, panic: Panic) {
        if let Some(port) = self.port() {
            port.unobserved_failure(panic);
        }
    }

    /// Runs the callbacks that are in a slot's chain. The outcome is published, and the payload stays
    /// as it is meanwhile.
    pub(crate) fn run_callbacks(self, index: u16) {
        // Acquire: pairs with the Release of `add_callback`.
        let newest = self.slot(index).callbacks.swap(0, Ordering::Acquire);
        if let Some(callback) = newest.checked_sub(1)
            // SAFETY: a slot in the chain holds a callback, and belongs to who takes the chain.
            && let Some(run_chain) = unsafe { self.slot(callback).vtable() }.run_chain
        {
            // SAFETY: taken just now from this slot.
            unsafe { run_chain(self, newest, index) };
        }
    }

    /// Turns a chain of slots around; takes and returns index plus one.
    pub(crate) fn reverse_chain(self, mut newest: u16) -> u16 {
        let mut reversed = 0;
        while let Some(index) = newest.checked_sub(1) {
            // The chain is the caller's: no one else changes its links.
            let link = self.slot(index).link();
            let older = link.load(Ordering::Relaxed);
            link.store(reversed, Ordering::Relaxed);
            reversed = newest;
            newest = older;
        }
        reversed
    }

    /// Where a job's result is.
    ///
    /// # Safety
    ///
    /// The job returned, and the slot stays occupied.
    pub(crate) unsafe fn result_place(self, index: u16) -> *const u8 {
        let slot = self.slot(index);
        slot.payload_shared();
        // SAFETY: the caller's promise; the pointer is only read through here.
        unsafe {
            let value = slot.value_shared();
            match slot.vtable().place {
                crate::slot::Place::Inline => value,
                crate::slot::Place::Spilled(_) => value.cast::<*const u8>().read(),
            }
        }
    }

    /// What an outcome says to the one who asks; `None` if there is a result.
    ///
    /// # Safety
    ///
    /// It is the outcome of the job in this slot, whose payload is not written meanwhile.
    pub(crate) unsafe fn job_error(self, index: u16, outcome: Outcome) -> Option<JobError> {
        Some(match outcome {
            Outcome::Returned => return None,
            Outcome::Cancelled => JobError::Cancelled,
            Outcome::Panicked => JobError::Panicked(Panic::unknown()),
            Outcome::WorkerLost => JobError::WorkerLost(LossReason::DECLARED),
            // SAFETY: failed, so a failure is there (the caller's promise).
            Outcome::Failed => unsafe {
                let place = self.slot(index).value_shared();
                place.cast::<Failure>().read().into()
            },
            Outcome::Broken => match self.broken_reason() {
                Some(reason) => JobError::Broken(reason),
                None => JobError::Cancelled,
            },
        })
    }

    /// Takes the panic out of the payload, and leaves one without payload.
    ///
    /// # Safety
    ///
    /// The job panicked, and the payload is the caller's.
    pub(crate) unsafe fn take_panic(self, index: u16) -> Panic {
        let place = self.slot(index);
        // SAFETY: the caller's promise.
        unsafe {
            let place = &mut *place.value().cast::<ManuallyDrop<Panic>>();
            core::mem::replace(&mut **place, Panic::unknown())
        }
    }
}

/// What a completer does that lingers. If something of the user's unwinds, the rest is still done.
struct Settling<'p> {
    pool: Raw<'p>,
    completion: Completion,
    /// The number plus one of the worker that completes it; 0 if it is none.
    runner: u16,
    /// What is next, if that was found with the outcome's publication.
    found: Option<Settle>,
    /// Collected, to be told.
    waiter: Option<Waiting>,
    /// Once it is settled: whether by this completer.
    ours: Option<bool>,
}

impl Settling<'_> {
    fn go_on(&mut self) {
        let (pool, Completion { index, outcome, .. }) = (self.pool, self.completion);
        let slot = pool.slot(index);
        while self.ours.is_none() {
            let found = self.found.take();
            match found.unwrap_or_else(|| slot.state.settle(self.runner)) {
                Settle::Callbacks => pool.run_callbacks(index),
                // SAFETY: just now, by this completer.
                Settle::Waiter => self.waiter = Some(unsafe { pool.collect(index) }),
                Settle::Unclaimed => {
                    self.ours = Some(true);
                    let _free = Defer(|| pool.leave_slot(index, BUSY));
                    // SAFETY: no handle, so the payload is the completer's.
                    unsafe { pool.drop_payload(index, outcome) };
                }
                Settle::Left => self.ours = Some(true),
                Settle::TakenOver => {
                    self.ours = Some(false);
                    pool.end_late(index, outcome);
                }
            }
        }
    }
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.go_on();
        let scope = match self.ours {
            Some(true) => self.completion.scope,
            // Whoever declared the worker lost has told the scope.
            _ => None,
        };
        let _leave = Defer(|| {
            if let Some(scope) = scope {
                // SAFETY: the scope waits for this call, once for each of its jobs.
                unsafe { scope.leave() };
            }
        });
        self.pool.tell(self.waiter.take());
    }
}

/// A task, which the caller is `BUSY` with, returned `Pending`. `begun`: its state then.
pub(crate) fn suspend(pool: Raw<'_>, index: u16, begun: Snapshot) {
    match pool.slot(index).state.suspend() {
        Suspension::Suspended => pool.end_if_over(index),
        Suspension::Requeue => {
            pool.enqueue(index, begun.priority());
            pool.wake_worker();
        }
        Suspension::Cancel => pool.end_unrun(index, Outcome::Cancelled),
    }
}

/// Runs a chain of callbacks, of which `newest` (a slot's index plus one) was added last, in the order
/// in which they were added.
///
/// # Safety
///
/// The chain is the caller's. It was added to the job in slot `index`, which has ended and whose
/// payload stays as it is meanwhile.
pub(crate) unsafe fn run_chain(pool: Raw<'_>, newest: u16, index: u16) {
    let next = Cell::new(pool.reverse_chain(newest));
    let run = || {
        while let Some(callback) = next.get().checked_sub(1) {
            let place = pool.slot(callback);
            next.set(place.link.load(Ordering::Relaxed));
            let _free = Defer(|| pool.free_slot(callback));
            pool.guarded(&mut || {
                // SAFETY: a slot in the chain holds a callback, and belongs to who takes the chain.
                unsafe { (place.vtable().run)(place.value(), pool, index) };
            });
        }
    };
    // If one unwinds, the others are still called.
    let _rest = Defer(run);
    run();
}

const _: () = assert!(
    size_of::<Failure>() <= size_of::<Panic>() && align_of::<Failure>() <= align_of::<Panic>()
);
