//! Two Cortex-M33 that share no pool, as on a chip whose cores share little memory: core 0 has the
//! pool, and core 1 is sent its jobs through a mailbox.
//!
//! | core | context | does |
//! |---|---|---|
//! | 0 | `main` | is the remote worker, and between two looks at the mailbox polls the task that submits |
//! | 0 | `SysTick` | submits, too |
//! | 1 | `core_1` | runs jobs, sleeps in `WFE` |
//! | 1 | its fault handler | starts anew: core 0 learns that what was in flight is lost |
#![no_std]
#![no_main]

use core::{cell::UnsafeCell, future::poll_fn, task::Poll};

use corepool::{
    CodecError, JobError, JobFuture, LossReason, StaticPool,
    ports::{Cores, SeveralCores, ThisCore},
    remote::{
        Buffers, JobContext, JobEntry, JobTable, RemoteConfig, RemoteEnd, RemoteJob, RemoteWorker,
        serve,
    },
};
use cortex_m::Peripherals;
use cortex_m_rt::{entry, exception};
use firmware_support::{
    exit,
    mailbox::{Direction, Mailbox, between},
    primes_below, println, ram, report, tick,
};
use mps2_an521::{CORE_HZ, Sse200, Vectors, start_core_1};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};
use static_cell::ConstStaticCell;

/// How many bytes a frame has at most.
const FRAME: usize = 64;

static POOL: StaticPool<8, 512> = StaticPool::new();

// The jobs.

#[derive(Serialize, Deserialize, Schema)]
struct WhichCore;

impl RemoteJob for WhichCore {
    type Output = u8;
    const NAME: &'static str = "which_core";

    fn run(self, _context: &mut JobContext<'_>) -> u8 {
        Sse200::current() as u8
    }
}

#[derive(Serialize, Deserialize, Schema)]
struct PrimesBelow(u32);

impl RemoteJob for PrimesBelow {
    type Output = u32;
    const NAME: &'static str = "primes_below";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        primes_below(self.0)
    }
}

/// Says how often it looked.
#[derive(Serialize, Deserialize, Schema)]
struct UntilCancelled;

impl RemoteJob for UntilCancelled {
    type Output = u32;
    const NAME: &'static str = "until_cancelled";

    fn run(self, context: &mut JobContext<'_>) -> u32 {
        let mut looks = 1;
        while !context.is_cancelled() {
            looks += 1;
        }
        looks
    }
}

#[derive(Serialize, Deserialize, Schema)]
struct Large([[u8; 32]; 2]);

impl RemoteJob for Large {
    type Output = ();
    const NAME: &'static str = "large";

    fn run(self, _context: &mut JobContext<'_>) {}
}

#[derive(Serialize, Deserialize, Schema)]
struct Crash;

impl RemoteJob for Crash {
    type Output = ();
    const NAME: &'static str = "crash";

    fn run(self, _context: &mut JobContext<'_>) {
        cortex_m::asm::udf()
    }
}

static JOBS: JobTable = JobTable::new(&[
    JobEntry::of::<WhichCore>(),
    JobEntry::of::<PrimesBelow>(),
    JobEntry::of::<UntilCancelled>(),
    JobEntry::of::<Large>(),
    JobEntry::of::<Crash>(),
]);

// Core 1.

/// Core 1's end of the mailbox.
struct ForCore1(UnsafeCell<Option<Mailbox<Sse200>>>);

// SAFETY: core 0 writes it before core 1 starts, and then only core 1 uses it.
unsafe impl Sync for ForCore1 {}

static FOR_CORE_1: ForCore1 = ForCore1(UnsafeCell::new(None));

static VECTORS: Vectors = Vectors::new(core_1, core_1_fault);

extern "C" fn core_1() -> ! {
    // SAFETY: core 1's alone. Called again by the fault's handler, from which there is no return to
    // who used it before.
    let mailbox = unsafe { &mut *FOR_CORE_1.0.get() };
    loop {
        let buffers = Buffers {
            outbox: &mut [0; FRAME],
            inbox: &mut [0; 4 * FRAME],
        };
        if let Some(mailbox) = mailbox {
            // A mailbox does not end; after a goodbye the next session begins.
            let _ = serve(mailbox, &JOBS, buffers, &ThisCore::<Sse200>::new());
        }
    }
}

extern "C" fn core_1_fault() -> ! {
    core_1()
}

// Core 0.

/// The task submits by this.
fn submit<J: RemoteJob>(job: J) -> JobFuture<'static, J::Output> {
    POOL.submit_remote(job).expect("there is room")
}

/// Lets the remote worker look at the mailbox.
async fn a_while() {
    let mut looked = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        match core::mem::replace(&mut looked, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

async fn a_job_runs_on_the_other_core() -> bool {
    matches!(submit(WhichCore).await, Ok(1))
}

async fn a_handler_submits() -> bool {
    let mut job = None;
    tick::call_in_handler(&mut || job = Some(submit(WhichCore)));
    match job {
        Some(job) => matches!(job.await, Ok(1)),
        None => false,
    }
}

async fn results_come_back_to_who_asked() -> bool {
    let jobs = [10, 100, 1_000, 20, 200].map(|limit| submit(PrimesBelow(limit)));
    let mut expected = [4, 25, 168, 8, 46].into_iter();
    for job in jobs {
        if job.await.ok() != expected.next() {
            return false;
        }
    }
    true
}

async fn a_job_that_waits_there_is_taken_back() -> bool {
    let runs = submit(UntilCancelled);
    let waits = submit(WhichCore);
    while !waits.running() {
        a_while().await;
    }
    let at_once = waits.cancel();
    let cancelled = matches!(waits.await, Err(JobError::Cancelled));
    runs.cancel();
    !at_once && cancelled && runs.await.is_ok()
}

async fn a_job_without_an_end_ends_when_it_is_cancelled() -> bool {
    let job = submit(UntilCancelled);
    while !job.running() {
        a_while().await;
    }
    job.cancel();
    // Told while it runs, or taken back if it does not yet.
    matches!(job.await, Ok(1..) | Err(JobError::Cancelled))
}

async fn arguments_too_large_for_a_frame_are_refused() -> bool {
    let refused = submit(Large([[1; 32]; 2])).await;
    matches!(refused, Err(JobError::Codec(CodecError::ArgumentsTooLarge)))
}

async fn no_wake_up_and_no_byte_is_lost() -> bool {
    for round in 0..2_500 {
        for (job, expected) in [10, 20, 100]
            .map(|limit| submit(PrimesBelow(limit)))
            .into_iter()
            .zip([4, 8, 25])
        {
            if !matches!(job.await, Ok(count) if count == expected) {
                println!("in round {round}");
                return false;
            }
        }
    }
    true
}

async fn a_core_that_crashes_starts_anew_and_is_used_again() -> bool {
    let lost = submit(Crash).await;
    let next = submit(WhichCore).await;
    matches!(lost, Err(JobError::WorkerLost(LossReason::RESTARTED))) && matches!(next, Ok(1))
}

/// The tests. Ends the pool, and so the remote worker; how many failed.
async fn tests() -> usize {
    let mut failed = 0;
    macro_rules! test {
        ($($name:ident)*) => {
            $(failed += report(stringify!($name), $name().await);)*
        };
    }
    test! {
        a_job_runs_on_the_other_core
        a_handler_submits
        results_come_back_to_who_asked
        a_job_that_waits_there_is_taken_back
        a_job_without_an_end_ends_when_it_is_cancelled
        arguments_too_large_for_a_frame_are_refused
        no_wake_up_and_no_byte_is_lost
        a_core_that_crashes_starts_anew_and_is_used_again
    }
    let _ = POOL.shutdown(false, false);
    failed
}

#[exception]
fn SysTick() {
    tick::on_tick();
}

#[entry]
fn main() -> ! {
    static THERE: ConstStaticCell<Direction> = ConstStaticCell::new(Direction::new());
    static BACK: ConstStaticCell<Direction> = ConstStaticCell::new(Direction::new());
    let mut core = Peripherals::take().expect("taken once");
    tick::start(&mut core.SYST, CORE_HZ);
    let [mailbox, of_core_1] = between([0, 1], [THERE.take(), BACK.take()]);
    // SAFETY: core 1 has not started.
    unsafe { *FOR_CORE_1.0.get() = Some(of_core_1) };
    start_core_1(&VECTORS);

    POOL.install(const { &SeveralCores::<Sse200>::new() });
    let failed = POOL.spawn(tests()).expect("there is room");
    let buffers = Buffers {
        outbox: &mut [0; FRAME],
        inbox: &mut [0; FRAME],
    };
    let mut worker = RemoteWorker::<_>::new(mailbox, &JOBS, buffers, RemoteConfig::default());
    let ended = worker.run(POOL.pool_ref(), &ThisCore::<Sse200>::new());
    let ended = report(
        "a_shutdown_ends_the_remote_worker",
        ended == Ok(RemoteEnd::ShutDown),
    );
    ram::print();
    exit(ended + failed.result().unwrap_or(1))
}
