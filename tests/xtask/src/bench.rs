//! `cargo xtask bench`: the pool beside the best pools of the host, in `tests/costs/bench`.
//!
//! The benchmark writes tables, and `plot` draws some of them. `--draw` draws the tables that are there, and measures
//! nothing.

mod plot;

use std::fs;

use crate::{Outcome, cargo, debian, root, run_command};

/// The tables.
const TABLES: &str = "tests/costs/bench/README.md";

/// Beside the adapter's sources, whose documentation shows it.
const PLOT: &str = "std-adapter/images/bench.svg";

pub fn run(args: &[String]) -> Outcome {
    if args == ["--draw"] {
        return draw();
    }
    debian::require(debian::VALGRIND)?;
    // All of its programs: one runs the others.
    run_command(
        cargo()
            .args(["build", "--quiet", "--locked", "--release", "--bins"])
            .args(["--manifest-path", "tests/costs/bench/Cargo.toml"])
            .args(["--target-dir", "target/bench"]),
    )?;
    let outcome = run_command(
        std::process::Command::new(root().join("target/bench/release/bench"))
            .args(args)
            // The pool of the crate `blocking` has its threads for the whole process.
            .env("BLOCKING_MAX_THREADS", "2"),
    );
    // A bar that does not hold fails the command, and the tables are written all the same.
    if args.iter().any(|arg| arg == "--write") {
        draw()?;
    }
    outcome
}

fn draw() -> Outcome {
    let tables = fs::read_to_string(root().join(TABLES))
        .map_err(|error| format!("cannot read {TABLES}: {error}"))?;
    let plot = plot::svg(&tables)?;
    fs::write(root().join(PLOT), plot).map_err(|error| format!("cannot write {PLOT}: {error}"))
}

#[test]
fn the_plot_is_that_of_the_tables() {
    let read = |path| fs::read_to_string(root().join(path)).expect("it is in the repository");
    assert!(
        plot::svg(&read(TABLES)).expect("the tables are there") == read(PLOT),
        "cargo xtask bench --draw"
    );
}
