//! The executors under test.

use std::{
    any::Any,
    cell::Cell,
    fmt::Debug,
    mem::MaybeUninit,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
    thread,
    time::Duration,
};

use corepool::{
    ContextId, Executor, InitError, JobError, JobFuture, LentPool, NoSpill, Panic, Parker,
    PoolConfig, PoolRef, Port, ShutdownError, SpinWorker, StaticPool, SubmitError, Worker,
    WorkerId,
};
use corepool_std::{HostPort, SLOT_BYTES, ThreadPool, Workers, run_workers_with};

use crate::{
    methods::Methods,
    port::{Clock, TestPort},
    tools::{Gate, PATIENCE, undefine_next_slot, yield_now},
};

/// How large a job can be, in all pools under test.
pub const BYTES: usize = SLOT_BYTES;

/// How many slots a pool under test has.
pub const SLOTS: usize = 128;

/// How many slots a small one has.
pub const SMALL: usize = 4;

/// How many waits can be under way, and how many workers there can be, in static and lent pools.
pub(crate) const PLACES: usize = 8;

/// A fixture's pool.
pub type Pool<F> = <F as Fixture>::Pool;

/// The hook that each worker calls before its first job.
pub type Init = Arc<dyn Fn() -> Result<(), InitError> + Send + Sync>;

/// An executor under test. Dropped, it shuts down, and waits for all work and all workers; a test of
/// what the executor's own drop does needs one that [`EndsWhenDropped`].
///
/// Its pool lives for ever, so that jobs can hold it, and has two priorities.
pub trait Fixture: Sized + 'static {
    /// The pool's own type.
    type Pool: Methods;

    /// The same executor with only [`SMALL`] slots.
    type Small: Fixture;

    /// When a test that hangs fails.
    const PATIENCE: Duration = PATIENCE;

    /// Runs a test of this name: on each of the schedules that the fixture has.
    fn run(name: &str, test: fn()) {
        let _ = name;
        test();
    }

    /// An executor with so many workers, each of which calls `init` first.
    fn start_with(workers: usize, init: Init) -> Self;

    /// An executor with so many workers.
    fn start(workers: usize) -> Self {
        Self::start_with(workers, Arc::new(|| Ok(())))
    }

    /// The pool.
    fn pool(&self) -> Pool<Self>;

    /// Keeps every worker busy: what is submitted from now on does not begin before the hold is
    /// dropped. Takes one slot for each worker.
    fn hold_workers(&self) -> Hold;

    /// The clock that the pool's time limits go by, if it is the fixture's own, and not the host's.
    fn clock(&self) -> Option<&Clock>;

    /// The time of the clock that the pool's time limits go by.
    fn now(&self) -> Duration {
        match self.clock() {
            Some(clock) => clock.now(),
            None => Port::now(&HostPort).unwrap_or_default(),
        }
    }

    /// The pool's port, if it is the fixture's own: then it can be asked what it was told.
    fn port(&self) -> Option<&TestPort>;

    /// Waits until so many workers have nothing to do, and sleep or are about to.
    fn until_idle(&self, workers: usize) {
        while self.pool().idle_workers() < workers {
            yield_now();
        }
    }
}

/// A fixture whose executor ends when it is dropped, by itself.
pub trait EndsWhenDropped: Fixture {
    /// The executor.
    type Owned: Executor;

    /// An executor with so many workers, that nothing ends but its own drop.
    fn start_owned(workers: usize) -> Self::Owned;
}

/// See [`Fixture::hold_workers`].
#[must_use = "it holds the workers until it is dropped"]
pub struct Hold {
    release: Gate,
    /// The handles that keep slots taken where no worker does.
    _ballast: Box<dyn Any>,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold")
    }
}

impl Hold {
    /// Holds until it is dropped, which opens `release`. It keeps the ballast as long.
    pub fn new(release: Gate, ballast: impl Any) -> Self {
        Self {
            release,
            _ballast: Box::new(ballast),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release.open();
    }
}

/// Gives each worker a job that waits.
pub fn hold_threads(pool: impl Methods, workers: usize) -> Hold {
    let (release, started) = (Gate::new(), Gate::new());
    for _ in 0..workers {
        let (release, started) = (release.clone(), started.clone());
        pool.submit_detached(move || {
            started.open();
            release.wait();
        })
        .unwrap();
    }
    started.wait_for(workers);
    Hold::new(release, ())
}

/// Waits for a pool's end, unless a test has failed and its jobs may wait for ever. True if it has
/// waited.
pub fn finish(pool: impl Methods) -> bool {
    let failing = thread::panicking();
    let _ = pool.shutdown(!failing, failing);
    !failing
}

/// Keeps a value for ever. Leak checkers see that it is not lost.
pub fn keep<T: Send + Sync + 'static>(value: T) -> &'static T {
    static KEPT: Mutex<Vec<&(dyn Any + Send + Sync)>> = Mutex::new(Vec::new());
    let value: &T = Box::leak(Box::new(value));
    KEPT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(value);
    value
}

/// The static pool under test.
pub type Static<const N: usize> = StaticPool<N, BYTES, 2, PLACES, PLACES>;

/// Where a pool of so many slots has its memory.
pub trait Memory: 'static {
    /// The pool's own type.
    type Pool<const N: usize>: Methods<Spill = NoSpill> + Debug;

    /// Makes a pool.
    fn pool<const N: usize>() -> Self::Pool<N>;
}

/// In itself.
#[derive(Debug)]
pub struct OfItsOwn;

impl Memory for OfItsOwn {
    type Pool<const N: usize> = &'static Static<N>;

    fn pool<const N: usize>() -> Self::Pool<N> {
        keep(Static::new())
    }
}

/// In words that are lent to it.
#[derive(Debug)]
pub struct Lent;

impl Memory for Lent {
    type Pool<const N: usize> = PoolRef<'static, BYTES>;

    fn pool<const N: usize>() -> Self::Pool<N> {
        let config = PoolConfig {
            slots: N,
            priorities: 2,
            workers: PLACES,
            waiters: PLACES,
        };
        let memory = vec![MaybeUninit::uninit(); config.words::<BYTES>()];
        let pool = LentPool::new(Box::leak(memory.into_boxed_slice()), config).unwrap();
        keep(pool).pool_ref()
    }
}

/// A pool on threads that park.
#[derive(Debug)]
pub struct ParkingThreads<M: Memory, const N: usize = SLOTS> {
    pool: M::Pool<N>,
    port: &'static TestPort,
    workers: Option<Workers>,
}

/// A static pool on threads that park.
pub type StaticThreads<const N: usize = SLOTS> = ParkingThreads<OfItsOwn, N>;

/// A pool in lent memory, on threads that park.
pub type LentThreads<const N: usize = SLOTS> = ParkingThreads<Lent, N>;

impl<M: Memory, const N: usize> Fixture for ParkingThreads<M, N> {
    type Pool = M::Pool<N>;
    type Small = ParkingThreads<M, SMALL>;

    fn start_with(workers: usize, init: Init) -> Self {
        let pool = M::pool::<N>();
        let port = keep(TestPort::new(None));
        assert!(pool.view().install(port));
        let workers = run_workers_with(pool.view(), "corepool", workers, move |_| init()).unwrap();
        Self {
            pool,
            port,
            workers: Some(workers),
        }
    }

    fn pool(&self) -> Pool<Self> {
        self.pool
    }

    fn hold_workers(&self) -> Hold {
        hold_threads(self.pool, self.workers.as_ref().map_or(0, Workers::count))
    }

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn port(&self) -> Option<&TestPort> {
        Some(self.port)
    }
}

/// A pool and the threads that are its workers, which leave when they are dropped.
#[derive(Debug)]
pub struct OwnedThreads<P> {
    pool: P,
    _workers: Workers,
}

impl<P: Methods> Executor for OwnedThreads<P> {
    fn submit<F, T>(&self, job: F) -> Result<JobFuture<'_, T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool.executor().submit(job)
    }

    fn map<I, F, T>(&self, items: I, function: F) -> impl Iterator<Item = Result<T, JobError>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.pool.executor().map(items, function)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) -> Result<(), ShutdownError> {
        self.pool.executor().shutdown(wait, cancel_futures)
    }
}

impl<M: Memory, const N: usize> EndsWhenDropped for ParkingThreads<M, N> {
    type Owned = OwnedThreads<M::Pool<N>>;

    fn start_owned(workers: usize) -> Self::Owned {
        let pool = M::pool::<N>();
        OwnedThreads {
            pool,
            _workers: run_workers_with(pool.view(), "corepool", workers, |_| Ok(())).unwrap(),
        }
    }
}

impl<M: Memory, const N: usize> Drop for ParkingThreads<M, N> {
    fn drop(&mut self) {
        if !finish(self.pool) {
            std::mem::forget(self.workers.take());
        }
    }
}

/// A static pool on threads that never sleep, as a second core does not. It has a clock of its own.
#[derive(Debug)]
pub struct StaticSpin<const N: usize = SLOTS> {
    pool: &'static Static<N>,
    clock: &'static Clock,
    port: &'static TestPort,
    threads: Vec<thread::JoinHandle<()>>,
}

/// [`SpinWorker`] with a start hook, and a clock to wait for.
struct Spinner {
    init: Init,
    clock: &'static Clock,
    looks: Cell<u32>,
}

impl Parker for Spinner {
    fn waker(&self) -> Waker {
        SpinWorker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        match deadline {
            Some(deadline) if self.clock.reach(deadline) => {}
            _ => SpinWorker.park(None),
        }
    }
}

impl Worker for Spinner {
    fn spin(&self, round: u32) -> bool {
        if round % 64 == 63 {
            // The machine may have fewer cores than the test has spinning threads.
            thread::yield_now();
        }
        // Once in a while it parks, for the clock: a job on it may wait for that.
        self.looks.set(self.looks.get().wrapping_add(1));
        !self.looks.get().is_multiple_of(10_000) && SpinWorker.spin(round)
    }

    fn on_start(&self, _worker: WorkerId) -> Result<(), InitError> {
        (self.init)()
    }
}

impl<const N: usize> Fixture for StaticSpin<N> {
    type Pool = &'static Static<N>;
    type Small = StaticSpin<SMALL>;

    fn start_with(workers: usize, init: Init) -> Self {
        let pool = keep(Static::<N>::new());
        let clock = keep(Clock::default());
        let port = keep(TestPort::new(Some(clock)));
        pool.install(port);
        let threads = (0..workers)
            .map(|_| {
                let init = Arc::clone(&init);
                thread::spawn(move || {
                    let looks = Cell::new(0);
                    let worker = Spinner { init, clock, looks };
                    let _ = pool.run(&worker);
                })
            })
            .collect();
        Self {
            pool,
            clock,
            port,
            threads,
        }
    }

    fn pool(&self) -> Pool<Self> {
        self.pool
    }

    fn hold_workers(&self) -> Hold {
        hold_threads(self.pool, self.threads.len())
    }

    fn clock(&self) -> Option<&Clock> {
        Some(self.clock)
    }

    fn port(&self) -> Option<&TestPort> {
        Some(self.port)
    }

    /// They never sleep.
    fn until_idle(&self, _workers: usize) {}
}

impl<const N: usize> Drop for StaticSpin<N> {
    fn drop(&mut self) {
        if finish(self.pool) {
            for thread in self.threads.drain(..) {
                if let Err(payload) = thread.join() {
                    resume_unwind(payload);
                }
            }
        }
    }
}

/// The host's thread pool.
#[derive(Debug)]
pub struct HostThreads<const N: usize = SLOTS> {
    pool: &'static ThreadPool,
}

impl<const N: usize> HostThreads<N> {
    /// The pool itself.
    pub fn thread_pool(&self) -> &'static ThreadPool {
        self.pool
    }
}

impl<const N: usize> Fixture for HostThreads<N> {
    type Pool = &'static ThreadPool;
    type Small = HostThreads<SMALL>;

    fn start_with(workers: usize, init: Init) -> Self {
        let builder = ThreadPool::builder()
            .max_workers(workers)
            .capacity(N)
            .priorities(2)
            // A test that has failed may leave jobs that wait for ever.
            .finish_at_exit(false)
            .initializer(move || init());
        Self {
            pool: keep(builder.build().unwrap()),
        }
    }

    fn pool(&self) -> Pool<Self> {
        self.pool
    }

    fn hold_workers(&self) -> Hold {
        hold_threads(self.pool, self.pool.max_workers())
    }

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn port(&self) -> Option<&TestPort> {
        None
    }
}

impl<const N: usize> EndsWhenDropped for HostThreads<N> {
    type Owned = ThreadPool;

    fn start_owned(workers: usize) -> ThreadPool {
        let builder = ThreadPool::builder().max_workers(workers).capacity(N);
        builder.build().unwrap()
    }
}

impl<const N: usize> Drop for HostThreads<N> {
    fn drop(&mut self) {
        finish(self.pool);
    }
}

/// A static pool without any thread: jobs run in the test's own thread, when it blocks, and at
/// moments that a seeded schedule chooses. Time passes only when nothing else can happen.
#[derive(Debug)]
pub struct Simulated<const N: usize = SLOTS> {
    pool: &'static Static<N>,
    machine: &'static Machine,
    workers: usize,
}

thread_local! {
    static SCHEDULE: Cell<u64> = const { Cell::new(0) };
}

impl<const N: usize> Fixture for Simulated<N> {
    type Pool = &'static Static<N>;
    type Small = Simulated<SMALL>;

    fn run(_name: &str, test: fn()) {
        for seed in 0..25 {
            SCHEDULE.set(seed);
            test();
        }
    }

    fn start_with(workers: usize, _init: Init) -> Self {
        let pool = keep(Static::<N>::new());
        let machine = keep(Machine {
            pool: pool.pool_ref(),
            clock: Clock::default(),
            port: TestPort::new(None),
            random: AtomicU64::new(SCHEDULE.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            holds: OnceLock::new(),
            held: AtomicUsize::new(0),
        });
        pool.install(machine);
        Self {
            pool,
            machine,
            workers,
        }
    }

    /// A moment at which jobs may run.
    fn pool(&self) -> Pool<Self> {
        self.machine.step();
        undefine_next_slot(self.pool.pool_ref());
        self.pool
    }

    fn hold_workers(&self) -> Hold {
        let release = Gate::new();
        self.machine.hold(release.clone());
        let ballast: Vec<_> = (0..self.workers)
            .map(|_| self.pool.promise::<()>().unwrap())
            .collect();
        Hold::new(release, ballast)
    }

    fn clock(&self) -> Option<&Clock> {
        Some(&self.machine.clock)
    }

    fn port(&self) -> Option<&TestPort> {
        Some(&self.machine.port)
    }

    /// There are none.
    fn until_idle(&self, _workers: usize) {}
}

impl<const N: usize> Drop for Simulated<N> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("on schedule {}", SCHEDULE.get());
        }
        finish(self.pool);
    }
}

/// The simulated machine: its clock and its schedule.
#[derive(Debug)]
struct Machine {
    pool: PoolRef<'static, BYTES>,
    clock: Clock,
    /// The parts that are not the machine's own.
    port: TestPort,
    random: AtomicU64,
    holds: OnceLock<Mutex<Vec<Gate>>>,
    held: AtomicUsize,
}

impl Machine {
    fn hold(&self, release: Gate) {
        let holds = self.holds.get_or_init(Default::default);
        if let Ok(mut holds) = holds.lock() {
            holds.push(release);
            self.held.store(holds.len(), Ordering::Relaxed);
        }
    }

    fn is_held(&self) -> bool {
        if self.held.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let Some(Ok(mut holds)) = self.holds.get().map(|holds| holds.lock()) else {
            return false;
        };
        holds.retain(|release| !release.is_open());
        self.held.store(holds.len(), Ordering::Relaxed);
        !holds.is_empty()
    }

    /// Runs as many jobs as the schedule says.
    fn step(&self) {
        if self.is_held() {
            return;
        }
        // Xorshift.
        let mut random = self.random.load(Ordering::Relaxed);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.store(random, Ordering::Relaxed);
        for _ in 0..random % 3 {
            self.pool.run_pending(1);
        }
    }
}

// SAFETY: contexts and panics are those of the host's port.
unsafe impl Port for Machine {
    fn context(&self) -> ContextId {
        self.port.context()
    }

    fn now(&self) -> Option<Duration> {
        Some(self.clock.now())
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        f(&MachineParker(self));
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        self.port.catch_panic(f)
    }

    fn unobserved_failure(&self, panic: Panic) {
        self.port.unobserved_failure(panic);
    }
}

/// Lets the machine go on while the test blocks.
struct MachineParker<'a>(&'a Machine);

impl Parker for MachineParker<'_> {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, deadline: Option<Duration>) {
        let Self(machine) = self;
        if !machine.is_held() && machine.pool.run_pending(1) > 0 {
            return;
        }
        assert!(
            deadline.is_some_and(|deadline| machine.clock.reach(deadline)),
            "the simulated machine stands still: nothing can end this wait"
        );
    }
}
