//! Programs of tests, for checks that run each test in a process of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::root;

/// Builds test programs by a `cargo test` with `--no-run`; returns where they are.
pub fn build(command: &mut Command) -> Result<Vec<PathBuf>, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // "Executable unittests src/lib.rs (target/loom/release/deps/corepool-…)"
    let programs: Vec<PathBuf> = said
        .lines()
        .filter(|line| line.trim_start().starts_with("Executable"))
        .filter_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
        .map(|program| root().join(program))
        .collect();
    match output.status.success() && !programs.is_empty() {
        true => Ok(programs),
        false => Err(format!("the tests do not build:\n{said}")),
    }
}

/// The names of a program's tests that have `filter` in them.
pub fn list(program: &Path, filter: &str) -> Result<Vec<String>, String> {
    let output = Command::new(program)
        .args(["--list", filter])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(String::from)
        .collect())
}
