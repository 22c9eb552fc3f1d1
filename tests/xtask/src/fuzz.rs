//! `cargo xtask fuzz`: sequences of calls, found by coverage, with libFuzzer by way of `cargo fuzz`.
//!
//! It begins with the corpus in the repository and leaves that as it is; what it finds is in
//! `target/fuzz` and is where the next run goes on. `--keep` takes from there what reaches code that
//! the corpus does not. Coverage needs no sanitizer, and so no nightly compiler: the core's own
//! checks and the model's are what fails. `--sanitizer address` has Debian's compiler build it, and
//! bad accesses and leaks fail as well.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{Outcome, cargo, root, run_command, sanitizers};

const FUZZ: &str = "tests/fuzz";
const TARGET: &str = "sequences";
/// In bytes: some thirty calls. Longer ones are slower and reach nothing else.
const MAX_LENGTH: &str = "-max_len=300";
const USAGE: &str =
    "usage: cargo xtask fuzz [--keep | [--seconds N | --replay FILE] [--sanitizer address]]";

pub fn run(args: &[String]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (what, sanitizer) = match &args[..] {
        [what @ .., "--sanitizer", "address"] => (what, "address"),
        what => (what, "none"),
    };
    match what {
        [] => fuzz("120", sanitizer),
        ["--seconds", seconds] if seconds.parse::<u32>().is_ok() => fuzz(seconds, sanitizer),
        ["--replay", file] => replay(file, sanitizer),
        ["--keep"] if sanitizer == "none" => keep(),
        _ => Err(USAGE.into()),
    }
}

/// The corpus in the repository, and what was found on this machine.
fn corpora() -> Result<[PathBuf; 2], String> {
    let found = root().join("target/fuzz/corpus");
    fs::create_dir_all(&found)
        .map_err(|error| format!("cannot make {}: {error}", found.display()))?;
    Ok([root().join(FUZZ).join("corpus").join(TARGET), found])
}

fn fuzz(seconds: &str, sanitizer: &str) -> Outcome {
    let [kept, found] = corpora()?;
    let before = artifacts();
    let mut command = cargo_fuzz(sanitizer)?;
    // What is found goes to the first.
    command.arg(&found).arg(&kept).arg("--");
    command.args([
        MAX_LENGTH,
        "-timeout=20",
        "-verbosity=0",
        "-print_final_stats=1",
    ]);
    command.arg(format!("-max_total_time={seconds}"));
    let outcome = run_command(&mut command);
    match artifacts().into_iter().find(|file| !before.contains(file)) {
        Some(file) => Err(format!(
            "a sequence fails; replay it: cargo xtask fuzz --replay {}",
            file.strip_prefix(root()).unwrap_or(&file).display()
        )),
        None => outcome,
    }
}

/// Where sequences that fail are.
fn artifacts() -> Vec<PathBuf> {
    let folder = root().join(FUZZ).join("artifacts").join(TARGET);
    // There is no folder before there is a first one.
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.path()).collect()
}

fn replay(file: &str, sanitizer: &str) -> Outcome {
    let path = std::path::absolute(file).map_err(|error| error.to_string())?;
    if !path.is_file() {
        return Err(format!("{file} is not there"));
    }
    run_command(cargo_fuzz(sanitizer)?.arg(path))
}

fn keep() -> Outcome {
    let [kept, found] = corpora()?;
    let mut command = cargo_fuzz("none")?;
    command.arg(&kept).arg(&found);
    // Which code is reached, and not how often.
    command.args(["--", "-set_cover_merge=1", "-use_counters=0"]);
    run_command(&mut command)
}

/// `cargo fuzz run` of the target, without what it is to run on.
fn cargo_fuzz(sanitizer: &str) -> Result<Command, String> {
    let is_there = |program: &mut Command| {
        let quiet = program.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    if !is_there(Command::new(compiler()).arg("--version")) {
        // libFuzzer is C++.
        return Err("missing: apt-get install -y --no-install-recommends g++".into());
    }
    if !is_there(cargo().args(["fuzz", "--version"])) {
        return Err("missing: cargo install cargo-fuzz --locked".into());
    }
    let (mut command, target) = match sanitizer {
        "none" => (cargo(), "target/fuzz".into()),
        _ => (sanitizers::cargo(sanitizer)?, sanitizers::target(sanitizer)),
    };
    command.args(["fuzz", "run", "--sanitizer", sanitizer, "--fuzz-dir", FUZZ]);
    command.arg("--target-dir").arg(root().join(target));
    command.arg(TARGET);
    Ok(command)
}

fn compiler() -> String {
    std::env::var("CXX").unwrap_or_else(|_| "c++".into())
}
