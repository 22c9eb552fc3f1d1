//! The program of a board with several cores: core 0 submits, and the others are the workers.
//!
//! | core | context | does |
//! |---|---|---|
//! | 0 | the tick's handler | submits, collects results; later it is the watchdog |
//! | 0 | the thread | submits and waits |
//! | others | the thread | runs jobs, sleeps when there is none; no interrupt ends that sleep |
//! | others | a fault's handler | declares its core lost |

use core::{cell::Cell, hint::spin_loop, marker::PhantomData, time::Duration};

use corepool::{
    BrokenReason, FutureSet, JobError, JobFuture, LossReason, OnLoss, RunError, StaticPool,
    SubmitError, as_completed,
    ports::{Cores, SeveralCores, ThisCore, sleep_unless},
};
use critical_section::Mutex;
use portable_atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use pulse_app::Pool;
use semihosting::{eprintln, println};

use crate::{
    BYTES, Board, BoardPool, Watch,
    conformance::{self, Outcome, accepted, check, failed, run_test},
    exit, pulse, ram, tick,
};

/// A board's chip and its application.
pub trait Chip: Cores {
    /// Cores, of which all but core 0 are workers.
    const CORES: usize;

    /// The consequence of a core that the application has lost.
    const ON_LOSS: OnLoss;

    /// Stops the core that calls with a fault, whose handler calls [`crashed`].
    fn crash() -> !;
}

/// Cores that there is room for.
const MAX_CORES: usize = 8;

/// How long the job may take that hangs.
const LIMIT: Duration = Duration::from_millis(50);

/// The pool that the workers are lent to.
static POOL: Mutex<Cell<Option<BoardPool>>> = Mutex::new(Cell::new(None));
/// How many pools they have been lent to.
static LENT: AtomicU32 = AtomicU32::new(0);
/// How many workers have left the last of them.
static LEFT: AtomicUsize = AtomicUsize::new(0);
/// How many workers came back that had been declared lost.
static CAME_BACK: AtomicUsize = AtomicUsize::new(0);
static WATCHES: [Watch; MAX_CORES] = [const { Watch::new() }; MAX_CORES];

/// The whole life of a worker core.
pub fn work<C: Chip>() -> ! {
    let mut seen = 0;
    loop {
        // Acquire: pairs with the Release in `lend`.
        let lent = LENT.load(Ordering::Acquire);
        if lent == seen {
            C::sleep(None);
            continue;
        }
        seen = lent;
        if let Some(pool) = critical_section::with(|cs| POOL.borrow(cs).get()) {
            let ended = WATCHES[C::current()].run(pool, &ThisCore::<C>::new());
            if ended == Err(RunError::DeclaredLost) {
                CAME_BACK.fetch_add(1, Ordering::Relaxed);
            }
        }
        // Release: pairs with the Acquire in `take_back`.
        LEFT.fetch_add(1, Ordering::Release);
    }
}

/// The handler of a fault calls this. The core does nothing any more.
pub fn crashed<C: Chip>() -> ! {
    if C::current() == 0 {
        eprintln!("core 0 has crashed");
        exit(1);
    }
    // SAFETY: the worker never runs again.
    unsafe { WATCHES[C::current()].declare_lost(C::ON_LOSS) };
    loop {
        C::sleep(None);
    }
}

/// The handler of the tick calls this, after [`tick::on_tick`].
pub fn watchdog<C: Chip>() {
    for watch in WATCHES.iter().filter(|watch| watch.is_late()) {
        // SAFETY: of the jobs here, the one that has a limit is in no scope, and no job waits.
        unsafe { watch.declare_lost(C::ON_LOSS) };
    }
}

/// The workers of a chip.
struct OtherCores<C>(PhantomData<fn() -> C>);

impl<C: Chip> OtherCores<C> {
    const COUNT: usize = C::CORES - 1;
}

impl<C: Chip> Board for OtherCores<C> {
    fn lend(&self, pool: BoardPool) {
        pool.install(const { &SeveralCores::<C>::new() });
        critical_section::with(|cs| POOL.borrow(cs).set(Some(pool)));
        LEFT.store(0, Ordering::Relaxed);
        // Release: pairs with the Acquire in `work`.
        LENT.fetch_add(1, Ordering::Release);
        (1..C::CORES).for_each(C::wake);
        // So that the pool does not end before they come.
        while pool.workers() < Self::COUNT {
            spin_loop();
        }
    }

    fn take_back(&self) {
        // Acquire: pairs with the Release in `work`.
        while LEFT.load(Ordering::Acquire) < Self::COUNT {
            spin_loop();
        }
    }

    fn hold(&self, pool: BoardPool, f: &mut dyn FnMut()) {
        occupy(pool, Self::COUNT, f);
    }

    fn has_workers(&self) -> bool {
        true
    }

    fn core_number(&self) -> fn() -> usize {
        C::current
    }

    fn interrupt(&self, f: &mut (dyn FnMut() + Send)) {
        tick::call_in_handler(f);
    }
}

/// Calls `f` while `workers` workers of the pool have a job that does not end before.
pub(crate) fn occupy(pool: BoardPool, workers: usize, f: impl FnOnce()) {
    static OCCUPIED: AtomicUsize = AtomicUsize::new(0);
    static LET_GO: AtomicBool = AtomicBool::new(false);
    LET_GO.store(false, Ordering::SeqCst);
    for _ in 0..workers {
        let submitted = pool.submit_detached(|| {
            OCCUPIED.fetch_add(1, Ordering::SeqCst);
            while !LET_GO.load(Ordering::SeqCst) {
                spin_loop();
            }
            OCCUPIED.fetch_sub(1, Ordering::SeqCst);
        });
        assert!(submitted.is_ok(), "there is room");
    }
    while OCCUPIED.load(Ordering::SeqCst) < workers {
        spin_loop();
    }
    f();
    LET_GO.store(true, Ordering::SeqCst);
    while OCCUPIED.load(Ordering::SeqCst) > 0 {
        spin_loop();
    }
}

/// Runs the pulse monitor, the suite and the losses, and ends the run. On core 0, with the tick
/// running; the others are in [`work`], or on their way. `pool` is the application's.
pub fn run<C: Chip>(pool: &'static Pool) -> ! {
    let board = OtherCores::<C>(PhantomData);
    println!("== jobs on the other cores");
    board.lend(pool.pool_ref());
    pulse::request(pool, || C::current() != 0);
    while !pulse::is_over() {
        sleep_unless(pulse::is_over);
    }
    board.take_back();
    let mut failed = conformance::run(&board);
    failed += conformance::run_several_cores(&board);

    println!("== cores that are lost");
    for (name, pool, wait) in [
        ("a_worker_that_hangs_is_lost", &HANG[0], by_result as Wait),
        ("as_completed_yields_a_lost_job", &HANG[1], by_as_completed),
        ("a_task_that_awaits_a_lost_job_goes_on", &HANG[2], in_a_task),
    ] {
        failed += run_test(name, || hang::<C>(pool, wait));
    }
    // Last, since it does not come back.
    failed += run_test("a_worker_that_crashes_is_lost", || crash::<C>(&CRASH));

    ram::print();
    exit(failed)
}

/// A pool in which workers are lost. They keep the slots that they hold, so the pool lives for ever.
type LosingPool = StaticPool<8, BYTES, 1, MAX_CORES, 2>;

static HANG: [LosingPool; 3] = [const { LosingPool::new() }; 3];
static CRASH: LosingPool = LosingPool::new();

/// A way to wait for a job's end.
type Wait = fn(JobFuture<'static, ()>) -> Result<(), JobError>;

fn by_result(job: JobFuture<'static, ()>) -> Result<(), JobError> {
    job.result()
}

fn by_as_completed(job: JobFuture<'static, ()>) -> Result<(), JobError> {
    let jobs: FutureSet<'_, (), 1> = [job].into_iter().collect();
    as_completed(jobs, None)
        .filter_map(Result::ok)
        .try_for_each(JobFuture::result)
}

/// In a task of this core, since those of the same pool end with it if it breaks.
fn in_a_task(job: JobFuture<'static, ()>) -> Result<(), JobError> {
    static TASKS: StaticPool<1, BYTES> = StaticPool::new();
    let mut task = TASKS.spawn(job).unwrap_or_else(|_| panic!("there is room"));
    loop {
        TASKS.run_pending(1);
        match task.try_result() {
            Some(Ok(awaited)) => return awaited,
            Some(Err(error)) => panic!("the task ends: {error}"),
            None => spin_loop(),
        }
    }
}

fn hang<C: Chip>(pool: &'static LosingPool, wait: Wait) -> Outcome {
    static GO_ON: AtomicBool = AtomicBool::new(false);
    GO_ON.store(false, Ordering::Relaxed);
    let came_back = CAME_BACK.load(Ordering::Relaxed);
    let board = OtherCores::<C>(PhantomData);
    board.lend(pool.pool_ref());
    let hang = || {
        WATCHES[C::current()].within(LIMIT, || {
            while !GO_ON.load(Ordering::Relaxed) {
                spin_loop();
            }
        });
    };
    lose::<C>(pool, hang, wait)?;
    // It comes back, ends its job into the void, and is told.
    GO_ON.store(true, Ordering::Relaxed);
    board.take_back();
    check!(CAME_BACK.load(Ordering::Relaxed) == came_back + 1);
    check!(pool.free_slots() == pool.capacity());
    Ok(())
}

fn crash<C: Chip>(pool: &'static LosingPool) -> Outcome {
    OtherCores::<C>(PhantomData).lend(pool.pool_ref());
    lose::<C>(pool, || C::crash(), by_result)?;
    // The slot of the job that it was at is not used again.
    check!(pool.free_slots() == pool.capacity() - 1);
    Ok(())
}

/// Has a worker run `job`, which does not end, with other jobs behind it.
fn lose<C: Chip>(pool: &'static LosingPool, job: fn(), wait: Wait) -> Outcome {
    let mut queued = None;
    let mut outcome = Ok(());
    // The other workers are held, so that those jobs are still queued when the worker is lost.
    occupy(pool.pool_ref(), C::CORES - 2, || {
        let lost = pool.submit(job);
        queued = pool.submit(|| 1).ok().zip(pool.submit(|| 2).ok());
        let ended = lost.map(wait);
        if !matches!(ended, Ok(Err(JobError::WorkerLost(_)))) {
            outcome = failed("the job ends as that of a lost worker");
        }
    });
    outcome?;
    let Some((first, second)) = queued else {
        return failed("there is room");
    };
    match C::ON_LOSS {
        OnLoss::Continue => {
            check!(matches!((first.result(), second.result()), (Ok(1), Ok(2))));
            check!(matches!(accepted!(pool.submit(|| 3)).result(), Ok(3)));
        }
        OnLoss::Break => {
            let broken = BrokenReason::WorkerLost(LossReason::DECLARED);
            for job in [first, second] {
                check!(matches!(job.result(), Err(JobError::Broken(why)) if why == broken));
            }
            let refused = pool.submit(|| 3);
            check!(matches!(refused, Err(SubmitError::Broken(_, why)) if why == broken));
        }
    }
    check!(pool.shutdown(true, false).is_ok() && pool.workers() == 0);
    Ok(())
}
