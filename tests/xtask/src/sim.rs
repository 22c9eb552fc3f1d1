//! `cargo xtask sim`: the simulator's promises, its garden of planted bugs, the pulse monitor, the data logger, its
//! figures as ratios, and mutants of the core.

use crate::{Outcome, cargo, run_command, sim_mutants, steps};

/// Runs of each twin of a planted bug.
const TWINS: &str = "100000";
/// Runs of the pulse monitor.
const PULSE: &str = "10000";

const USAGE: &str = "usage: cargo xtask sim [--quick | --runs | --figures | --mutants]

  --quick   a few thousand runs of each test, instead of those that the documentation states
  --runs    the runs of each test that the documentation states, alone
  --figures prints how long points, runs and schedules take, beside bare fibers and shuttle, alone
  --mutants plants the mutants of the core alone";

pub fn run(args: &[String]) -> Outcome {
    match args {
        [] => {}
        [option] if option == "--quick" => return quick(),
        [option] if option == "--runs" => return runs(),
        [option] if option == "--figures" => return figures(),
        [option] if option == "--mutants" => return sim_mutants::check(),
        _ => return Err(USAGE.into()),
    }
    runs()?;
    figures()?;
    sim_mutants::check()
}

/// The tests with the runs that the documentation states.
fn runs() -> Outcome {
    quick()?;
    // The variable counts for each test of a program, so the programs run one by one.
    tests(&["--test", "garden", "each_twin"], Some(TWINS))?;
    tests(&["--test", "pulse"], Some(PULSE))
}

/// Other load may slow a few of the figures, so they have three tries.
fn figures() -> Outcome {
    let shuttle = steps::build()?;
    let mut command = cargo();
    command
        .args(["run", "--locked", "--release", "--quiet"])
        .args(["--manifest-path", "std-adapter/sim/Cargo.toml"])
        .args(["--target-dir", "target/sim"])
        .args(["--package", "corepool-sim-tests", "--bin", "figures", "--"])
        .arg(shuttle);
    run_command(&mut command)
        .or_else(|_| run_command(&mut command))
        .or_else(|_| run_command(&mut command))
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
