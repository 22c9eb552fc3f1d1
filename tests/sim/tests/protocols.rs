//! Two protocols of the core, by atomics. `cargo xtask sim` weakens each, and the test of that
//! protocol must fail then.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::Waker,
    time::Duration,
};

use corepool::{InitError, JobError, OnLoss, Parker, RunError, StaticPool, Worker, WorkerId};
use corepool_sim::{Granularity, Sim};

#[test]
fn a_job_is_not_left_behind_by_a_worker_that_goes_to_sleep() {
    static POOL: StaticPool<4, 32> = StaticPool::new();
    Sim::new(2)
        .pool(&POOL)
        .workers(1..=1, &POOL)
        .granularity(Granularity::Atomics)
        .run(2_000, |_| {
            for number in 0..2 {
                let job = POOL.submit(move || number).unwrap();
                assert_eq!(job.result().unwrap(), number);
            }
        });
}

/// The worker of core 1 in its first stay.
static FIRST: Mutex<Option<WorkerId>> = Mutex::new(None);
/// The number of the worker's stay, from 1, and that in which each job ran.
static STAY: AtomicU32 = AtomicU32::new(0);
static RAN_IN: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// A worker that spins, and says which it is.
struct Spins;

impl Parker for Spins {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        corepool::spin_loop();
    }
}

impl Worker for Spins {
    fn spin(&self, _round: u32) -> bool {
        corepool::spin_loop();
        true
    }

    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        if STAY.load(SeqCst) == 1 {
            *FIRST.lock().unwrap() = Some(worker);
        }
        Ok(())
    }
}

#[test]
fn a_worker_that_is_declared_lost_takes_no_job_of_its_successor_along() {
    static POOL: StaticPool<4, 32, 1, 1> = StaticPool::new();
    let mut sim = Sim::new(3);
    sim.pool(&POOL).reset(&STAY).reset(&RAN_IN);
    // SAFETY: no context keeps a guard, and no other test uses the static.
    unsafe { sim.reset_any(&FIRST) };
    sim.granularity(Granularity::Atomics);
    sim.task(1, "worker", 0, || {
        for stay in 1..=2 {
            STAY.store(stay, SeqCst);
            // The first stay ends when it is declared lost, and its seat is free a little later.
            while let Err(RunError::TooManyWorkers) = POOL.run(&Spins) {
                corepool::spin_loop();
            }
        }
    });
    sim.task(2, "watchdog", 0, || {
        let worker = loop {
            if let Some(worker) = *FIRST.lock().unwrap() {
                break worker;
            }
            corepool::spin_loop();
        };
        // SAFETY: the jobs borrow nothing.
        unsafe { POOL.worker_lost(worker, OnLoss::Continue) };
    });
    sim.run(20_000, |_| {
        let jobs = [0, 1].map(|number| {
            let job = move || RAN_IN[number].store(STAY.load(SeqCst), SeqCst);
            POOL.submit(job).unwrap()
        });
        for (number, job) in jobs.into_iter().enumerate() {
            let result = job.result();
            let stay = RAN_IN[number].load(SeqCst);
            let is_lost = matches!(result, Err(JobError::WorkerLost(_)));
            assert!(!is_lost || stay < 2, "job {number} ran in stay {stay}");
        }
    });
}
