//! `cargo xtask stopped`, `urgent` and `linear`: the pool under a scheduler, in `tests/checks/steps`.

use std::{path::PathBuf, process::Command};

use crate::{Outcome, cargo, root, run_command};

/// The directory of what is built.
const TARGET: &str = "target/steps";

pub fn stopped(args: &[String]) -> Outcome {
    run("stopped", args)
}

pub fn urgent(args: &[String]) -> Outcome {
    run("urgent", args)
}

pub fn linear(args: &[String]) -> Outcome {
    run("linear", args)
}

/// Builds the program; returns where it is.
pub fn build() -> Result<PathBuf, String> {
    run_command(&mut cargo_steps("build"))?;
    Ok(root().join(TARGET).join("release/steps"))
}

fn run(check: &str, args: &[String]) -> Outcome {
    run_command(steps(check).args(args))
}

fn steps(check: &str) -> Command {
    let mut command = cargo_steps("run");
    command.args(["--", check]);
    command
}

fn cargo_steps(verb: &str) -> Command {
    let mut command = cargo();
    command
        .args([verb, "--quiet", "--locked", "--release"])
        .args(["--manifest-path", "tests/checks/steps/Cargo.toml"])
        .args(["--target-dir", TARGET]);
    command
}
