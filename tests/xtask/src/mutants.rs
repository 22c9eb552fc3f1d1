//! `cargo xtask mutants`: small faults put into the core, the host's adapter and the example one at a time,
//! each of which a test must notice.
//!
//! `--iterate` goes on where an earlier run was stopped: it leaves out what that one had noticed. Other
//! options are cargo-mutants' own, such as `--file`, `--package` and `--jobs`.
//!
//! `.cargo/mutants.toml` names the code that is left unchanged. A fault that no test can notice,
//! since it changes nothing that is promised, is named with the reason in `tests/mutants.md`.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{Outcome, cargo, root, run_command};

const NOTES: &str = "tests/mutants.md";
/// The fates of a mutant, which are the columns of the table. A test that hangs has noticed.
const FATES: [&str; 4] = ["caught", "timeout", "missed", "unviable"];
const MISSED: usize = 2;

/// A test hangs that takes so many times as long as all of them without a mutant, on a machine as busy as then.
const TIMES: u32 = 10;
const AT_LEAST: Duration = Duration::from_secs(10);

/// A mutant's file and description. Without its line, so that a note holds when others change.
type Mutant = (String, String);

/// Sources, and what their mutants have to get past.
struct Part {
    name: &'static str,
    package: &'static str,
    /// Files of the package that are of another part.
    without: &'static [&'static str],
    /// The mutants that one stage misses go on to the next.
    stages: &'static [Stage],
}

struct Stage {
    packages: &'static [&'static str],
    tests: &'static [&'static str],
}

/// Most mutants are noticed by the tests of their own package, which are built in no time. The others go on
/// to the suites that use it, without those that take longer than to start some threads.
const PARTS: &[Part] = &[
    Part {
        name: "core",
        package: "corepool",
        without: &[],
        stages: &[
            Stage {
                packages: &["corepool"],
                tests: &[
                    "--features=remote,aarch32,aarch64,cortex-m,riscv,rtos,critical-section-several-cores",
                    "--lib",
                    "--test=rtos",
                    "--test=unwinding",
                ],
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
            },
        ],
    },
    Part {
        name: "threads",
        package: "corepool-std",
        without: &["std-adapter/src/process/**"],
        stages: &[
            Stage {
                packages: &["corepool-std"],
                tests: &["--features=process", "--lib"],
            },
            Stage {
                packages: &["corepool-tests"],
                tests: &[
                    "--test=thread_pool",
                    "--test=own_methods",
                    "--test=bridges",
                    "--test=contracts",
                ],
            },
            Stage {
                packages: &["corepool-tests"],
                tests: &[
                    "--test=static_threads",
                    "--test=lent_threads",
                    "--test=blocking",
                    "--test=remote",
                    "--test=no_alloc_thread_pool",
                    "--test=no_leak_thread_pool",
                    "--test=process_pool",
                    "--test=travelling",
                ],
            },
        ],
    },
    Part {
        name: "processes",
        package: "corepool-std",
        without: &[
            "std-adapter/src/*.rs",
            "std-adapter/src/spin/**",
            "std-adapter/src/threads/**",
            "std-adapter/src/remote/**",
        ],
        stages: &[
            Stage {
                packages: &["corepool-std"],
                tests: &["--features=process", "--lib"],
            },
            Stage {
                packages: &["corepool-tests"],
                tests: &[
                    "--test=process_pool",
                    "--test=process_in_libtest",
                    "--test=travelling",
                ],
            },
        ],
    },
    Part {
        name: "pulse-app",
        package: "pulse-app",
        without: &[],
        stages: &[Stage {
            packages: &["pulse-app"],
            tests: &["--lib", "--test=readings"],
        }],
    },
];

impl Stage {
    /// The tests as they are run before there is any mutant.
    fn cargo_test(&self) -> Command {
        let mut command = cargo();
        command
            .args(["test", "--quiet", "--profile", "mutants"])
            .args(self.packages.iter().map(|name| format!("--package={name}")))
            .args(self.tests);
        command
    }
}

pub fn run(args: &[String]) -> Outcome {
    let found = cargo().args(["mutants", "--version"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err("missing: cargo install cargo-mutants --locked".into());
    }
    let notes = notes()?;
    let (packages, args) = split_off_packages(args)?;
    let mut mutants = Vec::new();
    for part in PARTS {
        let is_wanted = packages.is_empty() || packages.contains(&part.package);
        if is_wanted && part.has_mutants(&args)? {
            mutants.extend(part.run(&args)?);
        }
    }
    if mutants.is_empty() {
        println!("no mutants");
        return Ok(());
    }
    print_table(&mutants);
    let unnamed = unnamed(&mutants, notes);
    for (file, what) in &unnamed {
        println!("missed: {file}: {what}");
    }
    match unnamed.len() {
        0 => Ok(()),
        count => Err(format!(
            "{count} mutants were missed and are not in {NOTES}; mutants.out in target/mutants-of-* has each one's \
             diff and log"
        )),
    }
}

/// The packages that are asked for, and the other arguments.
fn split_off_packages(args: &[String]) -> Result<(Vec<&str>, Vec<&str>), String> {
    let (mut packages, mut others) = (Vec::new(), Vec::new());
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--package=") {
            _ if arg == "--package" || arg == "-p" => {
                packages.push(args.next().ok_or("--package needs a name")?);
            }
            Some(package) => packages.push(package),
            None => others.push(arg),
        }
    }
    let is_known = |&package: &&str| PARTS.iter().any(|part| part.package == package);
    match packages.iter().copied().find(|package| !is_known(package)) {
        Some(package) => Err(format!("no part of package {package}: see PARTS")),
        None => Ok((packages, others)),
    }
}

impl Part {
    /// The filters for cargo-mutants that select the mutants of this part.
    fn filters(&self) -> Vec<String> {
        let package = Some(format!("--package={}", self.package));
        let without = self.without.iter();
        let without = without.map(|files| format!("--exclude={files}"));
        package.into_iter().chain(without).collect()
    }

    /// Whether the arguments leave any.
    fn has_mutants(&self, args: &[&str]) -> Result<bool, String> {
        let output = cargo()
            .args(["mutants", "--list"])
            .args(self.filters())
            .args(args)
            .output()
            .map_err(|error| format!("cannot run cargo mutants: {error}"))?;
        match output.status.success() {
            true => Ok(!output.stdout.is_empty()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// The fate of each mutant: its place in `FATES`.
    fn run(&self, args: &[&str]) -> Result<Vec<(Mutant, usize)>, String> {
        let goes_on = args.contains(&"--iterate");
        if !goes_on
            && let Err(error) = fs::remove_dir_all(self.report(""))
            && error.kind() != ErrorKind::NotFound
        {
            return Err(format!("cannot remove the last report: {error}"));
        }
        let mut mutants = Vec::new();
        for (number, stage) in self.stages.iter().enumerate() {
            let iterate = (number > 0 && !goes_on).then_some("--iterate");
            self.run_stage(stage, iterate.into_iter().chain(args.iter().copied()))?;
            // The mutants that an earlier stage has missed were for this one.
            mutants.retain(|(_, fate)| *fate != MISSED);
            mutants.extend(self.fates()?);
            self.leave_out_what_hung()?;
            if !mutants.iter().any(|(_, fate)| *fate == MISSED) {
                break;
            }
        }
        Ok(mutants)
    }

    fn run_stage<'a>(&self, stage: &Stage, args: impl Iterator<Item = &'a str>) -> Outcome {
        // Cargo-mutants would do this itself first; here it is done with these tests only.
        run_command(stage.cargo_test().arg("--no-run"))?;
        let start = Instant::now();
        run_command(&mut stage.cargo_test())?;
        let hangs_after = (start.elapsed() * TIMES).max(AT_LEAST).as_secs();
        let status = cargo()
            .args(["mutants", "--output", &self.output()])
            .args(self.filters())
            .args(["--test-package", &stage.packages.join(",")])
            .args(["--baseline", "skip"])
            .args(["--timeout", &hangs_after.to_string()])
            .args(stage.tests.iter().map(|test| format!("--cargo-arg={test}")))
            .args(args)
            .status()
            .map_err(|error| format!("cannot run cargo mutants: {error}"))?;
        // 2: some were missed; 3: some made the tests hang.
        match status.code() {
            Some(0 | 2 | 3) => Ok(()),
            _ => Err(format!("cargo mutants ended with {status}")),
        }
    }

    /// Where cargo-mutants is to leave what it found.
    fn output(&self) -> String {
        format!("target/mutants-of-{}", self.name)
    }

    /// And where it does.
    fn report(&self, file: &str) -> PathBuf {
        root().join(self.output()).join("mutants.out").join(file)
    }

    /// A test that hangs has noticed: `--iterate`, which looks for what was caught, is to leave it out.
    fn leave_out_what_hung(&self) -> Outcome {
        let path = self.report("caught.txt");
        let caught = read(&path)? + &read(&self.report("timeout.txt"))?;
        fs::write(&path, caught)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// The fate of each mutant of the last stage.
    fn fates(&self) -> Result<Vec<(Mutant, usize)>, String> {
        let mut mutants = Vec::new();
        for (fate, name) in FATES.iter().enumerate() {
            for line in read(&self.report(&format!("{name}.txt")))?.lines() {
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
    for (number, line) in read(&root().join(NOTES))?.lines().enumerate() {
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

fn print_table(mutants: &[(Mutant, usize)]) {
    let mut files: BTreeMap<&str, [usize; FATES.len()]> = BTreeMap::new();
    let mut total = [0; FATES.len()];
    for ((file, _), fate) in mutants {
        files.entry(file).or_default()[*fate] += 1;
        total[*fate] += 1;
    }
    let row = |name: &str, cells: [String; FATES.len()]| {
        print!("{name:<32}");
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

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
