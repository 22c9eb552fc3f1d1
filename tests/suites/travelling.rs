//! Jobs that travel, on every executor that takes them. This program is that of the worker processes,
//! too.

use std::process::ExitCode;

use corepool_std::process::run_worker_if_asked;
use corepool_tests::travelling::{Fixture, JOBS, LocalThreads, Processes, RemoteThreads, trials};
use libtest_mimic::{Arguments, Trial};

fn trials_of<F: Fixture>(executor: &'static str) -> impl Iterator<Item = Trial> {
    trials::<F>().into_iter().map(move |(name, test)| {
        Trial::test(format!("{executor}::{name}"), move || {
            test();
            Ok(())
        })
    })
}

fn main() -> ExitCode {
    run_worker_if_asked(&JOBS);
    let trials = trials_of::<Processes>("process_pool")
        .chain(trials_of::<LocalThreads>("thread_pool"))
        .chain(trials_of::<RemoteThreads>("remote_workers"));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
