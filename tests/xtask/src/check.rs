//! `cargo xtask check`: the checks that each change passes before it is committed, in a few minutes and with only a
//! Rust toolchain. CONTRIBUTING.md says what else to run, by what the change touches; `.ci/run` runs all of it.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{Outcome, cargo, layers, root, run_command, sim, steps, unwinds};

/// How long it may take on two cores, once everything is built.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// One step: what it is called, and how it is done.
type Step = (&'static str, fn() -> Outcome);

const STEPS: &[Step] = &[
    ("format", format),
    ("the layers of the sources", || layers::run(&[])),
    ("clippy", clippy),
    ("documentation", documentation),
    ("cargo test", || {
        run_command(cargo().args(["test", "--locked", "--quiet"]))
    }),
    ("the core's tests with every feature", || {
        let features = "--features=aarch32,aarch64,cortex-m,critical-section-several-cores,defmt,log,remote,riscv,rtos";
        run_command(cargo().args([
            "test",
            "--locked",
            "--quiet",
            "--package=corepool",
            features,
        ]))
    }),
    ("the core's tests with critical sections", || {
        run_command(cargo().args([
            "test",
            "--locked",
            "--quiet",
            "--package=corepool",
            "--features=critical-section",
        ]))
    }),
    ("the tests of xtask", || {
        run_command(cargo().args(["test", "--locked", "--quiet", "--package=xtask"]))
    }),
    ("applications under many schedules", sim::quick),
    ("histories that some order must explain", || {
        steps::linear(&["--count".into(), "1000".into()])
    }),
    ("each call into foreign code panics once", || {
        unwinds::run(&[])
    }),
];

pub fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err("usage: cargo xtask check".into());
    }
    let start = Instant::now();
    for (name, step) in STEPS {
        println!("== {} s: {name}", start.elapsed().as_secs());
        step().map_err(|error| format!("{name}: {error}"))?;
    }
    let elapsed = start.elapsed();
    println!(
        "all {} steps hold, after {} s",
        STEPS.len(),
        elapsed.as_secs()
    );
    if elapsed > LIMIT {
        println!(
            "the steps took more than {} s; a first build adds its own time",
            LIMIT.as_secs()
        );
    }
    Ok(())
}

fn format() -> Outcome {
    for manifest in manifests()? {
        run_command(cargo().args(["fmt", "--all", "--check", "--manifest-path", &manifest]))?;
    }
    Ok(())
}

/// The manifests of all workspaces: each has a lock file beside it.
pub(crate) fn manifests() -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "*Cargo.lock"])
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    let locks = String::from_utf8_lossy(&output.stdout).into_owned();
    let manifests: Vec<_> = locks
        .lines()
        .map(|lock| {
            Path::new(lock)
                .with_file_name("Cargo.toml")
                .display()
                .to_string()
        })
        .collect();
    match manifests.is_empty() {
        true => Err("git knows of no Cargo.lock here: is this a checkout?".into()),
        false => Ok(manifests),
    }
}

/// The workspaces of the library's packages, each with the folder that it is built in.
const PACKAGES: [(&str, &str); 2] = [
    ("Cargo.toml", "target"),
    ("std-adapter/sim/Cargo.toml", "target/sim"),
];

fn clippy() -> Outcome {
    for (manifest, target) in PACKAGES {
        let place = ["--manifest-path", manifest, "--target-dir", target];
        let everything = ["--workspace", "--all-targets", "--all-features"];
        let denied = ["--", "-D", "warnings"];
        run_command(
            cargo()
                .args(["clippy", "--locked", "--quiet"])
                .args(place)
                .args(everything)
                .args(denied),
        )?;
    }
    Ok(())
}

fn documentation() -> Outcome {
    for (manifest, target) in PACKAGES {
        let place = ["--manifest-path", manifest, "--target-dir", target];
        let everything = ["--workspace", "--no-deps", "--all-features"];
        run_command(
            cargo()
                .env("RUSTDOCFLAGS", "-D warnings")
                .args(["doc", "--locked", "--quiet"])
                .args(place)
                .args(everything),
        )?;
    }
    Ok(())
}
