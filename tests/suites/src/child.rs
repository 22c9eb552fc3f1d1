//! Tests that need a process of their own: for its standard error, or for its limits.

use std::{
    env,
    process::{Command, Output, Stdio},
};

/// Says to a test that it is in a process of its own.
const CHILD: &str = "COREPOOL_TEST_CHILD";

/// Whether this is the process of its own in which a test runs.
pub fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs a test of this program, by its whole name, in a process of its own. Nothing of it is captured but by `stderr`.
///
/// # Panics
///
/// If the process cannot be started, or if it runs no test of that name.
pub fn run_in_child(test: &str, stderr: Stdio) -> Output {
    let program = env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "--nocapture", test])
        .env(CHILD, "1")
        .stderr(stderr)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("running 1 test"), "{stdout}");
    output
}

/// Runs a test of this program, by its whole name, in a process of its own, which must succeed.
///
/// # Panics
///
/// If the test fails.
pub fn must_pass_in_child(test: &str) {
    let output = run_in_child(test, Stdio::piped());
    let (stdout, stderr) = (output.stdout, output.stderr);
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", said.concat());
}

/// How many processes that called this are above this one: 0 if nobody but its user has started it. A program of
/// tests whose `main` is that of worker processes, too, is started by its tests. If such a process becomes no worker,
/// it must not run the tests, which would start processes in turn.
///
/// To be called first in `main`, or after [`run_worker_if_asked`](corepool_std::process::run_worker_if_asked).
pub fn generation() -> u32 {
    const GENERATION: &str = "COREPOOL_TEST_GENERATION";
    let above = env::var(GENERATION).map_or(0, |above| above.parse().unwrap_or(u32::MAX));
    // SAFETY: this is the only thread of the process, so that nobody reads the environment now.
    unsafe { env::set_var(GENERATION, above.saturating_add(1).to_string()) };
    above
}

/// Lets the process have so many more bytes of address space than it has now, or as many as it likes.
///
/// # Panics
///
/// If the system refuses.
#[cfg(target_os = "linux")]
pub fn limit_address_space(more: Option<u64>) {
    let limit = more.map_or(libc::RLIM_INFINITY, |more| {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
        // SAFETY: a call without arguments that could be wrong.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        pages * u64::try_from(page).unwrap() + more
    });
    let limit = libc::rlimit {
        rlim_cur: limit,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is there, and only read.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(set, 0);
}
