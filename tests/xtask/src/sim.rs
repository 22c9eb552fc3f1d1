//! `cargo xtask sim`: the simulator's promises, its garden of planted bugs, the pulse monitor, the data logger, its
//! figures as ratios, and mutants of the core.

use crate::{Outcome, cargo, run_command, sim_mutants, steps};

/// Runs of each twin of a planted bug.
const TWINS: &str = "100000";
/// Runs of the pulse monitor.
const PULSE: &str = "10000";

const USAGE: &str = "usage: cargo xtask sim [--quick | --figures | --mutants]

  --quick   a few thousand runs of each test, instead of those that the documentation states
  --figures prints how long points, runs and schedules take, beside bare fibers and shuttle
  --mutants plants the mutants of the core alone";

pub fn run(args: &[String]) -> Outcome {
    match args {
        [] => {}
        [option] if option == "--quick" => return quick(),
        [option] if option == "--figures" => return figures(),
        [option] if option == "--mutants" => return sim_mutants::check(),
        _ => return Err(USAGE.into()),
    }
    quick()?;
    // The variable counts for each test of a program, so the programs run one by one.
    tests(&["--test", "garden", "each_twin"], Some(TWINS))?;
    tests(&["--test", "pulse"], Some(PULSE))?;
    figures_hold()?;
    sim_mutants::check()
}

/// Other load may slow a few of the figures, so they have three tries.
fn figures_hold() -> Outcome {
    figures().or_else(|_| figures()).or_else(|_| figures())
}

/// The figures, beside shuttle's time for the same application.
fn figures() -> Outcome {
    let shuttle = steps::rate()?;
    run_command(
        cargo()
            .args(["run", "--locked", "--release", "--quiet"])
            .args(["--manifest-path", "std-adapter/sim/Cargo.toml"])
            .args(["--target-dir", "target/sim"])
            .args(["--package", "corepool-sim-tests", "--bin", "figures", "--"])
            .arg(shuttle),
    )
}

/// The tests with the runs that they state.
pub(crate) fn quick() -> Outcome {
    tests(&[], None)
}

fn tests(what: &[&str], schedules: Option<&str>) -> Outcome {
    let mut command = cargo();
    command
        .args(["test", "--locked", "--release", "--quiet"])
        .args(["--manifest-path", "std-adapter/sim/Cargo.toml"])
        .args(["--target-dir", "target/sim"]);
    match what {
        [] => command.arg("--workspace"),
        what => command.args(["--package", "corepool-sim-tests"]).args(what),
    };
    if let Some(schedules) = schedules {
        command.env("COREPOOL_SIM_SCHEDULES", schedules);
    }
    run_command(&mut command)
}
