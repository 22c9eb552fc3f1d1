//! Pools of child processes, which run this program again: see [`run_child_if_asked`].
//!
//! | peer | how it is used |
//! |---|---|
//! | Python ProcessPoolExecutor | see [`python`](crate::python) |
//! | procspawn | its `Pool`, of which every job has a handle with the result; it has no chunks |
//!
//! No slice says anything of CPU time: that of a child is known when it has ended.

use corepool::{
    JobFuture,
    remote::{JobContext, JobEntry, JobTable, RemoteJob},
};
use corepool_std::process::{Chunk, ProcessPool, run_worker_if_asked};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::{
    pool::Job,
    statistics::{Slice, slice},
    workloads::{Effort, Workload, check, round_trip, tiny_job, window::windowed},
};

/// `ProcessPool`.
pub const PROCESS_POOL: &str = "corepool ProcessPool";
/// `procspawn::Pool`.
pub const PROCSPAWN: &str = "procspawn";

/// How many children there are where there is more than one.
pub const CHILDREN: usize = 2;
/// How many jobs there are in a batch where many are under way.
const BATCH: usize = 10_000;
/// How many of them at most.
const WINDOW: usize = 128;

/// [`tiny_job`], as something that can travel.
#[derive(Serialize, Deserialize, Schema)]
pub struct TinyJob(pub u64);

impl RemoteJob for TinyJob {
    type Output = u64;
    const NAME: &'static str = "tiny_job";

    fn run(self, _context: &mut JobContext<'_>) -> u64 {
        tiny_job(self.0)()
    }
}

/// The jobs that the children of a `ProcessPool` know.
pub static JOBS: JobTable =
    JobTable::new(&[JobEntry::of::<TinyJob>(), JobEntry::of::<Chunk<TinyJob>>()]);

/// To be called first in `main`. Returns if this process is not the child of a pool.
pub fn run_child_if_asked() {
    run_worker_if_asked(&JOBS);
    procspawn::init();
}

/// One slice of it.
pub fn process_pool(workload: Workload, size: usize, effort: &Effort) -> Option<Slice> {
    let pool = |children| ProcessPool::builder(&JOBS).max_workers(children).build();
    if workload == Workload::ProcessMap {
        let pool = pool(CHILDREN).ok()?;
        let map = || {
            let jobs = (0..BATCH as u64).map(TinyJob);
            let results = pool.map(jobs, size).expect("chunks are not empty");
            for (number, result) in results.enumerate() {
                check(number as u64, result.expect("a result"));
            }
        };
        return Some(timed(effort, BATCH, map));
    }
    if !is_one_by_one(workload) {
        return None;
    }
    let pool = pool(size).ok()?;
    let submit =
        |number| -> JobFuture<'_, u64> { pool.submit(TinyJob(number)).expect("there is room") };
    one_by_one(workload, effort, submit)
}

impl Job for procspawn::JoinHandle<u64> {
    fn wait(self) -> u64 {
        self.join().expect("a result")
    }
}

/// One slice of it.
pub fn procspawn(workload: Workload, size: usize, effort: &Effort) -> Option<Slice> {
    if !is_one_by_one(workload) {
        return None;
    }
    let pool = procspawn::Pool::new(size).ok()?;
    one_by_one(workload, effort, |number| {
        pool.spawn(number, |number| tiny_job(number)())
    })
}

fn is_one_by_one(workload: Workload) -> bool {
    matches!(
        workload,
        Workload::ProcessRoundTrip | Workload::ProcessWindow
    )
}

/// Every job is handed over by itself.
fn one_by_one<J: Job>(
    workload: Workload,
    effort: &Effort,
    submit: impl Fn(u64) -> J,
) -> Option<Slice> {
    Some(match workload {
        Workload::ProcessRoundTrip => timed(effort, round_trip::BATCH, || {
            windowed(1, round_trip::BATCH, check, &submit);
        }),
        _ => timed(effort, BATCH, || windowed(WINDOW, BATCH, check, &submit)),
    })
}

fn timed(effort: &Effort, jobs: usize, batch: impl FnMut()) -> Slice {
    // The batch before those that are timed starts the children.
    Slice {
        cpu: None,
        ..slice(effort.slice, jobs, batch)
    }
}
