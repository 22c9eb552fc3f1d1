//! The run that is under way, as a report names it. All here may be called in a signal's handler: it takes no lock
//! and no memory.

use std::{
    ptr, slice, str,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use super::Place;

/// No seed: the plain order, a run of `everywhere`, or a given schedule.
const NO_SEED: u64 = u64::MAX;

/// Counts signs of life.
static BEATS: AtomicU64 = AtomicU64::new(0);
static SEED: AtomicU64 = AtomicU64::new(NO_SEED);
/// A simulation is under way.
static IS_UNDER_WAY: AtomicBool = AtomicBool::new(false);
/// Contexts of the chip run, and not the search.
static RUNS: AtomicBool = AtomicBool::new(false);
/// The name of the test that simulates: its bytes and their number.
static TEST: (AtomicPtr<u8>, AtomicUsize) = (AtomicPtr::new(ptr::null_mut()), AtomicUsize::new(0));
/// Says where the calling thread's simulation is.
static PLACE: OnceLock<fn() -> Option<Place>> = OnceLock::new();

/// The simulation goes on.
#[inline]
pub(crate) fn beat() {
    // Only the simulating thread writes it.
    BEATS.store(BEATS.load(Relaxed).wrapping_add(1), Relaxed);
}

pub(super) fn beats() -> u64 {
    BEATS.load(Relaxed)
}

/// A run begins.
pub(crate) fn run_begins(seed: Option<u64>) {
    SEED.store(seed.unwrap_or(NO_SEED), Relaxed);
    beat();
}

/// The contexts of the chip begin to run, or end.
pub(crate) fn chip_runs(runs: bool) {
    RUNS.store(runs, Relaxed);
}

pub(super) fn does_chip_run() -> bool {
    RUNS.load(Relaxed)
}

/// A simulation of this test begins.
///
/// # Safety
///
/// The name is valid until [`ends`], and one simulation is under way at a time.
pub(super) unsafe fn begins(test: &str, place: fn() -> Option<Place>) {
    PLACE.get_or_init(|| place);
    TEST.0.store(test.as_ptr().cast_mut(), Relaxed);
    TEST.1.store(test.len(), Relaxed);
    // The last seed is that of an earlier simulation.
    run_begins(None);
    IS_UNDER_WAY.store(true, Relaxed);
}

/// The simulation ends. Whether one was under way.
pub(super) fn ends() -> bool {
    IS_UNDER_WAY.swap(false, Relaxed)
}

/// Writes the name of the test.
pub(super) fn write_test() {
    let (bytes, count) = (TEST.0.load(Relaxed), TEST.1.load(Relaxed));
    if !bytes.is_null() {
        // SAFETY: `begins` has stored the bytes of a text, and its caller keeps them.
        write(unsafe { str::from_utf8_unchecked(slice::from_raw_parts(bytes, count)) });
    }
}

/// Writes the command that runs the same run again.
pub(super) fn write_command() {
    write("  the same run:  ");
    match SEED.load(Relaxed) {
        // The variable leaves the runs without a seed.
        NO_SEED => write("COREPOOL_SIM_SCHEDULES=0"),
        seed => {
            write("COREPOOL_SIM_SEED=");
            write_number(seed);
        }
    }
    write(" cargo test ");
    write_test();
    write(" -- --include-ignored\n");
}

/// Writes the context that runs on the calling thread, what it does, and its last point.
pub(super) fn write_place(does: &str) {
    if let Some((context, label)) = PLACE.get().and_then(|place| place()) {
        for part in ["  ", context, does, label, "`"] {
            write(part);
        }
    }
}

pub(super) fn write(text: &str) {
    // SAFETY: the bytes are valid for reads.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
}

fn write_number(number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut rest = number;
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    // SAFETY: digits are ASCII.
    write(unsafe { str::from_utf8_unchecked(&digits[first..]) });
}
