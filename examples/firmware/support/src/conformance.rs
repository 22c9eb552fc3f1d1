//! The promises of the pool that can be tested on a chip, one behaviour each.
//!
//! Each test has a pool of its own, and leaves nothing in it. A test takes the steps that do not wait
//! in the context that it is told: the thread or an interrupt handler. There is no unwinding: a panic
//! ends the run, as a failure.

use core::{fmt, hint::spin_loop, mem, panic::Location};

use corepool::{PoolRef, StaticPool};
use portable_atomic::{AtomicU8, AtomicUsize, Ordering};
use semihosting::{print, println};

use crate::{BYTES, Board, BoardPool, Context, in_context};

/// The failure of a test.
pub(crate) struct Failed {
    pub(crate) what: &'static str,
    pub(crate) line: u32,
}

macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            return failed(stringify!($condition));
        }
    };
}

pub(crate) use check;

/// The value of a `Result` that must be one.
macro_rules! accepted {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(_) => return failed(stringify!($result)),
        }
    };
}

pub(crate) use accepted;

#[track_caller]
pub(crate) fn failed(what: &'static str) -> Outcome {
    let line = Location::caller().line();
    Err(Failed { what, line })
}

pub(crate) type Outcome = Result<(), Failed>;

/// The tools of a test.
struct Bench<'a> {
    board: &'a dyn Board,
    pool: BoardPool,
    context: Context,
}

impl Bench<'_> {
    /// Calls `f` in the context of the test.
    fn call<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        in_context(self.board, self.context, f)
    }

    /// Calls `f` while no worker takes jobs.
    fn hold<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut f = Some(f);
        let mut result = None;
        self.board
            .hold(self.pool, &mut || result = f.take().map(|f| f()));
        result.expect("`hold` calls it")
    }
}

struct Test {
    name: &'static str,
    run: fn(&Bench<'_>) -> Outcome,
    contexts: &'static [Context],
    /// Only where jobs run without the thread that waits for them.
    needs_workers: bool,
}

const THREAD: &[Context] = &[Context::Thread];
const BOTH: &[Context] = &[Context::Thread, Context::Interrupt];
const INTERRUPT: &[Context] = &[Context::Interrupt];

macro_rules! tests {
    ($($contexts:ident $($workers:ident)?: $name:ident,)*) => {
        &[$(Test {
            name: stringify!($name),
            run: $name,
            contexts: $contexts,
            needs_workers: [$(stringify!($workers),)? ""].len() > 1,
        }),*]
    };
}

mod async_calls;
mod calls;
#[cfg(feature = "several-cores")]
mod several_cores;

/// The workers that a pool of the suite has room for, guests included.
const WORKERS: usize = 4;

/// Runs all tests, prints a line for each and the counts, and returns how many failed.
pub fn run(board: &dyn Board) -> usize {
    run_all(board, &[calls::TESTS, async_calls::TESTS])
}

/// The same for the tests that need jobs on other cores than the one that calls.
#[cfg(feature = "several-cores")]
pub fn run_several_cores(board: &dyn Board) -> usize {
    run_all(board, &[several_cores::TESTS])
}

/// Runs a test and prints its line; 1 if it failed.
pub(crate) fn run_test(name: impl fmt::Display, test: impl FnOnce() -> Outcome) -> usize {
    // Before the test, so that it can be seen which one hangs.
    print!("test {name} ... ");
    match test() {
        Ok(()) => {
            println!("ok");
            0
        }
        Err(Failed { what, line }) => {
            println!("FAILED, line {line}: {what}");
            1
        }
    }
}

fn run_all(board: &dyn Board, tests: &[&[Test]]) -> usize {
    let (mut count, mut failed) = (0, 0);
    for test in tests.iter().copied().flatten() {
        if test.needs_workers && !board.has_workers() {
            continue;
        }
        for &context in test.contexts {
            let name = format_args!("{}, {context}", test.name);
            failed += run_test(name, || run_one(board, test, context));
            count += 1;
        }
    }
    println!("{} passed, {failed} failed", count - failed);
    failed
}

fn run_one(board: &dyn Board, test: &Test, context: Context) -> Outcome {
    let pool = StaticPool::<8, BYTES, 2, WORKERS, 2>::new();
    // SAFETY: only the lifetime changes, and nobody uses the pool when this function returns: the
    // test has dropped its futures, all slots are free, so there are no jobs either, and the
    // workers are taken back. Where that cannot be reached, neither is the end of this function.
    let view = unsafe { mem::transmute::<PoolRef<'_, BYTES>, BoardPool>(pool.pool_ref()) };
    let bench = Bench {
        board,
        pool: view,
        context,
    };
    board.lend(view);
    let outcome = (test.run)(&bench);
    let ended = view.shutdown(true, true);
    all_slots_come_back(&bench);
    board.take_back();
    outcome?;
    check!(ended.is_ok());
    Ok(())
}

/// No slot is lost. Workers may take a moment to give the last ones back.
fn all_slots_come_back(bench: &Bench<'_>) {
    until(bench, || {
        let free = bench.pool.free_slots() == bench.pool.capacity();
        assert!(free || bench.board.has_workers(), "a slot is lost");
        free
    });
}

/// Waits for `condition`, which needs no job to be waited for, and runs jobs meanwhile.
fn until(bench: &Bench<'_>, condition: impl Fn() -> bool) {
    while !condition() {
        if bench.pool.run_pending(1) == 0 {
            spin_loop();
        }
    }
}

/// Notes, in the order in which they were made, from any context.
struct Notes {
    count: AtomicUsize,
    notes: [AtomicU8; 8],
}

impl Notes {
    const fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            notes: [const { AtomicU8::new(0) }; 8],
        }
    }

    fn clear(&self) {
        self.count.store(0, Ordering::SeqCst);
    }

    fn note(&self, number: u8) {
        let place = self.count.fetch_add(1, Ordering::SeqCst);
        if let Some(note) = self.notes.get(place) {
            note.store(number, Ordering::SeqCst);
        }
    }

    fn are(&self, numbers: &[u8]) -> bool {
        let notes = self.notes.iter().map(|note| note.load(Ordering::SeqCst));
        self.count() == numbers.len() && notes.zip(numbers).all(|(note, &number)| note == number)
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

static NOTES: Notes = Notes::new();

/// Makes a note when it is dropped.
struct NoteOnDrop(u8);

impl Drop for NoteOnDrop {
    fn drop(&mut self) {
        NOTES.note(self.0);
    }
}
