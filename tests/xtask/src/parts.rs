//! `cargo xtask parts`: each call that uses a part of the library sets the part's mark, see `core/src/lockfree/part.rs`.
//!
//! A program of a chip leaves out what depends on a mark that nothing sets. Here the suites run on the host, with the
//! marks of a chip. Each test has a process of its own, in which no other test has set a mark.

use std::{path::Path, process::Command, thread};

use crate::{Outcome, cargo, test_programs};

/// Suites of pools in statics: with a port and workers that sleep, and with neither. The core's own tests run besides.
const SUITES: &[&str] = &["static_threads", "static_spin", "without_port", "contracts"];

/// The time that a test has, in seconds. One that waits for a wake-up which nobody sends fails by it.
const LIMIT: &str = "60";

pub fn run(args: &[String]) -> Outcome {
    let filter = match args {
        [] => "",
        [filter] if !filter.starts_with('-') => filter,
        _ => return Err("usage: cargo xtask parts [FILTER]".into()),
    };
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut command = cargo();
    command
        .env("RUSTFLAGS", format!("{flags} --cfg corepool_parts"))
        .args([
            "test",
            "--locked",
            "--package",
            "corepool",
            "--package",
            "corepool-tests",
        ])
        .args(["--target-dir", "target/parts", "--no-run", "--lib"]);
    for suite in SUITES {
        command.args(["--test", suite]);
    }
    let mut tests = Vec::new();
    for program in test_programs::build(&mut command)? {
        let names = test_programs::list(&program, filter)?.into_iter();
        // The tests of one word make transitions without the calls that lead to them.
        let calls = names.filter(|name| !name.starts_with("lockfree::"));
        tests.extend(calls.map(|name| (program.clone(), name)));
    }
    if tests.is_empty() {
        return Err(format!("no test has {filter:?} in its name"));
    }
    let each = tests
        .len()
        .div_ceil(thread::available_parallelism().map_or(1, usize::from));
    let failed: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = tests
            .chunks(each)
            .map(|tests| {
                scope.spawn(|| {
                    let failures = tests
                        .iter()
                        .filter_map(|(program, name)| fails(program, name));
                    failures.collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|it| it.join().expect("it does not panic"))
            .collect()
    });
    match failed.as_slice() {
        [] => {
            println!("{} tests pass, each in a process of its own", tests.len());
            Ok(())
        }
        failed => Err(failed.join("\n")),
    }
}

/// How a test fails, if it does.
fn fails(program: &Path, name: &str) -> Option<String> {
    let output = Command::new("timeout")
        .arg(LIMIT)
        .arg(program)
        .args(["--exact", name, "--test-threads=1"])
        .output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!(
            "{name}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout)
        )),
        Err(error) => Some(format!("{name}: cannot run timeout: {error}")),
    }
}
