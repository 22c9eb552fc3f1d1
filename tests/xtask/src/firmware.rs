//! `cargo xtask firmware`: builds each board of `examples/firmware`, runs it in QEMU, and compares
//! what it prints with what it should.
//!
//! * Lines that begin with `#` are measurements, which differ between compilers: shown, not compared.
//! * In what is expected, the line that `examples/data/readings.csv` begins with stands for all of
//!   that file, which the same run first compares with what the host computes.
//!
//! What a board printed last is in `target/firmware/BOARD.txt`. Boards that QEMU does not have are
//! built, and counted apart.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::{Outcome, cargo, debian, root, run_command};

/// A board that hangs is stopped after this. The slowest takes seconds, of a computer of its own.
const LIMIT: Duration = Duration::from_secs(600);

struct Board {
    name: &'static str,
    /// Its crate in `examples/firmware`.
    package: &'static str,
    target: &'static str,
    /// The file in `examples/firmware` that has what it should print.
    expected: &'static str,
    emulator: &'static Emulator,
    args: &'static [&'static str],
}

/// A board that QEMU does not have.
struct BuiltOnly {
    /// Its name, and that of its crate in `examples/firmware`.
    name: &'static str,
    target: &'static str,
}

struct Emulator {
    program: &'static str,
    package: &'static str,
}

const ARM: &Emulator = &Emulator {
    program: "qemu-system-arm",
    package: "qemu-system-arm",
};

const RISCV: &Emulator = &Emulator {
    program: "qemu-system-riscv32",
    package: "qemu-system-misc",
};

/// What `firmware_support::one_core` prints.
const ONE_CORE: &str = "support/one_core.txt";

/// What `firmware_support::several_cores` prints.
const SEVERAL_CORES: &str = "support/several_cores.txt";

/// Time counts instructions, so that a board with one core does the same in every run; and it
/// passes at once while the core sleeps.
const COUNTED: &str = "-icount";
const A_NANOSECOND_EACH: &str = "shift=0,sleep=off";

/// RISC-V's `virt`, so that each run takes the same steps.
const VIRT_WITH_ONE_HART: &[&str] = &[
    "-machine",
    "virt",
    "-bios",
    "none",
    COUNTED,
    A_NANOSECOND_EACH,
];

const BOARDS: &[Board] = &[
    Board {
        name: "lm3s6965evb",
        package: "lm3s6965evb",
        target: "thumbv7m-none-eabi",
        expected: ONE_CORE,
        emulator: ARM,
        args: &["-machine", "lm3s6965evb", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "lm3s6965evb-embassy",
        package: "lm3s6965evb-embassy",
        target: "thumbv7m-none-eabi",
        expected: "lm3s6965evb-embassy/expected.txt",
        emulator: ARM,
        args: &["-machine", "lm3s6965evb", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "lm3s6965evb-rtic",
        package: "lm3s6965evb-rtic",
        target: "thumbv7m-none-eabi",
        expected: "lm3s6965evb-rtic/expected.txt",
        emulator: ARM,
        args: &["-machine", "lm3s6965evb", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "microbit",
        package: "microbit",
        target: "thumbv6m-none-eabi",
        expected: ONE_CORE,
        emulator: ARM,
        args: &["-machine", "microbit", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "mps2-an385-freertos",
        package: "mps2-an385-freertos",
        target: "thumbv7m-none-eabi",
        expected: "mps2-an385-freertos/expected.txt",
        emulator: ARM,
        args: &["-machine", "mps2-an385", COUNTED, A_NANOSECOND_EACH],
    },
    Board {
        name: "mps2-an521",
        package: "mps2-an521",
        target: "thumbv8m.main-none-eabi",
        expected: SEVERAL_CORES,
        emulator: ARM,
        args: &["-machine", "mps2-an521", "-smp", "2"],
    },
    Board {
        name: "riscv-virt-imac",
        package: "riscv-virt",
        target: "riscv32imac-unknown-none-elf",
        expected: ONE_CORE,
        emulator: RISCV,
        args: VIRT_WITH_ONE_HART,
    },
    Board {
        name: "riscv-virt-imc",
        package: "riscv-virt",
        target: "riscv32imc-unknown-none-elf",
        expected: ONE_CORE,
        emulator: RISCV,
        args: VIRT_WITH_ONE_HART,
    },
    Board {
        name: "riscv-virt-smp",
        package: "riscv-virt-smp",
        target: "riscv32imac-unknown-none-elf",
        expected: SEVERAL_CORES,
        emulator: RISCV,
        args: &["-machine", "virt", "-bios", "none", "-smp", "4"],
    },
];

const BUILT_ONLY: &[BuiltOnly] = &[BuiltOnly {
    name: "rp2040",
    target: "thumbv6m-none-eabi",
}];

pub fn run(args: &[String]) -> Outcome {
    let is_wanted = |name: &str| match args {
        [] => true,
        [option, wanted] => option == "--board" && wanted == name,
        _ => false,
    };
    let boards: Vec<&Board> = BOARDS.iter().filter(|it| is_wanted(it.name)).collect();
    let built_only: Vec<&BuiltOnly> = BUILT_ONLY.iter().filter(|it| is_wanted(it.name)).collect();
    if boards.is_empty() && built_only.is_empty() {
        let names = BOARDS.iter().map(|it| it.name);
        let names: Vec<&str> = names.chain(BUILT_ONLY.iter().map(|it| it.name)).collect();
        return Err(format!(
            "usage: cargo xtask firmware [--board NAME], with NAME one of: {}",
            names.join(", ")
        ));
    }
    let readings = readings_of_the_host()?;
    let (mut passed, mut built, mut failed) = (0, 0, 0);
    for board in &boards {
        match board.check(&readings) {
            Ok(measurements) => {
                println!("{:<19} ok      {measurements}", board.name);
                passed += 1;
            }
            Err(why) => {
                println!("{:<19} FAILED  {why}", board.name);
                failed += 1;
            }
        }
    }
    for board in &built_only {
        match build(board.name, board.target) {
            Ok(_) => {
                println!("{:<19} built   not run: QEMU has no such chip", board.name);
                built += 1;
            }
            Err(why) => {
                println!("{:<19} FAILED  {why}", board.name);
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {built} built and not run, {failed} failed");
    match failed {
        0 => Ok(()),
        _ => Err("not every board does what it should".to_owned()),
    }
}

/// What the host finds in the recording; it compares that with the file itself.
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
        let (status, said) = self.emulate(program)?;
        let expected = self.expected(readings)?;
        let (measured, compared): (Vec<&str>, Vec<&str>) =
            said.lines().partition(|line| line.starts_with('#'));
        let mut lines = compared.iter().zip(&expected);
        if let Some((line, expected)) = lines.find(|(line, expected)| line != expected) {
            return Err(format!("printed {line:?} instead of {expected:?}"));
        }
        if let Some(missing) = expected.get(compared.len()) {
            return Err(format!("ended ({status}) before {missing:?}:\n{said}"));
        }
        if let Some(more) = compared.get(expected.len()) {
            return Err(format!("printed {more:?} after the end"));
        }
        if !status.success() {
            return Err(format!("ended with {status}:\n{said}"));
        }
        let measured = measured.iter().map(|line| line.trim_start_matches("# "));
        Ok(measured.collect::<Vec<_>>().join("; "))
    }

    fn expected(&self, readings: &str) -> Result<Vec<String>, String> {
        let text = read(root().join("examples/firmware").join(self.expected))?;
        let head = readings.lines().next();
        let lines = text.lines().flat_map(|line| {
            let all = if Some(line) == head { readings } else { line };
            all.lines().map(str::to_owned)
        });
        Ok(lines.collect())
    }

    /// Runs the program to its end, or to the limit; returns what it printed.
    fn emulate(&self, program: PathBuf) -> Result<(ExitStatus, String), String> {
        let qemu = self.emulator.program;
        let problem = |error| format!("cannot run {qemu}: {error}");
        let file = |extension| root().join(format!("target/firmware/{}.{extension}", self.name));
        let create = |extension| File::create(file(extension)).map_err(|error| error.to_string());
        let mut child = Command::new(qemu)
            .args(["-display", "none", "-monitor", "none", "-serial", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(self.args)
            .arg("-kernel")
            .arg(program)
            .stdin(Stdio::null())
            .stdout(create("txt")?)
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
        // A panic's message is with the emulator's own.
        let (said, errors) = (read(file("txt"))?, read(file("err"))?);
        match status {
            Some(status) if status.success() => Ok((status, said)),
            Some(status) => Ok((status, said + &errors)),
            None => Err(format!("hangs after\n{said}{errors}")),
        }
    }
}

/// Builds a board's program; returns where it is.
fn build(package: &str, target: &str) -> Result<PathBuf, String> {
    let mut command = if debian::is_not_needed_for(target) {
        cargo()
    } else {
        debian::require(&[debian::COMPILER, debian::LINKER].concat())
            .map_err(|missing| format!("{missing}, or: rustup target add {target}"))?;
        let mut command = debian::cargo();
        let name = target.replace(['-', '.'], "_").to_uppercase();
        command.env(format!("CARGO_TARGET_{name}_LINKER"), "ld.lld");
        command.arg("-Zbuild-std=core");
        command
    };
    command.args(["build", "--quiet", "--locked", "--release"]);
    command.args(["--manifest-path", "examples/firmware/Cargo.toml"]);
    command.args(["--package", package, "--target", target]);
    run_command(command.args(["--target-dir", "target/firmware"]))?;
    let program = format!("target/firmware/{target}/release/{package}");
    Ok(root().join(program))
}

fn read(path: PathBuf) -> Result<String, String> {
    fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
