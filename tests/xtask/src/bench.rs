//! `cargo xtask bench`: the pool beside the best pools of the host, in `tests/costs/bench`.

use crate::{Outcome, cargo, debian, root, run_command};

pub fn run(args: &[String]) -> Outcome {
    debian::require(debian::VALGRIND)?;
    // All of its programs: one runs the others.
    run_command(
        cargo()
            .args(["build", "--quiet", "--locked", "--release", "--bins"])
            .args(["--manifest-path", "tests/costs/bench/Cargo.toml"])
            .args(["--target-dir", "target/bench"]),
    )?;
    run_command(
        std::process::Command::new(root().join("target/bench/release/bench"))
            .args(args)
            // The pool of the crate `blocking` has its threads for the whole process.
            .env("BLOCKING_MAX_THREADS", "2"),
    )
}
