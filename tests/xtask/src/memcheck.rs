//! `cargo xtask memcheck`: no read of memory that nobody has written, no access out of bounds, no
//! leak, in the tests that run in one thread.
//!
//! Valgrind knows of every byte whether it was written. A pool's bytes are zero at first and old
//! values later, which count as written; so the fixture of these tests undefines the payload of each
//! slot before its next use. Memory that the fixtures keep for ever is no leak: it can be reached. The
//! control is a program that reads from an undefined slot and loses a block.

use std::process::Command;

use crate::{Outcome, cargo, debian, run_command};

/// Valgrind's exit status if it has something to report. No test program exits with that.
const REPORTED: i32 = 77;

pub fn run(_args: &[String]) -> Outcome {
    debian::require(debian::VALGRIND)?;
    control()?;
    let mut core = under_valgrind("test");
    core.args(["--package=corepool", "--lib", "--test=unwinding"]);
    run_command(core.args(["--", "--test-threads=1"]))?;
    let mut suites = under_valgrind("test");
    suites.args([
        "--package=corepool-tests",
        "--test=simulated",
        "--test=slots",
    ]);
    // Those of the thread pool have threads.
    run_command(suites.args(["--", "--test-threads=1", "--skip=thread_pool"]))?;
    println!("valgrind reports no error and no leak");
    Ok(())
}

/// Valgrind reports the planted defects.
fn control() -> Outcome {
    let output = under_valgrind("run")
        .args(["--package=valgrind-programs", "--bin=defects"])
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    for (defect, report) in [
        ("a read of undefined memory", "uninitialised value"),
        ("a lost block", "definitely lost in loss record"),
    ] {
        if output.status.code() != Some(REPORTED) || !said.contains(report) {
            return Err(format!("control: no report of {defect}:\n{said}"));
        }
        println!("control: {defect} is reported, as it should be");
    }
    Ok(())
}

/// Cargo, for what is to be built and then run by valgrind.
fn under_valgrind(verb: &str) -> Command {
    let runner = [
        "valgrind",
        &format!("--error-exitcode={REPORTED}"),
        "--leak-check=full",
        "--errors-for-leak-kinds=definite",
        // Each test has a thread of its own, and one that waits for it must not keep it from running.
        "--fair-sched=yes",
    ];
    let mut command = cargo();
    command.args([verb, "--locked", "--config"]);
    command.arg(format!("target.'cfg(all())'.runner = {runner:?}"));
    command
}
