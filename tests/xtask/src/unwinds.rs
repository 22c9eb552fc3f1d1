//! `cargo xtask unwinds`: each call into foreign code panics once (`tests/checks/unwinds`).

use crate::{Outcome, cargo, run_command};

pub fn run(args: &[String]) -> Outcome {
    run_command(
        cargo()
            .args([
                "run",
                "--quiet",
                "--locked",
                "--package=corepool-unwinds",
                "--",
            ])
            .args(args),
    )
}
