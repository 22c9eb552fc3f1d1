//! The jobs that both sides know. Each begins with a tag, by which one is told from another.

use std::time::Duration;

use arbitrary::Arbitrary;
use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

pub(crate) static JOBS: JobTable = JobTable::new(&[
    JobEntry::of::<Repeat>(),
    JobEntry::of::<Sum>(),
    JobEntry::of::<Panics>(),
    JobEntry::of::<Asks>(),
]);

/// Sent again when it gets lost; its result has any length.
#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize, Schema)]
pub struct Repeat {
    pub tag: u16,
    pub text: String,
    pub times: u8,
}

impl RemoteJob for Repeat {
    type Output = String;
    const NAME: &'static str = "repeat";
    const IDEMPOTENT: bool = true;

    fn run(self, _context: &mut JobContext<'_>) -> String {
        self.repeated()
    }
}

impl Repeat {
    pub(crate) fn repeated(&self) -> String {
        format!("{}{}", self.tag, self.text.repeat(self.times.into()))
    }
}

/// Is not to be late.
#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize, Schema)]
pub struct Sum {
    pub tag: u16,
    pub numbers: Vec<u32>,
}

impl RemoteJob for Sum {
    type Output = u64;
    const NAME: &'static str = "sum";
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(5));

    fn run(self, _context: &mut JobContext<'_>) -> u64 {
        self.sum()
    }
}

impl Sum {
    pub(crate) fn sum(&self) -> u64 {
        u64::from(self.tag) + self.numbers.iter().copied().map(u64::from).sum::<u64>()
    }
}

#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize, Schema)]
pub struct Panics {
    pub tag: u16,
    pub text: String,
}

impl RemoteJob for Panics {
    type Output = ();
    const NAME: &'static str = "panics";

    /// Without the hook: to libFuzzer's, a panic is a failure.
    fn run(self, _context: &mut JobContext<'_>) {
        std::panic::resume_unwind(Box::new(self.text));
    }
}

/// Asks so many times whether it is cancelled. Says whether it was.
#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize, Schema)]
pub struct Asks {
    pub tag: u16,
    pub times: u8,
}

impl RemoteJob for Asks {
    type Output = bool;
    const NAME: &'static str = "asks";

    fn run(self, context: &mut JobContext<'_>) -> bool {
        (0..self.times).any(|_| context.is_cancelled())
    }
}
