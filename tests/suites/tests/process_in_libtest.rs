//! A process pool in a binary of tests, whose `main` is libtest's: one of the tests is the children's
//! `main`.

use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
use corepool_std::process::{
    ProcessPool, ProcessPoolBuildError, ProcessPoolBuilder, run_worker_if_asked,
};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// The number of the process that it runs in.
#[derive(Serialize, Deserialize, Schema)]
struct ProcessId;

impl RemoteJob for ProcessId {
    type Output = u32;
    const NAME: &'static str = "process_id";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        std::process::id()
    }
}

static JOBS: JobTable = JobTable::new(&[JobEntry::of::<ProcessId>()]);

/// A pool whose children run one test of this binary.
fn children_run(test: &str) -> ProcessPoolBuilder {
    let arguments = ["--exact", test, "--include-ignored", "--nocapture"];
    let builder = ProcessPool::builder(&JOBS).max_workers(1);
    arguments.iter().fold(builder, ProcessPoolBuilder::arg)
}

/// The children's `main`. It is no test: in this process it would say that children ask.
#[test]
#[ignore = "for children"]
fn worker() {
    run_worker_if_asked(&JOBS);
}

/// The end of a child whose arguments lead it to no worker.
#[test]
#[ignore = "for children"]
fn no_worker() {
    let program = std::env::current_exe().unwrap();
    let refused = ProcessPool::builder(&JOBS).worker_program(program).build();
    assert!(matches!(refused, Err(ProcessPoolBuildError::IsToBeWorker)));
    // Not by libtest, which would report a failure of its own.
    std::process::exit(1);
}

#[test]
fn a_binary_of_tests_is_no_worker_of_itself() {
    let refused = ProcessPool::builder(&JOBS).build().unwrap_err();
    assert!(
        matches!(refused, ProcessPoolBuildError::NoWorkerEntry),
        "{refused}"
    );
    for text in [refused.to_string(), format!("{refused:?}")] {
        assert!(text.contains("run_worker_if_asked"), "{text}");
    }
}

#[test]
fn a_test_can_be_the_worker() {
    let pool = children_run("worker").build().unwrap();
    let id = pool.submit(ProcessId).unwrap().result().unwrap();
    assert_ne!(id, std::process::id());
}

#[test]
fn a_test_that_makes_a_pool_instead_starts_no_children() {
    let pool = children_run("no_worker").build().unwrap();
    let lost = pool.submit(ProcessId).unwrap().result().unwrap_err();
    let text = lost.to_string();
    // More of it in the child's own words, unless a backtrace follows them.
    let why = "before it had become a worker (does its main call run_worker_if_asked first?)";
    assert!(text.contains(why), "{text}");
}
