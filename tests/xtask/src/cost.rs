//! `cargo xtask cost`: submit, run, cancel and result cost the same with 4 slots and with 4,096,
//! down to the instruction; and so does the worst case of each, with 64 slots and with 4,096.
//!
//! A worst case is one of the queue: a call that finds jobs there which have ended takes some of them out, and with
//! 4 slots there may be fewer than that. The program `cost` of `tests/checks/valgrind` makes one call in a function of its own, and callgrind
//! counts the instructions of that function with all that it calls. Calls by slots are controls: their cost is
//! documented to grow with the slots, and so it must be seen to.

use std::{fs, path::Path, process::Command};

use crate::{Outcome, cargo, debian, root, run_command};

pub fn run(_args: &[String]) -> Outcome {
    debian::require(debian::VALGRIND)?;
    run_command(
        cargo()
            .args(["build", "--quiet", "--locked", "--release"])
            .args([
                "--package=valgrind-programs",
                "--bin=cost",
                "--target-dir=target/cost",
            ]),
    )?;
    let program = root().join("target/cost/release/cost");
    println!(
        "{:<64} {:>8} {:>9} {:>12}",
        "instructions", "4 slots", "64 slots", "4,096 slots"
    );
    let mut wrong = Vec::new();
    for call in calls(&program)? {
        let few = count(&program, &call, "4")?;
        let some = count(&program, &call, "64")?;
        let many = count(&program, &call, "4096")?;
        println!("{call:<64} {few:>8} {some:>9} {many:>12}");
        let should_grow = call.starts_with("by slots: ");
        let is_worst = call.starts_with("worst: ");
        if should_grow != (some != many || !is_worst && few != some) {
            wrong.push(call);
        }
    }
    if wrong.is_empty() {
        println!("the calls by slots grow, as they should; no other call does");
        return Ok(());
    }
    Err(format!("unexpected costs: {}", wrong.join("; ")))
}

/// The calls that the program can make.
fn calls(program: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(program)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let calls: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(String::from)
        .collect();
    match calls.len() {
        0 | 1 => Err(format!("{} has nothing to measure", program.display())),
        _ => Ok(calls),
    }
}

/// The instructions of one call.
fn count(program: &Path, call: &str, slots: &str) -> Result<u64, String> {
    let profile = root().join("target/cost/callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=measured"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args([call, slots])
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{call}, {slots} slots: {}\n{said}", output.status));
    }
    fs::read_to_string(&profile)
        .map_err(|error| format!("cannot read {}: {error}", profile.display()))?
        .lines()
        .find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
        .filter(|&instructions| instructions > 0)
        .ok_or_else(|| format!("{call}, {slots} slots: callgrind has counted nothing"))
}
