//! A Cortex-M3 with embassy: an async task ticks every millisecond, another one needs long
//! computations, and no tick is missed, since the computations are jobs of a pool.
//!
//! | priority | context | does |
//! |---|---|---|
//! | high | `SysTick` | counts milliseconds, wakes tasks whose time has come |
//! | middle | `GPIOB`, pended by embassy | the async tasks |
//! | low | `GPIOA`, pended by the pool | the jobs of one pool |
//! | none | `main` | the jobs of another pool |
//!
//! An executor polls one task at a time, so one that computes keeps all others of its executor
//! waiting. A job does not, but on a chip with one core only if the executor can interrupt it. That
//! is why the tasks run in an `InterruptExecutor`, above the workers. Embassy's usual executor is
//! in `main`, and below a worker that is an interrupt; it goes with a worker on another core.
//!
//! Both mistakes are made here too, and must miss ticks: to compute in a task, and to have the
//! executor below the worker.
#![no_std]
#![no_main]

mod clock;

use corepool::{
    JobError, StaticPool,
    ports::{OneCore, Pended, Wfi, cortex_m::Nvic},
};
use cortex_m::peripheral::{Peripherals, SYST, scb::SystemHandler};
use cortex_m_rt::{entry, exception};
use embassy_executor::{Executor, InterruptExecutor};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use firmware_support::{BYTES, exit, primes_below, println, ram, tick};
use lm3s6965::{Interrupt, NVIC_PRIO_BITS, interrupt};
use portable_atomic::{AtomicU32, AtomicUsize, Ordering};
use static_cell::StaticCell;

/// The core's clock when it comes out of reset.
const CORE_HZ: u32 = 12_500_000;

/// From one tick to the next: the timer's reload value.
const CYCLES: u32 = CORE_HZ / 1000 * tick::PERIOD_MS;

const PERIOD: Duration = Duration::from_millis(tick::PERIOD_MS as u64);

/// Priorities: the higher the number, the less urgent.
const MIDDLE: u8 = 1 << (8 - NVIC_PRIO_BITS);
const LOWEST: u8 = u8::MAX << (8 - NVIC_PRIO_BITS);

type Pool = StaticPool<4, BYTES>;

/// Its jobs run in the interrupt of GPIO port A, which is not used.
static IN_INTERRUPT: Pool = Pool::new();
static WORKER: Pended<Nvic<Interrupt>> = Pended::new(Nvic(Interrupt::GPIOA));
// SAFETY: there is one core.
static PENDING: OneCore = unsafe { OneCore::new() }
    .with_clock(tick::now)
    .with_pended_worker(|| WORKER.pend());

/// Its jobs run in `main`.
static IN_THREAD: Pool = Pool::new();

/// In the interrupt of GPIO port B, which is not used either.
static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

#[interrupt]
fn GPIOA() {
    WORKER.run_jobs(IN_INTERRUPT.pool_ref());
}

#[interrupt]
fn GPIOB() {
    // SAFETY: this is its interrupt's handler, which `start` lets be called.
    unsafe { EXECUTOR.on_interrupt() };
}

#[exception]
fn SysTick() {
    tick::on_tick();
    clock::on_tick();
}

/// The fate of the ticks.
struct Ticks {
    served: AtomicU32,
    missed: AtomicU32,
    /// The core's cycles from a tick to when it was served, at the worst.
    latest: AtomicU32,
}

/// The ticks of the task in the interrupt's executor, and of the one in the thread's.
static TICKS: [Ticks; 2] = [const {
    Ticks {
        served: AtomicU32::new(0),
        missed: AtomicU32::new(0),
        latest: AtomicU32::new(0),
    }
}; 2];

/// The work that has to be done every millisecond.
#[embassy_executor::task(pool_size = 2)]
async fn every_millisecond(ticks: &'static Ticks) {
    let mut last = Instant::now();
    loop {
        Timer::at(last + PERIOD).await;
        let since = CYCLES - SYST::get_current();
        let now = Instant::now();
        let missed = (now - last).as_ticks() as u32 - 1;
        ticks.served.fetch_add(1, Ordering::Relaxed);
        ticks.missed.fetch_add(missed, Ordering::Relaxed);
        ticks.latest.fetch_max(since, Ordering::Relaxed);
        last = now;
    }
}

impl Ticks {
    /// Awaits `work`; returns what it returned, and how many ticks were served and missed meanwhile.
    async fn during<R>(&self, work: impl Future<Output = R>) -> (R, u32, u32) {
        // From one tick on, to the second one after the end: before that, the first was looked at.
        Timer::after(PERIOD).await;
        let count = || {
            (
                self.served.load(Ordering::Relaxed),
                self.missed.load(Ordering::Relaxed),
            )
        };
        let (served, missed) = count();
        let result = work.await;
        Timer::after(2 * PERIOD).await;
        let (served_by_now, missed_by_now) = count();
        (result, served_by_now - served, missed_by_now - missed)
    }
}

/// Some milliseconds of work, and what comes of it.
fn count_primes() -> u32 {
    primes_below(50_000)
}

const PRIMES: u32 = 5_133;

/// How many milliseconds it must take for the tests to show anything.
const LONG: u32 = 5;

static FAILED: AtomicUsize = AtomicUsize::new(0);

fn report(name: &str, passed: bool) {
    FAILED.fetch_add(firmware_support::report(name, passed), Ordering::Relaxed);
}

/// Two jobs at a time, twice.
async fn count_in(pool: &'static Pool) -> bool {
    for _ in 0..2 {
        let (Ok(one), Ok(other)) = (pool.submit(count_primes), pool.submit(count_primes)) else {
            return false;
        };
        if !matches!((one.await, other.await), (Ok(PRIMES), Ok(PRIMES))) {
            return false;
        }
    }
    true
}

/// The tests in the executor above the workers.
#[embassy_executor::task]
async fn above_the_workers() {
    let [ticks, _] = &TICKS;

    let (primes, served, missed) = ticks.during(async { count_primes() }).await;
    println!("# a task computes: {served} ticks served, {missed} missed");
    report(
        "a_task_that_computes_misses_ticks",
        primes == PRIMES && missed >= LONG,
    );

    ticks.latest.store(0, Ordering::Relaxed);
    let (correct, served, missed) = ticks.during(count_in(&IN_INTERRUPT)).await;
    println!("# jobs in an interrupt: {served} ticks served, {missed} missed");
    report(
        "no_tick_is_missed_while_an_interrupt_runs_jobs",
        correct && served >= LONG && missed == 0,
    );

    let (correct, served, missed) = ticks.during(count_in(&IN_THREAD)).await;
    println!("# jobs in the thread: {served} ticks served, {missed} missed");
    report(
        "no_tick_is_missed_while_the_thread_runs_jobs",
        correct && served >= LONG && missed == 0,
    );
    let latest = ticks.latest.load(Ordering::Relaxed);
    println!("# while jobs ran, a tick was served within {latest} cycles");

    for (name, pool) in [
        ("a_wait_for_a_job_in_an_interrupt_times_out", &IN_INTERRUPT),
        ("a_wait_for_a_job_in_the_thread_times_out", &IN_THREAD),
    ] {
        report(name, times_out_and_goes_on(pool).await);
    }
    for (name, pool) in [
        ("a_task_awaits_room_in_an_interrupts_pool", &IN_INTERRUPT),
        ("a_task_awaits_room_in_the_threads_pool", &IN_THREAD),
    ] {
        let (all_ran, _, missed) = ticks.during(awaits_room(pool)).await;
        report(name, all_ran && missed == 0);
    }

    let waited = IN_INTERRUPT.submit(|| ()).map(|job| job.result());
    report(
        "a_task_in_an_interrupt_that_would_block_is_told",
        matches!(waited, Ok(Err(JobError::WouldDeadlock))),
    );

    // `main` is not a worker any more after that, and goes on.
    report(
        "a_shutdown_times_out_and_goes_on",
        shutdown_times_out_and_goes_on(&IN_THREAD).await,
    );
}

/// A task stops waiting for a job at its deadline; the job goes on, and can be awaited again.
async fn times_out_and_goes_on(pool: &'static Pool) -> bool {
    let Ok(mut job) = pool.submit(count_primes) else {
        return false;
    };
    let start = Instant::now();
    let in_time = with_timeout(2 * PERIOD, &mut job).await;
    in_time.is_err()
        && start.elapsed() == 2 * PERIOD
        && !job.done()
        && matches!(job.await, Ok(PRIMES))
}

/// A task stops waiting for the pool's end at its deadline; the job goes on, and so does the shutdown.
async fn shutdown_times_out_and_goes_on(pool: &'static Pool) -> bool {
    let Ok(job) = pool.submit(count_primes) else {
        return false;
    };
    let in_time = with_timeout(2 * PERIOD, pool.shutdown_async(false)).await;
    in_time.is_err()
        && pool.is_shut_down()
        && pool.shutdown_async(false).await.is_ok()
        && matches!(job.await, Ok(PRIMES))
}

/// A full pool: a task waits until there is room, and nobody else does.
async fn awaits_room(pool: &'static Pool) -> bool {
    static RUN: AtomicUsize = AtomicUsize::new(0);
    let job = || {
        count_primes();
        RUN.fetch_add(1, Ordering::Relaxed);
    };
    RUN.store(0, Ordering::Relaxed);
    let mut accepted = 0;
    while pool.submit_detached(job).is_ok() {
        accepted += 1;
    }
    let Ok(last) = pool.submit_async(job).await else {
        return false;
    };
    let room_was_made = RUN.load(Ordering::Relaxed) > 0;
    room_was_made
        && last.await.is_ok()
        && accepted == pool.capacity()
        && RUN.load(Ordering::Relaxed) == accepted + 1
}

/// The test in an executor that the worker interrupts, which ends the run.
#[embassy_executor::task]
async fn below_the_worker() {
    let [_, ticks] = &TICKS;
    let (correct, served, missed) = ticks.during(count_in(&IN_INTERRUPT)).await;
    println!("# the executor below the worker: {served} ticks served, {missed} missed");
    report(
        "an_executor_below_the_worker_misses_ticks",
        correct && missed >= LONG,
    );
    ram::print();
    exit(FAILED.load(Ordering::Relaxed))
}

#[entry]
fn main() -> ! {
    static BELOW: StaticCell<Executor> = StaticCell::new();

    let mut core = Peripherals::take().expect("taken once");
    // SAFETY: no critical section is made of priorities.
    unsafe {
        core.NVIC.set_priority(Interrupt::GPIOA, LOWEST);
        core.NVIC.set_priority(Interrupt::GPIOB, MIDDLE);
        core.SCB.set_priority(SystemHandler::SysTick, 0);
    }
    tick::start(&mut core.SYST, CORE_HZ);

    IN_INTERRUPT.install(&PENDING);
    WORKER.start();
    // SAFETY: there is one core.
    IN_THREAD.install(&const { unsafe { OneCore::new() }.with_clock(tick::now) });

    let [above, below] = &TICKS;
    let spawner = EXECUTOR.start(Interrupt::GPIOB);
    spawner.spawn(every_millisecond(above).expect("one of two"));
    spawner.spawn(above_the_workers().expect("the only one"));
    IN_THREAD.run(&Wfi).expect("the pool is not broken");

    BELOW.init(Executor::new()).run(|spawner| {
        spawner.spawn(every_millisecond(below).expect("two of two"));
        spawner.spawn(below_the_worker().expect("the only one"));
    })
}
