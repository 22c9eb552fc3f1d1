//! A main loop that uses a pool, and a timer whose handler submits a job to it. The interrupt comes at
//! one instruction of the main loop after the other.
//!
//! A trial has two interrupts. The first one ends the main loop's sleep, and its handler has the second
//! one come a number of instructions later: the place. The handler of the second one submits. The first
//! trial of each operation has the second interrupt after the operation. The places of the next trials
//! are all those up to there.
//!
//! | operation | from | to |
//! |---|---|---|
//! | `in_submit`, `in_run`, `in_result`, `in_cancel` | the call of that function | its return |
//! | the worker's loop | the return of the handler that has submitted a job | the sleep after that job |
//!
//! `cargo xtask size` sees in the trace at which instruction each interrupt comes, and counts the
//! instructions of [`submit`] in the handler.
#![no_std]
#![no_main]

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod chip;

use core::{cell::Cell, hint::black_box, panic::PanicInfo};

use corepool::{
    JobFuture, StaticPool,
    ports::{OneCore, Wfi},
};
use critical_section::Mutex;
use portable_atomic::{AtomicUsize, Ordering::Relaxed};
use semihosting::process::ExitCode;

/// The pushes of a trial are as many. So each trial finds the ends of the queue where the one before
/// found them, and takes the same instructions.
const SLOTS: usize = 4;

type Pool = StaticPool<SLOTS, 8, 1, 1, 1>;
type Job = JobFuture<'static, u32>;

/// For the operations of the main loop. It has no worker, and no port, as in the other programs.
static POOL: Pool = Pool::new();

/// For the worker's loop.
static WORKERS: Pool = Pool::new();

// SAFETY: the chip has one core, and its handler is `in_handler` on RISC-V.
static PORT: OneCore = unsafe { OneCore::new() };

/// The number of instructions after the first interrupt at which the second one comes, about.
static PLACE: AtomicUsize = AtomicUsize::new(0);

/// The interrupts that are still to come in this trial.
static TO_COME: AtomicUsize = AtomicUsize::new(0);

/// The job that the handler of the second interrupt has submitted.
static SUBMITTED: Slot = Slot::new();

/// In trials of the worker's loop: the job that the handler of the first interrupt has submitted.
static FIRST: Slot = Slot::new();

/// The trials of the worker's loop, in a row, in which the second interrupt found the worker asleep or
/// almost.
static IDLE_TRIALS: AtomicUsize = AtomicUsize::new(0);

/// More than the instructions from the announcement that the worker is idle up to its sleep. The
/// command notices if they are not.
const WAY_TO_SLEEP: usize = 150;

/// A job that its submitter keeps for later.
struct Slot(Mutex<Cell<Option<Job>>>);

impl Slot {
    const fn new() -> Self {
        Self(Mutex::new(Cell::new(None)))
    }

    fn put(&self, job: Job) {
        critical_section::with(|section| self.0.borrow(section).set(Some(job)));
    }

    fn take(&self) -> Option<Job> {
        critical_section::with(|section| self.0.borrow(section).take())
    }

    /// The job has ended, if there is one.
    fn check(&self) {
        if let Some(mut job) = self.take() {
            check(job.try_result(), INPUT);
        }
    }
}

/// Measured in the handler.
#[inline(never)]
fn submit(pool: &'static Pool, input: u32) -> Option<Job> {
    pool.submit(move || work(input)).ok()
}

/// The work of each job.
fn work(input: u32) -> u32 {
    input.wrapping_mul(2_654_435_761)
}

/// The input of the handlers' jobs.
const INPUT: u32 = 7;

fn check(result: Option<Result<u32, corepool::JobError>>, input: u32) {
    assert!(matches!(result, Some(Ok(value)) if value == work(input)));
}

/// The state of the main loop.
#[derive(Default)]
struct Main {
    input: u32,
    job: Option<Job>,
    result: Option<u32>,
}

/// The main loop's steps before a trial's first interrupt, and up to the second one or beyond.
struct Operation {
    before: fn(&mut Main),
    operation: fn(&mut Main),
    /// Whether the job comes to its result.
    ends: bool,
}

#[inline(never)]
fn in_submit(main: &mut Main) {
    main.job = submit(&POOL, main.input);
}

#[inline(never)]
fn in_run(_: &mut Main) {
    POOL.run_pending(1);
}

#[inline(never)]
fn in_result(main: &mut Main) {
    if let Some(job) = &mut main.job
        && let Some(Ok(result)) = job.try_result()
    {
        main.result = Some(result);
    }
}

#[inline(never)]
fn in_cancel(main: &mut Main) {
    if let Some(job) = &main.job {
        job.cancel();
    }
}

const OPERATIONS: [Operation; 4] = [
    Operation {
        before: |_| {},
        operation: in_submit,
        ends: true,
    },
    Operation {
        before: in_submit,
        operation: in_run,
        ends: true,
    },
    Operation {
        before: |main| {
            in_submit(main);
            in_run(main);
        },
        operation: in_result,
        ends: true,
    },
    Operation {
        before: in_submit,
        operation: in_cancel,
        ends: false,
    },
];

impl Operation {
    /// Interrupts the operation after itself, and then in each place up to there.
    fn try_all_places(&self) {
        assert!(!self.try_place(chip::LAST_PLACE));
        let is_in_time = (0..chip::LAST_PLACE).position(|place| !self.try_place(place));
        is_in_time.expect("the timer's time is longer than the operation");
    }

    /// Whether the second interrupt came before the operation's end.
    fn try_place(&self, place: usize) -> bool {
        let mut main = Main {
            input: black_box(place as u32),
            ..Main::default()
        };
        (self.before)(&mut main);
        PLACE.store(place, Relaxed);
        TO_COME.store(2, Relaxed);
        chip::interrupt_later();
        chip::sleep();
        (self.operation)(&mut main);
        let is_in_time = TO_COME.load(Relaxed) == 0;
        while TO_COME.load(Relaxed) != 0 {}
        pad(&POOL);
        POOL.run_pending(SLOTS);
        SUBMITTED.check();
        if self.ends {
            let mut job = main
                .job
                .expect("the operation or what comes before submits");
            let result = main.result.map(Ok).or_else(|| job.try_result());
            check(result, main.input);
        }
        is_in_time
    }
}

/// Makes up for the pushes that a trial has not.
fn pad(pool: &'static Pool) {
    const OTHERS: usize = 2;
    for _ in OTHERS..SLOTS {
        assert!(pool.submit_detached(|| ()).is_ok());
    }
}

/// The timer's handler.
fn interrupted() {
    let to_come = TO_COME.load(Relaxed) - 1;
    TO_COME.store(to_come, Relaxed);
    match (to_come, WORKERS.workers()) {
        (1, 0) => chip::interrupt_in(PLACE.load(Relaxed)),
        (_, 0) => SUBMITTED.put(submit(&POOL, INPUT).expect("a slot is free")),
        (1, _) => {
            // Those of the trial before.
            FIRST.check();
            SUBMITTED.check();
            FIRST.put(submit(&WORKERS, INPUT).expect("a slot is free"));
            chip::interrupt_in(PLACE.load(Relaxed));
        }
        _ => {
            let first = FIRST.take().expect("the handler has submitted it");
            let is_idle = first.done() && WORKERS.idle_workers() == 1;
            let job = submit(&WORKERS, INPUT).expect("a slot is free");
            FIRST.put(first);
            SUBMITTED.put(job);
            pad(&WORKERS);
            note(is_idle);
            TO_COME.store(2, Relaxed);
            chip::interrupt_later();
        }
    }
}

/// After a trial of the worker's loop. Ends the run after the trials of all places.
fn note(is_idle: bool) {
    let place = PLACE.load(Relaxed);
    if place == chip::LAST_PLACE {
        assert!(is_idle, "the timer's time is longer than the worker's loop");
        PLACE.store(0, Relaxed);
        return;
    }
    assert!(place + 1 < chip::LAST_PLACE);
    PLACE.store(place + 1, Relaxed);
    let idle_trials = if is_idle {
        IDLE_TRIALS.load(Relaxed) + 1
    } else {
        0
    };
    IDLE_TRIALS.store(idle_trials, Relaxed);
    if idle_trials == WAY_TO_SLEEP {
        ExitCode::SUCCESS.exit_process()
    }
}

/// The main loop, and then the worker's.
fn application() -> ! {
    // From now on no slot is used for the first time.
    for pool in [&POOL, &WORKERS] {
        let jobs = [(); SLOTS].map(|()| pool.submit_detached(|| ()).is_ok());
        assert!(jobs == [true; SLOTS]);
        pool.run_pending(SLOTS);
    }
    for operation in OPERATIONS {
        operation.try_all_places();
    }
    WORKERS.install(&PORT);
    PLACE.store(chip::LAST_PLACE, Relaxed);
    TO_COME.store(2, Relaxed);
    chip::interrupt_later();
    let left = WORKERS.run(&Wfi);
    unreachable!("the pool is neither shut down nor broken: {}", left.is_ok())
}

#[panic_handler]
fn panicked(_: &PanicInfo) -> ! {
    ExitCode::FAILURE.exit_process()
}
