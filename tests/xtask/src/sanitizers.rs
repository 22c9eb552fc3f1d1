//! `cargo xtask tsan` and `cargo xtask asan`: stress and conformance under a sanitizer.
//!
//! ThreadSanitizer must see the standard library's own synchronisation, or it reports races that are
//! none. So std is built with it, from source, which stable toolchains do not allow; Debian's
//! compiler comes with the source, and `RUSTC_BOOTSTRAP` lets it. The crates themselves need neither.

use std::{path::Path, process::Command};

use crate::{Outcome, root, run_command};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What must be there, and the package that it is in.
const NEEDED: &[(&str, &str)] = &[
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library", "rust-web-src"),
    ("/usr/bin/clang-19", "clang-19"),
    (
        "/usr/lib/llvm-19/lib/clang/19/lib/linux",
        "libclang-rt-19-dev",
    ),
];

/// The suites that use threads.
const SUITES: &[&str] = &["static_threads", "lent_threads", "thread_pool"];

pub fn tsan(args: &[String]) -> Outcome {
    sanitize("thread", args)
}

pub fn asan(args: &[String]) -> Outcome {
    sanitize("address", args)
}

fn sanitize(sanitizer: &str, args: &[String]) -> Outcome {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|&(_, package)| package)
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "missing: apt-get install -y --no-install-recommends {}",
            missing.join(" ")
        ));
    }
    let mut soak = cargo(sanitizer);
    soak.args(["run", "--release", "--package", "soak"]);
    build(&mut soak, sanitizer);
    soak.arg("--");
    if args.is_empty() {
        soak.args(["--jobs", "200000"]);
    } else {
        soak.args(args);
    }
    run_command(&mut soak)?;
    let mut suites = cargo(sanitizer);
    suites.args(["test", "--release", "--package", "corepool-tests"]);
    for suite in SUITES {
        suites.args(["--test", suite]);
    }
    build(&mut suites, sanitizer);
    // The fixtures' pools live for ever, by being leaked. The soak's do not, and is checked for it.
    suites.env("ASAN_OPTIONS", "detect_leaks=0");
    run_command(&mut suites)?;
    println!("no report of the {sanitizer} sanitizer");
    Ok(())
}

/// Debian's cargo, with the sanitizer; a report ends the program with an error.
fn cargo(sanitizer: &str) -> Command {
    let mut command = Command::new("/usr/bin/cargo");
    command
        .current_dir(root())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", "/usr/bin/rustc")
        .env("TSAN_OPTIONS", "halt_on_error=1")
        .env(
            "RUSTFLAGS",
            format!(
                "-Zsanitizer={sanitizer} -Zexternal-clangrt -Clinker=clang-19 \
                 -Clink-arg=-fsanitize={sanitizer}"
            ),
        );
    // What the toolchain that runs this program has set for itself.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC"] {
        command.env_remove(name);
    }
    command
}

fn build(command: &mut Command, sanitizer: &str) {
    command.args(["--locked", "-Zbuild-std", "--target", TARGET]);
    command.args(["--target-dir", &format!("target/{sanitizer}-sanitizer")]);
}
