//! The build errors, and their texts.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// The cases in a folder: each is a program of its own.
fn cases(folder: &str) -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(Path::new(PACKAGE).join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

fn name(case: &Path) -> &str {
    case.file_stem().unwrap().to_str().unwrap()
}

/// A package outside the workspace with the cases as programs, built by the same cargo. Each case
/// names the essential words of its error, which are compared. The rest differs from one compiler to
/// the next.
struct Cases {
    folder: PathBuf,
}

impl Cases {
    fn new(programs: &[PathBuf]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
        let root = Path::new(PACKAGE).ancestors().nth(2).unwrap();
        let mut manifest = format!(
            "[workspace]\n[package]\nname = \"cases\"\nedition = \"2024\"\n[dependencies]\n\
             corepool.path = {:?}\ncorepool-std.path = {:?}\n\
             heapless = {{ version = \"0.9\", default-features = false }}\n",
            root.join("core"),
            root.join("std-adapter"),
        );
        for program in programs {
            writeln!(
                manifest,
                "[[bin]]\nname = {:?}\npath = {program:?}",
                name(program)
            )
            .unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        // The versions of the workspace, which are at hand without a network.
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Self { folder }
    }

    fn build(&self, program: &str) -> Output {
        Command::new(env!("CARGO"))
            .current_dir(&self.folder)
            .env_remove("RUSTFLAGS")
            .args(["build", "--offline", "--quiet", "--bin", program])
            .arg("--target-dir")
            .arg(self.folder.join("target"))
            .output()
            .unwrap()
    }
}

#[test]
fn build_errors_say_what_to_do() {
    let (failing, passing) = (cases("compile_fail"), cases("compile_pass"));
    let programs = Cases::new(&[failing.clone(), passing.clone()].concat());
    for case in passing {
        let output = programs.build(name(&case));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", case.display());
    }
    assert!(failing.len() >= 19, "the cases were not found");
    for case in failing {
        let text = fs::read_to_string(&case).unwrap();
        let expected = text
            .lines()
            .find_map(|line| {
                line.strip_prefix("//! The build fails with: `")?
                    .strip_suffix('`')
            })
            .unwrap_or_else(|| panic!("{} does not say how it fails", case.display()));
        let output = programs.build(name(&case));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{} builds", case.display());
        assert!(said.contains(expected), "{}: {said}", case.display());
    }
}

/// The errors about size name the limit and the parameter to raise.
#[test]
fn errors_about_size_name_the_limit() {
    for case in ["closure", "result", "task", "scoped_job"] {
        let path = format!("{PACKAGE}/compile_fail/{case}_too_large.rs");
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.contains("raise the pool's BYTES to 40"),
            "{case}: {text}"
        );
    }
}

/// Each generic test is in the list of its module, so that it runs.
#[test]
fn every_test_is_listed() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/suite");
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let Some((tests, list)) = text.split_once("crate::suite!(") else {
            assert!(path.ends_with("mod.rs"));
            continue;
        };
        let listed: Vec<_> = list
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        for line in tests.lines() {
            if let Some((name, _)) = line
                .strip_prefix("pub fn ")
                .and_then(|rest| rest.split_once("<F: Fixture>()"))
            {
                assert!(listed.contains(&name), "{name} is not listed");
                count += 1;
            }
        }
    }
    assert!(count > 150, "the tests were not found");
}
