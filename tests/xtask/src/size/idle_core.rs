//! Instructions from a submit on core 0 to the job's first one on core 1, which sleeps.
//!
//! The programs of `tests/costs/size/idle-core` run on QEMU's RISC-V machine with two harts. The emulator
//! takes turns with them in one thread, and its log says which hart executes what, and what is written
//! to the CLINT, by which one hart wakes the other. So the path is counted in two parts: on hart 0 up
//! to that write, and on hart 1 from where it wakes up. That hart 1 did sleep is seen in the log too.

use std::path::Path;

use super::{
    Code, NO_SENSE, RISCV_EMULATOR, RISCV_PACKAGE, Row, Table, address, build, each_record,
    emulate, open,
};

pub const TARGET: &str = "riscv32imac-unknown-none-elf";

pub const PACKAGE: &str = "tests/costs/size/idle-core";

/// Ways to hand a job over.
const WAYS: &[&str] = &["corepool", "by-hand"];

const FIGURES: &[&str] = &["core 0", "core 1", "both"];

/// Time counts instructions, so that no turn ends before its hart sleeps.
const MACHINE: &[&str] = &[
    "-machine",
    "virt",
    "-bios",
    "none",
    "-smp",
    "2",
    "-icount",
    "shift=0,sleep=off",
    "-d",
    "exec,nochain",
    "-trace",
    "memory_region_ops_write",
];

/// How the log has it that hart 1's software interrupt is pended, and cleared.
const PENDED: &str = " addr 0x2000004 value 0x1 ";
const CLEARED: &str = " addr 0x2000004 value 0x0 ";

pub fn title(opt_level: &str) -> String {
    format!("From submit to the job on an idle core, opt-level {opt_level}")
}

pub fn tables(opt_levels: &[&'static str]) -> Result<Vec<Table>, String> {
    let mut tables = Vec::new();
    for opt_level in opt_levels {
        let programs = build(PACKAGE, TARGET, opt_level, &[])?;
        let mut rows = Vec::new();
        for &way in WAYS {
            let figures = worst(&programs.join(way))?;
            rows.push(Row { way, figures });
        }
        tables.push(Table {
            title: title(opt_level),
            figures: FIGURES,
            rows,
        });
    }
    Ok(tables)
}

/// Runs a program to its end; returns the greatest of each figure.
fn worst(program: &Path) -> Result<Vec<i64>, String> {
    let log = emulate(RISCV_EMULATOR, RISCV_PACKAGE, MACHINE, program)?;
    let code = Code::of(program, "idle_core")?;
    let mut harts = Harts::new(&code)?;
    each_record(open(&log)?, |record| harts.step(record))
        .map_err(|problem| format!("{}: {problem}", program.display()))?;
    if harts.rounds.is_empty() || !matches!(harts.now, Job::Nowhere) {
        return Err(format!("{}: hart 1 runs no job", program.display()));
    }
    let greatest = |figure: fn(&Round) -> i64| harts.rounds.iter().map(figure).max();
    let figures = [
        greatest(|round| round.core_0),
        greatest(|round| round.core_1),
        greatest(|round| round.core_0 + round.core_1),
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// The instructions of one job's way.
#[derive(Clone, Copy)]
struct Round {
    /// The first of `submit` is the first, the one that pends hart 1's interrupt the last.
    core_0: i64,
    /// The first is the one after the `WFI`, the last the one before the first of `job`.
    core_1: i64,
}

/// Where a job is.
enum Job {
    Nowhere,
    Submitted(Round),
    /// The interrupt is sent.
    Sent(Round),
}

/// The log so far.
struct Harts<'a> {
    code: &'a Code,
    submit: u64,
    job: u64,
    now: Job,
    /// Whether `WFI` is the last that hart 1 has executed.
    hart_1_waits: bool,
    /// Whether hart 1's software interrupt is pended, which ends a sleep at once.
    pended: bool,
    rounds: Vec<Round>,
}

impl<'a> Harts<'a> {
    fn new(code: &'a Code) -> Result<Self, String> {
        Ok(Self {
            code,
            submit: code.function("submit")?,
            job: code.function("job")?,
            now: Job::Nowhere,
            hart_1_waits: false,
            pended: false,
            rounds: Vec::new(),
        })
    }

    /// One instruction.
    fn step(&mut self, record: &str) -> Result<(), &'static str> {
        let at = address(record).ok_or(NO_SENSE)?;
        let on_hart_1 = record.starts_with("Trace 1:");
        let sends = record.contains(PENDED);
        match (&mut self.now, on_hart_1) {
            (Job::Nowhere, false) if at == self.submit => {
                if !self.hart_1_waits || self.pended {
                    return Err("hart 1 is awake");
                }
                let round = Round {
                    core_0: 1,
                    core_1: 0,
                };
                self.now = Job::Submitted(round);
            }
            (_, false) if at == self.submit => return Err("the job before was not run"),
            (Job::Submitted(_), true) => {
                return Err("hart 1 wakes before it is sent the interrupt");
            }
            (Job::Submitted(round), false) => {
                round.core_0 += 1;
                if sends {
                    self.now = Job::Sent(*round);
                }
            }
            (Job::Sent(round), true) if at == self.job => {
                self.rounds.push(*round);
                self.now = Job::Nowhere;
            }
            (Job::Sent(round), true) => round.core_1 += 1,
            (Job::Nowhere | Job::Sent(_), _) => {}
        }
        self.pended = (self.pended || sends) && !record.contains(CLEARED);
        if on_hart_1 {
            self.hart_1_waits = self.code.is_wfi(at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBMIT: u64 = 0x100;
    const JOB: u64 = 0x200;
    const WFI: u64 = 0x300;

    fn code() -> Code {
        Code {
            sections: vec![(WFI, 0x1050_0073_u32.to_le_bytes().to_vec())],
            functions: [("submit".to_owned(), SUBMIT), ("job".to_owned(), JOB)].into(),
        }
    }

    /// Has the harts take steps, each at an address and perhaps with a write; returns what was counted.
    fn count(steps: &[(u32, u64, &str)]) -> Result<Vec<(i64, i64)>, &'static str> {
        let code = code();
        let mut harts = Harts::new(&code).expect("both are there");
        for (hart, at, write) in steps {
            harts.step(&format!(
                "Trace {hart}: 0x7f00 [00000000/{at:08x}/0/0]\n{write}"
            ))?;
        }
        let rounds = harts.rounds.iter();
        Ok(rounds.map(|round| (round.core_0, round.core_1)).collect())
    }

    #[test]
    fn each_hart_counts_on_its_part_of_the_way() {
        let steps = [
            (1, WFI, ""),
            (0, SUBMIT, ""),
            (0, SUBMIT + 4, ""),
            (0, SUBMIT + 8, PENDED),
            (0, SUBMIT + 12, ""),
            (1, WFI + 4, CLEARED),
            (1, JOB, ""),
            (1, JOB + 4, ""),
        ];
        assert_eq!(count(&steps), Ok(vec![(3, 1)]));
    }

    #[test]
    fn a_hart_that_is_not_in_its_sleep_is_noticed() {
        let steps = [(1, WFI, ""), (1, WFI + 4, ""), (0, SUBMIT, "")];
        assert_eq!(count(&steps), Err("hart 1 is awake"));
    }

    #[test]
    fn a_sleep_that_is_about_to_end_is_noticed() {
        let steps = [(0, 0, PENDED), (1, WFI, ""), (0, SUBMIT, "")];
        assert_eq!(count(&steps), Err("hart 1 is awake"));
    }

    #[test]
    fn a_hart_that_wakes_too_early_is_noticed() {
        let steps = [(1, WFI, ""), (0, SUBMIT, ""), (1, WFI + 4, "")];
        assert_eq!(
            count(&steps),
            Err("hart 1 wakes before it is sent the interrupt")
        );
    }

    #[test]
    fn a_job_that_is_not_run_is_noticed() {
        let steps = [
            (1, WFI, ""),
            (0, SUBMIT, ""),
            (0, SUBMIT + 4, PENDED),
            (1, WFI + 4, CLEARED),
            (1, WFI, ""),
            (0, SUBMIT, ""),
        ];
        assert_eq!(count(&steps), Err("the job before was not run"));
    }
}
