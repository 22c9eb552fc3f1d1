//! Files, which jobs in any address space share with the test.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread,
};

use tempfile::TempDir;

use super::jobs::{AtGate, Note};

/// A gate that a job waits at wherever it runs: it is closed as long as its file is there. Dropped, it
/// is open.
#[derive(Debug)]
pub struct FileGate(TempDir);

impl FileGate {
    /// A closed gate.
    ///
    /// # Panics
    ///
    /// If there is no place for temporary files.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let gate = Self(tempfile::tempdir().unwrap());
        fs::write(closed(gate.0.path()), "").unwrap();
        gate
    }

    /// Where it is, for a job of the test's own.
    ///
    /// # Panics
    ///
    /// If the directory of temporary files is not UTF-8.
    pub fn path(&self) -> String {
        self.0.path().to_str().unwrap().to_owned()
    }

    /// A job that says that it has begun, waits until the gate is open, and results in the number of
    /// its process.
    pub fn job(&self) -> AtGate {
        AtGate(self.path())
    }

    /// Waits until a job is at the gate; returns the number of its process.
    pub fn wait_until_begun(&self) -> u32 {
        loop {
            if let Ok(id) = fs::read_to_string(begun(self.0.path()))
                && let Ok(id) = id.parse()
            {
                return id;
            }
            thread::yield_now();
        }
    }

    /// Opens it: the jobs that are at it go on.
    ///
    /// # Panics
    ///
    /// If it is open.
    pub fn open(&self) {
        fs::remove_file(closed(self.0.path())).unwrap();
    }

    /// On the side of a job: says that it has begun.
    pub fn begin(path: &str) {
        // If the gate is gone, nobody asks.
        let _ = fs::write(begun(Path::new(path)), std::process::id().to_string());
    }

    /// On the side of a job: waits until the gate at this path is open.
    pub fn wait_until_open(path: &str) {
        let closed = closed(Path::new(path));
        while closed.exists() {
            thread::yield_now();
        }
    }
}

fn closed(gate: &Path) -> PathBuf {
    gate.join("closed")
}

fn begun(gate: &Path) -> PathBuf {
    gate.join("begun")
}

/// The notes of jobs, in the order in which they ran.
#[derive(Debug)]
pub struct Notes(TempDir);

impl Notes {
    /// Nothing is noted.
    ///
    /// # Panics
    ///
    /// If there is no place for temporary files.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let notes = Self(tempfile::tempdir().unwrap());
        fs::write(notes.file(), "").unwrap();
        notes
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("notes")
    }

    /// Where they are, for a job of the test's own.
    ///
    /// # Panics
    ///
    /// If the directory of temporary files is not UTF-8.
    pub fn path(&self) -> String {
        self.file().to_str().unwrap().to_owned()
    }

    /// A job that notes this number.
    pub fn job(&self, number: u32) -> Note {
        Note(self.path(), number)
    }

    /// The notes so far.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    pub fn read(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.file()).unwrap();
        // A last line that is being written is none yet.
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        lines.map(|line| line.trim_end().parse().unwrap()).collect()
    }

    /// On the side of a job: notes a number.
    pub(super) fn note(path: &str, number: u32) {
        let file = fs::OpenOptions::new().append(true).open(path);
        file.unwrap()
            .write_all(format!("{number}\n").as_bytes())
            .unwrap();
    }
}
