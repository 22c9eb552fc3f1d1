//! The chapter on troubleshooting has each text of an error, and no text that no error has.

use std::{collections::BTreeSet, fs, path::Path};

use corepool::{
    BrokenReason, CallbackError, JobError, LossReason, NoWorker, Panic, RunError, ShutdownError,
    SubmitError,
};
use corepool_std::StartError;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first cells of the tables that have a column `text`.
fn texts_of_the_chapter() -> BTreeSet<String> {
    let chapter = read("src/troubleshooting.md");
    let mut found = BTreeSet::new();
    let mut is_in_table = false;
    for line in chapter.lines() {
        if line.starts_with("| text |") {
            is_in_table = true;
        } else if !line.starts_with('|') {
            is_in_table = false;
        } else if is_in_table && let Some(text) = line.strip_prefix("| `") {
            found.extend(text.split_once('`').map(|(text, _)| text.into()));
        }
    }
    found
}

/// The texts that the build errors have in the cases of `tests/suites`, where a test builds them.
fn texts_of_builds() -> BTreeSet<String> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/suites/compile_fail");
    let mut found = BTreeSet::new();
    for case in fs::read_dir(cases).expect("the cases are there") {
        let text = fs::read_to_string(case.expect("a case").path()).expect("a program");
        let lines = text.lines();
        let lines = lines.filter_map(|line| line.strip_prefix("//! The build fails with: `"));
        found.extend(lines.filter_map(|line| Some(line.strip_suffix('`')?.into())));
    }
    found
}

fn texts_of_errors() -> BTreeSet<String> {
    let broken = BrokenReason::Application("the supply is low");
    let none = NoWorker("out of threads");
    let submits = [
        SubmitError::Full(()),
        SubmitError::ShutDown(()),
        SubmitError::Broken((), broken),
        SubmitError::NoWorker((), none),
        SubmitError::NoSuchPriority(()),
        SubmitError::NoClock(()),
        SubmitError::TooManyWaiters(()),
        SubmitError::WouldDeadlock(()),
    ];
    let jobs = [
        JobError::Cancelled,
        // A part of the panic that is unknown is not in the text.
        JobError::Panicked(Panic::new(())),
        JobError::WorkerLost(LossReason::DECLARED),
        JobError::PromiseDropped,
        JobError::Broken(broken),
        JobError::ShutDown,
        JobError::NoSuchPriority,
        JobError::NoWorker(none),
        JobError::TimedOut,
        JobError::TooManyWaiters,
        JobError::WouldDeadlock,
        JobError::NoClock,
        JobError::AlreadyTaken,
    ];
    let runs = [
        RunError::TooManyWorkers,
        RunError::AlreadyWorker,
        RunError::Broken(broken),
        RunError::DeclaredLost,
    ];
    let callbacks = [CallbackError::Full(()), CallbackError::TooLarge(())];
    let ends = [ShutdownError::StillRunning {
        jobs: 1,
        workers: 1,
    }];
    let starts = [
        StartError::TooManyWorkers { asked: 9, free: 8 },
        StartError::ShutDown,
    ];
    let texts = submits.iter().map(ToString::to_string);
    let texts = texts.chain(jobs.iter().map(ToString::to_string));
    let texts = texts.chain(runs.iter().map(ToString::to_string));
    let texts = texts.chain(callbacks.iter().map(ToString::to_string));
    let texts = texts.chain(ends.iter().map(ToString::to_string));
    texts
        .chain(starts.iter().map(ToString::to_string))
        .collect()
}

#[test]
fn each_text_of_an_error_is_in_the_chapter() {
    let chapter = texts_of_the_chapter();
    let missing: Vec<_> = texts_of_errors().difference(&chapter).cloned().collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn each_text_of_the_chapter_is_that_of_an_error() {
    let errors = &texts_of_errors() | &texts_of_builds();
    let unknown: Vec<_> = texts_of_the_chapter()
        .difference(&errors)
        .cloned()
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}
