//! The projects of `examples/firmware/template`: each is copied to a folder outside of the repository, and tested, built and
//! run there, as its README says. It gets the library from this repository by a patch, and changes in nothing else.
//! The project that runs in QEMU is built by the book's lines for a machine without rustup's target.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{ARM, compare, read, rp2040, run_to_its_end};
use crate::{Outcome, debian, root, run_command};

/// A project to copy.
pub(super) struct Template {
    pub(super) name: &'static str,
    /// Its folder, in that of the templates.
    folder: &'static str,
    target: &'static str,
    runs: Runs,
}

/// The emulator that a project runs in.
enum Runs {
    /// QEMU, which the project itself starts. The firmware ends.
    InQemu,
    /// That of the RP2040, in place of a debug probe. The firmware goes on.
    OnRp2040,
}

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "template-one-core",
        folder: "one-core",
        target: "thumbv7m-none-eabi",
        runs: Runs::InQemu,
    },
    Template {
        name: "template-rp2040",
        folder: "rp2040",
        target: "thumbv6m-none-eabi",
        runs: Runs::OnRp2040,
    },
];

/// The chapter on the project that runs in QEMU.
const CHAPTER: &str = "book/src/start-board.md";
/// Its section with the lines for a shell without rustup's target.
const SECTION: &str = "## Where rustup cannot fetch a target\n";

/// How many seconds of the chip a project runs that goes on.
const SECONDS: &str = "0.5";

impl Template {
    /// Copies the project, has its test pass, and runs it.
    pub(super) fn check(&self) -> Result<String, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let copy = folder.path().join(self.folder);
        let templates = root().join("examples/firmware/template");
        copy_folder(&templates.join(self.folder), &copy)?;
        // The versions that the boards are built with.
        let lock = root().join("examples/firmware/Cargo.lock");
        fs::copy(lock, copy.join("Cargo.lock")).map_err(|error| error.to_string())?;

        let [host, chip] = self.cargos()?;
        run_command(&mut self.in_copy(host, &copy, &["test", "--quiet", "--lib"]))?;
        let mut chip = self.in_copy(chip, &copy, &["chip", "--quiet"]);
        let status_at_end = match self.runs {
            Runs::InQemu => {
                ARM.require()?;
                Some(0)
            }
            Runs::OnRp2040 => {
                let runner = format!("node {}", rp2040::script().display());
                let runner = format!("target.{}.runner={runner:?}", self.target);
                chip.env("NODE_PATH", rp2040::install()?)
                    .args(["--config", &runner])
                    // The emulator has no boot ROM.
                    .args(["--features", "rp2040-hal/disable-intrinsics"])
                    .args(["--", SECONDS]);
                rp2040::GOES_ON
            }
        };
        let (status, said) = run_to_its_end(&mut chip, self.name, "txt", || Ok(()))?;
        let expected = read(templates.join("expected.txt"))?;
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        // A firmware that goes on prints more.
        let lines = said.lines().filter(|line| !line.starts_with('#'));
        let first: Vec<&str> = lines.take(expected.len()).collect();
        compare(&first.join("\n"), &expected)
            .map_err(|wrong| format!("{wrong}; ended with {status}:\n{said}"))?;
        match status.code() == status_at_end {
            true => Ok("copied; tested on this host, and run on the chip".to_owned()),
            false => Err(format!("ended with {status}:\n{said}")),
        }
    }

    /// The cargo for the host, and that for the chip.
    fn cargos(&self) -> Result<[Command; 2], String> {
        match self.runs {
            // As where rustup cannot fetch the target.
            Runs::InQemu => {
                debian::require(&needed())?;
                let (_, exports) = without_rustups_target()?;
                Ok([(); 2].map(|()| debian::cargo_after(&exports)))
            }
            Runs::OnRp2040 => Ok([Command::new("cargo"), debian::cargo_for(self.target)?]),
        }
    }

    /// A command of cargo in the copy, with the library of this repository.
    fn in_copy(&self, mut cargo: Command, copy: &Path, args: &[&str]) -> Command {
        cargo.current_dir(copy).args(args);
        for (name, folder) in [("corepool", "core"), ("corepool-std", "std-adapter")] {
            let path = root().join(folder);
            cargo.args(["--config", &format!("patch.crates-io.{name}.path={path:?}")]);
        }
        cargo
            .arg("--target-dir")
            .arg(root().join("target/template"));
        cargo
    }
}

/// The files of Debian's packages that a project needs without rustup's target.
fn needed() -> Vec<(&'static str, &'static str)> {
    [debian::COMPILER, debian::LINKER].concat()
}

/// The book's lines for that case: the first installs the packages, and the others are for the shell.
fn without_rustups_target() -> Result<(String, String), String> {
    let chapter = read(root().join(CHAPTER))?;
    let lines = chapter.split_once(SECTION).and_then(|(_, section)| {
        let (_, block) = section.split_once("```sh\n")?;
        block.split_once("\n```")?.0.split_once('\n')
    });
    let (install, exports) = lines.ok_or_else(|| format!("{CHAPTER}: {SECTION:?} has no lines"))?;
    Ok((install.to_owned(), exports.to_owned()))
}

fn copy_folder(from: &Path, to: &Path) -> Outcome {
    let problem = |error| format!("cannot copy {}: {error}", from.display());
    fs::create_dir_all(to).map_err(problem)?;
    for entry in fs::read_dir(from).map_err(problem)? {
        let path: PathBuf = entry.map_err(problem)?.path();
        let name = path.file_name().unwrap_or_default();
        if !path.is_dir() {
            fs::copy(&path, to.join(name)).map_err(problem)?;
        } else if name != "target" {
            copy_folder(&path, &to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_installs_the_packages_that_its_lines_need() {
        let (install, _) = without_rustups_target().unwrap();
        assert_eq!(debian::install(&needed()), install);
    }
}
