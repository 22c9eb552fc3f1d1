//! The checks that need Debian's packages.
//!
//! Its compiler comes with the source of the standard library, for targets and sanitizers that
//! stable toolchains have no standard library for. `RUSTC_BOOTSTRAP` lets it build that; the crates
//! themselves need no unstable feature.

use std::{path::Path, process::Command};

use crate::{Outcome, root};

/// The files that must be there to build the standard library, and the package of each.
pub const COMPILER: &[(&str, &str)] = &[
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/lib/rustlib/src/rust/library", "rust-web-src"),
];

/// Clippy of that compiler.
pub const CLIPPY: &[(&str, &str)] = &[("/usr/bin/cargo-clippy", "rust-web-clippy")];

/// Links programs for chips.
pub const LINKER: &[(&str, &str)] = &[("/usr/bin/ld.lld", "lld")];

/// Counts instructions, and finds uses of memory that was not written.
pub const VALGRIND: &[(&str, &str)] = &[("/usr/bin/valgrind", "valgrind")];

/// Fails with the command that installs what is missing.
pub fn require(needed: &[(&str, &str)]) -> Outcome {
    let missing = needed.iter().filter(|(path, _)| !Path::new(path).exists());
    let missing: Vec<_> = missing.copied().collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("missing: {}", install(&missing))),
    }
}

/// The command that installs packages.
pub fn install(needed: &[(&str, &str)]) -> String {
    let packages: Vec<&str> = needed.iter().map(|&(_, package)| package).collect();
    format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Whether the toolchain in use has a standard library for `target` itself.
pub fn is_not_needed_for(target: &str) -> bool {
    Command::new("rustc")
        .current_dir(root())
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).exists())
}

/// The usual cargo, if it has the standard library for a chip's target. If not, Debian's, which builds that library
/// and links with `ld.lld`.
pub fn cargo_for(target: &str) -> Result<Command, String> {
    cargo_with(target, cargo(), &[COMPILER, LINKER].concat())
}

/// The same for `cargo clippy`.
pub fn cargo_clippy_for(target: &str) -> Result<Command, String> {
    cargo_with(target, cargo_clippy(), &[COMPILER, CLIPPY].concat())
}

fn cargo_with(
    target: &str,
    mut debians: Command,
    needed: &[(&str, &str)],
) -> Result<Command, String> {
    if is_not_needed_for(target) {
        return Ok(crate::cargo());
    }
    require(needed).map_err(|missing| format!("{missing}, or: rustup target add {target}"))?;
    build_std_for(target, &mut debians);
    Ok(debians)
}

/// Has Debian's cargo build the standard library for a target.
pub fn build_std_for(target: &str, debians: &mut Command) {
    let name = target.replace(['-', '.'], "_").to_uppercase();
    debians.env(format!("CARGO_TARGET_{name}_LINKER"), "ld.lld");
    debians.env("CARGO_UNSTABLE_BUILD_STD", "core");
}

/// Debian's cargo, in the repository.
pub fn cargo() -> Command {
    with_its_compiler("/usr/bin/cargo")
}

/// Debian's `cargo clippy`, still without the argument `clippy`: by its own path, since cargo would
/// take rustup's.
pub fn cargo_clippy() -> Command {
    let mut command = with_its_compiler("/usr/bin/cargo-clippy");
    command.env("CARGO", "/usr/bin/cargo");
    command
}

fn with_its_compiler(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    forget_toolchain(&mut command);
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTDOC", "/usr/bin/rustdoc");
    command
}

/// The cargo that a shell finds after `lines`.
pub fn cargo_after(lines: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-ec", &format!("{lines}\nexec cargo \"$@\""), "bash"]);
    forget_toolchain(&mut command);
    command
}

/// The toolchain that runs this program has set these for itself.
fn forget_toolchain(command: &mut Command) {
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
}
