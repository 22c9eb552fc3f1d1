//! A representative use of every call of the core, for a bare-metal target.
//!
//! Each function is exported, so that nothing of what it calls is optimised away. That this builds
//! proves that the core needs no std and no heap: there is no allocator to link. `cargo xtask bare`
//! looks for panics and recursion in what comes of it.
#![no_std]
#![allow(improper_ctypes_definitions)]

#[cfg(any(feature = "control-panic", feature = "control-recursion"))]
mod controls;

use core::{
    future::{Future, poll_fn},
    num::NonZeroUsize,
    panic::PanicInfo,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

// For its critical section.
#[cfg(feature = "critical-section")]
use cortex_m as _;

use corepool::{
    Ambient, CancelOnDrop, ContextId, DynExecutor, Executor, FutureSet, JobError, JobFuture, JobId,
    MapOptions, OnLoss, Parker, Port, ReturnWhen, SpinWorker, StaticPool, SubmitError, Worker,
    WorkerId, as_completed, wait,
};
use portable_atomic::{AtomicU32, Ordering};

static POOL: StaticPool<16, 64, 2> = StaticPool::new();

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    loop {}
}

/// A clock and an identity as a chip would have them.
struct Chip;

impl Parker for Chip {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        core::hint::spin_loop();
    }
}

// SAFETY: there is only one context.
unsafe impl Port for Chip {
    fn context(&self) -> ContextId {
        NonZeroUsize::MIN
    }

    fn now(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(self);
    }
}

impl Worker for Chip {
    fn on_job_end(&self, _job: JobId) {
        core::hint::spin_loop();
    }
}

/// The error's number, so that every way of ending is looked at.
fn code(error: JobError) -> u32 {
    match error {
        JobError::Cancelled => 1,
        JobError::Panicked(_) => 2,
        JobError::WorkerLost(_) => 3,
        JobError::Broken(_) => 4,
        _ => 5,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn install() -> bool {
    POOL.install(&Chip)
}

#[unsafe(no_mangle)]
pub extern "C" fn run_sleeping() -> bool {
    POOL.run(&Chip).is_ok()
}

#[unsafe(no_mangle)]
pub extern "C" fn run_spinning() -> bool {
    POOL.run(&SpinWorker).is_ok()
}

#[unsafe(no_mangle)]
pub extern "C" fn run_pending(max: usize) -> usize {
    POOL.run_pending(max)
}

#[unsafe(no_mangle)]
pub extern "C" fn submit_and_wait(n: u32) -> u32 {
    match POOL.submit(move || n.wrapping_mul(3)) {
        Ok(job) => job.result().unwrap_or_else(code),
        Err(error) => error.into_inner()(),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn submit_and_poll(n: u32) -> u32 {
    let Ok(mut job) = POOL
        .at(1)
        .submit_cancellable(move |token| match token.is_cancelled() {
            true => 0,
            false => n,
        })
    else {
        return 0;
    };
    let _ = job.add_done_callback(|outcome| {
        core::hint::black_box(outcome.is_ok());
    });
    job.cancel();
    let _ = job.error_timeout(Duration::from_millis(1));
    let _ = job.result_timeout(Duration::from_millis(1));
    job.try_result()
        .map_or(0, |result| result.unwrap_or_else(code))
}

#[unsafe(no_mangle)]
pub extern "C" fn submit_without_handle() -> bool {
    POOL.submit_detached(|| ()).is_ok()
        && POOL.submit_blocking(|| ()).is_ok()
        && POOL.submit_timeout(|| (), Duration::from_secs(1)).is_ok()
}

/// Submits a job when there is room, then awaits it. Written by hand, since what the compiler makes
/// of an `async` block panics if it is polled once too often.
enum SubmitThenAwait<S> {
    Submitting(S),
    Waiting(CancelOnDrop<'static, u32>),
}

impl<S> Future for SubmitThenAwait<S>
where
    S: Future<Output = Result<JobFuture<'static, u32>, SubmitError<fn() -> u32>>> + Unpin,
{
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        if let Self::Submitting(submit) = &mut *self {
            match Pin::new(submit).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(error.into_inner()()),
                Poll::Ready(Ok(job)) => *self = Self::Waiting(job.cancel_on_drop()),
            }
        }
        match &mut *self {
            Self::Waiting(job) => Pin::new(job)
                .poll(cx)
                .map(|result| result.unwrap_or_else(code)),
            Self::Submitting(_) => Poll::Pending,
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn spawn() -> bool {
    let job: fn() -> u32 = || 1;
    POOL.spawn(SubmitThenAwait::Submitting(POOL.submit_async(job)))
        .is_ok()
}

#[unsafe(no_mangle)]
pub extern "C" fn cancel_current_task() -> bool {
    POOL.spawn(POOL.cancel_current_task()).is_ok()
}

#[unsafe(no_mangle)]
pub extern "C" fn share(value: u32) -> u32 {
    let Ok((promise, future)) = POOL.promise::<u32>() else {
        return 0;
    };
    let one = future.share();
    let other = one.clone();
    let mut waits = pin!(other.result_async());
    let _ = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let _ = one.add_done_callback(|_| ());
    let _ = promise.set_result(value);
    one.result().map_or(0, |result| *result)
}

#[unsafe(no_mangle)]
pub extern "C" fn promise(value: u32) -> u32 {
    let Ok((promise, future)) = POOL.promise::<u32>() else {
        return 0;
    };
    let _ = promise.set_result(value);
    future.result().unwrap_or_else(code)
}

#[unsafe(no_mangle)]
pub extern "C" fn map_and_executor() -> u32 {
    let options = MapOptions::<4> {
        buffer_size: 2,
        timeout: Some(Duration::from_secs(1)),
    };
    let mapped: u32 = POOL
        .map_with(options, 0..9_u32, |n| n.wrapping_mul(2))
        .map_or(0, |results| {
            results.map(|result| result.unwrap_or_else(code)).sum()
        });
    let executed: u32 = Executor::map(&POOL, 0..9_u32, |n| n)
        .map(|result| result.unwrap_or_else(code))
        .sum();
    mapped.wrapping_add(executed)
}

#[unsafe(no_mangle)]
pub extern "C" fn executor_of_any_type(executor: &'static &'static dyn DynExecutor) -> u32 {
    let executed = executor.submit(|| 3_u32);
    executed.map_or(0, |future| future.result().unwrap_or_else(code))
}

/// The id of a request, which jobs carry.
struct Request;

static REQUEST: AtomicU32 = AtomicU32::new(0);

impl Ambient for Request {
    type Captured = u32;

    fn capture() -> u32 {
        REQUEST.load(Ordering::Relaxed)
    }

    fn enter<R>(captured: &mut u32, work: impl FnOnce() -> R) -> R {
        REQUEST.store(*captured, Ordering::Relaxed);
        work()
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn carrying() -> bool {
    let pool = POOL.carrying::<Request>();
    let closure = pool.submit_detached(|| REQUEST.store(0, Ordering::Relaxed));
    let task = pool.spawn(poll_fn(|_| Poll::Ready(5)));
    closure.is_ok() && task.is_ok()
}

#[unsafe(no_mangle)]
pub extern "C" fn scope(n: u32) -> u32 {
    let borrowed = [n; 4];
    POOL.scope(|scope| {
        scope
            .map(&borrowed, |n| n.wrapping_add(1))
            .map(|result| result.unwrap_or_else(code))
            .fold(0, u32::wrapping_add)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn wait_on_many() -> usize {
    let mut jobs = FutureSet::<'_, u32, 4>::new();
    for n in 0..4 {
        if let Ok(job) = POOL.submit(move || n) {
            let _ = jobs.push(job);
        }
    }
    let done = wait(
        &mut jobs,
        Some(Duration::from_secs(1)),
        ReturnWhen::FirstException,
    )
    .map_or(0, |waited| waited.done.len());
    done + as_completed(jobs, None).filter(Result::is_ok).count()
}

#[unsafe(no_mangle)]
pub extern "C" fn ends(worker_job: u32) -> bool {
    POOL.break_pool("no supply voltage");
    let lost = POOL
        .spawn(core::future::poll_fn(move |_| Poll::Ready(worker_job)))
        .is_err();
    let down = POOL.shutdown_timeout(Duration::from_secs(1), true).is_ok();
    lost && down && POOL.shutdown(true, false).is_ok()
}

/// # Safety
///
/// The worker never runs again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lose(worker: &WorkerId) {
    // SAFETY: the caller's promise.
    unsafe { POOL.worker_lost(*worker, OnLoss::Continue) };
}

#[unsafe(no_mangle)]
pub extern "C" fn state() -> usize {
    POOL.free_slots() + POOL.workers() + POOL.idle_workers() + POOL.capacity()
}
