//! The instructions of a submit in a handler that interrupts the main loop, wherever it does.
//!
//! The program of `tests/costs/size/interrupted` has a timer interrupt the main loop at one instruction
//! after the other. The emulator's time counts instructions, so that each trial takes the same ones up
//! to its interrupt. The trace says which those are. So the command notices if an instruction of an
//! operation is left out.

use std::{
    collections::HashMap,
    io::BufReader,
    ops::Range,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use object::{Object, ObjectSymbol};

use super::{Chip, Code, NO_SENSE, Row, Table, address, build, each_record, missing, parse, read};

pub const PACKAGE: &str = "tests/costs/size/interrupted";

const PROGRAM: &str = "interrupted";

/// Time counts instructions.
const LOG: &[&str] = &["-icount", "shift=0,sleep=off", "-d", "exec,nochain"];

/// How runtimes call the first instruction of the timer's handler.
const HANDLERS: [&str; 2] = ["SysTick", "_start_trap"];

/// The measured function.
const SUBMIT: &str = "submit";

/// The operations of the main loop: the row's name, and the program's function. The
/// worker's loop is no function. It goes from one sleep to the next.
const OPERATIONS: [(&str, Option<&str>); 5] = [
    ("submit", Some("in_submit")),
    ("run", Some("in_run")),
    ("result", Some("in_result")),
    ("cancel", Some("in_cancel")),
    ("worker", None),
];

const FIGURES: &[&str] = &["instructions", "masked", "undisturbed", "longest", "%"];

/// The longest submit takes at most this share of the undisturbed one.
const MOST_PERCENT: i64 = 150;

pub fn title(chip: &Chip, opt_level: &str) -> String {
    format!("Submit from a handler, {}", chip.title(opt_level))
}

pub fn tables(chip: &Chip, opt_levels: &[&'static str]) -> Result<Vec<Table>, String> {
    thread::scope(|scope| {
        let tables: Vec<_> = opt_levels
            .iter()
            .map(|opt_level| scope.spawn(|| table(chip, opt_level)))
            .collect();
        tables
            .into_iter()
            .map(|table| table.join().map_err(|_| "a thread panicked".to_owned())?)
            .collect()
    })
}

fn table(chip: &Chip, opt_level: &str) -> Result<Table, String> {
    let program = build(PACKAGE, chip.target, opt_level, &[])?.join(PROGRAM);
    let wrong = |problem| format!("{}: {problem}", program.display());
    let operations = trace(chip, &program)?;
    let names: Vec<_> = operations.iter().map(|operation| operation.of).collect();
    if names != [0, 1, 2, 3, 4] {
        return Err(wrong(format!("other operations: {names:?}")));
    }
    let rows = operations.iter().map(|operation| {
        let way = OPERATIONS[operation.of].0;
        let figures = operation
            .figures()
            .map_err(|problem| wrong(format!("{way}: {problem}")))?;
        Ok(Row { way, figures })
    });
    Ok(Table {
        title: title(chip, opt_level),
        figures: FIGURES,
        rows: rows.collect::<Result<_, String>>()?,
    })
}

/// Runs the program to its end.
fn trace(chip: &Chip, program: &Path) -> Result<Vec<Operation>, String> {
    let wrong = |problem| format!("{}: {problem}", program.display());
    let code = Code::of(program, PROGRAM)?;
    let mut trials = Trials::new(&code, handler(program)?)?;
    // The log goes to stderr, and is read while it is written: it would be large.
    let mut emulator = Command::new(chip.emulator)
        .args(["-display", "none", "-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .arg("-singlestep")
        .args(LOG)
        .args(chip.machine)
        .arg("-kernel")
        .arg(program)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|_| missing(chip.package))?;
    let log = BufReader::new(emulator.stderr.take().expect("piped"));
    let outcome = each_record(log, |record| {
        // The emulator may warn of something first.
        if record.starts_with("Trace ") {
            trials.step(address(record).ok_or(NO_SENSE)?)?;
        }
        Ok(())
    });
    if outcome.is_err() {
        // It waits for the log's reader.
        let _ = emulator.kill();
    }
    let status = emulator.wait().map_err(|error| wrong(error.to_string()))?;
    outcome.map_err(wrong)?;
    if !status.success() {
        return Err(wrong(format!("a result is wrong ({status})")));
    }
    Ok(trials.operations)
}

/// The address of the handler's first instruction.
fn handler(program: &Path) -> Result<u64, String> {
    let bytes = read(program)?;
    let file = parse(program, &bytes)?;
    let handler = file
        .symbols()
        .find(|symbol| symbol.name().is_ok_and(|name| HANDLERS.contains(&name)));
    // The lowest bit says on Arm that the code is Thumb code.
    handler
        .map(|symbol| symbol.address() & !1)
        .ok_or_else(|| format!("{}: there is no handler", program.display()))
}

/// One operation of the main loop, or the worker's loop.
struct Operation {
    /// Its index in [`OPERATIONS`].
    of: usize,
    /// The instructions from the return of the first interrupt's handler up to the second interrupt, which
    /// comes after the operation.
    undisturbed: Vec<u64>,
    /// Those of the operation.
    range: Range<usize>,
    /// For each of the instructions, whether interrupts are masked before it.
    masked: Vec<bool>,
    /// For each of the instructions, whether an interrupt came before it.
    interrupted: Vec<bool>,
    /// The instructions of the longest submit after the operation.
    after: i64,
    /// The instructions of the longest submit in it.
    within: i64,
}

impl Operation {
    /// The figures, if each instruction was interrupted that can be.
    fn figures(&self) -> Result<Vec<i64>, String> {
        let places = || self.range.clone();
        let left_out = places().find(|&place| !self.masked[place] && !self.interrupted[place]);
        if let Some(place) = left_out {
            let at = self.undisturbed[place];
            return Err(format!("no interrupt came at {at:#x}, {place}"));
        }
        let against_the_mask =
            places().find(|&place| self.masked[place] && self.interrupted[place]);
        if let Some(place) = against_the_mask {
            let at = self.undisturbed[place];
            return Err(format!("an interrupt came at {at:#x}, where it is masked"));
        }
        let percent = (100 * self.within + self.after - 1) / self.after;
        if percent > MOST_PERCENT {
            return Err(format!(
                "a submit that interrupts it takes {} instructions instead of {}: more than {MOST_PERCENT} %",
                self.within, self.after
            ));
        }
        let masked = places().filter(|&place| self.masked[place]).count();
        Ok(vec![
            places().len() as i64,
            masked as i64,
            self.after,
            self.within,
            percent,
        ])
    }
}

/// Where the program is in a trial.
enum Now {
    /// Before the first interrupt.
    Before,
    /// In the handler of the first interrupt, which came after the instruction at this address.
    First(u64),
    /// The handler has returned, and the main loop has executed these instructions.
    Main(Vec<u64>),
    /// In the handler of the second interrupt, which came after these instructions.
    Second(Vec<u64>),
    /// In the handler's submit, which was called at an address, and has executed a number of
    /// instructions.
    Submit(Vec<u64>, u64, i64),
}

/// The log so far.
struct Trials<'a> {
    code: &'a Code,
    handler: u64,
    submit: u64,
    /// The first instruction of each operation that is a function.
    functions: HashMap<u64, usize>,
    now: Now,
    /// The instruction before.
    last: u64,
    operations: Vec<Operation>,
}

impl<'a> Trials<'a> {
    fn new(code: &'a Code, handler: u64) -> Result<Self, String> {
        let mut functions = HashMap::new();
        for (of, (_, function)) in OPERATIONS.iter().enumerate() {
            if let Some(function) = function {
                functions.insert(code.function(function)?, of);
            }
        }
        Ok(Self {
            code,
            handler,
            submit: code.function(SUBMIT)?,
            functions,
            now: Now::Before,
            last: 0,
            operations: Vec::new(),
        })
    }

    /// One instruction.
    fn step(&mut self, at: u64) -> Result<(), &'static str> {
        let is_interrupt = at == self.handler;
        self.now = match std::mem::replace(&mut self.now, Now::Before) {
            Now::Before if is_interrupt => Now::First(self.last),
            // The second interrupt came before the main loop's next instruction.
            Now::First(_) if is_interrupt => Now::Second(Vec::new()),
            Now::First(from) if follows(from, at) => Now::Main(vec![at]),
            Now::Main(steps) if is_interrupt => Now::Second(steps),
            Now::Main(mut steps) => {
                steps.push(at);
                Now::Main(steps)
            }
            Now::Second(steps) if at == self.submit => Now::Submit(steps, self.last, 1),
            Now::Submit(steps, from, length) if follows(from, at) => {
                self.trial(steps, length)?;
                Now::Before
            }
            Now::Submit(steps, from, length) => Now::Submit(steps, from, length + 1),
            now => now,
        };
        self.last = at;
        Ok(())
    }

    /// The second interrupt came after these instructions of the main loop, and its submit took a number
    /// of instructions.
    fn trial(&mut self, steps: Vec<u64>, length: i64) -> Result<(), &'static str> {
        let place = steps.len();
        let whole = self.whole(&steps);
        if let Some((of, range)) = &whole
            && self.operations.last().is_none_or(|last| last.of != *of)
        {
            self.operations.push(Operation {
                of: *of,
                masked: self.code.masked(&steps),
                interrupted: vec![false; place],
                undisturbed: steps,
                range: range.clone(),
                after: length,
                within: 0,
            });
            return Ok(());
        }
        let operation = self
            .operations
            .last_mut()
            .ok_or("the first trial is disturbed")?;
        let known = place.min(operation.range.end);
        if steps[..known] != operation.undisturbed[..known] {
            return Err("a trial takes other instructions than the first one");
        }
        if whole.is_some() {
            operation.after = operation.after.max(length);
        } else if operation.range.contains(&place) {
            operation.interrupted[place] = true;
            operation.within = operation.within.max(length);
        }
        Ok(())
    }

    /// The operation that these instructions have from its begin to its end, and where they have it.
    fn whole(&self, steps: &[u64]) -> Option<(usize, Range<usize>)> {
        let function = steps
            .iter()
            .enumerate()
            .find_map(|(place, at)| Some((place, *self.functions.get(at)?)));
        if let Some((start, of)) = function {
            let from = steps[start.checked_sub(1)?];
            let end = steps[start..].iter().position(|&at| follows(from, at))?;
            return Some((of, start..start + end));
        }
        let sleep = steps.iter().position(|&at| self.code.is_wfi(at))?;
        let worker = OPERATIONS
            .iter()
            .position(|(_, function)| function.is_none())?;
        Some((worker, 0..sleep + 1))
    }
}

/// Whether the instruction at `at` may be the next one in memory after that at `from`. If that one is a
/// call, the call has returned then.
fn follows(from: u64, at: u64) -> bool {
    (from + 1..=from + 4).contains(&at)
}

impl Code {
    /// For each of these instructions, whether interrupts are masked before it. They are not before the
    /// first one. The code says so, and not the registers. So an instruction that masks less than this
    /// takes it to is noticed: interrupts come after it.
    fn masked(&self, steps: &[u64]) -> Vec<bool> {
        let mut masked = false;
        let before = steps.iter().map(|&at| {
            let before = masked;
            masked = self.masks_here(at).unwrap_or(masked);
            before
        });
        before.collect()
    }

    /// Whether interrupts are masked after the instruction at `at`, if it is one that changes that.
    fn masks_here(&self, at: u64) -> Option<bool> {
        let first = self.halfword(at)?;
        let second = self.halfword(at + 2).unwrap_or_default();
        match (first, second) {
            // CPSID i, CPSIE i, MSR to PRIMASK.
            (0xB672, _) => Some(true),
            (0xB662, _) => Some(false),
            (_, 0x8810) if first & 0xFFF0 == 0xF380 => Some(false),
            // An access of `mstatus`. It changes nothing if it sets or clears no bit.
            _ if first & 0x7F == 0x73 && second >> 4 == 0x300 => {
                let is_read = first >> 15 == 0 && second & 0xF == 0;
                match first >> 12 & 0b11 {
                    // CSRRW.
                    0b01 => Some(false),
                    // CSRRS.
                    0b10 => (!is_read).then_some(false),
                    // CSRRC.
                    0b11 => (!is_read).then_some(true),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLER: u64 = 0x100;
    const SUBMIT_AT: u64 = 0x200;
    const CALL: u64 = 0x110;
    const SLEEP: u64 = 0x400;
    const OPERATION: u64 = 0x300;

    /// `CPSID i` and `CPSIE i` are the second and the fourth instruction of the operation, if it masks.
    fn code(masks: bool) -> Code {
        let nop = 0xBF00_u16;
        let halfwords = if masks {
            [nop, 0xB672, nop, 0xB662]
        } else {
            [nop; 4]
        };
        let bytes = halfwords.into_iter().flat_map(u16::to_le_bytes).collect();
        let functions = OPERATIONS.iter().filter_map(|operation| operation.1);
        let functions = (1..).zip(functions).map(|(of, function)| {
            let at = if function == "in_run" {
                OPERATION
            } else {
                of << 32
            };
            (function.to_owned(), at)
        });
        let submit = (SUBMIT.to_owned(), SUBMIT_AT);
        Code {
            sections: vec![(OPERATION, bytes)],
            functions: functions.chain([submit]).collect(),
        }
    }

    /// The main loop's instructions: it calls the operation, which has four, and goes on.
    const MAIN: [u64; 7] = [
        SLEEP + 2,
        SLEEP + 4,
        OPERATION,
        OPERATION + 2,
        OPERATION + 4,
        OPERATION + 6,
        SLEEP + 8,
    ];

    /// Interrupts the main loop in these places, each time with a submit of so many instructions.
    fn figures(masks: bool, trials: &[(usize, i64)]) -> Result<Vec<i64>, String> {
        let code = code(masks);
        let mut log = Trials::new(&code, HANDLER)?;
        for &(place, length) in trials {
            let first = [SLEEP, HANDLER, HANDLER + 2];
            let second = [HANDLER, CALL];
            let submit = (0..length as u64).map(|step| SUBMIT_AT + 2 * step);
            let steps = first.iter().chain(&MAIN[..place]).chain(&second).copied();
            for at in steps.chain(submit).chain([CALL + 4]) {
                log.step(at)?;
            }
        }
        log.operations[0].figures()
    }

    #[test]
    fn the_longest_submit_within_the_operation_is_beside_the_one_after_it() {
        let trials = [
            (7, 20),
            (1, 90),
            (2, 20),
            (3, 22),
            (4, 25),
            (5, 20),
            (7, 20),
        ];
        assert_eq!(figures(false, &trials), Ok(vec![4, 0, 20, 25, 125]));
    }

    #[test]
    fn an_instruction_that_no_interrupt_came_at_is_noticed() {
        let trials = [(7, 20), (2, 20), (3, 20), (5, 20)];
        let told = "no interrupt came at 0x304, 4".to_owned();
        assert_eq!(figures(false, &trials), Err(told));
    }

    #[test]
    fn no_interrupt_comes_where_the_operation_masks_them() {
        let trials = [(7, 20), (2, 20), (3, 20)];
        assert_eq!(figures(true, &trials), Ok(vec![4, 2, 20, 20, 100]));
        let told = "an interrupt came at 0x304, where it is masked".to_owned();
        assert_eq!(
            figures(true, &[&trials[..], &[(4, 20)]].concat()),
            Err(told)
        );
    }

    #[test]
    fn a_submit_that_takes_more_than_half_as_long_again_is_noticed() {
        let trials = |longest| [(7, 20), (2, 20), (3, longest), (4, 20), (5, 20)];
        assert!(figures(false, &trials(30)).is_ok());
        assert!(figures(false, &trials(31)).is_err());
    }

    #[test]
    fn an_operation_that_changes_between_trials_is_noticed() {
        let code = code(false);
        let mut log = Trials::new(&code, HANDLER).expect("all functions are there");
        assert!(log.trial(MAIN.to_vec(), 20).is_ok());
        assert!(log.trial(vec![MAIN[0], MAIN[2]], 20).is_err());
    }
}
