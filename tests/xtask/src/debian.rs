//! What Debian's packages are needed for.
//!
//! Its compiler comes with the source of the standard library, for targets and sanitizers that
//! stable toolchains have no standard library for. `RUSTC_BOOTSTRAP` lets it build that; the crates
//! themselves need no unstable feature.

use std::{path::Path, process::Command};

use crate::{Outcome, root};

/// What must be there to build the standard library, and the package that it is in.
pub const COMPILER: &[(&str, &str)] = &[
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library", "rust-web-src"),
];

/// Counts instructions, and finds uses of memory that was not written.
pub const VALGRIND: &[(&str, &str)] = &[("/usr/bin/valgrind", "valgrind")];

/// Fails with the command that installs what is missing.
pub fn require(needed: &[(&str, &str)]) -> Outcome {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "missing: apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    ))
}

/// Debian's cargo, in the repository.
pub fn cargo() -> Command {
    let mut command = Command::new("/usr/bin/cargo");
    command
        .current_dir(root())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", "/usr/bin/rustc");
    // What the toolchain that runs this program has set for itself.
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC"] {
        command.env_remove(name);
    }
    command
}
