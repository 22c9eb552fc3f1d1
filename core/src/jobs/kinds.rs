//! The kinds of job: closures, tasks, callbacks and promises. Two more are elsewhere: `Call`, a map's
//! job, in `api/map.rs`, and `Travelling`, a remote job, in `jobs/remote_job.rs`.

use core::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    engine::wakers::task_waker,
    engine::{callbacks, outcome, run},
    error::JobError,
    jobs::job::{Job, JobPlace},
    jobs::token::CancelToken,
    memory::pool::Pool,
    memory::slot::{RunChain, SlotRef, Suspend},
};

/// A closure.
pub(crate) struct Closure<F>(pub(crate) F);

impl<F: FnOnce() -> T, T> Job for Closure<F> {
    type Output = T;

    #[inline(always)]
    fn step<'p>(this: JobPlace<'_, Self>, _pool: Pool<'p>, _slot: SlotRef<'p>) -> Poll<T> {
        Poll::Ready((this.take().0)())
    }
}

/// A closure that reads its cancel token.
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
        // SAFETY: the job is in its payload, and stays there until it is dropped there. So it is
        // pinned.
        let future = unsafe { Pin::new_unchecked(&mut this.place.assume_init_mut().0) };
        future.poll(&mut Context::from_waker(&waker))
    }
}

/// A callback: a closure that looks at the outcome of another job.
pub(crate) struct Callback<F, T>(pub(crate) F, pub(crate) PhantomData<fn(T)>);

impl<F: FnOnce(Result<&T, &JobError>), T> Job for Callback<F, T> {
    type Output = ();
    const RUN_CHAIN: Option<RunChain> = Some(callbacks::run_chain);

    fn step<'p>(this: JobPlace<'_, Self>, pool: Pool<'p>, slot: SlotRef<'p>) -> Poll<()> {
        let callback = this.take().0;
        let outcome = slot.state.load().outcome();
        // SAFETY: it is the job's outcome, and the payload stays until all callbacks have returned.
        match unsafe { outcome::error(pool, slot, outcome) } {
            Some(error) => callback(Err(&error)),
            // SAFETY: `add_done_callback` made the callback for a job with a result of type `T`.
            // The job has returned, and its result is only read until all callbacks have returned.
            None => callback(Ok(unsafe { &*outcome::result_place(slot).cast::<T>() })),
        }
        Poll::Ready(())
    }
}

/// The place of a result that a promise's holder sets.
pub(crate) struct Promised<T>(pub(crate) PhantomData<fn() -> T>);

impl<T> Job for Promised<T> {
    type Output = T;

    fn step<'p>(_this: JobPlace<'_, Self>, _pool: Pool<'p>, _slot: SlotRef<'p>) -> Poll<T> {
        // A promise's index is in no queue, so no worker runs it.
        Poll::Pending
    }
}
