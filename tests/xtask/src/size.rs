//! `cargo xtask size`: what the pool costs on a chip, beside other ways to hand work over.
//!
//! The programs of `tests/costs/size` are one minimal application, each with another way.
//!
//! * **Flash and RAM** are what a program's sections take beyond those of `nothing`, which does the
//!   work in place. The size of a slot, or of a second kind of work, is the difference to a build with
//!   more slots, or with two kinds.
//! * **Instructions, stack and masked interrupts** come from a trace of the same programs: QEMU logs
//!   the registers before each instruction, so that the figures are exact and repeatable, and nothing
//!   is built in for the measurement. The most expensive call of a run counts.
//! * **From a submit to the job on an idle core** is counted in the same way: see [`idle_core`].
//! * **Stacks**, for an application that plans its own: see [`stacks`].
//! * **A submit from a handler**, too, wherever it interrupts the main loop: see [`interrupted`].
//!
//! `tests/costs/size/README.md` has the figures. `README.md` repeats two of them. No figure may be more than 5 % above them; flash may always grow by `GAPS`.

mod idle_core;
mod interrupted;
mod stacks;

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

use crate::{Outcome, debian, root, run_command};

const README: &str = "tests/costs/size/README.md";

/// The page that has the flash of the pool in a sentence, alone and with a wait, as the tables have it.
const FRONT_PAGE: &str = "README.md";

/// The parts of that sentence around the two figures.
const SENTENCE: [&str; 3] = [
    "a pool's code takes ",
    " bytes of flash. With a port, a worker and a timed wait it takes ",
    " bytes.",
];

/// The table that the two figures are in.
const FRONT_TABLE: &str = "thumbv7m-none-eabi, opt-level s";

/// Where the programs are.
const PACKAGE: &str = "tests/costs/size";

/// The program without anything to hand work over.
const NOTHING: &str = "nothing";

/// Ways to hand work over.
const WAYS: &[&str] = &[
    POOL,
    BLOCKING,
    "lists-alone",
    "embassy-executor",
    "embassy-channel",
    "heapless-slots",
    "heapless-mpmc",
];

/// The one of them that masks interrupts on every chip: a control, since that must be seen.
const MASKS: &str = "embassy-channel";

/// Those that a change of the pool can change, and the control. The others change with their versions alone.
const OWN: &[&str] = &[POOL, BLOCKING, "lists-alone", MASKS];

/// The pool once more, built in another way.
struct Variant {
    /// The name of its row.
    row: &'static str,
    /// The features of `tests/costs/size`.
    args: &'static [&'static str],
}

/// The program that the variants are of.
const POOL: &str = "corepool";

/// The pool with a port, a worker and a wait.
const BLOCKING: &str = "corepool-blocking";

/// The pool's words change in critical sections, although the chip has compare-and-swap.
const LOCKED: &[Variant] = &[Variant {
    row: "corepool/critical-section",
    args: &["--features", "critical-section"],
}];

/// The critical section of a chip with two cores.
const TWO_CORES: &[Variant] = &[Variant {
    row: "corepool, two cores",
    args: &["--no-default-features", "--features", "two-cores"],
}];

/// As `tests/costs/size` has it without its features.
const SLOTS: i64 = 16;

/// Features of `tests/costs/size`.
const TWICE_THE_SLOTS: &[&str] = &["--features", "twice-the-slots"];
const TWO_KINDS: &[&str] = &["--features", "two-kinds"];

/// The measured functions of `tests/costs/size`.
const CALLS: [&str; 3] = ["submit", "run", "result"];

const OPT_LEVELS: &[&str] = &["s", "3"];

struct Chip {
    target: &'static str,
    emulator: &'static str,
    package: &'static str,
    machine: &'static [&'static str],
    registers: &'static Registers,
    variants: &'static [Variant],
}

/// How the emulator's log calls them.
struct Registers {
    stack_pointer: &'static str,
    return_address: &'static str,
    /// The one with the bit that lets interrupts through, where it is logged.
    status: Option<&'static str>,
}

const ARM: &Registers = &Registers {
    stack_pointer: "R13=",
    return_address: "R14=",
    status: None,
};

const RISCV: &Registers = &Registers {
    stack_pointer: "x2/sp ",
    return_address: "x1/ra ",
    status: Some("mstatus "),
};

const RISCV_EMULATOR: &str = "qemu-system-riscv32";
const RISCV_PACKAGE: &str = "qemu-system-misc";

const CHIPS: &[Chip] = &[
    Chip {
        target: "thumbv7m-none-eabi",
        emulator: "qemu-system-arm",
        package: "qemu-system-arm",
        machine: &["-machine", "lm3s6965evb"],
        registers: ARM,
        variants: LOCKED,
    },
    Chip {
        target: "thumbv6m-none-eabi",
        emulator: "qemu-system-arm",
        package: "qemu-system-arm",
        machine: &["-machine", "microbit"],
        registers: ARM,
        variants: TWO_CORES,
    },
    Chip {
        target: "riscv32imac-unknown-none-elf",
        emulator: RISCV_EMULATOR,
        package: RISCV_PACKAGE,
        machine: &["-machine", "virt", "-bios", "none"],
        registers: RISCV,
        variants: LOCKED,
    },
];

/// The names of a chip's figures.
const FIGURES: &[&str] = &[
    "flash",
    "RAM",
    "RAM a slot",
    "flash a kind",
    "RAM a kind",
    "submit",
    "run",
    "result",
    "stack of submit",
    "stack of run",
    "critical sections",
    "longest",
];

/// The bytes by which the gaps between functions vary, since the directory's name affects the functions' order.
const GAPS: i64 = 8;

struct Row {
    way: &'static str,
    /// In the order of [`Table::figures`]. A difference may be negative.
    figures: Vec<i64>,
}

impl Row {
    /// The figures of a program with the slots of all, with twice as many, and with two kinds of work.
    fn of(
        way: &'static str,
        once: Sections,
        twice: Sections,
        two_kinds: Sections,
        calls: [Call; CALLS.len()],
    ) -> Self {
        Self {
            way,
            figures: vec![
                once.flash,
                once.ram,
                // Rounded up.
                (twice.ram - once.ram + SLOTS - 1) / SLOTS,
                two_kinds.flash - once.flash,
                two_kinds.ram - once.ram,
                calls[0].instructions,
                calls[1].instructions,
                calls[2].instructions,
                calls[0].stack,
                calls[1].stack,
                calls.iter().map(|call| call.critical_sections).sum(),
                calls.iter().map(|call| call.longest).max().unwrap_or(0),
            ],
        }
    }
}

/// The figures of one chip and optimization.
struct Table {
    title: String,
    /// Their names.
    figures: &'static [&'static str],
    rows: Vec<Row>,
}

/// The chips, optimizations and ways that are measured.
struct Choice {
    chips: Vec<&'static Chip>,
    opt_levels: Vec<&'static str>,
    ways: &'static [&'static str],
}

/// With targets for `TARGET`, and levels for `LEVEL`.
fn usage() -> String {
    let targets: Vec<_> = CHIPS.iter().map(|chip| chip.target).collect();
    format!(
        "usage: cargo xtask size [--write] [--target TARGET] [--level LEVEL] [--own]

  --write   writes the figures into {README} and {FRONT_PAGE}
  --target  measures one of: {}
  --level   measures one of the optimizations: {}
  --own     leaves out the ways to hand work over that have nothing of this project; not with --write",
        targets.join(", "),
        OPT_LEVELS.join(", ")
    )
}

pub fn run(args: &[String]) -> Outcome {
    let mut write = false;
    let mut choice = Choice {
        chips: CHIPS.iter().collect(),
        opt_levels: OPT_LEVELS.to_vec(),
        ways: WAYS,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--write" => write = true,
            "--own" => choice.ways = OWN,
            "--target" => {
                let target = args.next().ok_or_else(usage)?;
                choice.chips.retain(|chip| chip.target == target);
            }
            "--level" => {
                let level = args.next().ok_or_else(usage)?;
                choice.opt_levels.retain(|known| known == level);
            }
            _ => return Err(usage()),
        }
    }
    // A table that is written has all rows.
    let is_whole_table = choice.ways.len() == WAYS.len();
    if choice.chips.is_empty() || choice.opt_levels.is_empty() || write && !is_whole_table {
        return Err(usage());
    }
    build_at_once(&choice)?;
    let mut tables = Vec::new();
    for chip in &choice.chips {
        let mut new = chip.tables(&choice)?;
        if chip.target == idle_core::TARGET {
            new.extend(idle_core::tables(&choice.opt_levels)?);
        }
        if chip.target == stacks::TARGET {
            new.push(stacks::table(chip)?);
        }
        new.extend(interrupted::tables(chip, &choice.opt_levels)?);
        new.iter()
            .for_each(|table| println!("{}", table.markdown()));
        tables.extend(new);
    }
    let readme = page(README)?;
    let front = page(FRONT_PAGE)?;
    if write {
        let readme = with_tables(&readme, &tables);
        write_page(FRONT_PAGE, &with_sentence(&front, &readme)?)?;
        return write_page(README, &readme);
    }
    let mut above: Vec<_> = tables
        .iter()
        .flat_map(|table| table.above(&readme))
        .collect();
    if with_sentence(&front, &readme)? != front {
        above.push(format!("{FRONT_PAGE} has other figures than {README}"));
    }
    if above.is_empty() {
        println!("no figure is more than 5 % above {README}");
        return Ok(());
    }
    Err(format!(
        "{}\nif the change is intended: cargo xtask size --write",
        above.join("\n")
    ))
}

/// The text of a page of the repository.
fn page(name: &str) -> Result<String, String> {
    fs::read_to_string(root().join(name)).map_err(|error| format!("cannot read {name}: {error}"))
}

fn write_page(name: &str, text: &str) -> Outcome {
    fs::write(root().join(name), text).map_err(|error| format!("cannot write {name}: {error}"))
}

/// The front page with the figures of this `README` in its sentence.
fn with_sentence(front: &str, readme: &str) -> Result<String, String> {
    let [start, middle, end] = SENTENCE;
    let cut = || {
        let (before, rest) = front.split_once(start)?;
        let (_, rest) = rest.split_once(middle)?;
        let (_, after) = rest.split_once(end)?;
        Some((before, after))
    };
    let (before, after) = cut().ok_or(format!("{FRONT_PAGE} has no \"{start}…{middle}…{end}\""))?;
    let flash = |way| {
        let figures = written(readme, FRONT_TABLE, way);
        let flash = figures.first().copied();
        flash.ok_or(format!("{FRONT_TABLE}: {way} is not in {README}"))
    };
    let (alone, blocking) = (thousands(flash(POOL)?), thousands(flash(BLOCKING)?));
    Ok(format!(
        "{before}{start}{alone}{middle}{blocking}{end}{after}"
    ))
}

/// A number with a comma before its thousands.
fn thousands(number: i64) -> String {
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{},{:03}", number / 1_000, number % 1_000)
    }
}

/// The figures of a way in the table with this title. None if they are not there.
fn written(readme: &str, title: &str, way: &str) -> Vec<i64> {
    let start = format!("| `{way}` |");
    let section = readme
        .split("\n## ")
        .find_map(|section| section.strip_prefix(&format!("{title}\n")))
        .unwrap_or_default();
    section
        .lines()
        .find_map(|line| line.strip_prefix(&start))
        .unwrap_or_default()
        .split('|')
        .filter_map(|cell| cell.trim().parse().ok())
        .collect()
}

/// The file with these tables in place of those with the same titles.
fn with_tables(readme: &str, tables: &[Table]) -> String {
    let mut parts = readme.split("\n## ");
    let mut text = parts.next().unwrap_or_default().trim_end().to_owned() + "\n";
    let written: HashMap<_, _> = parts.filter_map(|part| part.split_once('\n')).collect();
    let of_chips = CHIPS
        .iter()
        .flat_map(|chip| OPT_LEVELS.iter().map(|opt_level| chip.title(opt_level)));
    let of_idle_core = OPT_LEVELS
        .iter()
        .map(|opt_level| idle_core::title(opt_level));
    let of_stacks = [stacks::TITLE.to_owned()];
    let of_interrupted = CHIPS.iter().flat_map(|chip| {
        OPT_LEVELS
            .iter()
            .map(|opt_level| interrupted::title(chip, opt_level))
    });
    let titles = of_chips.chain(of_idle_core).chain(of_stacks);
    for title in titles.chain(of_interrupted) {
        if let Some(table) = tables.iter().find(|table| table.title == title) {
            write!(text, "\n{}", table.markdown()).expect("a string grows");
        } else if let Some(rows) = written.get(title.as_str()) {
            write!(text, "\n## {title}\n\n{}\n", rows.trim()).expect("a string grows");
        }
    }
    text
}

impl Table {
    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let head = [&[""], self.figures].concat();
        let head: Vec<_> = head.iter().map(|name| (*name).to_owned()).collect();
        let mut text = format!("## {}\n\n{}", self.title, line(&head));
        text += &format!("|---|{}\n", "---:|".repeat(self.figures.len()));
        for row in &self.rows {
            let figures = row.figures.iter().map(i64::to_string);
            let cells: Vec<_> = [format!("`{}`", row.way)]
                .into_iter()
                .chain(figures)
                .collect();
            text += &line(&cells);
        }
        text
    }

    /// The figures that are not in the table with this title in the file, or are more than 5 % above it, and for
    /// flash more than `GAPS`.
    fn above(&self, readme: &str) -> Vec<String> {
        let mut above = Vec::new();
        for row in &self.rows {
            let written = written(readme, &self.title, row.way);
            if written.len() != self.figures.len() {
                above.push(format!("{}: {} is not in {README}", self.title, row.way));
                continue;
            }
            let figures = self.figures.iter().zip(&row.figures);
            for ((name, figure), written) in figures.zip(written) {
                let gaps = if name.starts_with("flash") { GAPS } else { 0 };
                if (figure - written) * 100 > (written.abs() * 5).max(gaps * 100) {
                    above.push(format!(
                        "{}: {}, {name}: {figure} instead of {written}",
                        self.title, row.way
                    ));
                }
            }
        }
        above
    }
}

impl Chip {
    fn title(&self, opt_level: &str) -> String {
        format!("{}, opt-level {opt_level}", self.target)
    }

    fn tables(&self, choice: &Choice) -> Result<Vec<Table>, String> {
        let ways = choice.ways;
        let programs = arguments(ways);
        let built = |opt_level: &str, features: &[&str]| {
            let args = [features, &programs].concat();
            build(PACKAGE, self.target, opt_level, &args)
        };
        // Memory is the same however much is optimized.
        let programs = built("s", TWICE_THE_SLOTS)?;
        let twice = Sections::beyond_nothing(&programs, ways)?;
        let mut tables = Vec::new();
        for opt_level in &choice.opt_levels {
            let programs = built(opt_level, TWO_KINDS)?;
            let two_kinds = Sections::beyond_nothing(&programs, ways)?;
            for way in ways {
                // That it hands over both kinds is seen by its results.
                emulate(
                    self.emulator,
                    self.package,
                    self.machine,
                    &programs.join(way),
                )?;
            }
            let programs = built(opt_level, &[])?;
            let once = Sections::beyond_nothing(&programs, ways)?;
            let mut rows = Vec::new();
            for &way in ways {
                let calls = self.trace(&programs.join(way))?;
                if way == MASKS && calls.iter().all(|call| call.critical_sections == 0) {
                    return Err(format!(
                        "{}: {way}'s critical sections are not seen",
                        self.target
                    ));
                }
                rows.push(Row::of(way, once[way], twice[way], two_kinds[way], calls));
            }
            for variant in self.variants {
                rows.push(self.row_of(variant, opt_level)?);
            }
            tables.push(Table {
                title: self.title(opt_level),
                figures: FIGURES,
                rows,
            });
        }
        Ok(tables)
    }

    /// The row of the pool built in another way.
    fn row_of(&self, variant: &Variant, opt_level: &str) -> Result<Row, String> {
        let built = |features: &[&str], opt_level| {
            let args = [variant.args, features, &arguments(&[POOL])[..]].concat();
            build(PACKAGE, self.target, opt_level, &args)
        };
        let measured = |features, opt_level| -> Result<Sections, String> {
            Ok(Sections::beyond_nothing(&built(features, opt_level)?, &[POOL])?[POOL])
        };
        let twice = measured(TWICE_THE_SLOTS, "s")?;
        let two_kinds = measured(TWO_KINDS, opt_level)?;
        let once = measured(&[], opt_level)?;
        let calls = self.trace(&built(&[], opt_level)?.join(POOL))?;
        Ok(Row::of(variant.row, once, twice, two_kinds, calls))
    }

    /// Runs a program to its end; returns the most that each of [`CALLS`] took.
    fn trace(&self, program: &Path) -> Result<[Call; CALLS.len()], String> {
        let (steps, code) = self.traced(program, "size")?;
        let mut calls = [Call::default(); CALLS.len()];
        for (call, name) in calls.iter_mut().zip(CALLS) {
            let entry = code.function(name)?;
            for (at, step) in steps.iter().enumerate() {
                if step.at == entry {
                    *call = call.max(Call::of(&steps[at..]).ok_or("a call does not return")?);
                }
            }
            if call.instructions == 0 {
                return Err(format!("{}: {name} is not called", program.display()));
            }
        }
        Ok(calls)
    }

    /// Runs a program to its end; returns its instructions, and its code with the functions of one crate.
    fn traced(&self, program: &Path, of_crate: &str) -> Result<(Vec<Step>, Code), String> {
        // Each instruction with the registers before it.
        let args = [self.machine, &["-d", "exec,cpu,nochain"]].concat();
        let log = emulate(self.emulator, self.package, &args, program)?;
        let code = Code::of(program, of_crate)?;
        let steps = self.steps(&log, &code)?;
        Ok((steps, code))
    }

    /// The instructions that the program has executed.
    fn steps(&self, log: &Path, code: &Code) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let mut masked = false;
        each_record(open(log)?, |record| {
            let step = self.step(record, masked).ok_or(NO_SENSE)?;
            if self.registers.status.is_none() {
                masked = code.masks(step.at, record).unwrap_or(masked);
            }
            steps.push(step);
            Ok(())
        })?;
        Ok(steps)
    }

    /// The log's record of one instruction. `masked`: after the one before.
    fn step(&self, record: &str, masked: bool) -> Option<Step> {
        let register = |name| register(record, name);
        Some(Step {
            at: address(record)?,
            stack_pointer: register(self.registers.stack_pointer)?,
            // The lowest bit says on Arm that the code is Thumb code.
            return_address: register(self.registers.return_address)? & !1,
            masked: match self.registers.status {
                Some(status) => register(status)? & MIE == 0,
                None => masked,
            },
        })
    }
}

/// Cargo's arguments for the programs of these ways, and for the one without any.
fn arguments(ways: &[&'static str]) -> Vec<&'static str> {
    let programs = [&[NOTHING], ways].concat();
    let arguments = programs.into_iter().flat_map(|program| ["--bin", program]);
    arguments.collect()
}

/// Builds for all optimizations at the same time: most of the work is `core`, which is compiled by one
/// processor.
fn build_at_once(choice: &Choice) -> Outcome {
    let programs = arguments(choice.ways);
    let build_all = |opt_level| {
        choice.chips.iter().try_for_each(|chip| {
            build(
                PACKAGE,
                chip.target,
                opt_level,
                &[TWO_KINDS, &programs].concat(),
            )?;
            build(PACKAGE, chip.target, opt_level, &programs)?;
            build(interrupted::PACKAGE, chip.target, opt_level, &[])?;
            if chip.target == idle_core::TARGET {
                build(idle_core::PACKAGE, chip.target, opt_level, &[])?;
            }
            Ok(())
        })
    };
    thread::scope(|scope| {
        let builds: Vec<_> = choice
            .opt_levels
            .iter()
            .map(|opt_level| scope.spawn(|| build_all(opt_level)))
            .collect();
        builds
            .into_iter()
            .try_for_each(|build| build.join().map_err(|_| "a build panicked".to_string())?)
    })
}

/// Builds all programs of a package; returns the directory that they are in.
fn build(package: &str, target: &str, opt_level: &str, args: &[&str]) -> Result<PathBuf, String> {
    release_build(opt_level).run(package, target, args)
}

/// How programs are built.
struct Build<'a> {
    /// The directory of what is built, below `target`.
    place: String,
    profile: &'static str,
    opt_level: &'a str,
    configuration: &'a [&'a str],
}

/// The directory of what is built as the boards are, so that the standard library is built once.
const PLACE_OF_THE_BOARDS: &str = "firmware";

fn release_build(opt_level: &str) -> Build<'_> {
    Build {
        place: match opt_level {
            "s" => PLACE_OF_THE_BOARDS.to_owned(),
            other => format!("size-{other}"),
        },
        profile: "release",
        opt_level,
        configuration: &[],
    }
}

fn debug_build<'a>(place: &str, configuration: &'a [&'a str]) -> Build<'a> {
    Build {
        place: place.to_owned(),
        profile: "dev",
        opt_level: "0",
        configuration,
    }
}

impl Build<'_> {
    /// Builds programs of a package; returns the directory that they are in.
    fn run(&self, package: &str, target: &str, args: &[&str]) -> Result<PathBuf, String> {
        // The figures are of this compiler, whatever the toolchain in use has.
        debian::require(&[debian::COMPILER, debian::LINKER].concat())?;
        let mut command = debian::cargo();
        debian::build_std_for(target, &mut command);
        let profile = format!("CARGO_PROFILE_{}", self.profile.to_uppercase());
        command.env(format!("{profile}_OPT_LEVEL"), self.opt_level);
        // No debugger looks at them here.
        command.env(format!("{profile}_DEBUG"), "none");
        command.args(["build", "--quiet", "--locked", "--profile", self.profile]);
        command.args(["--manifest-path", &format!("{package}/Cargo.toml")]);
        let built = format!("target/{}", self.place);
        command.args(["--target", target, "--target-dir", &built]);
        run_command(command.args(self.configuration).args(args))?;
        let directory = if self.profile == "dev" {
            "debug"
        } else {
            self.profile
        };
        Ok(root().join(built).join(target).join(directory))
    }
}

/// Runs a program to its end, one instruction at a time; returns the log.
fn emulate(
    emulator: &str,
    package: &str,
    args: &[&str],
    program: &Path,
) -> Result<PathBuf, String> {
    let log = program.with_extension("log");
    let output = Command::new(emulator)
        .args(["-display", "none", "-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .args(["-singlestep", "-D"])
        .arg(&log)
        .args(args)
        .arg("-kernel")
        .arg(program)
        .stdin(Stdio::null())
        .output()
        .map_err(|_| missing(package))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{}: a result is wrong ({})\n{said}",
            program.display(),
            output.status
        ));
    }
    Ok(log)
}

fn missing(package: &str) -> String {
    format!("missing: apt-get install -y --no-install-recommends {package}")
}

fn open(log: &Path) -> Result<BufReader<File>, String> {
    let log_file = File::open(log);
    let log_file = log_file.map_err(|error| format!("cannot read {}: {error}", log.display()))?;
    Ok(BufReader::new(log_file))
}

/// Has `visit` look at what the log says of each instruction that was executed, and say what is wrong
/// with it.
fn each_record(
    log: impl BufRead,
    mut visit: impl FnMut(&str) -> Result<(), &'static str>,
) -> Outcome {
    let mut record = String::new();
    for line in log.lines() {
        let line = line.map_err(|error| format!("cannot read the log: {error}"))?;
        if line.starts_with("Trace ") && !record.is_empty() {
            visit(&record).map_err(|wrong| format!("{wrong}: {record:?}"))?;
            record.clear();
        }
        if line.starts_with("Stopped execution") || line.starts_with("cpu_io_recompile") {
            // Logged, but not executed yet: it comes again.
            record.clear();
        } else {
            record += &line;
            record += "\n";
        }
    }
    Ok(())
}

const NO_SENSE: &str = "cannot make sense of";

/// Where the instruction is.
fn address(record: &str) -> Option<u64> {
    hexadecimal(record.split('/').nth(1)?)
}

fn register(record: &str, name: &str) -> Option<u64> {
    let (_, value) = record.split_once(name)?;
    hexadecimal(value.split_whitespace().next()?)
}

/// The bit of RISC-V's `mstatus` that lets interrupts through.
const MIE: u64 = 1 << 3;

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The state before an instruction.
struct Step {
    at: u64,
    stack_pointer: u64,
    return_address: u64,
    /// Whether it is executed with interrupts masked.
    masked: bool,
}

/// The cost of a call.
#[derive(Clone, Copy, Default)]
struct Call {
    instructions: i64,
    /// Bytes.
    stack: i64,
    critical_sections: i64,
    /// The instructions of the longest of them.
    longest: i64,
}

impl Call {
    /// The call that begins with the first of these steps.
    fn of(steps: &[Step]) -> Option<Self> {
        let first = steps.first()?;
        let has_returned = |step: &Step| {
            step.at == first.return_address && step.stack_pointer == first.stack_pointer
        };
        let length = steps.iter().position(has_returned)?;
        let steps = &steps[..length];
        let lowest = steps.iter().map(|step| step.stack_pointer).min()?;
        let sections = steps
            .chunk_by(|one, next| one.masked == next.masked)
            .filter(|section| section[0].masked);
        Some(Self {
            instructions: length as i64,
            stack: (first.stack_pointer - lowest) as i64,
            critical_sections: sections.clone().count() as i64,
            longest: sections
                .map(|section| section.len() as i64)
                .max()
                .unwrap_or(0),
        })
    }

    /// The greater of each figure.
    fn max(self, other: Self) -> Self {
        Self {
            instructions: self.instructions.max(other.instructions),
            stack: self.stack.max(other.stack),
            critical_sections: self.critical_sections.max(other.critical_sections),
            longest: self.longest.max(other.longest),
        }
    }
}

/// The memory of a chip that a program takes, in bytes.
#[derive(Clone, Copy)]
struct Sections {
    flash: i64,
    ram: i64,
}

impl Sections {
    fn of(program: &Path) -> Result<Self, String> {
        let bytes = read(program)?;
        let file = parse(program, &bytes)?;
        let mut sections = Self { flash: 0, ram: 0 };
        for section in file.sections() {
            let size = section.size() as i64;
            // On RISC-V these are sections too, as large as the RAM that is left.
            if matches!(section.name(), Ok(".heap" | ".stack")) {
                continue;
            }
            match section.kind() {
                SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => {
                    sections.flash += size;
                }
                SectionKind::Data => {
                    sections.flash += size;
                    sections.ram += size;
                }
                SectionKind::UninitializedData => sections.ram += size,
                _ => {}
            }
        }
        Ok(sections)
    }

    /// The memory that each way takes beyond the program that does the work in place.
    fn beyond_nothing(
        programs: &Path,
        ways: &[&'static str],
    ) -> Result<HashMap<&'static str, Self>, String> {
        let base = Self::of(&programs.join(NOTHING))?;
        let beyond = |way| {
            let sections = Self::of(&programs.join(way))?;
            let flash = sections.flash - base.flash;
            let ram = sections.ram - base.ram;
            Ok((way, Self { flash, ram }))
        };
        ways.iter().copied().map(beyond).collect()
    }
}

/// A program's machine code.
struct Code {
    /// Where each section is, and what is in it.
    sections: Vec<(u64, Vec<u8>)>,
    functions: HashMap<String, u64>,
}

impl Code {
    /// With the functions of one crate.
    fn of(program: &Path, of_crate: &str) -> Result<Self, String> {
        let bytes = read(program)?;
        let file = parse(program, &bytes)?;
        let sections = file
            .sections()
            .filter(|section| section.kind() == SectionKind::Text)
            .filter_map(|section| Some((section.address(), section.data().ok()?.to_vec())))
            .collect();
        let functions = file.symbols().filter_map(|symbol| {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
            let name = name.strip_prefix(of_crate)?.strip_prefix("::")?;
            let name = name.split("::<").next()?;
            // The lowest bit says on Arm that the code is Thumb code.
            Some((name.to_owned(), symbol.address() & !1))
        });
        Ok(Self {
            sections,
            functions: functions.collect(),
        })
    }

    fn function(&self, name: &str) -> Result<u64, String> {
        let function = self.functions.get(name).copied();
        function.ok_or_else(|| format!("{name} has no symbol"))
    }

    /// Whether interrupts are masked after the Thumb instruction at `at`, if it says so. `record`
    /// has the registers before it.
    fn masks(&self, at: u64, record: &str) -> Option<bool> {
        match self.halfword(at)? {
            // CPSID i, CPSIE i.
            0xB672 => Some(true),
            0xB662 => Some(false),
            // MSR to PRIMASK, from the register with this number.
            first if first & 0xFFF0 == 0xF380 && self.halfword(at + 2)? == 0x8810 => {
                let from = format!("R{:02}=", first & 0xF);
                Some(register(record, &from)? & 1 == 1)
            }
            _ => None,
        }
    }

    /// Whether the instruction at `at` is `WFI`, of Thumb or of RISC-V.
    fn is_wfi(&self, at: u64) -> bool {
        match self.halfword(at) {
            Some(0xBF30) => true,
            Some(0x0073) => self.halfword(at + 2) == Some(0x1050),
            _ => false,
        }
    }

    fn halfword(&self, at: u64) -> Option<u16> {
        self.sections.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from(at.checked_sub(*start)?).ok()?;
            let bytes = bytes.get(offset..offset + 2)?;
            Some(u16::from_le_bytes(bytes.try_into().ok()?))
        })
    }
}

fn read(program: &Path) -> Result<Vec<u8>, String> {
    fs::read(program).map_err(|error| format!("cannot read {}: {error}", program.display()))
}

fn parse<'a>(program: &Path, bytes: &'a [u8]) -> Result<object::File<'a>, String> {
    object::File::parse(bytes)
        .map_err(|error| format!("cannot make sense of {}: {error}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures that are above a file's figure of `written` with this one name.
    fn above(names: &'static [&'static str], figure: i64, written: i64) -> Vec<String> {
        let table = |figure| Table {
            title: "a chip".to_owned(),
            figures: names,
            rows: vec![Row {
                way: "corepool",
                figures: vec![figure],
            }],
        };
        table(figure).above(&format!("Sizes\n\n{}", table(written).markdown()))
    }

    #[test]
    fn a_figure_may_be_5_percent_above_the_file() {
        assert!(above(&["RAM"], 105, 100).is_empty());
        assert!(above(&["RAM"], -95, -100).is_empty());
        assert!(above(&["RAM"], 0, 0).is_empty());
    }

    #[test]
    fn flash_may_be_8_bytes_above_it() {
        assert!(above(&["flash a kind"], 28, 20).is_empty());
        assert!(above(&["flash a kind"], 210, 200).is_empty());
        assert!(!above(&["flash a kind"], 29, 20).is_empty());
        assert!(!above(&["flash a kind"], 211, 200).is_empty());
    }

    #[test]
    fn the_front_page_repeats_the_tables_figures() {
        let row = |way, flash| Row {
            way,
            figures: vec![flash],
        };
        let table = Table {
            title: FRONT_TABLE.to_owned(),
            figures: &["flash"],
            rows: vec![row(POOL, 998), row(BLOCKING, 10_012)],
        };
        let [start, middle, end] = SENTENCE;
        let front = |alone, blocking| format!("# A pool\n{start}{alone}{middle}{blocking}{end}.\n");
        let readme = format!("Sizes\n\n{}", table.markdown());
        let written = with_sentence(&front("1,000", "2"), &readme);
        assert_eq!(written, Ok(front("998", "10,012")));
        assert!(with_sentence("# A pool", &readme).is_err());
        assert!(with_sentence(&front("1", "2"), "Sizes").is_err());
    }

    #[test]
    fn a_figure_that_is_more_is_told() {
        for (figure, written) in [(106, 100), (-94, -100), (1, 0)] {
            let told = format!("a chip: corepool, RAM: {figure} instead of {written}");
            assert_eq!(above(&["RAM"], figure, written), [told]);
        }
    }
}
