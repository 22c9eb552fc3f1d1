//! A Cortex-M3 with RTIC: a hardware task submits jobs and never waits, a software task awaits them.
//!
//! | priority | task | does |
//! |---|---|---|
//! | 3 | `sample`, bound to `SysTick` | submits a job each millisecond, sends its future on |
//! | 2 | `collect`, dispatched by `GPIOB` | awaits the jobs' results |
//! | 1 | `work`, bound to `GPIOA`, which the pool pends | runs the jobs |
//! | 0 | `idle` | sleeps |
//!
//! Workers are the lowest priority: what is above them, RTIC serves in time, whatever a job takes.
#![no_std]
#![no_main]

use corepool::{
    JobFuture, StaticPool,
    ports::{OneCore, Pended, cortex_m::Nvic},
};
use firmware_support::{BYTES, tick};
use lm3s6965::Interrupt;

/// The core's clock when it comes out of reset.
const CORE_HZ: u32 = 12_500_000;

static POOL: StaticPool<8, BYTES> = StaticPool::new();

/// The interrupt of GPIO port A, which is not used.
static WORKER: Pended<Nvic<Interrupt>> = Pended::new(Nvic(Interrupt::GPIOA));
// SAFETY: there is one core.
static PENDING: OneCore = unsafe { OneCore::new() }
    .with_clock(tick::now)
    .with_pended_worker(|| WORKER.pend());

/// The answer of `context` in it: the exception's number plus one.
const WORKER_CONTEXT: usize = 16 + Interrupt::GPIOA as usize + 1;

/// How many jobs are submitted that take less than a tick, and how many after them that take more.
const SHORT: u32 = 50;
const LONG: u32 = 50;

/// The result of a job.
struct Done {
    number: u32,
    primes: u32,
    context: usize,
}

type Job = JobFuture<'static, Done>;

/// Futures on their way from the hardware task to the software task: as many as there are slots.
const ON_THE_WAY: usize = POOL.capacity();

/// How far the job counts, and how many primes there are.
fn limit_and_primes(number: u32) -> (u32, u32) {
    if number < SHORT {
        (4_000, 550)
    } else {
        (20_000, 2_262)
    }
}

#[rtic::app(device = lm3s6965, dispatchers = [GPIOB])]
mod app {
    use corepool::ports::{context, sleep_unless};
    use firmware_support::{exit, primes_below, println, ram, report};
    use rtic_sync::{
        channel::{Receiver, Sender},
        make_channel,
    };

    use super::*;

    #[shared]
    struct Shared {
        /// Jobs that the pool had no room for, short and long ones.
        refused: [u32; 2],
    }

    #[local]
    struct Local {
        /// `None` after the last job.
        jobs: Option<Sender<'static, Job, ON_THE_WAY>>,
    }

    #[init]
    fn init(cx: init::Context) -> (Shared, Local) {
        let mut timer = cx.core.SYST;
        tick::start(&mut timer, CORE_HZ);

        POOL.install(&PENDING);
        WORKER.start();

        let (sender, receiver) = make_channel!(Job, ON_THE_WAY);
        collect::spawn(receiver).expect("the only one");
        (Shared { refused: [0; 2] }, Local { jobs: Some(sender) })
    }

    #[idle]
    fn idle(_: idle::Context) -> ! {
        loop {
            sleep_unless(|| false);
        }
    }

    #[task(binds = SysTick, priority = 3, shared = [refused], local = [jobs, next: u32 = 0])]
    fn sample(mut cx: sample::Context) {
        tick::on_tick();
        let Some(jobs) = cx.local.jobs else {
            return;
        };
        let number = *cx.local.next;
        if number == SHORT + LONG {
            *cx.local.jobs = None;
            return;
        }
        *cx.local.next += 1;
        let submitted = POOL.submit(move || Done {
            number,
            primes: primes_below(limit_and_primes(number).0),
            context: context().get(),
        });
        match submitted {
            Ok(job) => {
                // There is room for each job that the pool has room for. Should there be none, the
                // future is dropped, and the test misses it.
                let _ = jobs.try_send(job);
            }
            Err(_) => cx
                .shared
                .refused
                .lock(|refused| refused[usize::from(number >= SHORT)] += 1),
        }
    }

    #[task(binds = GPIOA, priority = 1)]
    fn work(_: work::Context) {
        WORKER.run_jobs(POOL.pool_ref());
    }

    #[task(priority = 2, shared = [refused])]
    async fn collect(mut cx: collect::Context, mut jobs: Receiver<'static, Job, ON_THE_WAY>) {
        let mut collected = [0; 2];
        let mut next = 0;
        let (mut correct, mut in_order, mut in_worker) = (true, true, true);
        // Until the hardware task has dropped its end.
        while let Ok(job) = jobs.recv().await {
            let Ok(done) = job.await else {
                correct = false;
                continue;
            };
            collected[usize::from(done.number >= SHORT)] += 1;
            correct &= done.primes == limit_and_primes(done.number).1;
            in_order &= done.number >= next;
            in_worker &= done.context == WORKER_CONTEXT;
            next = done.number + 1;
        }
        let refused = cx.shared.refused.lock(|refused| *refused);

        let mut failed = report(
            "a_software_task_awaits_the_jobs_of_a_hardware_task",
            correct && collected[0] == SHORT && refused[0] == 0,
        );
        failed += report("results_come_in_the_order_of_submission", in_order);
        failed += report("jobs_run_in_the_task_below_both", in_worker);
        failed += report(
            "a_full_pool_refuses_the_hardware_task_and_loses_nothing",
            collected[1] > 0 && refused[1] > 0 && collected[1] + refused[1] == LONG,
        );
        println!(
            "# of {LONG} long jobs, {} had results and {} were refused",
            collected[1], refused[1]
        );
        ram::print();
        exit(failed)
    }
}
