//! The program of a board with one core: everything runs twice, with jobs in the thread and in an interrupt.
//!
//! | context | first arrangement | second arrangement |
//! |---|---|---|
//! | the tick's handler | submits | submits |
//! | a pended interrupt, below it | | runs jobs |
//! | the thread | runs jobs, when it waits or has nothing to do | waits |

use corepool::{
    JobError, StaticPool,
    ports::{OneCore, SoftwareInterrupt, Wfi, in_thread, sleep_unless},
};
use pulse_app::Pool;
use semihosting::println;

use crate::{
    BYTES, Board, BoardPool, LentWorker,
    conformance::{self, Outcome, accepted, check, failed, run_test},
    exit, pulse, ram, tick,
};

/// One of the arrangements.
struct Arrangement<S: 'static> {
    port: &'static OneCore,
    worker: Option<&'static LentWorker<S>>,
}

impl<S: SoftwareInterrupt> Board for Arrangement<S> {
    fn lend(&self, pool: BoardPool) {
        pool.install(self.port);
        if let Some(worker) = self.worker {
            worker.lend(pool);
        }
    }

    fn take_back(&self) {
        if let Some(worker) = self.worker {
            worker.take_back();
        }
    }

    fn hold(&self, _pool: BoardPool, f: &mut dyn FnMut()) {
        match self.worker {
            Some(worker) => worker.hold(f),
            None => f(),
        }
    }

    fn has_workers(&self) -> bool {
        self.worker.is_some()
    }

    fn interrupt(&self, f: &mut (dyn FnMut() + Send)) {
        tick::call_in_handler(f);
    }
}

/// Runs the pulse monitor and the suite in both arrangements, and ends the run. `pending` is a
/// port that pends `worker`; `pools` are the application's, one for each. The tick is running.
pub fn run<S: SoftwareInterrupt>(
    worker: &'static LentWorker<S>,
    pending: &'static OneCore,
    pools: &'static [Pool; 2],
) -> ! {
    let [of_thread, of_interrupt] = pools;

    println!("== jobs in the thread");
    let thread = Arrangement::<S> {
        // SAFETY: `pending`'s promise, which its maker has made for this chip.
        port: &const { unsafe { OneCore::new() }.with_clock(tick::now) },
        worker: None,
    };
    thread.lend(of_thread.pool_ref());
    pulse::request(of_thread, in_thread);
    // The first arrangement's worker is this very thread, until the replay shuts the pool down.
    of_thread.run(&Wfi).expect("the pool is not broken");
    let mut failed = conformance::run(&thread);

    println!("== jobs in a pended interrupt");
    let interrupt = Arrangement {
        port: pending,
        worker: Some(worker),
    };
    interrupt.lend(of_interrupt.pool_ref());
    pulse::request(of_interrupt, || !in_thread());
    while !pulse::is_over() {
        sleep_unless(pulse::is_over);
    }
    interrupt.take_back();
    failed += conformance::run(&interrupt);
    failed += run_test("a_job_in_a_handler_that_would_sleep_is_told", || {
        a_job_would_sleep(&interrupt)
    });

    ram::print();
    exit(failed)
}

/// The thread may have to bring what it waits for, and does not go on before it ends.
fn a_job_would_sleep(board: &dyn Board) -> Outcome {
    static POOL: StaticPool<2, BYTES, 1, 1, 1> = StaticPool::new();
    board.lend(POOL.pool_ref());
    let (_promise, future) = accepted!(POOL.promise::<u32>());
    let job = accepted!(POOL.submit(|| future.result()));
    check!(matches!(job.result(), Ok(Err(JobError::WouldDeadlock))));
    check!(POOL.shutdown(true, false).is_ok());
    board.take_back();
    Ok(())
}
