//! What a worker does: take an index, run the job, publish the outcome, tell who waits.

use core::{
    cell::Cell,
    mem::{self, ManuallyDrop},
};

use crate::{
    engine::seats::SeatRef,
    error::{Failure, JobError, LossReason, Panic},
    lockfree::{
        defer::Defer,
        state::{BUSY, Begin, LOST, Outcome, Settle, Snapshot, Suspension, TELLING},
        sync::{Ordering, fence},
    },
    log::trace,
    machine::{
        port::Port,
        worker::{JobId, Worker},
    },
    memory::{
        payload::{LEAST, PANICS, PAYLOAD_ALIGN, UNWINDS},
        pool::{BROKEN, CANCELLING, Pool},
        scoped::Scoped,
        slot::{ListenerCell, SlotRef, Step},
    },
};

/// How far a step of a job came. Not what the port says of it.
#[derive(Clone, Copy)]
enum Progress {
    /// The payload still holds the job.
    NotBegun,
    /// It has unwound, if it is over: the payload is empty.
    Begun,
    Returned(Step),
}

impl<'p> Pool<'p> {
    /// The port, if a panic is to be caught.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn net(self) -> Option<&'static dyn Port> {
        if UNWINDS { self.port() } else { None }
    }

    /// Calls `f`, with the port's net under it if there is one.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn catch_panic<R>(self, f: impl FnOnce() -> R) -> Result<R, Panic> {
        match self.net() {
            Some(port) => self.catch_panic_by(port, f),
            None => Ok(f()),
        }
    }

    /// Calls `f`, with a net under it.
    ///
    /// What became of `f` is seen here, and not believed of the port: `Ok` is what it returned, whatever the
    /// port says, and a port that has not called it has it called without a net.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn catch_panic_by<R>(self, port: &dyn Port, f: impl FnOnce() -> R) -> Result<R, Panic> {
        let (mut f, mut result) = (Some(f), None);
        let caught = port.catch_panic(&mut || {
            if let Some(f) = f.take() {
                result = Some(f());
            }
        });
        match (result, f, caught) {
            (Some(result), _, Ok(())) => Ok(result),
            (Some(result), _, Err(panic)) => {
                self.report(panic);
                Ok(result)
            }
            (None, Some(f), _) => Ok(f()),
            (None, None, caught) => Err(caught.err().unwrap_or(Panic::unknown())),
        }
    }

    /// Calls `f`, and reports it if it panics.
    pub(crate) fn guarded(self, f: &mut dyn FnMut()) {
        let Some(port) = self.net() else {
            return f();
        };
        let f = Cell::new(Some(f));
        let call = || {
            if let Some(f) = f.take() {
                f();
            }
        };
        // A port that unwinds before it has called has it called without a net.
        let _called = Defer(call);
        if let Err(panic) = self.catch_panic_by(port, call) {
            self.report(panic);
        }
    }

    /// Runs the oldest, most urgent work item. False if there is none. `worker` is told of the job.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn run_one(self, seat: Option<SeatRef<'p>>, worker: Option<&dyn Worker>) -> bool {
        match self.dequeue() {
            Some(index) => {
                self.run_popped(index, seat, worker);
                true
            }
            None => false,
        }
    }

    /// Runs jobs without a seat: there is none left, or nobody can tell the caller's context from others.
    /// It is only counted.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn run_as_guest(self, max: usize) -> usize {
        let _counted = self.count_guest();
        self.run_some(None, max)
    }

    /// Counts the caller in, until what is returned is dropped.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn count_guest(self) -> Defer<impl FnMut()> {
        self.count_in(true);
        Defer(move || {
            self.count_out(true);
            self.wake_all_at_the_end();
        })
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn run_some(self, seat: Option<SeatRef<'p>>, max: usize) -> usize {
        let mut count = 0;
        // A job may declare the worker lost that runs it here; it takes no other job then.
        while count < max && seat.is_none_or(|seat| !seat.is_lost()) && self.run_one(seat, None) {
            count += 1;
        }
        count
    }

    /// Runs the work item whose index was just taken out of the queue.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn run_popped(
        self,
        index: u16,
        seat: Option<SeatRef<'p>>,
        worker: Option<&dyn Worker>,
    ) {
        let runner = seat.map_or(0, SeatRef::runner);
        let slot = self.slot(index);
        if let Some(begun) = self.begin(slot, runner) {
            self.run_begun(slot, begun, worker);
        }
    }

    /// Runs the job that the caller has begun, or ends it if the pool has come to its end.
    pub(crate) fn run_or_end(
        self,
        slot: SlotRef<'p>,
        begun: Snapshot,
        worker: Option<&dyn Worker>,
    ) {
        if self.ends_unrun() {
            self.end_begun(slot);
        } else {
            self.run_begun(slot, begun, worker);
        }
    }

    /// Makes the caller `BUSY` with the job whose index was just taken out of the queue. `None` if it
    /// has been ended, or is ended here since the pool has come to its end.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn begin(self, slot: SlotRef<'p>, runner: u16) -> Option<Snapshot> {
        let begun = self.take_up(slot, runner)?;
        if self.ends_unrun() {
            self.end_begun(slot);
            return None;
        }
        Some(begun)
    }

    /// Makes the caller `BUSY` with the job whose index was just taken out of the queue, or whose promise
    /// it holds. `None` if it has been ended: the queue, or the promise, leaves the slot.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn take_up(self, slot: SlotRef<'p>, runner: u16) -> Option<Snapshot> {
        match slot.state.begin(runner) {
            Begin::Begun(begun) => return Some(begun),
            Begin::Left => {}
            Begin::LeftLast => self.free_slot(slot),
        }
        None
    }

    /// Runs the job that the caller is `BUSY` with, as `begun` says.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn run_begun(self, slot: SlotRef<'p>, begun: Snapshot, worker: Option<&dyn Worker>) {
        // SAFETY: `begin` made the caller BUSY with the slot.
        let (vtable, value) = unsafe { (slot.vtable(), slot.payload()) };
        let unwound = Defer(|| {
            // SAFETY: BUSY with the slot, which holds a job, and is empty then.
            unsafe {
                self.drop_job(slot);
                self.end_panicked(slot, Panic::unknown());
            }
        });
        trace!("job {} starts", slot.index());
        if let Some(worker) = worker {
            worker.on_job_start(JobId(slot.index()));
        }
        unwound.disarm();
        let progress = Cell::new(Progress::NotBegun);
        // The net itself may unwind, too.
        let unwound = Defer(|| self.end_step(slot, begun, progress.get(), Panic::unknown()));
        let caught = self.catch_panic(|| {
            progress.set(Progress::Begun);
            // SAFETY: the payload holds a job of this vtable, and is the caller's.
            let step = unsafe { (vtable.run)(value, self, slot) };
            progress.set(Progress::Returned(step));
        });
        unwound.disarm();
        match (progress.get(), caught) {
            (Progress::Returned(Step::Ready), Ok(())) => self.complete(slot, Outcome::Returned),
            (progress, caught) => {
                self.end_step(
                    slot,
                    begun,
                    progress,
                    caught.err().unwrap_or(Panic::unknown()),
                );
            }
        }
        if let Some(worker) = worker {
            worker.on_job_end(JobId(slot.index()));
        }
    }

    /// What follows a step of the job that the caller is `BUSY` with, by how far the step came.
    fn end_step(self, slot: SlotRef<'p>, begun: Snapshot, progress: Progress, panic: Panic) {
        match progress {
            Progress::Returned(Step::Ready) => self.complete(slot, Outcome::Returned),
            Progress::Returned(Step::Pending) => {
                // SAFETY: still BUSY with the slot.
                if let Some(suspend) = unsafe { slot.vtable() }.suspend {
                    suspend(self, slot, begun);
                }
            }
            // SAFETY: still BUSY, and `run` leaves the payload empty when it unwinds.
            Progress::Begun => unsafe { self.end_panicked(slot, panic) },
            Progress::NotBegun => {
                // SAFETY: still BUSY with the slot, which holds the job, and is empty then.
                unsafe {
                    self.drop_job(slot);
                    self.end_panicked(slot, panic);
                }
            }
        }
    }

    /// Whether jobs that have not begun are to end as they are.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn ends_unrun(self) -> bool {
        self.phase() & (CANCELLING | BROKEN) != 0
    }

    /// How a job ends that the pool's end finds in the queue.
    pub(crate) fn outcome_of_phase(self) -> Outcome {
        if self.phase() & BROKEN != 0 {
            Outcome::Broken
        } else {
            Outcome::Cancelled
        }
    }

    /// Ends a job that was begun, but not run, since the pool has come to its end.
    #[cold]
    fn end_begun(self, slot: SlotRef<'p>) {
        self.end_unrun(slot, self.outcome_of_phase());
    }

    /// Ends a task, suspended just now, that the pool's end has missed because it was being polled.
    fn end_if_over(self, slot: SlotRef<'p>) {
        // Pairs with the fence of `enter_phase`: either the phase is seen here, or whoever ends the
        // pool sees the task suspended.
        fence(Ordering::SeqCst);
        if self.ends_unrun() {
            self.cancel(slot, self.outcome_of_phase());
        }
    }

    /// Drops the job in a slot that the caller is `BUSY` with, and publishes the outcome.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_unrun(self, slot: SlotRef<'p>, outcome: Outcome) {
        // Whether or not the job's destructor unwinds.
        let _publish = Defer(|| {
            let _settled = Defer(|| {
                // SAFETY: BUSY, and has not published.
                unsafe { self.settle(slot, outcome, false) };
            });
            trace!("job {} ends: {:?}", slot.index(), outcome);
        });
        // SAFETY: the caller is BUSY with the slot, which holds a job.
        unsafe { self.drop_job(slot) };
    }

    /// Drops the job in a slot, which is empty after.
    ///
    /// # Safety
    ///
    /// The caller is `BUSY` with the slot, and a job is in it.
    pub(crate) unsafe fn drop_job(self, slot: SlotRef<'p>) {
        self.guarded(&mut || {
            // SAFETY: the caller's promise.
            unsafe { (slot.vtable().drop_job)(slot.payload()) };
        });
    }

    /// Ends a job that nobody is at work on. False if there is none in the slot.
    pub(crate) fn cancel(self, slot: SlotRef<'p>, outcome: Outcome) -> bool {
        if !slot.state.claim() {
            return false;
        }
        let _told = Defer(|| {
            // Workers may have stayed for this one.
            self.wake_all_at_the_end();
            // And who waits for room may take it out of the queue. After the fence there, which pairs with that of
            // `RoomWaiter::poll`: either the mark is seen here, or there that the job has ended.
            if self.is_waited_for() {
                self.tell_of_room();
            }
        });
        self.end_unrun(slot, outcome);
        true
    }

    /// Puts a panic where the result would be.
    ///
    /// # Safety
    ///
    /// The caller is `BUSY` with the slot, and its payload is empty.
    unsafe fn put_panic(self, slot: SlotRef<'p>, panic: Panic) {
        if PANICS {
            // SAFETY: every payload has room for a panic before a scope's pointer (`capacity`, and the
            // check of `Scope::put_scoped`); the caller's promise for the rest.
            unsafe { slot.payload().cast::<Panic>().write(panic) };
        }
    }

    /// Ends a job that has panicked.
    ///
    /// # Safety
    ///
    /// As for `put_panic`.
    pub(crate) unsafe fn end_panicked(self, slot: SlotRef<'p>, panic: Panic) {
        // SAFETY: the caller's promise.
        unsafe { self.put_panic(slot, panic) };
        self.complete(slot, Outcome::Panicked);
    }

    /// Ends a job that the caller is `BUSY` with, and whose payload is empty.
    ///
    /// # Safety
    ///
    /// As for `put_panic`.
    pub(crate) unsafe fn fail(self, slot: SlotRef<'p>, failure: Failure) {
        // SAFETY: every payload has room for it (`LEAST`); the caller's promise.
        unsafe { slot.payload().cast::<Failure>().write(failure) };
        self.complete(slot, Outcome::Failed);
    }

    /// Publishes the outcome of the job that the caller is `BUSY` with, and tells who waits.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn complete(self, slot: SlotRef<'p>, outcome: Outcome) {
        // Even if the logger unwinds.
        let _published = Defer(|| {
            if !slot.state.publish(outcome) {
                // SAFETY: BUSY, and has not published.
                unsafe { self.settle(slot, outcome, false) };
            }
        });
        // Before others can see it, and the slot's next job can begin.
        trace!("job {} ends: {:?}", slot.index(), outcome);
    }

    /// The end of a job for more than a handle: outcome, callbacks, waiter, orphaned payload, and at last
    /// the scope.
    ///
    /// # Safety
    ///
    /// The caller is `BUSY` with the job, and has not published its outcome; if it was declared lost
    /// meanwhile, `lose` has. Or `published`, and the caller is the completer by `lose`.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn settle(self, slot: SlotRef<'p>, outcome: Outcome, published: bool) {
        // SAFETY: the completer keeps the slot occupied.
        let scope = unsafe { slot.vtable() }.leave_scope.map(|leave| Scoped {
            leave,
            // SAFETY: occupied by a scoped job.
            scope: unsafe { slot.scope_address(self.geometry().bytes) },
        });
        let runner = if published {
            0
        } else {
            slot.state.load().runner()
        };
        let mut settling = Settling {
            pool: self,
            slot,
            outcome,
            published,
            runner,
            over: false,
            waiter: None,
            scope,
        };
        settling.go_on();
        mem::forget(settling);
    }

    /// Drops what an ended job left in its payload.
    ///
    /// # Safety
    ///
    /// The payload is the caller's and holds what `outcome` says.
    pub(crate) unsafe fn drop_payload(self, slot: SlotRef<'p>, outcome: Outcome) {
        match outcome {
            Outcome::Returned => {
                self.guarded(&mut || {
                    // SAFETY: the caller's promise.
                    unsafe { (slot.vtable().drop_result)(slot.payload()) };
                });
            }
            Outcome::Panicked if PANICS => {
                // SAFETY: the caller's promise.
                let panic = unsafe { slot.payload().cast::<Panic>().read() };
                if panic.is_unobserved() {
                    self.report(panic);
                }
            }
            _ => {}
        }
    }

    /// A failure that nobody asked for.
    #[cold]
    pub(crate) fn report(self, panic: Panic) {
        let Some(port) = self.port() else {
            return;
        };
        let mut panic = Some(panic);
        let told = port.catch_panic(&mut || {
            if let Some(panic) = panic.take() {
                port.unobserved_failure(panic);
            }
        });
        // The port panics as it is told, or the payload as it is dropped. Another call would do no better.
        mem::forget((told, panic));
    }

    /// Runs the callbacks that are in a slot's chain. The outcome is published, and the payload stays
    /// as it is meanwhile.
    pub(crate) fn run_callbacks(self, slot: SlotRef<'p>) {
        // Acquire: pairs with the Release of `add_to_chain`.
        let newest = slot.callbacks.swap(0, Ordering::Acquire);
        if let Some(callback) = newest.checked_sub(1)
            // SAFETY: a slot in the chain holds a callback, and belongs to who takes the chain.
            && let Some(run_chain) = unsafe { self.slot(callback).vtable() }.run_chain
        {
            // SAFETY: taken just now from this slot.
            unsafe { run_chain(self, newest, slot) };
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
    pub(crate) unsafe fn result_place(self, slot: SlotRef<'p>) -> *const u8 {
        // SAFETY: the caller's promise; the pointer is only read through here.
        unsafe {
            let value = slot.payload_shared();
            match slot.vtable().spilled {
                None => value,
                Some(_) => value.cast::<*const u8>().read(),
            }
        }
    }

    /// What an outcome says to the one who asks; `None` if there is a result.
    ///
    /// # Safety
    ///
    /// It is the outcome of the job in this slot, whose payload is not written meanwhile.
    pub(crate) unsafe fn job_error(self, slot: SlotRef<'p>, outcome: Outcome) -> Option<JobError> {
        Some(match outcome {
            Outcome::Returned => return None,
            Outcome::Cancelled => JobError::Cancelled,
            Outcome::Panicked => JobError::Panicked(Panic::unknown()),
            Outcome::WorkerLost => JobError::WorkerLost(LossReason::DECLARED),
            // SAFETY: failed, so a failure is there (the caller's promise).
            Outcome::Failed => unsafe {
                let place = slot.payload_shared();
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
    pub(crate) unsafe fn take_panic(self, slot: SlotRef<'p>) -> Panic {
        // SAFETY: the caller's promise.
        unsafe {
            let place = &mut *slot.payload().cast::<ManuallyDrop<Panic>>();
            core::mem::replace(&mut **place, Panic::unknown())
        }
    }
}

/// What is left to do for a completer. If something of the user's unwinds, the rest is still done.
struct Settling<'p> {
    pool: Pool<'p>,
    slot: SlotRef<'p>,
    outcome: Outcome,
    published: bool,
    /// The number plus one of the worker that completes the job; 0 if it is none.
    runner: u16,
    /// Nothing is left to do with the slot.
    over: bool,
    /// Collected, to be told.
    waiter: Option<ListenerCell>,
    /// To be left at the very end.
    scope: Option<Scoped>,
}

impl Settling<'_> {
    fn go_on(&mut self) {
        let Self { pool, slot, .. } = *self;
        while !self.over {
            let unpublished = (!mem::replace(&mut self.published, true)).then_some(self.outcome);
            let next = slot.state.settle(unpublished, self.runner);
            match next {
                Settle::Callbacks => pool.run_callbacks(slot),
                Settle::Waiter => {
                    self.over = true;
                    // SAFETY: TELLING, by this completer just now: the cell is full, and nobody
                    // writes it.
                    let waiter = unsafe { slot.listener().assume_init() };
                    // TELLING keeps the slot, whose link a set's list needs.
                    waiter.report(pool, slot);
                    self.waiter = Some(waiter);
                    pool.leave_slot(slot, TELLING);
                }
                Settle::Left => self.over = true,
                Settle::Unclaimed | Settle::TakenOver => {
                    self.over = true;
                    let is_late = next == Settle::TakenOver;
                    if is_late {
                        // Whoever declared the worker lost has told the scope.
                        self.scope = None;
                    }
                    let _free = Defer(|| pool.leave_slot(slot, if is_late { LOST } else { BUSY }));
                    let _dropped = Defer(|| {
                        // SAFETY: there is no handle; or the outcome is `WorkerLost`, which has no payload,
                        // so what is there is still the worker's.
                        unsafe { pool.drop_payload(slot, self.outcome) };
                    });
                    if is_late {
                        trace!("job {} is too late", slot.index());
                    }
                }
            }
        }
        if let Some(waiter) = self.waiter.take() {
            pool.guarded(&mut || {
                // SAFETY: collected by this completer, and taken here alone.
                unsafe { waiter.tell(pool) };
            });
        }
        if let Some(scope) = self.scope.take() {
            pool.guarded(&mut || {
                // SAFETY: the scope waits for this call, once for each of its jobs.
                unsafe { scope.leave() };
            });
        }
    }
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.go_on();
    }
}

/// A task, which the caller is `BUSY` with, returned `Pending`. `begun`: its state then.
pub(crate) fn suspend<'p>(pool: Pool<'p>, slot: SlotRef<'p>, begun: Snapshot) {
    match slot.state.suspend() {
        Suspension::Suspended => {
            if slot.awaits().is_some() {
                pool.look_for_circles(slot);
            }
            pool.end_if_over(slot);
        }
        Suspension::Requeue => {
            pool.enqueue(slot.index(), begun.priority());
            pool.wake_worker();
            // The slot's next job, if it has one by now, has come to its end as well then.
            pool.end_if_over(slot);
        }
        Suspension::Cancel => pool.end_unrun(slot, Outcome::Cancelled),
    }
}

/// Runs a chain of callbacks, of which `newest` (a slot's index plus one) was added last, in the order
/// in which they were added.
///
/// # Safety
///
/// The chain is the caller's. It was added to the job in `slot`, which has ended and whose
/// payload stays as it is meanwhile.
pub(crate) unsafe fn run_chain<'p>(pool: Pool<'p>, newest: u16, slot: SlotRef<'p>) {
    let next = Cell::new(pool.reverse_chain(newest));
    let run = || {
        while let Some(callback) = next.get().checked_sub(1) {
            let place = pool.slot(callback);
            next.set(place.link.load(Ordering::Relaxed));
            let _free = Defer(|| pool.free_slot(place));
            pool.guarded(&mut || {
                // SAFETY: a slot in the chain holds a callback, and belongs to who takes the chain.
                unsafe { (place.vtable().run)(place.payload(), pool, slot) };
            });
        }
    };
    // If one unwinds, the others are still called.
    let _rest = Defer(run);
    run();
}

const _: () = assert!(
    size_of::<Failure>() <= LEAST
        && align_of::<Failure>() <= PAYLOAD_ALIGN
        && align_of::<Panic>() <= PAYLOAD_ALIGN
);
