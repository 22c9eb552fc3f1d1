//! The stacks of a worker, of a submit and of waits, for an application that plans its own.
//!
//! The program `stack` of `tests/costs/size` has jobs without a stack of their own, some of which wait for others. The
//! trace has the stack pointer at each instruction, so the figures are exact and repeatable.

use super::{Build, Call, Chip, Code, PACKAGE, Row, Step, Table, debug_build, release_build};

pub const TARGET: &str = "thumbv7m-none-eabi";

pub const TITLE: &str = "Stacks, thumbv7m-none-eabi";

const FIGURES: &[&str] = &["submit", "worker", "wait", "a further wait"];

const PROGRAM: &str = "stack";

const ARGS: &[&str] = &["--features", PROGRAM, "--bin", PROGRAM];

/// How the program is built in each row.
fn builds() -> [(&'static str, Build<'static>); 4] {
    // As rustup's is: optimized in a debug build, too.
    const LIBRARY: [&str; 2] = ["--config", "profile.dev.package.core.opt-level=3"];
    const DEPENDENCIES: [&str; 4] = [
        LIBRARY[0],
        LIBRARY[1],
        "--config",
        "profile.dev.package.\"*\".opt-level=\"s\"",
    ];
    [
        ("opt-level 3", release_build("3")),
        ("opt-level s", release_build("s")),
        ("debug", debug_build("size-debug", &LIBRARY)),
        (
            "debug, dependencies s",
            debug_build("size-debug", &DEPENDENCIES),
        ),
    ]
}

pub fn table(chip: &Chip) -> Result<Table, String> {
    let mut rows = Vec::new();
    for (way, build) in builds() {
        let program = build.run(PACKAGE, TARGET, ARGS)?.join(PROGRAM);
        let (steps, code) = chip.traced(&program, PROGRAM)?;
        let figures = figures(&steps, &code)?;
        rows.push(Row { way, figures });
    }
    Ok(Table {
        title: TITLE.to_owned(),
        figures: FIGURES,
        rows,
    })
}

/// The program runs one job in a worker, then a job that waits on top of it, level by level, and then a job in a caller
/// that waits.
fn figures(steps: &[Step], code: &Code) -> Result<Vec<i64>, String> {
    let calls = |name| -> Result<Vec<&[Step]>, String> {
        let entry = code.function(name)?;
        let begins = (0..steps.len()).filter(|&at| steps[at].at == entry);
        Ok(begins.map(|at| &steps[at..]).collect())
    };
    let stack = |call: Option<&&[Step]>| {
        let call = call.and_then(|steps| Call::of(steps));
        call.map(|call| call.stack)
            .ok_or("a call is missing, or does not return")
    };
    let submit = calls("submit")?;
    let submits = submit.iter().map(|call| stack(Some(call)));
    let submits: Vec<_> = submits.collect::<Result<_, _>>()?;
    let jobs = calls("level")?;
    // The first job and the last one are alone.
    let nested = jobs
        .get(1..jobs.len().saturating_sub(1))
        .unwrap_or_default();
    let further = nested
        .windows(2)
        .map(|jobs| jobs[0][0].stack_pointer as i64 - jobs[1][0].stack_pointer as i64)
        .max();
    Ok(vec![
        submits.into_iter().max().unwrap_or(0),
        stack(calls("work")?.first())?,
        stack(calls("wait")?.last())?,
        further.ok_or("no job waits on top of another")?,
    ])
}
