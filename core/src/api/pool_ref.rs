//! Submitting: how a job gets into a slot and into the queue.

use core::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, RawWakerVTable, Waker},
    time::Duration,
};

use crate::{
    api::{future::JobFuture, promise::Promise, wait::Registration},
    engine::{block::Awaited, slots::Claim},
    error::{Blocked, NoWorker, SubmitError},
    jobs::{
        kinds::{Cancellable, Closure, Job, Promised, Task, VTableOf},
        token::CancelToken,
    },
    lockfree::{
        defer::Defer,
        state::{BUSY, HANDLE, Occupied, PROMISED, QUEUED, SCOPED, TASK},
        sync::{Ordering, fence},
    },
    memory::{
        payload::{NoSpill, Spill, Stored, capacity},
        pool::{BROKEN, Pool, ROOM, SHUT_DOWN},
        scoped::ScopeState,
        slot::SlotRef,
    },
};

/// A pool of any size, with a priority to submit at: what all of a pool's methods work on.
///
/// Copy it, pass it by value, store it. It names the pool's `BYTES`, so that a job that does not fit
/// is a build error, and nothing else of its type. A [`StaticPool`](crate::StaticPool) has the same
/// methods and is documented there.
pub struct PoolRef<'p, const BYTES: usize, S = NoSpill> {
    pub(crate) raw: Pool<'p>,
    pub(crate) priority: usize,
    /// For its tasks: knows how to get from a slot's address to the pool.
    task_wakers: &'static RawWakerVTable,
    spill: PhantomData<fn() -> S>,
}

impl<const BYTES: usize, S> Clone for PoolRef<'_, BYTES, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const BYTES: usize, S> Copy for PoolRef<'_, BYTES, S> {}

impl<const BYTES: usize, S> fmt::Debug for PoolRef<'_, BYTES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolRef")
            .field("capacity", &self.raw.geometry().slots())
            .field("bytes", &BYTES)
            .field("workers", &self.raw.joined())
            .finish()
    }
}

#[cfg(feature = "defmt")]
impl<const BYTES: usize, S> defmt::Format for PoolRef<'_, BYTES, S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "PoolRef({=usize} slots, {=usize} bytes)",
            self.raw.geometry().slots(),
            BYTES
        );
    }
}

impl<'p> Pool<'p> {
    /// A slot for a job. `None`: see `refusal`.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn admit(self, priority: usize) -> Option<Claim> {
        if !self.admits(priority) {
            return None;
        }
        self.claim_slot_to_queue(priority)
    }

    /// Whether the pool takes jobs of this priority.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn admits(self, priority: usize) -> bool {
        priority < self.geometry().priorities && !self.is_closed()
    }

    /// Why a job was not admitted, or was taken back.
    #[cold]
    fn refusal(self, priority: usize) -> SubmitError<()> {
        if priority >= self.geometry().priorities {
            return SubmitError::NoSuchPriority(());
        }
        match self.broken_reason() {
            Some(reason) => SubmitError::Broken((), reason),
            None if self.is_closed() => SubmitError::ShutDown(()),
            None => SubmitError::Full(()),
        }
    }

    /// Moves a job into a free slot and queues it. The last `KEPT` bytes of the payload are `keep`'s to write: a
    /// scope's address, if any, which has counted the job in by then. The slot has a handle, which the caller makes.
    ///
    /// # Safety
    ///
    /// The job and its result may be run and dropped in any context, until the slot is free: they
    /// are `Send` and outlive that.
    // Each closure is a type of its own, and so has code of its own here. Inlined, that need not look up what is
    // known where it is submitted, nor read the future from memory as soon as it is written. For a chip a program
    // is built as a whole, and so it is inlined where that pays.
    #[cfg_attr(target_os = "none", inline)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) unsafe fn put<J: Job, S: Spill, const BYTES: usize, const KEPT: usize>(
        self,
        priority: usize,
        keep: impl FnOnce(SlotRef<'p>, *mut u8),
        job: J,
    ) -> Result<SlotRef<'p>, SubmitError<J>> {
        const { VTableOf::<J, S, BYTES, KEPT>::FITS };
        let Some(claim) = self.admit(priority) else {
            return Err(self.refusal(priority).map(|()| job));
        };
        let slot = self.slot(claim.index);
        // SAFETY: the slot was claimed just now, or taken over, so it is the caller's and empty; `FITS` says that
        // the job fits before the last KEPT bytes, or spills.
        unsafe {
            slot.set_vtable(&VTableOf::<J, S, BYTES, KEPT>::TABLE);
            let payload = slot.payload();
            // What spills it may unwind.
            let unwound = Defer(|| self.unclaim(claim));
            Stored::<J, S, BYTES, KEPT>::put(payload, job);
            unwound.disarm();
            keep(slot, payload.add(capacity(BYTES) - KEPT));
        }
        if J::SUSPEND.is_some() {
            slot.set_depends(0);
        }
        let scoped = if KEPT > 0 { SCOPED } else { 0 };
        let task = if J::SUSPEND.is_some() { TASK } else { 0 };
        let bits = QUEUED | HANDLE | scoped | task;
        let Err(refused) = self.launch(slot, claim, priority, bits) else {
            return Ok(slot);
        };
        // SAFETY: taken back before anybody began it: the job is there, and the caller's.
        Err(unsafe { self.take_back::<J, S, BYTES, KEPT>(slot, priority, refused) })
    }

    /// Moves a job out of the slot that it was queued in, and leaves the slot. Why it was refused: for this reason,
    /// since there is no worker, or for the pool's end.
    ///
    /// # Safety
    ///
    /// The job is in the slot, stored like this, and is the caller's, as the handle is.
    // Apart on a host, as a submit is quicker then; part of it on a chip, as a program is smaller then.
    #[cfg_attr(target_os = "none", inline(always))]
    #[cfg_attr(not(target_os = "none"), cold, inline(never))]
    unsafe fn take_back<J: Job, S: Spill, const BYTES: usize, const KEPT: usize>(
        self,
        slot: SlotRef<'p>,
        priority: usize,
        refused: Option<NoWorker>,
    ) -> SubmitError<J> {
        // Even if what has spilled it unwinds.
        let leave_scope = VTableOf::<J, S, BYTES, KEPT>::TABLE.leave_scope;
        let left = Defer(move || self.leave_refused(slot, leave_scope));
        // SAFETY: the caller's promise.
        let job = unsafe { Stored::<J, S, BYTES, KEPT>::take(slot.payload()) };
        drop(left);
        match refused {
            Some(reason) => SubmitError::NoWorker(job, reason),
            None => self.refusal(priority).map(|()| job),
        }
    }

    /// The submitter leaves the slot of a job that it has taken back, and that nobody begins any more.
    #[cold]
    fn leave_refused(self, slot: SlotRef<'p>, leave_scope: Option<unsafe fn(*const ScopeState)>) {
        if let Some(leave) = leave_scope {
            // SAFETY: the slot is still occupied by a scoped job, which was counted in.
            unsafe { leave(slot.scope_address(self.geometry().bytes)) };
        }
        self.leave_slot(slot, BUSY | HANDLE);
        // Its index is in the queue: who waits for the pool's end may have seen it there. In this order: of two
        // who come here at the same time, one takes both out.
        let _reaped = Defer(|| self.reap());
        self.wake_all_at_the_end();
    }

    /// Queues the job in a slot, whose state is then these bits, and wakes a worker. An error: the job was taken
    /// back, since the slot is the pool's no more or the pool has come to its end, or since there is no worker, for
    /// this reason.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn launch(
        self,
        slot: SlotRef<'p>,
        claim: Claim,
        priority: usize,
        bits: u32,
    ) -> Result<(), Option<NoWorker>> {
        let is_queued = if claim.is_queued {
            match slot.state.occupy_taken_over(priority, bits) {
                Occupied::Queued => true,
                Occupied::Unqueued => false,
                Occupied::Reaped => return Err(None),
            }
        } else {
            slot.state.occupy(priority, bits);
            false
        };
        if !is_queued {
            self.enqueue(claim.index, priority);
        }
        // A port that unwinds has the job go on without its future.
        let unwound = Defer(|| self.drop_handle(slot));
        // After the fence in `call_worker`: if the pool's end began before the push, it is seen
        // there; if not, whoever ends the pool sees the push. The handle keeps the slot meanwhile.
        let refused = match self.call_worker() {
            Ok(phase) if phase & (SHUT_DOWN | BROKEN) == 0 => {
                unwound.disarm();
                return Ok(());
            }
            Ok(_) => None,
            Err(reason) => Some(reason),
        };
        unwound.disarm();
        if slot.state.take_back() {
            Err(refused)
        } else {
            Ok(())
        }
    }

    /// Waits until there is a slot for a job of this priority, or was for a moment, or the pool takes no more work.
    pub(crate) fn wait_for_room(
        self,
        priority: usize,
        deadline: Option<Duration>,
    ) -> Result<(), Blocked> {
        struct AwaitedRoom<'p> {
            pool: Pool<'p>,
            priority: usize,
            room: RoomWaiter<'p>,
            refused: bool,
        }
        impl<'p> Awaited<'p> for AwaitedRoom<'p> {
            fn poll(&mut self, waker: Option<&Waker>) -> bool {
                let Some(waker) = waker else {
                    return self.pool.has_room(self.priority) || self.pool.is_closed();
                };
                let waits = self.room.poll(self.pool, self.priority, waker);
                waits.unwrap_or_else(|| {
                    self.refused = true;
                    true
                })
            }
        }
        let mut wait = AwaitedRoom {
            pool: self,
            priority,
            room: RoomWaiter::default(),
            refused: false,
        };
        self.block_on(&mut wait, deadline)?;
        if wait.refused {
            return Err(Blocked::TooManyWaiters);
        }
        Ok(())
    }
}

impl<'p, const BYTES: usize, S: Spill> PoolRef<'p, BYTES, S> {
    pub(crate) fn new(raw: Pool<'p>, task_wakers: &'static RawWakerVTable) -> Self {
        Self {
            raw,
            priority: 0,
            task_wakers,
            spill: PhantomData,
        }
    }

    /// The same pool, storing what does not fit a slot by `Other`.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(1). Each job or result that does not fit costs a [`Spill::store`].
    pub fn spill_to<Other: Spill>(self) -> PoolRef<'p, BYTES, Other> {
        PoolRef {
            raw: self.raw,
            priority: self.priority,
            task_wakers: self.task_wakers,
            spill: PhantomData,
        }
    }

    /// The same pool, submitting at `priority`. See [`StaticPool::at`](crate::StaticPool::at).
    pub fn at(self, priority: usize) -> Self {
        Self { priority, ..self }
    }

    /// How many workers have something to do. Each job that is queued counts as one. So does each
    /// worker that is at work on jobs, however many wait on its stack. For a [`Port`](crate::Port)
    /// that starts workers on demand; out of date at once if others use the pool.
    ///
    /// Promises want no worker, and neither do callers that run jobs while they block.
    ///
    /// * **Context**: any.
    /// * **Cost**: O(SLOTS).
    pub fn workers_wanted(self) -> usize {
        self.raw.workers_wanted()
    }

    /// See [`StaticPool::submit`](crate::StaticPool::submit).
    #[cfg_attr(target_os = "none", inline)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn submit<F, T>(self, job: F) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_job(Closure(job))
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_cancellable`](crate::StaticPool::submit_cancellable).
    pub fn submit_cancellable<F, T>(self, job: F) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce(&CancelToken<'_>) -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_job(Cancellable(job))
            .map_err(|error| error.map(|job| job.0))
    }

    #[cfg_attr(target_os = "none", inline)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn submit_job<J>(self, job: J) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: Job + Send + 'static,
        J::Output: Send + 'static,
    {
        // SAFETY: `Send` and `'static`.
        let slot = unsafe {
            self.raw
                .put::<J, S, BYTES, 0>(self.priority, |_, _| (), job)?
        };
        // SAFETY: `put` set HANDLE, for this.
        Ok(unsafe { JobFuture::new(self.raw, slot) })
    }

    /// See [`StaticPool::submit_remote`](crate::StaticPool::submit_remote).
    #[cfg(feature = "remote")]
    pub fn submit_remote<J>(self, job: J) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: crate::remote::RemoteJob,
    {
        self.submit_job(crate::remote::Travelling(job))
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_remote_blocking`](crate::StaticPool::submit_remote_blocking).
    #[cfg(feature = "remote")]
    pub fn submit_remote_blocking<J>(
        self,
        job: J,
    ) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: crate::remote::RemoteJob,
    {
        self.submit_waiting(crate::remote::Travelling(job), None)
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_detached`](crate::StaticPool::submit_detached).
    pub fn submit_detached<F>(self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        self.submit(job).map(drop)
    }

    /// See [`StaticPool::submit_blocking`](crate::StaticPool::submit_blocking).
    pub fn submit_blocking<F, T>(self, job: F) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_waiting(Closure(job), None)
            .map_err(|error| error.map(|job| job.0))
    }

    /// See [`StaticPool::submit_timeout`](crate::StaticPool::submit_timeout).
    pub fn submit_timeout<F, T>(
        self,
        job: F,
        timeout: Duration,
    ) -> Result<JobFuture<'p, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_waiting(Closure(job), Some(timeout))
            .map_err(|error| error.map(|job| job.0))
    }

    fn submit_waiting<J>(
        self,
        mut job: J,
        timeout: Option<Duration>,
    ) -> Result<JobFuture<'p, J::Output>, SubmitError<J>>
    where
        J: Job + Send + 'static,
        J::Output: Send + 'static,
    {
        let deadline = self.raw.deadline_in(timeout);
        loop {
            job = match self.submit_job(job) {
                Err(SubmitError::Full(job)) => job,
                outcome => return outcome,
            };
            let room =
                deadline.and_then(|deadline| self.raw.wait_for_room(self.priority, deadline));
            match room {
                Ok(()) => {}
                Err(Blocked::NoClock) => return Err(SubmitError::NoClock(job)),
                Err(Blocked::WouldDeadlock) => return Err(SubmitError::WouldDeadlock(job)),
                Err(Blocked::TooManyWaiters) => return Err(SubmitError::TooManyWaiters(job)),
                Err(Blocked::TimedOut) => return Err(SubmitError::Full(job)),
            }
        }
    }

    /// See [`StaticPool::submit_async`](crate::StaticPool::submit_async).
    pub fn submit_async<F, T>(self, job: F) -> SubmitAsync<'p, F, T, BYTES, S>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        SubmitAsync {
            pool: self,
            job: Some(job),
            room: RoomWaiter::default(),
            result: PhantomData,
        }
    }

    /// See [`StaticPool::promise`](crate::StaticPool::promise).
    pub fn promise<T>(self) -> Result<(Promise<'p, T>, JobFuture<'p, T>), SubmitError<()>>
    where
        T: Send + 'static,
    {
        const { VTableOf::<Promised<T>, S, BYTES, 0>::FITS };
        // A promise is in no queue, and so it takes no other's place there.
        let admitted = self.raw.admits(self.priority);
        let Some(index) = admitted.then(|| self.raw.claim_slot()).flatten() else {
            return Err(self.raw.refusal(self.priority));
        };
        let slot = self.raw.slot(index);
        // SAFETY: the slot was claimed just now; `FITS` was checked.
        unsafe {
            slot.set_vtable(&VTableOf::<Promised<T>, S, BYTES, 0>::TABLE);
            Stored::<Promised<T>, S, BYTES, 0>::put(slot.payload(), Promised(PhantomData));
        }
        slot.state.occupy(self.priority, QUEUED | PROMISED | HANDLE);
        // SAFETY: QUEUED and HANDLE stand for these two.
        Ok(unsafe {
            (
                Promise::new::<S, BYTES>(self.raw, slot),
                JobFuture::new(self.raw, slot),
            )
        })
    }
}

impl<const BYTES: usize, S: Spill> PoolRef<'static, BYTES, S> {
    /// See [`StaticPool::spawn`](crate::StaticPool::spawn).
    pub fn spawn<Fut>(self, task: Fut) -> Result<JobFuture<'static, Fut::Output>, SubmitError<Fut>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        self.raw.set_task_wakers(self.task_wakers);
        self.submit_job(Task(task))
            .map_err(|error| error.map(|task| task.0))
    }
}

/// A wait for a free slot, or for the pool's end.
#[derive(Default)]
struct RoomWaiter<'p> {
    place: Option<Registration<'p>>,
}

impl<'p> RoomWaiter<'p> {
    /// Leaves the waker; true if there may be room instead, or the pool takes no more work. `None` if there is no
    /// place to leave it.
    fn poll(&mut self, pool: Pool<'p>, priority: usize, waker: &Waker) -> Option<bool> {
        if self.place.as_ref().is_none_or(|place| !place.is_for(waker)) {
            self.place = None;
            self.place = Registration::begin(pool, waker, ROOM);
        }
        // The waker is in its place before the mark, and the mark is made only if nothing is free.
        let full = pool.mark_room_wanted();
        // Pairs with the fences of `wake_all_workers`, of `wake_all_at_the_end` and of `leave_stale`: either the pool's
        // end, or that of a job in the queue, is seen here, or the waker there.
        fence(Ordering::SeqCst);
        let waits = full && !pool.is_closed() && !pool.has_room(priority);
        if waits && self.place.is_none() {
            return None;
        }
        Some(!waits)
    }
}

/// A submit that waits for room without blocking: the future that
/// [`submit_async`](crate::StaticPool::submit_async) returns.
///
/// Nothing is submitted before it is polled. Polled again after it was ready, it stays pending. The
/// pool can hold the wakers of WAITERS such waits at a time; one more ends with
/// [`SubmitError::TooManyWaiters`].
///
/// * **Context**: any may poll it.
/// * **Cost**: a poll costs a [`submit`](crate::StaticPool::submit). In a full pool it is
///   O(SLOTS + WAITERS).
/// * **Cancel safety**: dropped before it is ready, it has submitted nothing, and drops the closure.
#[must_use = "nothing is submitted until it is awaited"]
pub struct SubmitAsync<'p, F, T, const BYTES: usize, S = NoSpill> {
    pool: PoolRef<'p, BYTES, S>,
    job: Option<F>,
    room: RoomWaiter<'p>,
    result: PhantomData<fn() -> T>,
}

impl<F, T, const BYTES: usize, S> Unpin for SubmitAsync<'_, F, T, BYTES, S> {}

impl<'p, F, T, const BYTES: usize, S: Spill> Future for SubmitAsync<'p, F, T, BYTES, S>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<JobFuture<'p, T>, SubmitError<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let Some(job) = self.job.take() else {
                return Poll::Pending;
            };
            match self.pool.submit(job) {
                Err(SubmitError::Full(job)) => self.job = Some(job),
                outcome => {
                    self.room.place = None;
                    return Poll::Ready(outcome);
                }
            }
            let pool = self.pool.raw;
            let priority = self.pool.priority;
            match self.room.poll(pool, priority, cx.waker()) {
                Some(true) => {}
                Some(false) => return Poll::Pending,
                None => {
                    let refused = self.job.take().map(SubmitError::TooManyWaiters);
                    return refused.map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
                }
            }
        }
    }
}

impl<F, T, const BYTES: usize, S> fmt::Debug for SubmitAsync<'_, F, T, BYTES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitAsync")
            .field("submitted", &self.job.is_none())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<F, T, const BYTES: usize, S> defmt::Format for SubmitAsync<'_, F, T, BYTES, S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "SubmitAsync(submitted: {=bool})", self.job.is_none());
    }
}
