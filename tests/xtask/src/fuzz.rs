//! `cargo xtask fuzz`: sequences of calls, and what a hostile peer sends by a link, found by coverage,
//! with libFuzzer by way of `cargo fuzz`.
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

const FUZZ: &str = "tests/checks/fuzz";
type Target = (&'static str, u32);
/// The targets, and the greatest length of an input, in bytes: some thirty calls or messages. Longer
/// ones are slower and reach nothing else.
const TARGETS: [Target; 3] = [
    ("sequences", 300),
    ("remote_server", 600),
    ("remote_client", 600),
];
/// For each of the targets.
const SECONDS: &str = "60";
const USAGE: &str = "usage: cargo xtask fuzz [TARGET] [--keep | --seconds N] [--sanitizer address]
       cargo xtask fuzz TARGET --replay FILE [--sanitizer address]
TARGET is sequences, remote_server or remote_client; without one, each in turn";

pub fn run(args: &[String]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (what, sanitizer) = match &args[..] {
        [what @ .., "--sanitizer", "address"] => (what, "address"),
        what => (what, "none"),
    };
    let named = |name: &&str| TARGETS.iter().find(|(target, _)| target == name);
    let (targets, what) = match what {
        [name, what @ ..] if named(name).is_some() => (named(name).as_slice().to_vec(), what),
        what => (TARGETS.iter().collect(), what),
    };
    let each = |f: &dyn Fn(&Target) -> Outcome| targets.iter().try_for_each(|target| f(target));
    match what {
        [] => each(&|target| fuzz(target, SECONDS, sanitizer)),
        ["--seconds", seconds] if seconds.parse::<u32>().is_ok() => {
            each(&|target| fuzz(target, seconds, sanitizer))
        }
        ["--replay", file] if targets.len() == 1 => replay(targets[0], file, sanitizer),
        ["--keep"] if sanitizer == "none" => each(&keep),
        _ => Err(USAGE.into()),
    }
}

/// The corpus in the repository, and what was found on this machine.
fn corpora(name: &str) -> Result<[PathBuf; 2], String> {
    let found = root().join("target/fuzz/corpus").join(name);
    fs::create_dir_all(&found)
        .map_err(|error| format!("cannot make {}: {error}", found.display()))?;
    Ok([root().join(FUZZ).join("corpus").join(name), found])
}

fn fuzz(&(name, length): &Target, seconds: &str, sanitizer: &str) -> Outcome {
    let [kept, found] = corpora(name)?;
    let before = artifacts(name);
    let mut command = cargo_fuzz(name, sanitizer)?;
    // libFuzzer adds its finds to the first.
    command.arg(&found).arg(&kept).arg("--");
    command.args(["-timeout=20", "-verbosity=0", "-print_final_stats=1"]);
    command.arg(format!("-max_len={length}"));
    command.arg(format!("-max_total_time={seconds}"));
    let outcome = run_command(&mut command);
    match artifacts(name)
        .into_iter()
        .find(|file| !before.contains(file))
    {
        Some(file) => Err(format!(
            "an input fails; replay it: cargo xtask fuzz {name} --replay {}",
            file.strip_prefix(root()).unwrap_or(&file).display()
        )),
        None => outcome,
    }
}

/// Where inputs that fail are.
fn artifacts(name: &str) -> Vec<PathBuf> {
    let folder = root().join(FUZZ).join("artifacts").join(name);
    // There is no folder before there is a first one.
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.path()).collect()
}

fn replay(&(name, _): &Target, file: &str, sanitizer: &str) -> Outcome {
    let path = std::path::absolute(file).map_err(|error| error.to_string())?;
    if !path.is_file() {
        return Err(format!("{file} is not there"));
    }
    run_command(cargo_fuzz(name, sanitizer)?.arg(path))
}

fn keep(&(name, _): &Target) -> Outcome {
    let [kept, found] = corpora(name)?;
    let mut command = cargo_fuzz(name, "none")?;
    command.arg(&kept).arg(&found);
    // Which code is reached, and not how often.
    command.args(["--", "-set_cover_merge=1", "-use_counters=0"]);
    run_command(&mut command)
}

/// `cargo fuzz run` of a target, without what it is to run on.
fn cargo_fuzz(name: &str, sanitizer: &str) -> Result<Command, String> {
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
    command.arg(name);
    Ok(command)
}

fn compiler() -> String {
    std::env::var("CXX").unwrap_or_else(|_| "c++".into())
}
