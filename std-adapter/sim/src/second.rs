//! The same runs in a second process: addresses and the seeds of hash maps are others there.
//!
//! The second process is the test's program, which runs the one test. It prints the hash of the first
//! runs, and ends.

use std::{
    cell::Cell,
    env,
    io::Write,
    process::{self, Command, Stdio},
};

/// The variable that tells the second process what it is.
const SECOND: &str = "COREPOOL_SIM_SECOND";
const MARK: &str = "corepool-sim hash ";

/// The number of seeds, from the first on, that run in both.
pub(crate) const CHECKED: u64 = 64;

/// Whether this is a second process.
pub(crate) fn is_this_one() -> bool {
    env::var_os(SECOND).is_some()
}

/// Prints the hash, and ends the second process.
pub(crate) fn tell(hash: u64) -> ! {
    // The test's output is captured, and would be lost.
    let _ = writeln!(std::io::stderr(), "{MARK}{hash:016x}");
    process::exit(0)
}

/// The hash that a second process finds for the first simulation of this test. None if there is no
/// such process: the thread has not the test's name, or this is not the thread's first simulation.
pub(crate) fn hash_of(test: Option<&str>) -> Option<u64> {
    thread_local! {
        static HAS_ASKED: Cell<bool> = const { Cell::new(false) };
    }
    let test = test?;
    if HAS_ASKED.replace(true) {
        return None;
    }
    let output = Command::new(env::current_exe().ok()?)
        .args([test, "--exact"])
        .env(SECOND, "1")
        .env_remove("COREPOOL_SIM_SCHEDULES")
        .env_remove("COREPOOL_SIM_SHARDS")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let hash = text.lines().find_map(|line| line.strip_prefix(MARK))?;
    u64::from_str_radix(hash, 16).ok()
}
