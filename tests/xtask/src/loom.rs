//! `cargo xtask loom`: the models of `core/src/models`, one at a time, as a table for each variant of the shared words.

use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Outcome, cargo, root, test_programs};

/// How long a model may take.
#[derive(Clone, Copy)]
pub enum Limit {
    /// In seconds of processor time.
    Whole(u32),
    /// A tenth of a second, of the clock.
    Glance,
}

/// No model may take more.
pub const LIMIT: Limit = Limit::Whole(120);

impl Limit {
    /// The command that limits the one after it.
    fn command(self) -> Command {
        match self {
            Self::Whole(seconds) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("ulimit -t {seconds}; exec \"$@\""), "sh"]);
                command
            }
            Self::Glance => {
                let mut command = Command::new("timeout");
                command.arg("0.1");
                command
            }
        }
    }
}

/// The exit status of `timeout` if the time is over.
const TIME_IS_OVER: i32 = 124;

/// How a process ends that takes more than its limit of processor time: by the first of these, or
/// by the second where soft and hard limit are the same.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;

/// A variant of the shared words.
#[derive(Debug, PartialEq, Eq)]
struct Variant {
    name: &'static str,
    /// The core's features with it.
    features: &'static str,
}

const LOCK_FREE: Variant = Variant {
    name: "compare-and-swap",
    features: "remote",
};
const LOCKED: Variant = Variant {
    name: "critical sections",
    features: "remote,critical-section",
};

pub fn run(args: &[String]) -> Outcome {
    let (variants, filter) = asked_for(args)?;
    for variant in variants {
        let name = variant.name;
        println!("{name}:\n");
        explore(&Models::build_with(&variant)?, filter)
            .map_err(|error| format!("with {name}: {error}"))?;
        println!();
    }
    Ok(())
}

/// The variants to explore, and the text that the models' names contain.
fn asked_for(args: &[String]) -> Result<(Vec<Variant>, &str), String> {
    let (variants, rest) = match args.split_first() {
        Some((option, rest)) if option == "--critical-sections" => (vec![LOCKED], rest),
        _ => (vec![LOCK_FREE, LOCKED], args),
    };
    match rest {
        [] => Ok((variants, "")),
        [filter] if !filter.starts_with('-') => Ok((variants, filter)),
        [.., other] => Err(format!("not expected: {other}")),
    }
}

/// Runs the models that have `filter` in their names.
fn explore(models: &Models, filter: &str) -> Outcome {
    println!(
        "{:<48} {:>13} {:>13} {:>7}",
        "model", "bound", "interleavings", "seconds"
    );
    let (mut count, mut failed) = (0, Vec::new());
    for test in models.list()? {
        if !test.contains(filter) {
            continue;
        }
        count += 1;
        let run = models.run(&test, None, LIMIT, &models.output())?;
        match (run.end, run.row()) {
            (End::Passed, Some([name, bound, count, seconds])) => {
                println!("{name:<48} {bound:>13} {count:>13} {seconds:>7}");
            }
            (End::TookTooLong, _) => {
                println!("{test:<48} FAILED: took too long");
                failed.push(test);
            }
            _ => {
                println!("{test:<48} FAILED: see its output");
                failed.push(test);
            }
        }
    }
    match (count, failed.as_slice()) {
        (0, _) => Err(format!("no model has {filter:?} in its name")),
        (_, []) => Ok(()),
        (_, failed) => Err(format!(
            "{} of {count} models failed; the last one's output is in {}",
            failed.len(),
            models.output().display()
        )),
    }
}

/// The test program that the models are in.
pub struct Models {
    program: PathBuf,
}

/// One model, run.
pub struct Run {
    pub end: End,
    pub output: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    Passed,
    Failed,
    TookTooLong,
}

impl Run {
    /// Name, bound, interleavings and seconds, as `models::explore` prints them.
    pub fn row(&self) -> Option<[&str; 4]> {
        let row = self.lines("model | ").next()?;
        row.split(" | ").collect::<Vec<_>>().try_into().ok()
    }

    /// The rest of each line after `start`, if it has that.
    pub fn lines(&self, start: &str) -> impl Iterator<Item = &str> {
        self.output
            .lines()
            .filter_map(move |line| Some(line.split_once(start)?.1))
    }
}

impl Models {
    /// Builds it with the lock-free words.
    pub fn build() -> Result<Self, String> {
        Self::build_with(&LOCK_FREE)
    }

    /// Builds it with `debug_assert`s, which say more. Loom itself takes most of the time: it alone is optimised in full.
    fn build_with(variant: &Variant) -> Result<Self, String> {
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        let core = |setting| format!("profile.release.package.corepool.{setting}");
        let mut command = cargo();
        command
            .env("RUSTFLAGS", format!("{flags} --cfg loom"))
            .args(["test", "--package", "corepool", "--lib", "--release"])
            .args(["--features", variant.features])
            .args(["--config", &core("debug-assertions=true")])
            .args(["--config", &core("opt-level=1")])
            .args(["--target-dir", "target/loom", "--no-run"]);
        let program = test_programs::build(&mut command)?.swap_remove(0);
        Ok(Self { program })
    }

    pub fn list(&self) -> Result<Vec<String>, String> {
        test_programs::list(&self.program, "models::")
    }

    /// Where the output of the model that was run last is.
    fn output(&self) -> PathBuf {
        root().join("target/loom/output.txt")
    }

    /// Runs a model, with its output to a file; with `weakened`, as `core/src/lockfree/sync/weakenable.rs` takes it.
    pub fn run(
        &self,
        test: &str,
        weakened: Option<&str>,
        limit: Limit,
        output: &Path,
    ) -> Result<Run, String> {
        let problem = |error| format!("cannot run {test}: {error}");
        let file = File::create(output).map_err(problem)?;
        let errors = file.try_clone().map_err(problem)?;
        let status = limit
            .command()
            .arg(&self.program)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .envs(weakened.map(|weakened| ("COREPOOL_WEAKENED", weakened)))
            .stdout(Stdio::from(file))
            .stderr(Stdio::from(errors))
            .status()
            .map_err(problem)?;
        let said = std::fs::read(output).map_err(problem)?;
        Ok(Run {
            end: match status.signal().or(status.code()) {
                Some(SIGXCPU | SIGKILL | TIME_IS_OVER) => End::TookTooLong,
                _ if status.success() => End::Passed,
                _ => End::Failed,
            },
            output: String::from_utf8_lossy(&said).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_for_with(args: &[&str]) -> Result<(Vec<Variant>, String), String> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        asked_for(&args).map(|(variants, filter)| (variants, filter.to_string()))
    }

    #[test]
    fn without_arguments_all_models_of_both_variants_are_explored() {
        let asked = asked_for_with(&[]);
        assert_eq!(asked, Ok((vec![LOCK_FREE, LOCKED], String::new())));
    }

    #[test]
    fn the_option_leaves_the_variant_with_critical_sections() {
        let asked = asked_for_with(&["--critical-sections", "queue"]);
        assert_eq!(asked, Ok((vec![LOCKED], "queue".to_string())));
    }

    #[test]
    fn an_option_is_no_filter() {
        let refused = Err("not expected: --critical".to_string());
        assert_eq!(asked_for_with(&["--critical"]), refused);
        let refused = Err("not expected: free".to_string());
        assert_eq!(asked_for_with(&["queue", "free"]), refused);
    }
}
