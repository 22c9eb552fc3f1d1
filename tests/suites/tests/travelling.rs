//! Jobs that travel, on every executor that takes them. This program is that of the worker processes,
//! too.

use std::process::ExitCode;

use corepool_std::process::{ProcessPool, run_worker_if_asked};
use corepool_tests::{
    generation,
    travelling::{Fixture, JOBS, LocalThreads, Processes, RemoteThreads, trials},
};
use libtest_mimic::{Arguments, Trial};

fn trials_of<F: Fixture>(executor: &'static str) -> impl Iterator<Item = Trial> {
    trials::<F>().into_iter().map(move |(name, test)| {
        Trial::test(format!("{executor}::{name}"), move || {
            test();
            Ok(())
        })
    })
}

/// A process pool has a worker for each core, unless it is told otherwise.
fn default_workers() -> Trial {
    Trial::test("process_pool::default_workers", || {
        let cores = std::thread::available_parallelism()?.get();
        assert_eq!(ProcessPool::new(&JOBS).max_workers(), cores);
        Ok(())
    })
}

fn main() -> ExitCode {
    run_worker_if_asked(&JOBS);
    assert_eq!(generation(), 0, "a child of the tests is no worker");
    let trials = trials_of::<Processes>("process_pool")
        .chain(trials_of::<LocalThreads>("thread_pool"))
        .chain(trials_of::<RemoteThreads>("remote_workers"))
        .chain([default_workers()]);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
