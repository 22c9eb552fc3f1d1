//! `cargo xtask book`: makes the book and the API's documentation, and checks them.
//!
//! 1. mdbook makes `target/book`, and rustdoc `target/doc`. The book's chapters link to `../doc`, and to files of the
//!    repository by `../..`, which is right in the chapters' folder and in `target/book`.
//! 2. Each link of the book leads to a file, and to a place in it: see `links`.
//! 3. The code blocks, the tables of errors and contexts (that of contexts by a suite), and the programs are tested.
//! 4. The errors that a build for a chip gives are those of the chapter on troubleshooting: see `chip_errors`.

mod chip_errors;
mod links;

use std::process::{Command, Stdio};

use crate::{Outcome, cargo, root, run_command};

pub fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err("usage: cargo xtask book".into());
    }
    require_mdbook()?;
    documentation()?;
    run_command(Command::new("mdbook").arg("build").arg(root().join("book")))?;
    let checked = links::check(&root().join("target/book"))?;
    println!("{checked} links lead somewhere");
    for tests in [
        &["--package", "corepool-book"][..],
        &["--package", "corepool-tests", "--test", "contexts"],
        &["--package", "corepool-examples", "--test", "outputs"],
        &[
            "--package",
            "corepool-examples",
            "--test",
            "one_pool_for_all_tests",
        ],
    ] {
        run_command(cargo().args(["test", "--locked", "--quiet"]).args(tests))?;
    }
    chip_errors::check()?;
    println!("the book is target/book/index.html");
    Ok(())
}

fn require_mdbook() -> Outcome {
    let mut mdbook = Command::new("mdbook");
    match mdbook.arg("--version").stdout(Stdio::null()).status() {
        Ok(_) => Ok(()),
        Err(_) => Err("missing: cargo install --locked mdbook".into()),
    }
}

/// The core first: the adapter's documentation links to that of the core, if it is there. A warning is an error, as in
/// `.ci/run`, so that what that has built is not built again.
fn documentation() -> Outcome {
    for package in ["corepool", "corepool-std"] {
        let mut rustdoc = cargo();
        rustdoc.env("RUSTDOCFLAGS", "-D warnings");
        rustdoc.args(["doc", "--locked", "--quiet", "--no-deps", "--all-features"]);
        run_command(rustdoc.args(["--package", package]))?;
    }
    Ok(())
}
