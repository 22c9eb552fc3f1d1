//! The jobs, and what they carry.

use std::{
    collections::HashMap,
    panic::resume_unwind,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use corepool::remote::{JobContext, JobEntry, JobTable, RemoteJob};
use postcard_schema::{Schema, schema::NamedType};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::files::{FileGate, Notes};
use crate::{Drops, Token};

/// The table of these jobs.
pub static JOBS: JobTable = JobTable::new(&[
    JobEntry::of::<Pow>(),
    JobEntry::of::<Number>(),
    JobEntry::of::<Fails>(),
    JobEntry::of::<Panics>(),
    JobEntry::of::<AtGate>(),
    JobEntry::of::<Note>(),
    JobEntry::of::<NoteAtGate>(),
    JobEntry::of::<SeesCancel>(),
    JobEntry::of::<UntilCancelled>(),
    JobEntry::of::<Carry>(),
    JobEntry::of::<CarryAway>(),
    JobEntry::of::<CarryAndFail>(),
    JobEntry::of::<CarryToGate>(),
    JobEntry::of::<Explodes>(),
]);

/// Raises a number to a power.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Pow(pub u64, pub u32);

impl RemoteJob for Pow {
    type Output = u64;
    const NAME: &'static str = "pow";

    fn run(self, _context: &mut JobContext<'_>) -> u64 {
        self.0.pow(self.1)
    }
}

/// Results in the number that it is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Number(pub u32);

impl RemoteJob for Number {
    type Output = u32;
    const NAME: &'static str = "number";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        self.0
    }
}

/// Unwinds with a text, past the panic hook.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct Fails(pub String);

impl RemoteJob for Fails {
    type Output = u32;
    const NAME: &'static str = "fails";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        resume_unwind(Box::new(self.0))
    }
}

/// Panics as programs do.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct Panics(pub String);

impl RemoteJob for Panics {
    type Output = u32;
    const NAME: &'static str = "panics";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        panic!("{}", self.0)
    }
}

/// Waits at a [`FileGate`]; see [`FileGate::job`].
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct AtGate(pub String);

impl RemoteJob for AtGate {
    type Output = u32;
    const NAME: &'static str = "at_gate";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        FileGate::begin(&self.0);
        FileGate::wait_until_open(&self.0);
        std::process::id()
    }
}

/// Leaves a number in [`Notes`], and results in it.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct Note(pub String, pub u32);

impl Note {
    /// Does it here.
    pub fn note(&self) {
        Notes::note(&self.0, self.1);
    }
}

impl RemoteJob for Note {
    type Output = u32;
    const NAME: &'static str = "note";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        self.note();
        self.1
    }
}

/// Leaves a 0 in notes, then waits at a gate.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct NoteAtGate {
    /// The path of the notes.
    pub notes: String,
    /// The path of the gate.
    pub gate: String,
}

impl RemoteJob for NoteAtGate {
    type Output = ();
    const NAME: &'static str = "note_at_gate";

    fn run(self, _context: &mut JobContext<'_>) {
        Notes::note(&self.notes, 0);
        FileGate::wait_until_open(&self.gate);
    }
}

/// Waits at a gate, and results in whether it was asked to cancel by then.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct SeesCancel(pub String);

impl RemoteJob for SeesCancel {
    type Output = bool;
    const NAME: &'static str = "sees_cancel";

    fn run(self, context: &mut JobContext<'_>) -> bool {
        FileGate::begin(&self.0);
        FileGate::wait_until_open(&self.0);
        context.is_cancelled()
    }
}

/// Says at a gate that it has begun, and ends when it is asked to cancel. Results in whether it was so
/// before.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct UntilCancelled(pub String);

impl RemoteJob for UntilCancelled {
    type Output = bool;
    const NAME: &'static str = "until_cancelled";

    fn run(self, context: &mut JobContext<'_>) -> bool {
        let before = context.is_cancelled();
        FileGate::begin(&self.0);
        while !context.is_cancelled() {
            thread::yield_now();
        }
        before
    }
}

/// Counts, in the test's own process, what was made of a thing and its copies that travelled, and
/// what was dropped.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    number: u32,
    drops: Drops,
}

/// By number. In another process there is nothing, and nothing is counted.
static LEDGERS: LazyLock<Mutex<HashMap<u32, Drops>>> = LazyLock::new(Mutex::default);

impl Ledger {
    /// Nothing made yet.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let drops = Drops::new();
        let mut ledgers = LEDGERS.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.insert(number, drops);
        Self { number, drops }
    }

    /// A thing to be counted.
    pub fn counted(self) -> Counted {
        Counted {
            number: self.number,
            _token: Some(self.drops.token()),
        }
    }

    /// How many were made.
    pub fn made(self) -> usize {
        self.drops.made()
    }

    /// How many were dropped.
    pub fn dropped(self) -> usize {
        self.drops.dropped()
    }
}

/// A thing whose drop is counted, as is that of each copy of it that is decoded in the test's
/// process.
#[derive(Debug)]
pub struct Counted {
    number: u32,
    _token: Option<Token>,
}

impl Schema for Counted {
    const SCHEMA: &'static NamedType = u32::SCHEMA;
}

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.number.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(from)?;
        let ledgers = LEDGERS.lock().unwrap_or_else(PoisonError::into_inner);
        let _token = ledgers.get(&number).map(|drops| drops.token());
        Ok(Self { number, _token })
    }
}

/// Drops what it carries.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct Carry(pub Counted);

impl RemoteJob for Carry {
    type Output = u32;
    const NAME: &'static str = "carry";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        drop(self.0);
        0
    }
}

/// Results in what it carries.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct CarryAway(pub Counted);

impl RemoteJob for CarryAway {
    type Output = Counted;
    const NAME: &'static str = "carry_away";

    fn run(self, _context: &mut JobContext<'_>) -> Counted {
        self.0
    }
}

/// Fails with what it carries in its hands.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct CarryAndFail(pub Counted);

impl RemoteJob for CarryAndFail {
    type Output = u32;
    const NAME: &'static str = "carry_and_fail";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        let _held = self.0;
        resume_unwind(Box::new(String::from("doh!")))
    }
}

/// Results in what it carries, when a gate is open.
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct CarryToGate(pub Counted, pub String);

impl RemoteJob for CarryToGate {
    type Output = Counted;
    const NAME: &'static str = "carry_to_gate";

    fn run(self, _context: &mut JobContext<'_>) -> Counted {
        FileGate::begin(&self.1);
        FileGate::wait_until_open(&self.1);
        self.0
    }
}

/// Fails when it is dropped.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bomb;

impl Schema for Bomb {
    const SCHEMA: &'static NamedType = <()>::SCHEMA;
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            resume_unwind(Box::new(String::from("boom")));
        }
    }
}

/// Drops a [`Bomb`].
#[derive(Debug, Serialize, Deserialize, Schema)]
pub struct Explodes(pub Bomb);

impl RemoteJob for Explodes {
    type Output = u32;
    const NAME: &'static str = "explodes";

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        drop(self.0);
        0
    }
}
