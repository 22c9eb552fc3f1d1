//! `cargo xtask soak`: the random mix of `tests/checks/soak`, optimised.

use crate::{Outcome, cargo, run_command};

pub fn run(args: &[String]) -> Outcome {
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "--package", "soak", "--"]);
    command.args(args);
    run_command(&mut command)
}
