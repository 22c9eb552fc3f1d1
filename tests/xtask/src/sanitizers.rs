//! `cargo xtask tsan` and `cargo xtask asan`: stress and conformance under a sanitizer.
//!
//! ThreadSanitizer must see the standard library's own synchronisation, or it reports races that are
//! none. So std is built with it, from source, by Debian's compiler. AddressSanitizer needs none of that: it watches the
//! heap from outside, and the stacks and the accesses of what is built here.

use std::process::Command;

use crate::{Outcome, debian, run_command};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The files that must be there besides the compiler, and the package of each.
const NEEDED: &[(&str, &str)] = &[
    ("/usr/bin/clang-19", "clang-19"),
    (
        "/usr/lib/llvm-19/lib/clang/19/lib/linux",
        "libclang-rt-19-dev",
    ),
];

/// The suites that use threads. Both kinds of static memory have the same code: races are looked for with the one, bad
/// accesses with that which the caller lends and takes back.
const SUITES: [(&str, [&str; 2]); 2] = [
    ("thread", ["static_threads", "thread_pool"]),
    ("address", ["lent_threads", "thread_pool"]),
];

/// Their tests that limit the address space, or measure stacks, which a sanitizer makes larger.
const LIMITED: &[&str] = &[
    "a_refused_thread_fails",
    "each_submit_tries_again_to_start_a_thread",
    "threads_have_the_stack",
];

pub fn tsan(args: &[String]) -> Outcome {
    sanitize("thread", args)
}

pub fn asan(args: &[String]) -> Outcome {
    sanitize("address", args)
}

fn sanitize(sanitizer: &str, args: &[String]) -> Outcome {
    let mut soak = cargo(sanitizer)?;
    soak.args(["run", "--release", "--package", "soak"]);
    build(&mut soak, sanitizer);
    soak.arg("--");
    if args.is_empty() {
        soak.args(["--jobs", "200000"]);
    } else {
        soak.args(args);
    }
    run_command(&mut soak)?;
    let mut suites = cargo(sanitizer)?;
    suites.args(["test", "--release", "--package", "corepool-tests"]);
    for suite in SUITES
        .iter()
        .filter(|of| of.0 == sanitizer)
        .flat_map(|of| of.1)
    {
        suites.args(["--test", suite]);
    }
    build(&mut suites, sanitizer);
    // The fixtures' pools live for ever, by being leaked. The soak's do not, and is checked for it.
    suites.env("ASAN_OPTIONS", "detect_leaks=0");
    // A sanitizer's own memory does not fit an address space that is limited so that no thread can be started.
    suites.arg("--");
    for limited in LIMITED {
        println!("not run with a sanitizer: {limited}");
        suites.args(["--skip", limited]);
    }
    run_command(&mut suites)?;
    println!("no report of the {sanitizer} sanitizer");
    Ok(())
}

/// Cargo with the sanitizer; a report ends the program with an error.
pub fn cargo(sanitizer: &str) -> Result<Command, String> {
    debian::require(&[debian::COMPILER, NEEDED].concat())?;
    let mut command = debian::cargo();
    command.env("TSAN_OPTIONS", "halt_on_error=1").env(
        "RUSTFLAGS",
        format!(
            "-Zsanitizer={sanitizer} -Zexternal-clangrt -Clinker=clang-19 \
             -Clink-arg=-fsanitize={sanitizer}"
        ),
    );
    Ok(command)
}

/// Where it puts what it builds.
pub fn target(sanitizer: &str) -> String {
    format!("target/{sanitizer}-sanitizer")
}

fn build(command: &mut Command, sanitizer: &str) {
    // The suites run for seconds, and an optimised build of them takes minutes.
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    if sanitizer == "thread" {
        command.arg("-Zbuild-std");
    }
    command.args(["--locked", "--target", TARGET]);
    command.args(["--target-dir", &target(sanitizer)]);
}
