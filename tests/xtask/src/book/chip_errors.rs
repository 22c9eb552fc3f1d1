//! The chapter on troubleshooting has the errors of builds for a chip that four mistakes give. Each mistake is made
//! here, in a program of its own, and its build has to fail with the chapter's text.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use crate::{Outcome, debian, root};

/// A chip without compare-and-swap, and with 16 KiB of RAM.
const TARGET: &str = "thumbv6m-none-eabi";

struct Mistake {
    name: &'static str,
    /// The features of `portable-atomic`.
    replacement: &'static str,
    /// The features of `cortex-m`.
    critical_section: &'static str,
    slots: usize,
    /// The number of the chapter's text, from 0.
    text: usize,
}

const MISTAKES: [Mistake; 4] = [
    Mistake {
        name: "no replacement for compare-and-swap",
        // As a crate has it that needs one.
        replacement: r#""require-cas""#,
        critical_section: "",
        slots: 4,
        text: 0,
    },
    Mistake {
        name: "no critical section",
        replacement: "",
        critical_section: "",
        slots: 4,
        text: 1,
    },
    Mistake {
        name: "two replacements for compare-and-swap",
        replacement: r#""critical-section", "unsafe-assume-single-core""#,
        critical_section: "",
        slots: 4,
        text: 2,
    },
    Mistake {
        name: "a pool that is too large",
        replacement: "",
        critical_section: r#""critical-section-single-core""#,
        slots: 256,
        text: 3,
    },
];

/// The same program without a mistake builds.
const NO_MISTAKE: Mistake = Mistake {
    name: "no mistake",
    slots: 4,
    ..MISTAKES[3]
};

const MAIN: &str = "\
#![no_std]
#![no_main]
use cortex_m as _;
use semihosting as _;

static POOL: corepool::StaticPool<SLOTS, 64> = corepool::StaticPool::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let _ = POOL.submit_detached(|| ());
    loop {
        POOL.run_pending(1);
    }
}
";

const MEMORY: &str = "\
MEMORY
{
  FLASH : ORIGIN = 0x00000000, LENGTH = 256K
  RAM   : ORIGIN = 0x20000000, LENGTH = 16K
}
";

pub fn check() -> Outcome {
    let chapter = fs::read_to_string(root().join("book/src/troubleshooting.md"))
        .map_err(|error| format!("the chapter on troubleshooting: {error}"))?;
    let texts: Vec<&str> = chapter
        .split("```text\n")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("\n```")?.0))
        .collect();
    if texts.len() != MISTAKES.len() {
        return Err(format!("the chapter has {} texts of builds", texts.len()));
    }
    let output = build(&NO_MISTAKE)?;
    if !output.status.success() {
        return Err(format!("{} fails: {}", NO_MISTAKE.name, said(&output)));
    }
    for mistake in &MISTAKES {
        let output = build(mistake)?;
        let (text, said) = (texts[mistake.text], said(&output));
        if output.status.success() || !said.contains(text) {
            return Err(format!("{}: not {text:?}, but: {said}", mistake.name));
        }
    }
    println!(
        "{} errors of builds for a chip are as the book has them",
        texts.len()
    );
    Ok(())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn build(mistake: &Mistake) -> Result<Output, String> {
    let folder = root().join("target/book-errors");
    write(&folder, mistake).map_err(|error| format!("{}: {error}", folder.display()))?;
    debian::cargo_for(TARGET)?
        .current_dir(&folder)
        .args([
            "build",
            "--quiet",
            "--offline",
            "--release",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(root().join("target/firmware"))
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))
}

/// Writes the package of a mistake, with the versions that the boards have.
fn write(folder: &Path, mistake: &Mistake) -> std::io::Result<()> {
    let core: PathBuf = root().join("core");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"book-errors\"\nedition = \"2024\"\n[dependencies]\n\
         corepool = {{ path = {core:?}, features = [\"cortex-m\"] }}\n\
         cortex-m = {{ version = \"0.7\", features = [{}] }}\n\
         cortex-m-rt = \"0.7\"\n\
         semihosting = {{ version = \"0.1\", features = [\"panic-handler\"] }}\n\
         portable-atomic = {{ version = \"1.11\", default-features = false, features = [{}] }}\n\
         [profile.release]\npanic = \"abort\"\n",
        mistake.critical_section, mistake.replacement
    );
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::copy(
        root().join("examples/firmware/Cargo.lock"),
        folder.join("Cargo.lock"),
    )?;
    fs::write(folder.join("memory.x"), MEMORY)?;
    let here = folder.display();
    let script = format!(
        "fn main() {{\n    println!(\"cargo::rustc-link-search={here}\");\n    \
         println!(\"cargo::rustc-link-arg-bins=-Tlink.x\");\n}}\n"
    );
    fs::write(folder.join("build.rs"), script)?;
    let main = MAIN.replace("SLOTS", &mistake.slots.to_string());
    fs::write(folder.join("src/main.rs"), main)
}
