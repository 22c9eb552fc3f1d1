//! The source of the vocabulary: Python's `concurrent.futures`, in processes of their own.

use std::process::Command;

use crate::{
    processes::CHILDREN,
    statistics::Slice,
    workloads::{Effort, Workload},
};

/// `ThreadPoolExecutor`.
pub const THREADS: &str = "Python ThreadPoolExecutor";
/// `ProcessPoolExecutor`.
pub const PROCESSES: &str = "Python ProcessPoolExecutor";

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/peers.py");

/// One slice of it.
pub fn threads(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    slice("threads", workload, workers, effort)
}

/// One slice of it.
pub fn processes(workload: Workload, workers: usize, effort: &Effort) -> Option<Slice> {
    slice("processes", workload, workers, effort)
}

/// Whether there is a Python.
pub fn is_there() -> bool {
    Command::new("python3")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

fn slice(kind: &str, workload: Workload, size: usize, effort: &Effort) -> Option<Slice> {
    use Workload::{Burst, Cold, ProcessMap, Warm, Window};
    let takes_part = match workload {
        Warm | Cold | Burst | Window => true,
        _ => kind == "processes" && workload.is_of_processes(),
    };
    if !takes_part {
        return None;
    }
    let (workers, chunk) = match workload {
        ProcessMap => (CHILDREN, size),
        _ => (size, 1),
    };
    let output = Command::new("python3")
        .args([PROGRAM, kind, workload.name(), &workers.to_string()])
        .args([effort.slice.as_secs_f64().to_string(), chunk.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut figures = said.split_whitespace().map(|word| word.parse().ok());
    Some(Slice {
        time: figures.next()??,
        cpu: figures.next()?,
    })
}
