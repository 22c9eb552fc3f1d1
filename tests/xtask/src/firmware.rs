//! `cargo xtask firmware`: builds each board of `examples/firmware`, runs it in an emulator, and compares
//! what it prints with what it should.
//!
//! * Lines that begin with `#` are measurements, which differ between compilers: shown, not compared.
//! * In what is expected, the line that `examples/data/readings.csv` begins with stands for all of
//!   that file, which the same run first compares with what the host computes.
//! * Where a board logs by `defmt`, what it prints is that log, decoded by `tests/checks/defmt`.
//!
//! A board's last output is in `target/firmware/BOARD.txt`. Boards that work in pairs, by a wire, are in `wire`; the one
//! that works for an example is in `primes`; the chip that QEMU does not have is in `rp2040`; the projects to copy are in
//! `template`. With `--clippy`, none is run: clippy looks at each board's crate.

mod primes;
mod rp2040;
mod template;
mod wire;

use std::{
    fs::{self, File},
    io::Stderr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use self::wire::Pair;
use crate::{Outcome, cargo, debian, progress::Progress, root, run_command};

/// A board that hangs is stopped after this. The slowest takes seconds, of a computer of its own.
const LIMIT: Duration = Duration::from_secs(600);

struct Board {
    name: &'static str,
    /// Its crate in `examples/firmware`.
    package: &'static str,
    target: &'static str,
    output: Output,
    /// The file in `examples/firmware` that has what it should print.
    expected: &'static str,
    emulator: &'static Emulator,
    args: &'static [&'static str],
}

/// How it prints, by semihosting.
enum Output {
    Text,
    Defmt,
}

struct Emulator {
    program: &'static str,
    package: &'static str,
}

const ARM: &Emulator = &Emulator {
    program: "qemu-system-arm",
    package: "qemu-system-arm",
};

const AARCH64: &Emulator = &Emulator {
    program: "qemu-system-aarch64",
    package: "qemu-system-arm",
};

const RISCV: &Emulator = &Emulator {
    program: "qemu-system-riscv32",
    package: "qemu-system-misc",
};

const RISCV64: &Emulator = &Emulator {
    program: "qemu-system-riscv64",
    package: "qemu-system-misc",
};

/// The output of `firmware_support::one_core`.
const ONE_CORE: &str = "support/one_core.txt";

/// The output of `firmware_support::several_cores`.
const SEVERAL_CORES: &str = "support/several_cores.txt";

/// The output of `firmware_freertos`.
const FREERTOS: &str = "freertos/expected.txt";

/// Time counts instructions, so that a board with one core does the same in every run; and it
/// passes at once while the core sleeps.
const COUNTED: &str = "-icount";
const A_NANOSECOND_EACH: &str = "shift=0,sleep=off";

/// RISC-V's `virt` with four harts, each in a thread of the host.
const VIRT_WITH_FOUR_HARTS: &[&str] = &["-machine", "virt", "-bios", "none", "-smp", "4"];

/// RISC-V's `virt`, so that each run takes the same steps; its clock goes by that time too.
const VIRT_WITH_ONE_HART: &[&str] = &[
    "-machine",
    "virt",
    "-bios",
    "none",
    COUNTED,
    A_NANOSECOND_EACH,
    "-rtc",
    "clock=vm",
];

const BOARDS: &[Board] = &[
    // By the convention for calls without floating point, since `aarch64-rt` keeps no such register in an interrupt.
    Board {
        name: "aarch64-virt-smp",
        package: "arm-virt-smp",
        target: "aarch64-unknown-none-softfloat",
        output: Output::Text,
        expected: SEVERAL_CORES,
        emulator: AARCH64,
        args: &[
            "-machine",
            "virt",
            "-cpu",
            "cortex-a57",
            "-smp",
            "4",
            "-nic",
            "none",
        ],
    },
    Board {
        name: "armv7a-virt-smp",
        package: "arm-virt-smp",
        target: "armv7a-none-eabi",
        output: Output::Text,
        expected: SEVERAL_CORES,
        emulator: ARM,
        args: &[
            "-machine",
            "virt",
            "-cpu",
            "cortex-a15",
            "-smp",
            "4",
            "-nic",
            "none",
        ],
    },
    Board {
        name: "lm3s6965evb",
        package: "lm3s6965evb",
        target: "thumbv7m-none-eabi",
        output: Output::Text,
        expected: ONE_CORE,
        emulator: ARM,
        args: &["-machine", "lm3s6965evb", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "lm3s6965evb-defmt",
        package: "lm3s6965evb-defmt",
        target: "thumbv7m-none-eabi",
        output: Output::Defmt,
        expected: "lm3s6965evb-defmt/expected.txt",
        emulator: ARM,
        args: &["-machine", "lm3s6965evb", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "lm3s6965evb-embassy",
        package: "lm3s6965evb-embassy",
        target: "thumbv7m-none-eabi",
        output: Output::Text,
        expected: "lm3s6965evb-embassy/expected.txt",
        emulator: ARM,
        args: &["-machine", "lm3s6965evb", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "lm3s6965evb-rtic",
        package: "lm3s6965evb-rtic",
        target: "thumbv7m-none-eabi",
        output: Output::Text,
        expected: "lm3s6965evb-rtic/expected.txt",
        emulator: ARM,
        args: &["-machine", "lm3s6965evb", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "microbit",
        package: "microbit",
        target: "thumbv6m-none-eabi",
        output: Output::Text,
        expected: ONE_CORE,
        emulator: ARM,
        args: &["-machine", "microbit", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "mps2-an385-freertos",
        package: "mps2-an385-freertos",
        target: "thumbv7m-none-eabi",
        output: Output::Text,
        expected: FREERTOS,
        emulator: ARM,
        args: &["-machine", "mps2-an385", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "mps2-an521",
        package: "mps2-an521",
        target: "thumbv8m.main-none-eabi",
        output: Output::Text,
        expected: SEVERAL_CORES,
        emulator: ARM,
        args: &["-machine", "mps2-an521", "-smp", "2"],
    },
    Board {
        name: "mps2-an521-mailbox",
        package: "mps2-an521-mailbox",
        target: "thumbv8m.main-none-eabi",
        output: Output::Text,
        expected: "mps2-an521-mailbox/expected.txt",
        emulator: ARM,
        args: &["-machine", "mps2-an521", "-smp", "2"],
    },
    // Two cores without compare-and-swap, as on an RP2040: its instruction set is part of this one.
    Board {
        name: "mps2-an521-v6m",
        package: "mps2-an521",
        target: "thumbv6m-none-eabi",
        output: Output::Text,
        expected: SEVERAL_CORES,
        emulator: ARM,
        args: &["-machine", "mps2-an521", "-smp", "2"],
    },
    Board {
        name: "riscv-virt-freertos",
        package: "riscv-virt-freertos",
        target: "riscv32imac-unknown-none-elf",
        output: Output::Text,
        expected: FREERTOS,
        emulator: RISCV,
        args: VIRT_WITH_ONE_HART,
    },
    Board {
        name: "riscv-virt-imac",
        package: "riscv-virt",
        target: "riscv32imac-unknown-none-elf",
        output: Output::Text,
        expected: ONE_CORE,
        emulator: RISCV,
        args: VIRT_WITH_ONE_HART,
    },
    Board {
        name: "riscv-virt-imc",
        package: "riscv-virt",
        target: "riscv32imc-unknown-none-elf",
        output: Output::Text,
        expected: ONE_CORE,
        emulator: RISCV,
        args: VIRT_WITH_ONE_HART,
    },
    Board {
        name: "riscv-virt-smp",
        package: "riscv-virt-smp",
        target: "riscv32imac-unknown-none-elf",
        output: Output::Text,
        expected: SEVERAL_CORES,
        emulator: RISCV,
        args: VIRT_WITH_FOUR_HARTS,
    },
    Board {
        name: "riscv64-virt-smp",
        package: "riscv-virt-smp",
        target: "riscv64imac-unknown-none-elf",
        output: Output::Text,
        expected: SEVERAL_CORES,
        emulator: RISCV64,
        args: VIRT_WITH_FOUR_HARTS,
    },
];

/// A check of a board, or of several, that takes the steps that its name stands for.
struct Check {
    name: &'static str,
    /// It gets the host's readings.
    check: Box<dyn Fn(&str) -> Checked>,
}

/// The measurements of a board, or what is wrong.
type Checked = Result<String, String>;

/// The checks that are no [`Board`]'s.
fn other_checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for pair in wire::PAIRS {
        let check = Box::new(|_: &str| pair.check());
        checks.push(Check {
            name: pair.name,
            check,
        });
    }
    checks.push(Check {
        name: primes::NAME,
        check: Box::new(|_| primes::check()),
    });
    for template in template::TEMPLATES {
        let check = Box::new(|_: &str| template.check());
        checks.push(Check {
            name: template.name,
            check,
        });
    }
    checks.extend(rp2040::checks());
    checks
}

pub fn run(args: &[String]) -> Outcome {
    let (with_clippy, args) = match args {
        [option, rest @ ..] if option == "--clippy" => (true, rest),
        _ => (false, args),
    };
    let is_wanted = |name: &str| match args {
        [] => true,
        [option, wanted] => option == "--board" && wanted == name,
        _ => false,
    };
    let boards: Vec<&Board> = BOARDS.iter().filter(|it| is_wanted(it.name)).collect();
    let mut others = other_checks();
    let names = BOARDS.iter().map(|it| it.name);
    let names: Vec<&str> = names.chain(others.iter().map(|it| it.name)).collect();
    others.retain(|it| is_wanted(it.name));
    if boards.is_empty() && others.is_empty() {
        return Err(format!(
            "usage: cargo xtask firmware [--clippy] [--board NAME], with NAME one of: {}",
            names.join(", ")
        ));
    }
    let failed = if with_clippy {
        let run = boards.iter().map(|it| (it.name, it.package, it.target));
        let pairs = wire::PAIRS.iter().filter(|it| is_wanted(it.name));
        let primes = is_wanted(primes::NAME).then_some(primes::CRATE);
        let rp2040 = rp2040::CRATES.into_iter().filter(|it| is_wanted(it.0));
        let crates = run.chain(pairs.flat_map(Pair::crates));
        let crates: Vec<_> = crates.chain(primes).chain(rp2040).collect();
        let progress = Progress::new(crates.len());
        let outcomes = crates.into_iter().map(|(name, package, target)| {
            progress.begin(name);
            (name, clippy(package, target))
        });
        let (clean, failed) = report(&progress, outcomes);
        println!("{clean} without a warning, {failed} failed");
        failed
    } else {
        let progress = Progress::new(1 + boards.len() + others.len());
        progress.begin("the host's readings");
        let readings = readings_of_the_host()?;
        let run = boards.iter().map(|it| {
            progress.begin(it.name);
            (it.name, it.check(&readings))
        });
        let run = run.chain(others.iter().map(|it| {
            progress.begin(it.name);
            // Some have a progress of their own.
            (it.name, progress.suspend(|| (it.check)(&readings)))
        }));
        let (passed, failed) = report(&progress, run);
        drop(progress);
        println!("{passed} passed, {failed} failed");
        println!("the output of each board is in target/firmware/BOARD.txt");
        failed
    };
    match failed {
        0 => Ok(()),
        _ => Err("a board failed: its line above says why".to_owned()),
    }
}

/// Says what each board came to; counts the good and the others.
fn report<'a>(
    progress: &Progress<Stderr>,
    boards: impl Iterator<Item = (&'a str, Result<String, String>)>,
) -> (usize, usize) {
    let (mut good, mut bad) = (0, 0);
    for (name, outcome) in boards {
        match outcome {
            Ok(text) => {
                progress.suspend(|| println!("{name:<19} ok      {text}"));
                good += 1;
            }
            Err(why) => {
                progress.suspend(|| println!("{name:<19} FAILED  {why}"));
                bad += 1;
            }
        }
    }
    (good, bad)
}

/// The host's readings of the recording; it compares them with the file itself.
fn readings_of_the_host() -> Result<String, String> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--locked", "--package", "pulse-app"]);
    run_command(command.args(["--test", "readings"]).stdout(Stdio::null()))?;
    read(root().join("examples/data/readings.csv"))
}

impl Emulator {
    /// Fails with the command that installs it if it is not there.
    fn require(&self) -> Outcome {
        let mut command = Command::new(self.program);
        match command.arg("--version").stdout(Stdio::null()).status() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!(
                "missing: apt-get install -y --no-install-recommends {}",
                self.package
            )),
        }
    }
}

impl Board {
    /// Runs the board; returns its measurements, or what is wrong.
    fn check(&self, readings: &str) -> Result<String, String> {
        self.emulator.require()?;
        let program = build(self.package, self.target)?;
        let (status, said) = self.emulate(&program)?;
        let measurements = compare(&said, &expected(self.expected, readings)?)
            .map_err(|wrong| format!("{wrong}; ended with {status}:\n{said}"))?;
        if !status.success() {
            return Err(format!("ended with {status}:\n{said}"));
        }
        Ok(measurements)
    }

    /// Runs the program to its end, or to the limit; returns what it printed.
    fn emulate(&self, program: &Path) -> Result<(ExitStatus, String), String> {
        let mut command = Command::new(self.emulator.program);
        command
            .args(["-display", "none", "-monitor", "none", "-serial", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(self.args)
            .arg("-kernel")
            .arg(program);
        match self.output {
            Output::Text => run_to_its_end(&mut command, self.name, "txt", || Ok(())),
            Output::Defmt => run_to_its_end(&mut command, self.name, "defmt", || {
                let lines = File::create(output_file(self.name, "txt"));
                let lines = lines.map_err(|error| error.to_string())?;
                decode(program, &output_file(self.name, "defmt"), lines)
            }),
        }
    }
}

/// The lines that a board should print, by a file of the firmware and the host's readings.
fn expected(file: &str, readings: &str) -> Result<Vec<String>, String> {
    let text = read(root().join("examples/firmware").join(file))?;
    let head = readings.lines().next();
    let lines = text.lines().flat_map(|line| {
        let all = if Some(line) == head { readings } else { line };
        all.lines().map(str::to_owned)
    });
    Ok(lines.collect())
}

/// A file for the output of a board.
fn output_file(board: &str, extension: &str) -> PathBuf {
    root().join(format!("target/firmware/{board}.{extension}"))
}

/// Runs an emulator to its end, or to the limit, with its output to the file with `extension`. Returns what `board` printed,
/// after `decode` has turned it into text.
fn run_to_its_end(
    command: &mut Command,
    board: &str,
    extension: &str,
    decode: impl FnOnce() -> Outcome,
) -> Result<(ExitStatus, String), String> {
    let program = command.get_program().display().to_string();
    let problem = |error| format!("cannot run {program}: {error}");
    let create = |extension| {
        let path = output_file(board, extension);
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let file = folder.and_then(|()| File::create(path));
        file.map_err(|error| error.to_string())
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(create(extension)?)
        .stderr(create("err")?)
        .spawn()
        .map_err(problem)?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(problem)? {
            break Some(status);
        }
        if start.elapsed() > LIMIT {
            child.kill().map_err(problem)?;
            child.wait().map_err(problem)?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    decode()?;
    // A panic's message is with the emulator's own.
    let said = read(output_file(board, "txt"))?;
    let errors = read(output_file(board, "err"))?;
    match status {
        Some(status) if status.success() => Ok((status, said)),
        Some(status) => Ok((status, said + &errors)),
        None => Err(format!("hangs after\n{said}{errors}")),
    }
}

/// Builds a board's program; returns where it is.
fn build(package: &str, target: &str) -> Result<PathBuf, String> {
    build_with(package, target, &[])
}

/// The same with further arguments for cargo.
fn build_with(package: &str, target: &str, args: &[&str]) -> Result<PathBuf, String> {
    let mut command = debian::cargo_for(target)?;
    run_command(
        command
            .arg("build")
            .args(options(package, target))
            .args(args),
    )?;
    let program = format!("target/firmware/{target}/release/{package}");
    Ok(root().join(program))
}

/// Has clippy look at a board's crate, and at what the boards share.
fn clippy(package: &str, target: &str) -> Result<String, String> {
    let mut command = debian::cargo_clippy_for(target)?;
    command.arg("clippy").args(options(package, target));
    command.args(["--package", "firmware-support"]);
    run_command(command.args(["--", "--deny", "warnings"]))?;
    Ok(format!("no warning for {target}"))
}

fn options(package: &str, target: &str) -> [String; 17] {
    [
        "--quiet",
        "--locked",
        "--release",
        // No debugger looks at them here.
        "--config",
        "profile.release.debug='none'",
        // A board that is a workspace of its own is found so too.
        "--manifest-path",
        &format!("examples/firmware/{package}/Cargo.toml"),
        "--target-dir",
        "target/firmware",
        "--package",
        package,
        "--target",
        target,
        // `defmt` leaves out what is less than an error, if it is not told.
        "--config",
        "env.DEFMT_LOG='trace'",
        // No debugger looks at them here.
        "--config",
        "profile.release.debug='none'",
    ]
    .map(str::to_owned)
}

/// Writes the lines of the log that a program has written by `defmt`.
fn decode(program: &Path, log: &Path, lines: File) -> Outcome {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked"]);
    command.args(["--manifest-path", "tests/checks/defmt/Cargo.toml"]);
    command.args(["--target-dir", "target/defmt", "--"]);
    run_command(command.args([program, log]).stdout(lines))
}

/// Compares what a board said with what it should; returns its measurements, or what is wrong.
fn compare(said: &str, expected: &[String]) -> Result<String, String> {
    let (measured, compared): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| line.starts_with('#'));
    let mut lines = compared.iter().zip(expected);
    if let Some((line, expected)) = lines.find(|(line, expected)| line != expected) {
        return Err(format!("printed {line:?} instead of {expected:?}"));
    }
    if let Some(missing) = expected.get(compared.len()) {
        return Err(format!("did not print {missing:?}"));
    }
    if let Some(more) = compared.get(expected.len()) {
        return Err(format!("printed {more:?} after the end"));
    }
    let measured = measured.iter().map(|line| line.trim_start_matches("# "));
    Ok(measured.collect::<Vec<_>>().join("; "))
}

fn read(path: PathBuf) -> Result<String, String> {
    fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Vec<String> {
        ["one", "two"].map(String::from).to_vec()
    }

    #[test]
    fn a_board_that_prints_what_it_should_passes_with_its_measurements() {
        let said = "one\n# 3 bytes\ntwo\n# 4 cycles\n";
        assert_eq!(compare(said, &expected()), Ok("3 bytes; 4 cycles".into()));
    }

    #[test]
    fn a_board_that_prints_nothing_fails() {
        assert!(compare("", &expected()).is_err());
        assert!(compare("# 3 bytes\n", &expected()).is_err());
    }

    #[test]
    fn a_board_that_leaves_out_a_line_fails() {
        assert!(compare("one\n", &expected()).is_err());
        assert!(compare("two\n", &expected()).is_err());
    }

    #[test]
    fn a_board_that_prints_other_lines_fails() {
        assert!(compare("one\nthree\n", &expected()).is_err());
        assert!(compare("one\ntwo\nthree\n", &expected()).is_err());
    }
}
