//! No call of the core allocates. A binary of its own, since it counts the whole process's
//! allocations.

use std::{
    future::poll_fn,
    hint::spin_loop,
    num::NonZeroUsize,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use corepool::{
    ContextId, Executor, FutureSet, InitError, JobError, JobFuture, JobState, LentPool, MapOptions,
    OnLoss, Parker, PoolConfig, PoolRef, Port, ReturnWhen, SpinWorker, StaticPool, SubmitError,
    Worker, WorkerId, as_completed, wait,
};
use corepool_tests::{CountingAllocator, allocations_of};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A port that takes no heap itself.
struct Bare;

// SAFETY: each thread has a variable of its own at an address of its own.
unsafe impl Port for Bare {
    fn context(&self) -> ContextId {
        thread_local! {
            static PLACE: u8 = const { 0 };
        }
        PLACE.with(|place| NonZeroUsize::new((&raw const *place).addr()).unwrap())
    }

    fn now(&self) -> Option<Duration> {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        Some(START.get_or_init(Instant::now).elapsed())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&SpinWorker);
    }
}

/// A worker that says who it is.
struct Named(&'static std::sync::OnceLock<WorkerId>);

impl Parker for Named {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        spin_loop();
    }
}

impl Worker for Named {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        let _ = self.0.set(worker);
        Ok(())
    }
}

const SOON: Duration = Duration::from_millis(1);

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Every call of a future.
fn futures<const B: usize>(pool: PoolRef<'static, B>) {
    let mut future = pool.submit(|| 42_u32).unwrap();
    let _ = (future.state(), future.done(), future.running());
    assert!(future.error().is_none());
    assert!(matches!(future.error_timeout(SOON), Ok(None)));
    assert_eq!(future.state(), JobState::Finished);
    assert_eq!(future.result_timeout(SOON).unwrap(), 42);
    assert!(future.try_result().is_some());
    drop(pool.submit(|| 1_u32).unwrap());

    let (promise, mut future) = pool.promise::<u32>().unwrap();
    for _ in 0..2 {
        future.add_done_callback(|_| ()).unwrap();
    }
    assert!(future.result_timeout(SOON).is_err());
    assert!(poll(pin!(&mut future)).is_pending());
    promise.set_result(7).unwrap();
    future.add_done_callback(|_| ()).unwrap();
    assert_eq!(future.result().unwrap(), 7);

    let (promise, future) = pool.promise::<u32>().unwrap();
    assert!(future.cancel() && future.cancelled() && promise.is_cancelled());
    assert!(promise.set_result(7).is_err());
    let (promise, future) = pool.promise::<u32>().unwrap();
    drop(promise);
    assert!(future.result().is_err());
    drop(pool.submit(|| 1_u32).unwrap().cancel_on_drop());
    let (promise, future) = pool.promise::<u32>().unwrap();
    let shared = future.share();
    let other = shared.clone();
    let mut waits = pin!(other.result_async());
    assert!(poll(waits.as_mut()).is_pending());
    let seen = shared.clone();
    let callback = move |_: Result<&u32, &JobError>| assert!(seen.done());
    assert!(shared.add_done_callback(callback).is_ok());
    promise.set_result(7).unwrap();
    assert!(matches!(poll(waits), Poll::Ready(Ok(7))));
    assert_eq!(shared.result().unwrap(), &7);
}

/// Every way to hand work in.
fn submits<const B: usize>(pool: PoolRef<'static, B>) {
    pool.submit_detached(|| ()).unwrap();
    let future = pool.submit_cancellable(|token| token.is_cancelled());
    let _ = future.unwrap().result().unwrap();
    pool.submit_blocking(|| ()).unwrap().result().unwrap();
    pool.submit_timeout(|| (), SOON).unwrap().result().unwrap();
    pool.at(1).submit(|| ()).unwrap().result().unwrap();
    let Poll::Ready(submitted) = poll(pin!(pool.submit_async(|| 1))) else {
        panic!("there was room");
    };
    assert_eq!(submitted.unwrap().result().unwrap(), 1);

    let kept = [(); 8].map(|()| pool.promise::<()>().ok());
    assert!(matches!(pool.submit(|| 1), Err(SubmitError::Full(_))));
    assert!(pool.submit_timeout(|| 1, SOON).is_err());
    assert!(poll(pin!(pool.submit_async(|| 1))).is_pending());
    drop(kept);

    let mut first = true;
    let task = pool.spawn(poll_fn(move |cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(7)
    }));
    assert_eq!(task.unwrap().result().unwrap(), 7);
    let task = pool.spawn(std::future::pending::<()>()).unwrap();
    while !task.cancel() {
        spin_loop();
    }

    let nested = pool.submit(move || pool.submit(|| 1).unwrap().result().unwrap());
    assert_eq!(nested.unwrap().result().unwrap(), 1);
    assert_eq!(Executor::submit(&pool, || 1).unwrap().result().unwrap(), 1);
}

/// Sets, maps and scopes.
fn many<const B: usize>(pool: PoolRef<'static, B>) {
    for when in [
        ReturnWhen::FirstCompleted,
        ReturnWhen::FirstException,
        ReturnWhen::AllCompleted,
    ] {
        let mut futures = [1, 2, 3].map(|n| pool.submit(move || n).unwrap());
        wait(&mut futures, None, when).unwrap();
    }
    let (promise, never) = pool.promise::<u32>().unwrap();
    let mut futures = [never, pool.submit(|| 1).unwrap()];
    wait(&mut futures, None, ReturnWhen::FirstCompleted).unwrap();
    let waited = wait(&mut futures, Some(SOON), ReturnWhen::AllCompleted);
    assert_eq!(waited.unwrap().not_done.len(), 1);
    let set = FutureSet::<'_, u32, 2>::from_iter(futures);
    let mut completed = as_completed(set, Some(SOON));
    assert!(completed.next().unwrap().is_ok());
    assert!(completed.next().unwrap().is_err());
    assert_eq!(completed.into_unfinished().len(), 1);
    drop(promise);

    let set: FutureSet<'_, u32, 4> = (0..4).map(|n| pool.submit(move || n).unwrap()).collect();
    let mut completed = as_completed(set, None);
    {
        let mut next = pin!(completed.next_done());
        while poll(next.as_mut()).is_pending() {}
    }
    assert_eq!(completed.filter(Result::is_ok).count(), 3);

    assert_eq!(
        pool.map(0..20, |n: u32| n).map(Result::unwrap).sum::<u32>(),
        190
    );
    let options = MapOptions::<3> {
        buffer_size: 2,
        timeout: Some(Duration::from_secs(60)),
    };
    let mut map = pool.map_with(options, 0.., |n: u32| n).unwrap();
    assert_eq!(map.next().unwrap().unwrap(), 0);
    drop(map);

    let numbers = [1, 2, 3];
    let sum = pool.scope(|scope| {
        let first = scope.submit(|| numbers[0]).unwrap();
        let rest: u32 = scope
            .map(1..3, |n: usize| numbers[n])
            .map(Result::unwrap)
            .sum();
        first.result().unwrap() + rest
    });
    assert_eq!(sum, 6);
}

/// Calls what a pool says of itself, and ends it.
fn life<const B: usize>(pool: PoolRef<'static, B>) {
    let _ = (pool.capacity(), pool.free_slots(), pool.workers());
    let _ = (pool.idle_workers(), pool.unfinished(), pool.max_workers());
    let _ = (pool.broken_reason(), pool.is_shut_down());
    pool.run_pending(1);
    let task = pool.spawn(std::future::pending::<()>()).unwrap();
    assert!(pool.shutdown_timeout(SOON, false).is_err());
    pool.shutdown(false, true).unwrap();
    pool.shutdown(true, true).unwrap();
    assert!(task.result().is_err());
    assert!(pool.submit(|| 1).is_err());
}

fn all<const B: usize>(pool: PoolRef<'static, B>) {
    futures(pool);
    submits(pool);
    many(pool);
    life(pool);
}

/// Runs all calls on a pool with a worker in another thread.
fn with_a_worker<const B: usize>(pool: PoolRef<'static, B>) -> usize {
    pool.install(&Bare);
    let worker = thread::spawn(move || pool.run(&SpinWorker));
    while pool.workers() == 0 {
        thread::yield_now();
    }
    let count = allocations_of(|| {
        all(pool);
        while pool.workers() != 0 {
            spin_loop();
        }
    });
    worker.join().unwrap().unwrap();
    count
}

/// The pool breaks; a worker is lost.
fn trouble() {
    static BROKEN: StaticPool<4, 32> = StaticPool::new();
    static LOSING: StaticPool<4, 32> = StaticPool::new();
    static ID: std::sync::OnceLock<WorkerId> = std::sync::OnceLock::new();
    static STUCK: AtomicUsize = AtomicUsize::new(0);
    LOSING.install(&Bare);
    let worker = thread::spawn(|| LOSING.run(&Named(&ID)));
    while LOSING.workers() == 0 {
        thread::yield_now();
    }
    let count = allocations_of(|| {
        let queued: JobFuture<'_, u32> = BROKEN.submit(|| 1).unwrap();
        BROKEN.break_pool("out of power");
        assert!(queued.result().is_err());
        assert!(BROKEN.submit(|| 1).is_err());

        let stuck = LOSING.submit(|| {
            STUCK.store(1, Ordering::SeqCst);
            while STUCK.load(Ordering::SeqCst) != 2 {
                spin_loop();
            }
        });
        while STUCK.load(Ordering::SeqCst) != 1 {
            spin_loop();
        }
        // SAFETY: the worker runs no job of a scope.
        unsafe { LOSING.worker_lost(*ID.get().unwrap(), OnLoss::Continue) };
        assert!(stuck.unwrap().result().is_err());
        STUCK.store(2, Ordering::SeqCst);
        LOSING.shutdown(true, false).unwrap();
    });
    let _ = worker.join();
    assert_eq!(count, 0);
}

#[test]
fn no_call_of_the_core_allocates() {
    static WARM_UP: StaticPool<8, 64, 2> = StaticPool::new();
    static POOL: StaticPool<8, 64, 2> = StaticPool::new();
    const CONFIG: PoolConfig = PoolConfig {
        slots: 8,
        priorities: 2,
        workers: 2,
        waiters: 4,
    };
    // The counter counts.
    assert!(allocations_of(|| drop(std::hint::black_box(Box::new(1)))) > 0);
    // The standard library sets up here what it sets up once.
    with_a_worker(WARM_UP.pool_ref());
    assert_eq!(with_a_worker(POOL.pool_ref()), 0);

    let memory = vec![std::mem::MaybeUninit::uninit(); CONFIG.words::<64>()].leak();
    let mut lent = None;
    assert_eq!(
        allocations_of(|| lent = LentPool::<64>::new(memory, CONFIG).ok()),
        0
    );
    let lent = Box::leak(Box::new(lent.unwrap()));
    assert_eq!(with_a_worker(lent.pool_ref()), 0);
    trouble();
    dropping();
}

/// A pool with work in it goes away.
fn dropping() {
    let pool = StaticPool::<4, 32>::new();
    let count = allocations_of(|| {
        pool.submit_detached(|| ()).unwrap();
        drop(pool);
    });
    assert_eq!(count, 0);
}
