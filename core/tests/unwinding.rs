//! User code that unwinds where no party catches it. It ends the call in which it ran, and nothing else
//! fails.

use std::{
    future::Future,
    mem::MaybeUninit,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    ptr::NonNull,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use corepool::{
    ContextId, FutureSet, JobError, JobFuture, NoWorker, Parker, Port, Spill, SpinWorker,
    StaticPool, SubmitError, Worker, as_completed,
};

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_scope_outlives_a_wait_that_unwinds() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    let ran = AtomicBool::new(false);
    let scope = AssertUnwindSafe(|| {
        POOL.scope(|scope| {
            drop(scope.submit(|| panic!("in the scope's wait")).unwrap());
            drop(scope.submit(|| ran.store(true, Relaxed)).unwrap());
        });
    });
    assert!(catch_unwind(scope).is_err());
    assert!(
        ran.load(Relaxed),
        "a job was left that borrows from a frame that is gone"
    );
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

#[test]
fn a_result_that_panics_when_dropped_is_gone_and_counted() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    let scope = || {
        POOL.scope(|scope| drop(scope.submit(|| Grenade).unwrap()));
    };
    assert!(catch_unwind(scope).is_err());
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

#[test]
fn a_panic_is_the_jobs_outcome() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    let job = POOL.submit(|| panic!("the job")).unwrap();
    assert!(catch_unwind(|| POOL.run_pending(1)).is_err());
    let result: Result<(), _> = job.result();
    assert!(matches!(result, Err(JobError::Panicked(_))));
    assert_eq!(POOL.free_slots(), POOL.capacity());
    assert_eq!(POOL.workers(), 0);
}

#[test]
fn a_handle_whose_result_panics_when_dropped_frees_its_slot() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    let job = POOL.submit(|| Grenade).unwrap();
    POOL.run_pending(1);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(job))).is_err());
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

#[test]
fn callbacks_after_one_that_unwinds_are_called() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    static CALLED: AtomicBool = AtomicBool::new(false);
    let mut job = POOL.submit(|| 42).unwrap();
    job.add_done_callback(|_| panic!("the callback")).unwrap();
    job.add_done_callback(|result| CALLED.store(result.is_ok(), Relaxed))
        .unwrap();
    assert!(catch_unwind(|| POOL.run_pending(1)).is_err());
    assert!(CALLED.load(Relaxed));
    assert_eq!(job.result().unwrap(), 42);
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

#[test]
fn a_map_whose_function_panics_when_dropped_drops_the_result() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    static DROPPED: AtomicBool = AtomicBool::new(false);
    struct Result;
    impl Drop for Result {
        fn drop(&mut self) {
            DROPPED.store(true, Relaxed);
        }
    }
    /// The clone, which the job has, panics when it is dropped.
    struct Function(Option<Grenade>);
    impl Clone for Function {
        fn clone(&self) -> Self {
            Self(Some(Grenade))
        }
    }
    impl Function {
        fn call(&self) -> Result {
            assert!(self.0.is_some());
            Result
        }
    }
    let function = Function(None);
    let results = POOL.map(0..1, move |_: u32| function.call());
    assert!(catch_unwind(|| POOL.run_pending(1)).is_err());
    assert!(DROPPED.load(Relaxed));
    drop(results);
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

#[test]
fn a_map_cancels_all_its_jobs_even_if_one_unwinds() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    static CALLED: AtomicBool = AtomicBool::new(false);
    let items = [Some(Grenade), None, None];
    let results = POOL.map(items, |_| CALLED.store(true, Relaxed));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(results))).is_err());
    POOL.run_pending(4);
    assert!(!CALLED.load(Relaxed));
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

/// No memory is left for what does not fit a slot.
#[test]
fn a_promise_whose_result_cannot_be_stored_ends_its_future() {
    struct NoMemory;
    // SAFETY: it stores nothing.
    unsafe impl Spill for NoMemory {
        const CAN_SPILL: bool = true;
        fn store<V>(_value: V) -> NonNull<V> {
            panic!("no memory");
        }
        unsafe fn release<V>(_place: NonNull<V>) {}
    }
    static POOL: StaticPool<4, 64> = StaticPool::new();
    let pool = POOL.pool_ref().spill_to::<NoMemory>();
    let (promise, future) = pool.promise::<[u64; 16]>().unwrap();
    let set = || promise.set_result([0; 16]).is_ok();
    assert!(catch_unwind(AssertUnwindSafe(set)).is_err());
    assert!(matches!(future.result(), Err(JobError::PromiseDropped)));
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

/// A port of one context, whose `no_idle_worker` does what the test says.
struct Boss(fn() -> Result<(), NoWorker>);

// SAFETY: one context, and it catches no panic.
unsafe impl Port for Boss {
    fn context(&self) -> ContextId {
        NonZeroUsize::MIN
    }

    fn now(&self) -> Option<Duration> {
        None
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&SpinWorker);
    }

    fn no_idle_worker(&self) -> Result<(), NoWorker> {
        (self.0)()
    }
}

#[test]
fn a_scope_waits_for_a_job_whose_submit_unwinds() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    static BOSS: Boss = Boss(|| panic!("no worker can be started"));
    assert!(POOL.install(&BOSS));
    let ran = AtomicBool::new(false);
    let scope = AssertUnwindSafe(|| {
        POOL.scope(|scope| drop(scope.submit(|| ran.store(true, Relaxed)).unwrap()));
    });
    assert!(catch_unwind(scope).is_err());
    assert!(
        ran.load(Relaxed),
        "a job was left that borrows from a frame that is gone"
    );
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

/// A job that does not fit its slot comes back from the heap.
#[test]
fn a_submit_that_is_refused_and_unwinds_loses_no_slot() {
    struct Heap;
    // SAFETY: a box stays where it is until it is freed, and is freed without dropping its value.
    unsafe impl Spill for Heap {
        const CAN_SPILL: bool = true;
        fn store<V>(value: V) -> NonNull<V> {
            NonNull::from(Box::leak(Box::new(value)))
        }
        unsafe fn release<V>(place: NonNull<V>) {
            // SAFETY: from `store`, by the caller's promise; a `MaybeUninit` does not drop its value.
            drop(unsafe { Box::from_raw(place.cast::<MaybeUninit<V>>().as_ptr()) });
            panic!("the heap is damaged");
        }
    }
    static POOL: StaticPool<4, 64> = StaticPool::new();
    static BOSS: Boss = Boss(|| Err(NoWorker("not now")));
    assert!(POOL.install(&BOSS));
    let pool = POOL.pool_ref().spill_to::<Heap>();
    let large = [0_u64; 16];
    let submit = AssertUnwindSafe(|| pool.submit(move || large.len()).is_ok());
    assert!(catch_unwind(submit).is_err());
    assert_eq!(POOL.free_slots(), POOL.capacity());
    let scope = AssertUnwindSafe(|| {
        pool.scope(|scope| scope.submit(move || large.len()).is_ok());
    });
    assert!(catch_unwind(scope).is_err());
    assert_eq!(POOL.free_slots(), POOL.capacity());
    let small = POOL.submit(|| ());
    assert!(matches!(small, Err(SubmitError::NoWorker(..))));
}

#[test]
fn a_job_that_a_worker_has_taken_ends_even_if_the_port_unwinds() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    static IS_READY: AtomicBool = AtomicBool::new(false);
    static BOSS: Boss = Boss(|| {
        assert!(!IS_READY.swap(false, Relaxed), "no worker can be started");
        Ok(())
    });
    /// Two jobs are queued while it sleeps, and it hands its wake-up on when it has taken the first.
    struct Sleeper(Mutex<Vec<JobFuture<'static, ()>>>);
    impl Parker for Sleeper {
        fn waker(&self) -> Waker {
            Waker::noop().clone()
        }
        fn park(&self, _deadline: Option<Duration>) {
            let mut jobs = self.0.lock().unwrap();
            jobs.extend([POOL.submit(|| ()).unwrap(), POOL.submit(|| ()).unwrap()]);
            IS_READY.store(true, Relaxed);
        }
    }
    impl Worker for Sleeper {}
    assert!(POOL.install(&BOSS));
    let sleeper = Sleeper(Mutex::default());
    assert!(catch_unwind(AssertUnwindSafe(|| POOL.run(&sleeper))).is_err());
    let jobs = sleeper.0.into_inner().unwrap();
    assert_eq!(jobs.len(), 2);
    // It was the last worker, so the pool is broken.
    for job in jobs {
        assert!(matches!(job.result(), Err(JobError::Broken(_))));
    }
    assert_eq!(POOL.free_slots(), POOL.capacity());
}

#[test]
fn the_futures_of_a_set_are_dropped_if_its_waker_unwinds() {
    static POOL: StaticPool<4, 64> = StaticPool::new();
    /// Wakes nobody.
    struct Fragile(Grenade);
    impl Wake for Fragile {
        fn wake(self: Arc<Self>) {}
    }
    let (promise, future) = POOL.promise::<u32>().unwrap();
    let mut set = FutureSet::<'_, _, 1>::new();
    assert!(set.push(future).is_ok());
    let mut jobs = as_completed(set, None);
    let waker = Waker::from(Arc::new(Fragile(Grenade)));
    let polled = pin!(jobs.next_done()).poll(&mut Context::from_waker(&waker));
    assert!(matches!(polled, Poll::Pending));
    drop(waker);
    let unfinished = AssertUnwindSafe(|| jobs.into_unfinished().len());
    assert!(catch_unwind(unfinished).is_err());
    drop(promise);
    assert_eq!(POOL.free_slots(), POOL.capacity());
}
