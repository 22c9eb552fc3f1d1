//! A Cortex-M3 that logs by `defmt`: what a pool says of its jobs and workers, between the lines of
//! the application.
//!
//! | priority | context | does |
//! |---|---|---|
//! | high | `SysTick` | is the watchdog: declares a worker lost whose job takes too long |
//! | none | `main` | submits, and is the worker |
//!
//! Built with `DEFMT_LOG=trace`, without which `defmt` leaves out what is less than an error.
#![no_std]
#![no_main]

use core::{cell::Cell, hint::spin_loop, task::Waker, time::Duration};

use corepool::{
    InitError, JobId, OnLoss, Parker, StaticPool, Worker, WorkerId,
    ports::{OneCore, Wfi},
};
use cortex_m::Peripherals;
use cortex_m_rt::{entry, exception};
use critical_section::Mutex;
use defmt::{error, info};
use defmt_semihosting as _;
use firmware_support::{BYTES, exit, tick};
use portable_atomic::{AtomicBool, AtomicU32, Ordering};

/// The core's clock when it comes out of reset.
const CORE_HZ: u32 = 12_500_000;

/// How many ticks a job may take.
const LIMIT: u32 = 10;

type Pool = StaticPool<2, BYTES>;

/// Jobs run in the thread.
// SAFETY: there is one core.
static PORT: OneCore = unsafe { OneCore::new() }.with_clock(tick::now);

/// The pool whose worker is watched, and which of its workers that is.
static WATCHED: Mutex<Cell<Option<(&'static Pool, WorkerId)>>> = Mutex::new(Cell::new(None));

/// How many ticks its job may still take; 0 while it has none.
static TICKS_LEFT: AtomicU32 = AtomicU32::new(0);

/// The flag that the job that hangs waits for.
static GO_ON: AtomicBool = AtomicBool::new(false);

#[exception]
fn SysTick() {
    tick::on_tick();
    let left = TICKS_LEFT.load(Ordering::Relaxed);
    TICKS_LEFT.store(left.saturating_sub(1), Ordering::Relaxed);
    if left == 1
        && let Some((pool, worker)) = critical_section::with(|cs| WATCHED.borrow(cs).take())
    {
        // SAFETY: no job here is of a scope.
        unsafe { pool.worker_lost(worker, OnLoss::Break) };
        // The job ends after all, too late.
        GO_ON.store(true, Ordering::Relaxed);
    }
}

/// The thread, as a worker that is watched.
struct Watched {
    pool: &'static Pool,
    /// Whether what its jobs need is there.
    sensor: Result<(), InitError>,
}

impl Parker for Watched {
    fn waker(&self) -> Waker {
        Wfi.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        Wfi.park(deadline);
    }
}

impl Worker for Watched {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        self.sensor?;
        critical_section::with(|cs| WATCHED.borrow(cs).set(Some((self.pool, worker))));
        Ok(())
    }

    fn on_job_start(&self, _job: JobId) {
        TICKS_LEFT.store(LIMIT, Ordering::Relaxed);
    }

    fn on_job_end(&self, _job: JobId) {
        TICKS_LEFT.store(0, Ordering::Relaxed);
    }
}

fn jobs_end() {
    static POOL: Pool = Pool::new();
    POOL.install(&PORT);
    info!("== jobs end in {}", POOL);
    let returns = POOL.submit(|| 6 * 7).expect("there is room");
    let is_cancelled = POOL.submit(|| 1).expect("there is room");
    info!("{}, {}", returns, is_cancelled);
    info!("cancelled: {}", is_cancelled.cancel());
    info!("{}, {}", returns.result(), is_cancelled.result());
}

fn a_pool_is_full() {
    static POOL: Pool = Pool::new();
    POOL.install(&PORT);
    info!("== a pool is full");
    for number in 0..3 {
        if let Err(refused) = POOL.submit_detached(move || info!("this is job {}", number)) {
            error!("{}", refused);
        }
    }
    POOL.run_pending(usize::MAX);
}

fn a_worker_is_lost() {
    static POOL: Pool = Pool::new();
    info!("== a worker is lost");
    let hang = || {
        while !GO_ON.load(Ordering::Relaxed) {
            spin_loop();
        }
    };
    let hangs = POOL.submit(hang).expect("there is room");
    let queued = POOL.submit(|| ()).expect("there is room");
    let ended = POOL.run(&Watched {
        pool: &POOL,
        sensor: Ok(()),
    });
    error!("{}, {}, {}", ended, hangs.result(), queued.result());
}

fn a_worker_cannot_start() {
    static POOL: Pool = Pool::new();
    info!("== a worker cannot start");
    let queued = POOL.submit(|| ()).expect("there is room");
    let ended = POOL.run(&Watched {
        pool: &POOL,
        sensor: Err(InitError("the sensor does not answer")),
    });
    error!("{}, {}", ended, queued.result());
    if let Err(refused) = POOL.submit(|| ()) {
        error!("{}", refused);
    }
}

#[entry]
fn main() -> ! {
    let mut core = Peripherals::take().expect("taken once");
    tick::start(&mut core.SYST, CORE_HZ);
    jobs_end();
    a_pool_is_full();
    a_worker_is_lost();
    a_worker_cannot_start();
    exit(0)
}
