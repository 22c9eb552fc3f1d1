//! `cargo xtask mutants`: small faults put into the core one at a time, each of which a test must
//! notice.
//!
//! `--iterate` goes on where an earlier run was stopped: it leaves out what that one had noticed. Other
//! options are cargo-mutants' own, such as `--file` and `--jobs`.
//!
//! What is left unchanged is in `.cargo/mutants.toml`. A fault that no test can notice,
//! since it changes nothing that is promised, is named with the reason in `tests/mutants.md`.

use std::{collections::BTreeMap, fs, io::ErrorKind};

use crate::{Outcome, cargo, root, run_command};

const NOTES: &str = "tests/mutants.md";
/// Where cargo-mutants leaves what it found.
const REPORT: &str = "target/mutants.out";
/// What becomes of a mutant, and the column of the table. A test that hangs has noticed.
const FATES: [&str; 4] = ["caught", "timeout", "missed", "unviable"];
const MISSED: usize = 2;

/// A mutant's file and description. Without its line, so that a note holds when others change.
type Mutant = (String, String);

/// What a mutant has to get past.
struct Stage {
    packages: &'static [&'static str],
    tests: &'static [&'static str],
    /// When a test hangs, in seconds.
    timeout: &'static str,
}

/// Most mutants are noticed by the core's own tests, which are built in no time. The others go on to
/// the tests with threads, without those that take longer than to start some.
const STAGES: &[Stage] = &[
    Stage {
        packages: &["corepool"],
        tests: &["--features=remote", "--lib", "--test=unwinding"],
        timeout: "10",
    },
    Stage {
        packages: &["corepool", "corepool-tests"],
        tests: &[
            "--lib",
            "--test=unwinding",
            "--test=blocking",
            "--test=static_threads",
            "--test=static_spin",
            "--test=lent_threads",
            "--test=simulated",
            "--test=remote",
            "--test=slots",
            "--test=no_alloc",
        ],
        timeout: "20",
    },
];

pub fn run(args: &[String]) -> Outcome {
    let found = cargo().args(["mutants", "--version"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err("missing: cargo install cargo-mutants --locked".into());
    }
    let notes = notes()?;
    let goes_on = args.iter().any(|arg| arg == "--iterate");
    match fs::remove_dir_all(root().join(REPORT)) {
        _ if goes_on => {}
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(format!("cannot remove {REPORT}: {error}"));
        }
        _ => {}
    }
    let mut mutants = Vec::new();
    for (number, stage) in STAGES.iter().enumerate() {
        // What an earlier stage has missed is for this one.
        mutants.retain(|(_, fate)| *fate != MISSED);
        let iterate = (number > 0 && !goes_on).then_some("--iterate");
        stage.run(iterate.into_iter().chain(args.iter().map(String::as_str)))?;
        mutants.extend(report()?);
        leave_out_what_hung()?;
    }
    print_table(&mutants);
    let unnamed = unnamed(&mutants, notes);
    for (file, what) in &unnamed {
        println!("missed: {file}: {what}");
    }
    match unnamed.len() {
        0 => Ok(()),
        count => Err(format!(
            "{count} mutants were missed and are not in {NOTES}; {REPORT} has each one's diff and log"
        )),
    }
}

impl Stage {
    fn run<'a>(&self, args: impl Iterator<Item = &'a str>) -> Outcome {
        // What cargo-mutants would do itself first, but with the tests of one package only.
        run_command(
            cargo()
                .args(["test", "--quiet", "--profile", "mutants"])
                .args(self.packages.iter().map(|name| format!("--package={name}")))
                .args(self.tests),
        )?;
        let status = cargo()
            .args(["mutants", "--package", "corepool", "--output", "target"])
            .args(["--test-package", &self.packages.join(",")])
            .args(["--baseline", "skip", "--timeout", self.timeout])
            .args(self.tests.iter().map(|test| format!("--cargo-arg={test}")))
            .args(args)
            .status()
            .map_err(|error| format!("cannot run cargo mutants: {error}"))?;
        // 2: some were missed; 3: some made the tests hang.
        match status.code() {
            Some(0 | 2 | 3) => Ok(()),
            _ => Err(format!("cargo mutants ended with {status}")),
        }
    }
}

/// A test that hangs has noticed: `--iterate`, which looks for what was caught, is to leave it out.
fn leave_out_what_hung() -> Outcome {
    let path = root().join(format!("{REPORT}/caught.txt"));
    let caught = read(&format!("{REPORT}/caught.txt"))? + &read(&format!("{REPORT}/timeout.txt"))?;
    fs::write(&path, caught).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The mutants that the notes name, under a heading for each file, each as often as it is to be
/// found there:
///
/// ```text
/// ## core/src/state.rs
///
/// * `replace | with ^ in State::begin` × 6, `replace | with ^ in State::occupy`: the reason
/// ```
fn notes() -> Result<Vec<Mutant>, String> {
    let mut file = None;
    let mut named = Vec::new();
    for (number, line) in read(NOTES)?.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            file = Some(heading);
        } else if let Some(mut rest) = line.strip_prefix("* `") {
            let wrong = || format!("{NOTES}:{}: not a note of a mutant", number + 1);
            let file = file.ok_or_else(wrong)?;
            loop {
                let (what, after) = rest.split_once('`').ok_or_else(wrong)?;
                let end = after.find([',', ':']).ok_or_else(wrong)?;
                let (times, after) = after.split_at(end);
                let times = match times.strip_prefix(" × ") {
                    Some(times) => times.parse().map_err(|_| wrong())?,
                    None if times.is_empty() => 1,
                    None => return Err(wrong()),
                };
                let mutant = (file.to_string(), what.to_string());
                named.extend(std::iter::repeat_n(mutant, times));
                match after.strip_prefix(", `") {
                    Some(next) => rest = next,
                    None if after.starts_with(": ") => break,
                    None => return Err(wrong()),
                }
            }
        }
    }
    Ok(named)
}

/// What became of each mutant: its place in `FATES`.
fn report() -> Result<Vec<(Mutant, usize)>, String> {
    let mut mutants = Vec::new();
    for (fate, name) in FATES.iter().enumerate() {
        for line in read(&format!("{REPORT}/{name}.txt"))?.lines() {
            // "core/src/state.rs:267:41: replace & with | in State::begin"
            let mutant = line.split_once(':').and_then(|(file, place_and_what)| {
                let (_place, what) = place_and_what.split_once(": ")?;
                Some((file.to_string(), what.to_string()))
            });
            let mutant = mutant.ok_or_else(|| format!("not a mutant: {line:?}"))?;
            mutants.push((mutant, fate));
        }
    }
    Ok(mutants)
}

fn print_table(mutants: &[(Mutant, usize)]) {
    let mut files: BTreeMap<&str, [usize; FATES.len()]> = BTreeMap::new();
    let mut total = [0; FATES.len()];
    for ((file, _), fate) in mutants {
        files.entry(file).or_default()[*fate] += 1;
        total[*fate] += 1;
    }
    let row = |name: &str, cells: [String; FATES.len()]| {
        print!("{name:<28}");
        cells.iter().for_each(|cell| print!(" {cell:>8}"));
        println!();
    };
    row("file", FATES.map(String::from));
    for (file, counts) in files {
        row(file, counts.map(|count| count.to_string()));
    }
    row("all", total.map(|count| count.to_string()));
}

/// The missed mutants that no note names; each note is for one.
fn unnamed(mutants: &[(Mutant, usize)], mut notes: Vec<Mutant>) -> Vec<Mutant> {
    let missed = mutants.iter().filter(|(_, fate)| *fate == MISSED);
    missed
        .filter_map(
            |(mutant, _)| match notes.iter().position(|note| note == mutant) {
                Some(named) => {
                    notes.swap_remove(named);
                    None
                }
                None => Some(mutant.clone()),
            },
        )
        .collect()
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("cannot read {path}: {error}"))
}
