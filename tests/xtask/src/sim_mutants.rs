//! The controls of `cargo xtask sim`: weakens protocols of the core, one at a time. The test of that protocol in
//! `tests/sim/tests/protocols.rs` must fail then, and so must its row of `cargo xtask stopped`.

use std::{fs, path::Path, process::Command};

use crate::{Outcome, cargo, root};

/// One weakened protocol.
struct Mutant {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// The test of the simulator that fails.
    test: &'static str,
    /// The row of `cargo xtask stopped` that fails.
    row: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "a worker parks without a look at the queue after it has announced itself",
        file: "core/src/engine/life.rs",
        from: "if !pool.queues().has_any_from(least(pool, kept_for)) && !end::is_over(pool) && worker.stays() {",
        to: "if !end::is_over(pool) && worker.stays() {",
        test: "a_job_is_not_left_behind_by_a_worker_that_goes_to_sleep",
        row: "nobody, and there is one worker",
    },
    Mutant {
        name: "a worker is declared lost without a hold of its seat",
        file: "core/src/engine/life.rs",
        from: "let Some(_hold) = seat.lose(worker) else {\n        return;\n    };",
        to: "let Some(hold) = seat.lose(worker) else {\n        return;\n    };\n    drop(hold);",
        test: "a_worker_that_is_declared_lost_takes_no_job_of_its_successor_along",
        row: "worker_lost, and the seat has a successor",
    },
];

/// The sources that the tests are built from.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "README.md",
    "core",
    "std-adapter",
    "tests/sim",
    "tests/suites",
    "examples",
    "tests/checks",
    "tests/xtask",
];

/// Plants each mutant in a copy of the sources.
pub(crate) fn check() -> Outcome {
    let copy = root().join("target/sim-mutants");
    for mutant in MUTANTS {
        copy_sources(&copy)?;
        plant(mutant, &copy)?;
        let simulated = output(
            cargo()
                .args(["test", "--locked", "--release", "--quiet"])
                .arg("--manifest-path")
                .arg(copy.join("std-adapter/sim/Cargo.toml"))
                .args(["--target-dir", "target/sim"])
                .args(["--package", "corepool-sim-tests", "--test", "protocols"])
                .args(["--", "--exact", mutant.test]),
        )?;
        let stopped = output(
            cargo()
                .args(["run", "--quiet", "--locked", "--release"])
                .arg("--manifest-path")
                .arg(copy.join("tests/checks/steps/Cargo.toml"))
                .args(["--target-dir", "target/steps-mutated"])
                .args(["--", "stopped", mutant.row]),
        )?;
        let verdict = format!("{}: ", mutant.row);
        let reports = [
            (
                "runs of the simulator",
                simulated,
                "the simulation failed in run",
            ),
            ("stopped threads", stopped, &verdict),
        ];
        for (tool, text, mark) in reports {
            match text.lines().find(|line| line.contains(mark)) {
                Some(report) => println!("control: {}: {}", mutant.name, report.trim()),
                None => {
                    return Err(format!(
                        "{tool} do not notice that {}:\n{text}",
                        mutant.name
                    ));
                }
            }
        }
    }
    Ok(())
}

/// All that a command prints. It may fail.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run {:?}: {error}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text + &String::from_utf8_lossy(&output.stderr))
}

/// Copies what git knows of, as it is in the working tree.
fn copy_sources(copy: &Path) -> Outcome {
    let output = Command::new("git")
        .current_dir(root())
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
        ])
        .args(SOURCES)
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    for file in String::from_utf8_lossy(&output.stdout).lines() {
        let (from, to) = (root().join(file), copy.join(file));
        let failed = |error| format!("cannot copy {file}: {error}");
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // A file that is the same keeps its time, so that its crate is not built again.
        let bytes = fs::read(from).map_err(failed)?;
        if fs::read(&to).ok().as_ref() != Some(&bytes) {
            fs::write(to, bytes).map_err(failed)?;
        }
    }
    Ok(())
}

fn plant(mutant: &Mutant, copy: &Path) -> Outcome {
    let file = copy.join(mutant.file);
    let failed = |error| format!("cannot plant the mutant in {}: {error}", mutant.file);
    let text = fs::read_to_string(&file).map_err(failed)?;
    fs::write(&file, mutant.planted_in(&text)?).map_err(failed)
}

impl Mutant {
    /// The text of the mutant's file with the mutant in its place.
    fn planted_in(&self, text: &str) -> Result<String, String> {
        if text.matches(self.from).count() != 1 {
            return Err(format!(
                "the mutant \"{}\" fits no more: its place in {} has changed",
                self.name, self.file
            ));
        }
        Ok(text.replace(self.from, self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mutant_has_its_place_in_the_core() {
        for mutant in MUTANTS {
            let text = fs::read_to_string(root().join(mutant.file)).unwrap();
            assert_eq!(mutant.planted_in(&text).err(), None);
        }
    }
}
