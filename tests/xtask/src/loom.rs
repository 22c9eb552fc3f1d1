//! `cargo xtask loom`: the models of `core/src/models`, one at a time, as a table.

use std::{
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Outcome, cargo, root};

/// No model may take longer.
const LIMIT: Duration = Duration::from_secs(120);

pub fn run(args: &[String]) -> Outcome {
    let filter = args.first().map_or("", String::as_str);
    let models = Models::build()?;
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
        match models.explore(&test)? {
            Explored::Passed(row) => println!("{row}"),
            Explored::Failed(why) => {
                println!("{test:<48} FAILED: {why}");
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
struct Models {
    program: PathBuf,
}

enum Explored {
    Passed(String),
    Failed(&'static str),
}

impl Models {
    /// Builds it optimised, and with `debug_assert`s, which say more.
    fn build() -> Result<Self, String> {
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        let output = cargo()
            .env("RUSTFLAGS", format!("{flags} --cfg loom"))
            .args(["test", "--package", "corepool", "--lib", "--release"])
            .args(["--config", "profile.release.debug-assertions=true"])
            .args(["--target-dir", "target/loom", "--no-run"])
            .output()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        // "Executable unittests src/lib.rs (target/loom/release/deps/corepool-…)"
        let program = said
            .lines()
            .find(|line| line.trim_start().starts_with("Executable"))
            .and_then(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
            .filter(|_| output.status.success())
            .ok_or_else(|| format!("the models do not build:\n{said}"))?;
        Ok(Self {
            program: root().join(program),
        })
    }

    fn list(&self) -> Result<Vec<String>, String> {
        let output = Command::new(&self.program)
            .args(["--list", "models::"])
            .output()
            .map_err(|error| format!("cannot run the models: {error}"))?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(String::from)
            .collect())
    }

    /// Where the output of the model that was run last is.
    fn output(&self) -> PathBuf {
        root().join("target/loom/output.txt")
    }

    fn explore(&self, test: &str) -> Result<Explored, String> {
        let problem = |error| format!("cannot run {test}: {error}");
        let output = File::create(self.output()).map_err(problem)?;
        let errors = output.try_clone().map_err(problem)?;
        let mut child = Command::new(&self.program)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .stdout(Stdio::from(output))
            .stderr(Stdio::from(errors))
            .spawn()
            .map_err(problem)?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(problem)? {
                break status;
            }
            if start.elapsed() > LIMIT {
                child.kill().map_err(problem)?;
                child.wait().map_err(problem)?;
                return Ok(Explored::Failed("took too long"));
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let said = std::fs::read_to_string(self.output()).map_err(problem)?;
        // "model | name | bound | interleavings | seconds", from `models::explore`.
        let row = said.lines().find_map(|line| {
            let (_, row) = line.split_once("model | ")?;
            let [name, bound, count, seconds]: [&str; 4] =
                row.split(" | ").collect::<Vec<_>>().try_into().ok()?;
            Some(format!("{name:<48} {bound:>13} {count:>13} {seconds:>7}"))
        });
        Ok(match row {
            Some(row) if status.success() => Explored::Passed(row),
            _ => Explored::Failed("see its output"),
        })
    }
}
