//! `cargo xtask deny`: licences, origins and duplicates of the dependencies, by `cargo deny` and deny.toml.
//!
//! Each workspace may have only dependencies of crates.io, with known licences. No package that is published has
//! two versions of one crate. With `--advisories`, the command also fetches the database of known faults.

use std::process::{Command, Stdio};

use crate::{Outcome, cargo, check, published::PUBLISHED, run_command};

pub fn run(args: &[String]) -> Outcome {
    let with_advisories = match args {
        [] => false,
        [option] if option == "--advisories" => true,
        _ => return Err("usage: cargo xtask deny [--advisories]".into()),
    };
    let mut version = cargo();
    version
        .args(["deny", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        return Err("missing: cargo install --locked cargo-deny".into());
    }
    for manifest in check::manifests()? {
        let mut all = deny(&manifest);
        run_command(all.args(["--workspace", "check", "licenses", "sources"]))?;
    }
    for package in PUBLISHED {
        let mut released = deny(&package.manifest().display().to_string());
        // A package may be without a crate for which deny.toml has an exception.
        released.args([
            "--exclude-dev",
            "check",
            "--allow",
            "unmatched-skip",
            "bans",
        ]);
        if with_advisories {
            released.arg("advisories");
        }
        run_command(&mut released)?;
    }
    Ok(())
}

fn deny(manifest: &str) -> Command {
    let mut command = cargo();
    command
        .args([
            "deny",
            "--locked",
            "--all-features",
            "--config",
            "deny.toml",
        ])
        .args(["--manifest-path", manifest]);
    command
}
