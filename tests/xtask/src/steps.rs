//! `cargo xtask stopped`, `urgent` and `linear`: the pool under a scheduler, in `tests/checks/steps`.

use std::process::Command;

use crate::{Outcome, cargo, run_command};

pub fn stopped(args: &[String]) -> Outcome {
    run("stopped", args)
}

pub fn urgent(args: &[String]) -> Outcome {
    run("urgent", args)
}

pub fn linear(args: &[String]) -> Outcome {
    run("linear", args)
}

/// The time that the scheduler takes for a schedule of a small application, in microseconds.
pub fn rate() -> Result<String, String> {
    let mut command = steps("rate");
    let output = command
        .args(["--count", "3000"])
        .output()
        .map_err(|error| format!("cannot run {:?}: {error}", command.get_program()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_string()),
        false => Err(format!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn run(check: &str, args: &[String]) -> Outcome {
    run_command(steps(check).args(args))
}

fn steps(check: &str) -> Command {
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--locked", "--release"])
        .args(["--manifest-path", "tests/checks/steps/Cargo.toml"])
        .args(["--target-dir", "target/steps", "--", check]);
    command
}
