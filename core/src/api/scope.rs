//! Jobs that borrow from the caller's stack.
//!
//! A scope ends after its last job has ended. By then no job uses what it borrowed. The jobs keep
//! the count themselves, so this holds even if the scope's closure panics, and even if the jobs'
//! futures are leaked. The idea and the lifetimes are those of `std::thread::scope`.
//!
//! The scope's state is on the stack of its owner. Each scoped job's payload ends with the address
//! of that state. The completer counts the job out last, after it has left the slot and woken the
//! waiter. The state has the owner's waker from the beginning. The waker belongs to the party that
//! brings the count to zero, since the frame may be gone from then on. The owner counts as one job
//! until its closure is over.

use core::{fmt, marker::PhantomData, mem::ManuallyDrop, ptr, task::Waker};

use crate::{
    api::future::JobFuture,
    api::map::{DEFAULT_WINDOW, Map, MapError, MapOptions, Submitter, sealed},
    api::pool_ref::PoolRef,
    engine::block::{self, Awaited, Limit},
    engine::{run, settle},
    error::SubmitError,
    jobs::ambient::Policy,
    jobs::job::Job,
    jobs::kinds::Closure,
    jobs::submit,
    lockfree::defer::Defer,
    lockfree::part,
    lockfree::state::{BUSY, DONE, LOST, SCOPED, Snapshot, Unbegun},
    lockfree::sync::{AtomicUsize, Ordering, call, spin_loop},
    memory::payload::{LEAST, NoSpill, PAYLOAD_ALIGN, capacity},
    memory::pool::Pool,
    memory::scoped::ScopeState,
    memory::seat::{DependsOn, SeatRef},
    memory::slot::SlotRef,
};

/// A scope, in which jobs can borrow for `'env`. [`StaticPool::scope`](crate::StaticPool::scope)
/// passes it to its closure.
pub struct Scope<'scope, 'env: 'scope, const BYTES: usize, S = NoSpill> {
    pool: PoolRef<'scope, BYTES, S>,
    state: &'scope ScopeState,
    /// Whether the caller can wait for the jobs.
    may_block: bool,
    /// Invariant in both lifetimes, as in `std::thread::Scope`, so that neither can be shortened.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope, 'env, const BYTES: usize, S: Policy> Scope<'scope, 'env, BYTES, S> {
    /// Submits a job that may borrow values which live longer than the scope.
    ///
    /// * **Context**: any, if the scope was opened in one that may block.
    /// * **Cost**: as for [`StaticPool::submit`](crate::StaticPool::submit).
    ///
    /// # Errors
    ///
    /// As for [`StaticPool::submit`](crate::StaticPool::submit). [`SubmitError::WouldDeadlock`] if
    /// the scope was opened in a context that may not block, and so could not wait for the job.
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 64> = StaticPool::new();
    /// let mut samples = [1, 2, 3, 4];
    /// let (low, high) = samples.split_at_mut(2);
    /// POOL.scope(|scope| {
    ///     let half = scope.submit(|| high.iter_mut().for_each(|sample| *sample *= 10)).unwrap();
    ///     low.iter_mut().for_each(|sample| *sample *= 10); // the other half meanwhile
    ///     half.result().unwrap();
    /// });
    /// assert_eq!(samples, [10, 20, 30, 40]);
    /// ```
    pub fn submit<F, T>(&'scope self, job: F) -> Result<JobFuture<'scope, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: the job is `Send`, and the scope outlives it.
        unsafe { self.put_scoped(Closure(job)) }.map_err(|error| error.map(|job| job.0))
    }

    /// Calls `function` with each item, each call as a job. The results come in the items' order.
    ///
    /// * **Context**: any for the call, if the scope was opened in one that may block; any that may
    ///   block for `next`.
    /// * **Cost**: as for [`StaticPool::map`](crate::StaticPool::map).
    ///
    /// # Errors
    ///
    /// As for [`StaticPool::map`](crate::StaticPool::map). If the scope was opened in a context that
    /// may not block, each result is [`JobError::WouldDeadlock`](crate::JobError::WouldDeadlock).
    ///
    /// ```
    /// # use corepool::StaticPool;
    /// static POOL: StaticPool<4, 64> = StaticPool::new();
    /// let words = ["to", "be", "or", "not"].map(String::from);
    /// let lengths = POOL.scope(|scope| {
    ///     let lengths = scope.map(&words, |word| word.len()); // borrowed, not moved
    ///     lengths.map(Result::unwrap).collect::<Vec<_>>()
    /// });
    /// assert_eq!(lengths, [2, 2, 2, 3]);
    /// ```
    pub fn map<I, F, T>(
        &'scope self,
        items: I,
        function: F,
    ) -> Map<'scope, I::IntoIter, F, T, &'scope Self>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Clone + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: the jobs are `Send`, and the scope outlives them.
        unsafe {
            Map::new(
                self,
                items.into_iter(),
                function,
                DEFAULT_WINDOW,
                Limit::NEVER,
            )
        }
    }

    /// [`map`](Self::map) with options.
    ///
    /// * **Context**: as for [`map`](Self::map).
    /// * **Cost**: as for [`StaticPool::map_with`](crate::StaticPool::map_with).
    ///
    /// # Errors
    ///
    /// As for [`StaticPool::map_with`](crate::StaticPool::map_with).
    ///
    /// ```
    /// # use corepool::{MapOptions, StaticPool};
    /// static POOL: StaticPool<4, 64> = StaticPool::new();
    /// let samples = [1, 2, 3, 4];
    /// let options = MapOptions::<2> { buffer_size: 2, timeout: None }; // two jobs ahead at most
    /// let sum: u32 = POOL.scope(|scope| {
    ///     let sums = scope.map_with(options, samples.chunks(2), |part| part.iter().sum::<u32>());
    ///     sums.unwrap().map(Result::unwrap).sum()
    /// });
    /// assert_eq!(sum, 10);
    /// ```
    pub fn map_with<I, F, T, const WINDOW: usize>(
        &'scope self,
        options: MapOptions<WINDOW>,
        items: I,
        function: F,
    ) -> Result<Map<'scope, I::IntoIter, F, T, &'scope Self, WINDOW>, MapError>
    where
        I: IntoIterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Clone + Send + 'scope,
        T: Send + 'scope,
    {
        let limit = options.check(self.pool.erased)?;
        let items = items.into_iter();
        // SAFETY: the jobs are `Send`, and the scope outlives them.
        Ok(unsafe { Map::new(self, items, function, options.buffer_size, limit) })
    }

    /// # Safety
    ///
    /// The job and its output are `Send`, and outlive the scope.
    unsafe fn put_scoped<J: Job>(
        &self,
        job: J,
    ) -> Result<JobFuture<'scope, J::Output>, SubmitError<J>> {
        const {
            assert!(
                PAYLOAD_ALIGN + LEAST <= capacity(BYTES),
                "a scope needs larger slots: raise the pool's BYTES (32 suffice, or 24 on a 32-bit target)"
            );
        }
        if !self.may_block {
            return Err(SubmitError::WouldDeadlock(job));
        }
        part::SCOPES.mark();
        let state = ptr::from_ref(self.state);
        // From here on the job counts. It is counted out when it ends, or when `put` takes it back.
        let keep = |slot: SlotRef<'scope>| {
            self.state.pending.fetch_add(1, Ordering::Relaxed);
            slot.set_depends(self.state.tag);
            // SAFETY: `put` claimed the slot. It keeps the last PAYLOAD_ALIGN of BYTES bytes free,
            // and the pool's payloads have BYTES bytes or more.
            unsafe { slot.set_scope_address(self.pool.erased.geometry().bytes, state) };
        };
        // SAFETY: the scope ends only when each job that was counted in has been counted out.
        let put = unsafe {
            submit::put::<_, S::Spill, BYTES, PAYLOAD_ALIGN>(
                self.pool.erased,
                self.pool.priority,
                keep,
                S::carry(job),
            )
        };
        let slot = put.map_err(|refused| refused.map(S::uncarry))?;
        // SAFETY: `put` set HANDLE for this future.
        Ok(unsafe { JobFuture::new(self.pool.erased, slot) })
    }
}

impl<'scope, 'env, const BYTES: usize, S: Policy> Submitter<'scope>
    for &'scope Scope<'scope, 'env, BYTES, S>
{
}

impl<'scope, 'env, const BYTES: usize, S: Policy> sealed::Submitter<'scope>
    for &'scope Scope<'scope, 'env, BYTES, S>
{
    #[allow(private_interfaces)]
    fn pool(&self) -> Pool<'scope> {
        self.pool.erased
    }

    fn priority(&self) -> usize {
        self.pool.priority
    }

    #[allow(private_interfaces, private_bounds)]
    unsafe fn put<J: Job>(&self, job: J) -> Result<JobFuture<'scope, J::Output>, SubmitError<J>> {
        // SAFETY: the caller's promise.
        unsafe { self.put_scoped(job) }
    }
}

/// A wait for a scope's jobs.
struct AwaitedScope<'a, 'p> {
    pool: Pool<'p>,
    state: &'a ScopeState,
}

impl<'p> AwaitedScope<'_, 'p> {
    fn wait(&mut self) {
        // Acquire: pairs with the Release of `ScopeState::count_out` (`memory/scoped.rs`).
        while self.state.pending.load(Ordering::Acquire) != 0 {
            call("end of scope");
            // The frame must not go before the jobs' end. The wait is refused if the caller has to
            // wait for a seat and all WAITERS places are taken. Then the caller runs queued jobs
            // without a seat.
            if block::wait(self.pool, self, Limit::NEVER).is_err()
                && run::as_guest(self.pool, 1) == 0
            {
                spin_loop();
            }
        }
    }
}

impl<'p> Awaited<'p> for AwaitedScope<'_, 'p> {
    /// Leaves no waker: the scope's state has one of this context already.
    fn poll(&mut self, _waker: Option<&Waker>) -> bool {
        // Relaxed: `AwaitedScope::wait` loads it again, with Acquire.
        self.state.pending.load(Ordering::Relaxed) == 0
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Scope(self.state.tag)
    }

    fn begin(&mut self, runner: u16) -> Option<(SlotRef<'p>, Snapshot)> {
        let tag = self.state.tag;
        if tag == 0 {
            return None;
        }
        let may_be_own = |slot: SlotRef<'_>| {
            let state = slot.state.load();
            state.has(SCOPED) && state.lacks(DONE | BUSY) && slot.scope_tag() == tag
        };
        self.pool.used_slots().find_map(|index| {
            let slot = self.pool.slot(index);
            if !may_be_own(slot) {
                return None;
            }
            let begun = slot.state.begin_in_queue(runner)?;
            // SAFETY: the slot has a scoped job, which the caller is BUSY with.
            let scope = || unsafe { slot.scope_address(self.pool.geometry().bytes) };
            if begun.has(SCOPED) && ptr::eq(scope(), self.state) {
                return Some((slot, begun));
            }
            // The job has just come into the slot, or belongs to another scope that is nested as
            // deep.
            match slot.state.unbegin() {
                Unbegun::Queued => {}
                Unbegun::Unqueued => {
                    self.pool.queues().push(index, begun.priority());
                    self.pool.seats().wake_one();
                }
                Unbegun::Lost => {
                    let _left = Defer(|| self.pool.slots().leave(slot, LOST));
                    // SAFETY: the caller was BUSY when it was declared lost, and the job is still
                    // in the slot.
                    unsafe { settle::drop_job(self.pool, slot) };
                }
            }
            None
        })
    }
}

impl<const BYTES: usize, S> fmt::Debug for Scope<'_, '_, BYTES, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("pending", &self.state.pending.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl<const BYTES: usize, S> defmt::Format for Scope<'_, '_, BYTES, S> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "Scope({=usize} pending)",
            self.state.pending.load(Ordering::Relaxed)
        );
    }
}

impl<'p, const BYTES: usize, S: Policy> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::scope`](crate::StaticPool::scope).
    pub fn scope<'env, F, R>(self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env, BYTES, S>) -> R,
    {
        call("scope");
        let erased = self.erased;
        let waker = erased.seats().own_waker();
        let may_block = waker.is_some();
        let (_open, tag) = erased.seats().current().map(SeatRef::open_scope).unzip();
        let state = ScopeState {
            pending: AtomicUsize::new(1),
            waker: ManuallyDrop::new(waker.unwrap_or(Waker::noop().clone())),
            tag: tag.unwrap_or(0),
        };
        // The caller waits even if the closure unwinds.
        let wait = Defer(|| {
            // The returned waker is not needed: this caller is its owner. `wait` below acquires what the
            // jobs did.
            // SAFETY: this is the scope's frame. The closure is counted out once.
            let _unused = unsafe { ScopeState::count_out(&raw const state) };
            // A job that is run here may unwind, if no port catches it. The frame must stay until
            // the other jobs have ended all the same.
            let _others = Defer(|| {
                AwaitedScope {
                    pool: erased,
                    state: &state,
                }
                .wait()
            });
            AwaitedScope {
                pool: erased,
                state: &state,
            }
            .wait();
        });
        let scope = Scope {
            pool: self,
            state: &state,
            may_block,
            scope: PhantomData,
            env: PhantomData,
        };
        let result = f(&scope);
        drop(wait);
        result
    }
}
