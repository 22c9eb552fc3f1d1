//! `cargo xtask stopped`, `urgent` and `linear`: the pool under a scheduler, in `tests/checks/steps`.

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

fn run(check: &str, args: &[String]) -> Outcome {
    run_command(
        cargo()
            .args(["run", "--quiet", "--locked", "--release"])
            .args(["--manifest-path", "tests/checks/steps/Cargo.toml"])
            .args(["--target-dir", "target/steps", "--", check])
            .args(args),
    )
}
