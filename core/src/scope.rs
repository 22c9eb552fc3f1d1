//! Jobs that borrow from the caller's stack.
//!
//! A scope does not end before its last job has: by then nothing that they borrow is used. That
//! holds however the scope's closure ends, by a panic too, and whatever becomes of the jobs'
//! futures, since the count of jobs is kept by the jobs and not by the futures. The idea and the
//! lifetimes are those of `std::thread::scope`.
//!
//! The scope's state is on the stack of its caller. Each scoped job's payload ends with its
//! address; the completer counts the job out, as the very last thing it does with it. The waker is
//! there from the beginning and is cloned before the count reaches zero, since with that the frame
//! may be gone.

use core::{fmt, marker::PhantomData, ptr, task::Waker};

use crate::{
    block::Wait,
    error::SubmitError,
    future::JobFuture,
    job::{BuildError, Closure, Job, LEAST, Spill, capacity},
    map::{DEFAULT_WINDOW, Map, MapError, MapOptions, Submitter, sealed},
    pool::Raw,
    slot::PAYLOAD_ALIGN,
    submit::PoolRef,
    sync::{AtomicUsize, Ordering},
    work::Defer,
};

/// How many of a scope's jobs have not ended, and whom to wake when none is left.
pub(crate) struct ScopeState {
    pending: AtomicUsize,
    waker: Waker,
}

impl ScopeState {
    /// A job of the scope has ended, and nothing that it borrows is used any more.
    ///
    /// # Safety
    ///
    /// `scope` is the address of a scope that counted the caller's job in. It is called once for
    /// each such job, and `scope` is not used after.
    pub(crate) unsafe fn leave(scope: *const Self) {
        // SAFETY: the frame is there until the count is zero, and this job is still counted.
        let pending = unsafe { &(*scope).pending };
        let mut now = pending.load(Ordering::Relaxed);
        loop {
            let waker = if now == 1 {
                // SAFETY: as above; the waker is never written.
                Some(unsafe { (*scope).waker.clone() })
            } else {
                None
            };
            // Release: what the job did comes before the scope's end, which reads with Acquire.
            match pending.compare_exchange_weak(now, now - 1, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => {
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                    return;
                }
                Err(other) => now = other,
            }
        }
    }
}

/// A job's membership of a scope.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    /// [`ScopeState::leave`].
    pub(crate) leave: unsafe fn(*const ScopeState),
    pub(crate) scope: *const ScopeState,
}

impl Member {
    /// The job has ended.
    ///
    /// # Safety
    ///
    /// As for [`ScopeState::leave`].
    pub(crate) unsafe fn leave(self) {
        // SAFETY: the caller's promise.
        unsafe { (self.leave)(self.scope) };
    }
}

/// Where jobs can borrow for `'env`: what the closure of
/// [`StaticPool::scope`](crate::StaticPool::scope) is given.
pub struct Scope<'scope, 'env: 'scope, const BYTES: usize, S = BuildError> {
    pool: PoolRef<'scope, BYTES, S>,
    state: &'scope ScopeState,
    /// Whether the caller can wait for the jobs.
    may_block: bool,
    /// Invariant in both, as in `std::thread::Scope`, so that neither can be shortened.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope, 'env, const BYTES: usize, S: Spill> Scope<'scope, 'env, BYTES, S> {
    /// Submits a job that may borrow what lives longer than the scope.
    ///
    /// # Errors
    ///
    /// As for [`StaticPool::submit`](crate::StaticPool::submit), and
    /// [`SubmitError::WouldDeadlock`] if the scope was opened in a context that may not block, such
    /// as an interrupt handler: it could not wait for the job.
    pub fn submit<F, T>(&'scope self, job: F) -> Result<JobFuture<'scope, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: `Send`, and the scope outlives the job.
        unsafe { self.put_scoped(Closure(job)) }.map_err(|error| error.map(|job| job.0))
    }

    /// Calls `function` with each item, each call a job; results come in the items' order. See
    /// [`StaticPool::map`](crate::StaticPool::map).
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
        // SAFETY: `Send`, and the scope outlives the jobs.
        unsafe { Map::new(self, items.into_iter(), function, DEFAULT_WINDOW, None) }
    }

    /// [`map`](Self::map) with options. See
    /// [`StaticPool::map_with`](crate::StaticPool::map_with).
    ///
    /// # Errors
    ///
    /// See [`MapError`].
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
        let deadline = options.check(self.pool.raw)?;
        let items = items.into_iter();
        // SAFETY: `Send`, and the scope outlives the jobs.
        Ok(unsafe { Map::new(self, items, function, options.buffer_size, deadline) })
    }

    /// # Safety
    ///
    /// Job and output are `Send` and outlive the scope.
    unsafe fn put_scoped<J: Job>(
        &self,
        job: J,
    ) -> Result<JobFuture<'scope, J::Output>, SubmitError<J>> {
        const {
            assert!(
                PAYLOAD_ALIGN + LEAST <= capacity(BYTES),
                "a scope needs slots of at least 32 bytes: raise the pool's BYTES"
            );
        }
        if !self.may_block {
            return Err(SubmitError::WouldDeadlock(job));
        }
        self.state.pending.fetch_add(1, Ordering::Relaxed);
        let state = ptr::from_ref(self.state);
        let keep = |end: *mut u8| {
            // SAFETY: PAYLOAD_ALIGN bytes are kept here, which have room for a pointer and are aligned.
            unsafe { end.cast::<*const ScopeState>().write(state) };
        };
        // SAFETY: the scope ends only when each job that was counted in has been counted out.
        let put = unsafe {
            self.pool
                .raw
                .put::<J, S, BYTES, PAYLOAD_ALIGN>(self.pool.priority, keep, job)
        };
        match put {
            // SAFETY: `put` set HANDLE for this.
            Ok(slot) => Ok(unsafe { JobFuture::new(self.pool.raw, slot) }),
            Err(error) => {
                // SAFETY: counted in above; the job did not get anywhere.
                unsafe { ScopeState::leave(self.state) };
                Err(error)
            }
        }
    }
}

impl<'scope, 'env, const BYTES: usize, S: Spill> Submitter<'scope>
    for &'scope Scope<'scope, 'env, BYTES, S>
{
}

impl<'scope, 'env, const BYTES: usize, S: Spill> sealed::Submitter<'scope>
    for &'scope Scope<'scope, 'env, BYTES, S>
{
    #[allow(private_interfaces)]
    fn pool(&self) -> Raw<'scope> {
        self.pool.raw
    }

    #[allow(private_interfaces, private_bounds)]
    unsafe fn put<J: Job>(&self, job: J) -> Result<JobFuture<'scope, J::Output>, SubmitError<J>> {
        // SAFETY: the caller's promise.
        unsafe { self.put_scoped(job) }
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

impl<'p, const BYTES: usize, S: Spill> PoolRef<'p, BYTES, S> {
    /// See [`StaticPool::scope`](crate::StaticPool::scope).
    pub fn scope<'env, F, R>(self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env, BYTES, S>) -> R,
    {
        /// Waits for the jobs, however the closure ends.
        struct WaitForJobs<'a, 'p> {
            pool: Raw<'p>,
            state: &'a ScopeState,
        }
        impl WaitForJobs<'_, '_> {
            fn wait(&self) {
                // Acquire: pairs with the Release of `leave`.
                while self.state.pending.load(Ordering::Acquire) != 0 {
                    // The state has the waker of this context already. There is no way out but the
                    // jobs' end, so whatever the wait says, it is not over before.
                    let _ = self.pool.block_on(Wait {
                        // Relaxed: the loop looks again.
                        poll: &mut |_| self.state.pending.load(Ordering::Relaxed) == 0,
                        deadline: None,
                        target: None,
                    });
                }
            }
        }
        impl Drop for WaitForJobs<'_, '_> {
            fn drop(&mut self) {
                // A job that is run here meanwhile may unwind, if no port catches it. The frame must
                // not go before the others' end all the same.
                let _others = Defer(|| self.wait());
                self.wait();
            }
        }
        let waker = self.raw.own_waker();
        let may_block = waker.is_some();
        let state = ScopeState {
            pending: AtomicUsize::new(0),
            waker: waker.unwrap_or(Waker::noop().clone()),
        };
        let wait = WaitForJobs {
            pool: self.raw,
            state: &state,
        };
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
