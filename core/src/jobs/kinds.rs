//! The kinds of job, and how each is run and dropped.
//!
//! A slot knows its job's type only through a [`JobVTable`]. This module makes those tables: for
//! closures, for tasks (futures), for callbacks and for promises.

use core::{
    future::Future,
    marker::PhantomData,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    engine::wakers::task_waker,
    engine::{callbacks, outcome, run},
    error::JobError,
    jobs::token::CancelToken,
    memory::payload::{PAYLOAD_ALIGN, Spill, Stored},
    memory::pool::Pool,
    memory::scoped::ScopeState,
    memory::slot::{JobVTable, RunChain, SlotRef, Step, Suspend},
};

/// Something that can be run in a slot.
pub(crate) trait Job: Sized {
    /// What it results in.
    type Output;
    /// See [`JobVTable::suspend`].
    const SUSPEND: Option<Suspend> = None;
    /// See [`JobVTable::run_chain`].
    const RUN_CHAIN: Option<RunChain> = None;
    /// See [`JobVTable::travel`].
    #[cfg(feature = "remote")]
    const TRAVELS: Option<crate::remote::Travels<Self>> = None;
    /// One step of it. `self` is pinned from the first step on.
    fn step<'p>(this: JobPlace<'_, Self>, pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<Self::Output>;
}

/// A job where it lies. A closure takes itself out to run; a task is polled in place.
pub(crate) struct JobPlace<'a, J> {
    place: &'a mut MaybeUninit<J>,
    /// Whether the job is still there.
    there: &'a mut bool,
}

impl<J> JobPlace<'_, J> {
    pub(crate) fn take(self) -> J {
        *self.there = false;
        // SAFETY: the job was there, as `run` says, and is not any more.
        unsafe { self.place.assume_init_read() }
    }
}

/// A closure.
pub(crate) struct Closure<F>(pub(crate) F);

impl<F: FnOnce() -> T, T> Job for Closure<F> {
    type Output = T;

    #[inline(always)]
    fn step<'p>(this: JobPlace<'_, Self>, _pool: Pool<'p>, _slot: SlotRef<'p>) -> Poll<T> {
        Poll::Ready((this.take().0)())
    }
}

/// A closure that looks at its cancel token.
pub(crate) struct Cancellable<F>(pub(crate) F);

impl<F: FnOnce(&CancelToken<'_>) -> T, T> Job for Cancellable<F> {
    type Output = T;

    #[inline]
    fn step<'p>(this: JobPlace<'_, Self>, _pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<T> {
        Poll::Ready((this.take().0)(&CancelToken::new(slot)))
    }
}

/// A future.
pub(crate) struct Task<Fut>(pub(crate) Fut);

impl<Fut: Future> Job for Task<Fut> {
    type Output = Fut::Output;
    const SUSPEND: Option<Suspend> = Some(run::suspend);

    fn step<'p>(this: JobPlace<'_, Self>, pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<Fut::Output> {
        // SAFETY: a task is made only by `spawn`, of a pool that lives for ever.
        let waker = unsafe { task_waker(pool, slot) };
        // SAFETY: the job is there; it stays in its payload until it is dropped there, so it is
        // pinned.
        let future = unsafe { Pin::new_unchecked(&mut this.place.assume_init_mut().0) };
        future.poll(&mut Context::from_waker(&waker))
    }
}

/// A callback: a closure that looks at another job's outcome.
pub(crate) struct Callback<F, T>(pub(crate) F, pub(crate) PhantomData<fn(T)>);

impl<F: FnOnce(Result<&T, &JobError>), T> Job for Callback<F, T> {
    type Output = ();
    const RUN_CHAIN: Option<RunChain> = Some(callbacks::run_chain);

    fn step<'p>(this: JobPlace<'_, Self>, pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<()> {
        let callback = this.take().0;
        let outcome = slot.state.load().outcome();
        // SAFETY: the job's outcome; its payload stays until all callbacks have returned.
        match unsafe { outcome::error(pool, slot, outcome) } {
            Some(error) => callback(Err(&error)),
            // SAFETY: `add_done_callback` made the callback for a job that results in a `T`. The job
            // has returned, and its result is only looked at until all callbacks have returned.
            None => callback(Ok(unsafe { &*outcome::result_place(slot).cast::<T>() })),
        }
        Poll::Ready(())
    }
}

/// The place of a result that somebody will set by hand.
pub(crate) struct Promised<T>(pub(crate) PhantomData<fn() -> T>);

impl<T> Job for Promised<T> {
    type Output = T;

    fn step<'p>(_this: JobPlace<'_, Self>, _pool: Pool<'p>, _slot: SlotRef<'p>) -> Poll<T> {
        // Not in any queue, so never run.
        Poll::Pending
    }
}

/// The vtable of a job `J` in a pool that stores by `S` in `BYTES`, of which the last `KEPT` are kept.
pub(crate) struct VTableOf<J, S, const BYTES: usize, const KEPT: usize>(PhantomData<(J, S)>);

impl<J: Job, S: Spill, const BYTES: usize, const KEPT: usize> VTableOf<J, S, BYTES, KEPT> {
    pub(crate) const TABLE: JobVTable = JobVTable {
        run: Self::run,
        drop_job: Stored::<J, S, BYTES, KEPT>::drop,
        drop_result: Stored::<J::Output, S, BYTES, KEPT>::drop,
        spilled: Stored::<J::Output, S, BYTES, KEPT>::SPILLED,
        leave_scope: if KEPT == 0 {
            None
        } else {
            Some(ScopeState::leave)
        },
        suspend: J::SUSPEND,
        run_chain: J::RUN_CHAIN,
        #[cfg(feature = "remote")]
        travel: crate::remote::TravelOf::<J, S, BYTES, KEPT>::TRAVEL,
    };

    /// Fails the build if job or result do not fit.
    pub(crate) const FITS: () = {
        if !S::CAN_SPILL {
            assert!(
                align_of::<J>() <= PAYLOAD_ALIGN,
                "the job asks for more alignment than the BYTES of a slot have (8): capture a reference"
            );
            assert!(
                align_of::<J::Output>() <= PAYLOAD_ALIGN,
                "the job's result asks for more alignment than the BYTES of a slot have (8)"
            );
            assert!(
                Stored::<J, S, BYTES, KEPT>::FITS,
                "the job does not fit a slot of the pool: raise the pool's BYTES, or capture a reference"
            );
            assert!(
                Stored::<J::Output, S, BYTES, KEPT>::FITS,
                "the job's result does not fit a slot of the pool: raise the pool's BYTES"
            );
        }
    };

    unsafe fn run<'p>(payload: *mut u8, pool: Pool<'p>, slot: SlotRef<'p>) -> Step {
        /// Drops the job, if it is still there, when its step is over or has panicked.
        struct Leave<J, S: Spill, const BYTES: usize, const KEPT: usize> {
            payload: *mut u8,
            place: *mut J,
            there: bool,
            keep: bool,
            marker: PhantomData<S>,
        }
        impl<J, S: Spill, const BYTES: usize, const KEPT: usize> Drop for Leave<J, S, BYTES, KEPT> {
            fn drop(&mut self) {
                if self.keep {
                    return;
                }
                if self.there {
                    // SAFETY: the job is there, and nobody else is at work on it.
                    unsafe { Stored::<J, S, BYTES, KEPT>::drop(self.payload) };
                } else {
                    // SAFETY: the job was moved out.
                    unsafe { Stored::<J, S, BYTES, KEPT>::release(self.place.cast()) };
                }
            }
        }
        let mut leave = Leave::<J, S, BYTES, KEPT> {
            payload,
            // SAFETY: the caller owns the payload, which holds a job.
            place: unsafe { Stored::<J, S, BYTES, KEPT>::locate(payload) },
            there: true,
            keep: false,
            marker: PhantomData,
        };
        let place = JobPlace {
            // SAFETY: as above; the reference is the only one.
            place: unsafe { &mut *leave.place.cast() },
            there: &mut leave.there,
        };
        match J::step(place, pool, slot) {
            Poll::Pending => {
                leave.keep = true;
                Step::Pending
            }
            Poll::Ready(output) => {
                drop(leave);
                // SAFETY: the payload is empty now, and the caller's.
                unsafe { Stored::<J::Output, S, BYTES, KEPT>::put(payload, output) };
                Step::Ready
            }
        }
    }
}
