//! A file with the schedules of failures that were found.
//!
//! A line is a test's name, a space, and a schedule. Empty lines, and lines that begin with `#`, are
//! skipped. Each test replays its own lines.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use crate::schedule::Schedule;

/// The regressions of one test.
pub(crate) struct Regressions {
    file: PathBuf,
    test: String,
    pub(crate) schedules: Vec<Schedule>,
}

impl Regressions {
    /// Reads the file. One that is not there has no lines.
    pub(crate) fn read(file: &Path, test: Option<&str>) -> Result<Self, String> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(format!(
                    "cannot read the regressions file {}: {error}",
                    file.display()
                ));
            }
        };
        let test = test.unwrap_or("NAME");
        let mut schedules = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: String| {
                format!(
                    "the regressions file {}, line {}: {why}. Mend the line, or take it out",
                    file.display(),
                    number + 1
                )
            };
            let (name, schedule) = line
                .split_once(' ')
                .ok_or_else(|| wrong("a line is a test's name, a space, and a schedule".into()))?;
            let schedule = schedule
                .parse()
                .map_err(|error| wrong(format!("{error}")))?;
            if name == test {
                schedules.push(schedule);
            }
        }
        Ok(Self {
            file: file.into(),
            test: test.into(),
            schedules,
        })
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Adds a schedule that fails. An error is printed: the report of the failure counts more.
    pub(crate) fn append(&self, schedule: &Schedule) {
        if self.schedules.contains(schedule) {
            return;
        }
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file);
        let written = opened.and_then(|mut file| writeln!(file, "{} {schedule}", self.test));
        if let Err(error) = written {
            eprintln!(
                "corepool-sim: cannot append to the regressions file {}: {error}",
                self.file.display()
            );
        }
    }
}
