//! FreeRTOS, on any chip: tasks of different priorities are the workers, tasks and an interrupt
//! handler submit. A board's crate starts the chip, calls [`run`], and calls [`on_timer`] in the handler
//! of a [`Timer`].
//!
//! | priority | context | does |
//! |---|---|---|
//! | | the timer's handler | submits a job, is told that it may not wait for it, notifies `control` |
//! | 4 | the task `control` | submits a job and has its result at once, whomever it interrupted |
//! | 3 | the task `urgent` | a worker |
//! | 1 | the task `patient` | a worker |
//! | 1 | the task `tests` | submits, waits, prints |
//!
//! The timer comes after ever different times, and so does `control`, in the midst of what `tests`
//! and `patient` do with the pool. They cannot go on while it runs. Were there a lock that they
//! held, or a step that they had begun and others wait for, it would wait for ever.
#![no_std]

mod shim;

use core::{ffi::c_void, ptr, time::Duration};

use corepool::{
    JobError, Parker, Port, StaticPool,
    ports::rtos::{Rtos, Task, may_be_deleted, shim::corepool_port_notify},
};
use firmware_support::{exit, println, ram, report};
use freertos_in_rust::{
    delay_ms,
    kernel::tasks::{StaticTask_t, vTaskPrioritySet, xTaskGetCurrentTaskHandle},
    start_scheduler,
    sync::{TaskContext, TaskHandle},
    types::StackType_t,
};
use portable_atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use static_cell::ConstStaticCell;

/// A timer of the board, whose interrupt may call the kernel.
pub trait Timer {
    /// Has the interrupt come after so many nanoseconds, rounded to what the timer can count.
    fn start(nanoseconds: u32);

    /// No more interrupts.
    fn stop();
}

static POOL: StaticPool<16, 32> = StaticPool::new();

// SAFETY: the shim is in this crate, no task is deleted, and each handler here may call the kernel.
static PORT: Rtos = unsafe { Rtos::new() };

static URGENT: Place = Place::new();
static PATIENT: Place = Place::new();
static CONTROL: Place = Place::new();
static TESTS: Place = Place::new();

/// A task and its memory.
struct Place {
    handle: AtomicPtr<c_void>,
    /// A bit for each halfword of 64 KiB, at which an instruction may begin. Were the program larger,
    /// some would share a bit, and too few be counted.
    interrupted_at: [AtomicU32; 1024],
    stack: ConstStaticCell<[StackType_t; 1024]>,
    block: ConstStaticCell<Block>,
}

struct Block(StaticTask_t);

// SAFETY: nothing is in it until `spawn` gives it to the kernel, for ever.
unsafe impl Send for Block {}

impl Place {
    const fn new() -> Self {
        Self {
            handle: AtomicPtr::new(ptr::null_mut()),
            interrupted_at: [const { AtomicU32::new(0) }; 1024],
            stack: ConstStaticCell::new([0; 1024]),
            block: ConstStaticCell::new(Block(StaticTask_t::new())),
        }
    }

    fn spawn(
        &'static self,
        context: &TaskContext,
        name: &str,
        priority: u32,
        run: extern "C" fn(*mut c_void),
    ) {
        let (stack, block) = (self.stack.take(), self.block.take());
        let name = name.as_bytes();
        let task = TaskHandle::spawn_static(context, name, stack, &mut block.0, priority, run)
            .expect("stack and priority are as the kernel wants them");
        self.handle.store(task.as_raw(), Ordering::Relaxed);
    }

    fn is(&self, task: *mut c_void) -> bool {
        self.handle.load(Ordering::Relaxed) == task
    }

    fn note_interruption(&self, address: usize) {
        let (word, bit) = (address / 2 / 32, address / 2 % 32);
        let word = &self.interrupted_at[word % self.interrupted_at.len()];
        word.fetch_or(1 << bit, Ordering::Relaxed);
    }

    /// At how many different instructions it was interrupted.
    fn instructions(&self) -> u32 {
        let words = self.interrupted_at.iter();
        words
            .map(|word| word.load(Ordering::Relaxed).count_ones())
            .sum()
    }
}

/// The context in which a task calls the kernel.
fn kernel() -> TaskContext {
    // SAFETY: only `run`, before the scheduler starts, and tasks call this, and keep it.
    unsafe { TaskContext::assume() }
}

fn sleep() {
    delay_ms(&kernel(), 1);
}

/// Joins after `patient`, so that no submit wakes it for being the first.
extern "C" fn urgent(task: *mut c_void) {
    while POOL.workers() == 0 {
        sleep();
    }
    worker(task);
}

extern "C" fn worker(_: *mut c_void) {
    POOL.run(&Task).expect("the pool is not broken");
    loop {
        sleep();
    }
}

/// How often the tasks are interrupted.
const INTERRUPTIONS: u32 = 20_000;

/// At how many different instructions of a task, for the test to show anything.
const MANY: u32 = 200;

/// Nanoseconds from one interruption to the next, at least; and how many steps, of how many
/// nanoseconds, are added to them at most.
const SHORTEST: u32 = 6_000;
const STEPS: u32 = 251;
const STEP: u32 = 40;

/// Jobs of the handler: accepted ones, those for which it was told that it may not wait, and those that have run.
static ACCEPTED: AtomicU32 = AtomicU32::new(0);
static TOLD: AtomicU32 = AtomicU32::new(0);
static RUN: AtomicU32 = AtomicU32::new(0);

/// The handler of the timer calls this, with the address of the instruction at which a task was
/// interrupted. It has acknowledged the interrupt.
pub fn on_timer<T: Timer>(interrupted_at: Option<usize>) {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    let task = xTaskGetCurrentTaskHandle();
    let place = [&PATIENT, &TESTS].into_iter().find(|place| place.is(task));
    if let (Some(place), Some(address)) = (place, interrupted_at) {
        place.note_interruption(address);
    }
    let submitted = POOL.submit(|| {
        RUN.fetch_add(1, Ordering::Relaxed);
    });
    if let Ok(job) = submitted {
        ACCEPTED.fetch_add(1, Ordering::Relaxed);
        // The job stays queued.
        if let Err(JobError::WouldDeadlock) = job.result() {
            TOLD.fetch_add(1, Ordering::Relaxed);
        }
    }
    // SAFETY: the timer is started after the task is, which is never deleted.
    unsafe { corepool_port_notify(CONTROL.handle.load(Ordering::Relaxed)) };
    // All remainders in turn, far from each other.
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    T::start(SHORTEST + call * 89 % STEPS * STEP);
}

/// How often `control` came, and how often it had no result at once.
static TURNS: AtomicU32 = AtomicU32::new(0);
static LATE: AtomicU32 = AtomicU32::new(0);
static OVER: AtomicBool = AtomicBool::new(false);

extern "C" fn control<T: Timer>(_: *mut c_void) {
    loop {
        Task.park(None);
        // The job is at the end of the queue, so all of that is run, with nobody's help.
        let result = POOL.submit(|| 42).ok().and_then(|mut job| {
            POOL.run_pending(usize::MAX);
            job.try_result()
        });
        if !matches!(result, Some(Ok(42))) {
            LATE.fetch_add(1, Ordering::Relaxed);
        }
        if TURNS.fetch_add(1, Ordering::Relaxed) + 1 == INTERRUPTIONS {
            T::stop();
            OVER.store(true, Ordering::Relaxed);
        }
    }
}

/// Holds up a worker, which sleeps.
struct Hold {
    /// The worker's context; 0 before the job runs.
    worker: AtomicUsize,
    released: AtomicBool,
}

static HOLDS: [Hold; 2] = [const {
    Hold {
        worker: AtomicUsize::new(0),
        released: AtomicBool::new(false),
    }
}; 2];

impl Hold {
    fn run(&self) {
        self.worker.store(PORT.context().get(), Ordering::Relaxed);
        while !self.released.load(Ordering::Relaxed) {
            sleep();
        }
    }

    fn is_in(&self, place: &Place) -> bool {
        self.worker.load(Ordering::Relaxed) == place.handle.load(Ordering::Relaxed).addr()
    }

    fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }
}

/// The priority of `urgent`, of a computation, and of `patient` and `tests`.
const URGENT_IS: u32 = 3;
const MEDIUM: u32 = 2;
const PATIENT_IS: u32 = 1;

/// Ticks of a computation that is more urgent than `patient`.
const COMPUTATION: Duration = Duration::from_millis(40);

/// How long a job waited that was submitted before a computation, while both workers slept.
fn has_waited_behind_a_computation() -> Option<Duration> {
    while POOL.idle_workers() < 2 {
        sleep();
    }
    set_own_priority(MEDIUM);
    let start = PORT.now()?;
    let job = POOL.submit(move || PORT.now().map(|now| now - start));
    while PORT.now()? - start < COMPUTATION {}
    set_own_priority(PATIENT_IS);
    job.ok()?.result().ok()?
}

fn set_own_priority(priority: u32) {
    // SAFETY: a task calls, and sets its own.
    unsafe { vTaskPrioritySet(ptr::null_mut(), priority) };
}

/// A step that should take no time takes less than this.
const LONG: Duration = Duration::from_secs(1);

extern "C" fn tests<T: Timer>(_: *mut c_void) {
    let result = POOL.submit(|| 6 * 7).map(|job| job.result());
    let mut failed = report("a_task_waits_for_a_result", matches!(result, Ok(Ok(42))));

    failed += report(
        "of_the_sleeping_workers_a_submit_wakes_the_most_urgent",
        has_waited_behind_a_computation() == Some(Duration::ZERO),
    );

    let [mut held, mut other] = [0, 1].map(|number: usize| {
        POOL.submit(move || HOLDS[number].run())
            .unwrap_or_else(|_| panic!("there is room"))
    });
    let start = PORT.now();
    let in_time = held.result_timeout(Duration::from_millis(5));
    let waited = PORT.now().zip(start).map(|(end, start)| end - start);
    failed += report(
        "a_wait_times_out_by_the_kernels_clock",
        matches!(in_time, Err(JobError::TimedOut)) && waited >= Some(Duration::from_millis(5)),
    );

    let in_patient = HOLDS.iter().find(|hold| hold.is_in(&PATIENT));
    let in_urgent = HOLDS.iter().find(|hold| hold.is_in(&URGENT));
    failed += report(
        "jobs_that_sleep_hold_up_their_own_workers_alone",
        in_patient.is_some() && in_urgent.is_some() && held.running() && other.running(),
    );

    // From here on, `patient` is the only worker.
    in_patient.inspect(|hold| hold.release());
    let (mut rounds, mut wrong) = (0_u32, 0_u32);
    T::start(SHORTEST);
    while !OVER.load(Ordering::Relaxed) {
        let number = rounds;
        match POOL.submit(move || number + 1).map(|job| job.result()) {
            Ok(Ok(sum)) if sum == number + 1 => (),
            _ => wrong += 1,
        }
        rounds += 1;
    }
    in_urgent.inspect(|hold| hold.release());

    let (turns, late) = (TURNS.load(Ordering::Relaxed), LATE.load(Ordering::Relaxed));
    let (in_worker, in_submitter) = (PATIENT.instructions(), TESTS.instructions());
    println!(
        "# {turns} interruptions, at {in_worker} instructions of the worker and {in_submitter} of \
         who submits, who came round {rounds} times"
    );
    failed += report(
        "an_urgent_task_goes_on_wherever_others_are_interrupted",
        turns == INTERRUPTIONS && late == 0 && in_worker >= MANY && in_submitter >= MANY,
    );

    let holds = [held.result_timeout(LONG), other.result_timeout(LONG)];
    failed += report(
        "those_who_were_interrupted_lose_nothing",
        rounds > 0 && wrong == 0 && holds.iter().all(Result::is_ok),
    );

    drop((held, other));
    let kept = !may_be_deleted(PATIENT.handle.load(Ordering::Relaxed));
    let ended = POOL.shutdown(true, false);
    let (accepted, run) = (
        ACCEPTED.load(Ordering::Relaxed),
        RUN.load(Ordering::Relaxed),
    );
    failed += report(
        "each_job_of_the_handler_is_accepted_and_runs_once",
        accepted == INTERRUPTIONS && run == accepted,
    );
    failed += report(
        "a_handler_that_would_wait_is_told_wherever_it_interrupts",
        TOLD.load(Ordering::Relaxed) == accepted,
    );
    failed += report(
        "shutdown_ends_the_workers",
        ended.is_ok() && POOL.free_slots() == POOL.capacity(),
    );
    // Their wakers may be gone a moment later than the workers are.
    let workers = [&URGENT, &PATIENT].map(|place| place.handle.load(Ordering::Relaxed));
    while !workers.into_iter().all(may_be_deleted) {
        sleep();
    }
    failed += report("a_task_that_has_left_may_be_deleted", kept);
    ram::print();
    exit(failed)
}

/// Installs the port, and starts the tasks and the scheduler.
pub fn run<T: Timer>() -> ! {
    POOL.install(&PORT);
    let context = kernel();
    CONTROL.spawn(&context, "control", 4, control::<T>);
    URGENT.spawn(&context, "urgent", URGENT_IS, urgent);
    PATIENT.spawn(&context, "patient", PATIENT_IS, worker);
    TESTS.spawn(&context, "tests", PATIENT_IS, tests::<T>);
    start_scheduler(context)
}
