//! `cargo xtask api`: the public items of each published package are those of its list in `tests/api`.
//!
//! A change of the interface is a change of a list, so a reader of the change sees it. `--write` writes the lists.
//! `--semver` asks `cargo semver-checks` whether the version follows from the changes since the commit in
//! `tests/api/baseline`. A release writes its commit there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Outcome, cargo,
    published::{PUBLISHED, Published},
    root, run_command,
};

const LISTS: &str = "tests/api";

pub fn run(args: &[String]) -> Outcome {
    match args {
        [] => each_list(compare),
        [option] if option == "--write" => each_list(write),
        [option] if option == "--semver" => semver(),
        _ => Err("usage: cargo xtask api [--write | --semver]".into()),
    }
}

fn each_list(what: fn(&Path, String) -> Outcome) -> Outcome {
    require("public-api")?;
    for package in PUBLISHED {
        let list = root().join(LISTS).join(package.name).with_extension("txt");
        what(&list, items(package)?)?;
        println!("{}: {}", package.name, list.display());
    }
    Ok(())
}

fn write(list: &Path, items: String) -> Outcome {
    fs::write(list, items).map_err(|error| format!("{}: {error}", list.display()))
}

fn compare(list: &Path, items: String) -> Outcome {
    let known = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    let lacks = |text: &str, line: &str| !text.lines().any(|other| other == line);
    let removed = known
        .lines()
        .filter(|line| lacks(&items, line))
        .map(|line| format!("- {line}\n"));
    let added = items
        .lines()
        .filter(|line| lacks(&known, line))
        .map(|line| format!("+ {line}\n"));
    let changes: String = removed.chain(added).collect();
    match changes.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "the interface is not that of {}:\n{changes}if it is meant to change: cargo xtask api --write",
            list.display()
        )),
    }
}

/// The public items of a package with all features, one a line.
fn items(package: &Published) -> Result<String, String> {
    let description = describe(package)?;
    let output = cargo()
        .args(["public-api", "-sss", "--color=never", "--rustdoc-json"])
        .arg(&description)
        .output()
        .map_err(|error| format!("cannot run cargo public-api: {error}"))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|error| error.to_string()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// rustdoc's description of a package as JSON, which is not stable. The format is that of the compiler in use.
fn describe(package: &Published) -> Result<PathBuf, String> {
    let target = package.described();
    run_command(
        cargo()
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["rustdoc", "--locked", "--quiet", "--lib", "--all-features"])
            .arg("--manifest-path")
            .arg(package.manifest())
            .arg("--target-dir")
            .arg(&target)
            .args(["--", "-Zunstable-options", "--output-format=json"]),
    )?;
    Ok(target
        .join("doc")
        .join(package.library())
        .with_extension("json"))
}

fn semver() -> Outcome {
    require("semver-checks")?;
    let file = root().join(LISTS).join("baseline");
    let baseline =
        fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    for package in PUBLISHED {
        let mut checks = cargo();
        checks.args([
            "semver-checks",
            "--all-features",
            "--baseline-rev",
            baseline.trim(),
        ]);
        run_command(checks.arg("--manifest-path").arg(package.manifest()))?;
    }
    Ok(())
}

fn require(tool: &str) -> Outcome {
    let mut version: Command = cargo();
    version
        .args([tool, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match version.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("missing: cargo install --locked cargo-{tool}")),
    }
}
