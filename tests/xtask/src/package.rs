//! `cargo xtask package`: the packages as a registry has them, and their documentation as docs.rs builds it.
//!
//! 1. Cargo makes each package, and builds it from what is in the package.
//! 2. Each package has its licences, the changelog, and a README whose links and pictures lead somewhere from a
//!    registry's page, where there are no files of the repository beside it.
//! 3. The documentation is built with all features and with the labels of items that need a feature, and that of the
//!    core for a chip, too.

use std::{fs, process::Command};

use pulldown_cmark::{Event, Parser, Tag};

use crate::{
    Outcome, cargo, debian,
    published::{PUBLISHED, Published},
    root, run_command,
};

/// The files that each package has, beside its sources.
const FILES: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];
/// The chip whose documentation docs.rs has, too: in the core's `Cargo.toml`.
const CHIP: &str = "riscv32imac-unknown-none-elf";
const TARGET: &str = "target/package-check";

pub fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err("usage: cargo xtask package".into());
    }
    make()?;
    for package in PUBLISHED {
        let links = contents(package)?;
        println!(
            "{}: {} files beside the sources, {links} links",
            package.name,
            FILES.len()
        );
    }
    documentation()
}

/// Packages are made together where cargo can, since none of them is in a registry yet.
fn make() -> Outcome {
    let (with_patches, without): (Vec<_>, Vec<_>) = PUBLISHED
        .iter()
        .partition(|package| !package.patches.is_empty());
    let mut together = package();
    for package in without {
        together.args(["--package", package.name]);
    }
    run_command(&mut together)?;
    for one in with_patches {
        let mut alone = package();
        alone.arg("--manifest-path").arg(one.manifest());
        run_command(alone.args(["--package", one.name]).args(one.patches))?;
    }
    Ok(())
}

/// `cargo package`, which builds what it made. A contributor's uncommitted changes are part of it.
fn package() -> Command {
    let mut command = cargo();
    command.args([
        "package",
        "--locked",
        "--quiet",
        "--allow-dirty",
        "--target-dir",
        TARGET,
    ]);
    command
}

/// The number of the links in the package's README.
fn contents(package: &Published) -> Result<usize, String> {
    let folder =
        root()
            .join(TARGET)
            .join("package")
            .join(format!("{}-{}", package.name, version()));
    for file in FILES {
        let path = folder.join(file);
        if !fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
            return Err(format!(
                "{} has no {file}: link it from {}",
                package.name, package.folder
            ));
        }
    }
    let readme = fs::read_to_string(folder.join("README.md"))
        .map_err(|error| format!("{}: README.md: {error}", package.name))?;
    let links = links(&readme);
    let wrong: Vec<_> = links.iter().filter_map(|link| wrong(link).err()).collect();
    match wrong.is_empty() {
        true => Ok(links.len()),
        false => Err(format!("{}: README.md: {}", package.name, wrong.join("; "))),
    }
}

/// All packages have the version of this one.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The destinations of links and pictures.
fn links(text: &str) -> Vec<String> {
    let of = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    };
    Parser::new(text).filter_map(of).collect()
}

/// A link from a registry's page leads to documentation of ours, or to a file that is in the repository.
fn wrong(link: &str) -> Result<(), String> {
    if let Some(name) = link.strip_prefix("https://docs.rs/") {
        return match PUBLISHED.iter().any(|package| package.name == name) {
            true => Ok(()),
            false => Err(format!("{link} is the documentation of no package here")),
        };
    }
    let repository = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");
    match link.strip_prefix(repository) {
        Some(path) if root().join(path).is_file() => Ok(()),
        Some(path) => Err(format!("{link}: the repository has no {path}")),
        None => Err(format!(
            "{link} leads nowhere from a registry's page: begin it with {repository}"
        )),
    }
}

/// The documentation as docs.rs builds it. It labels each item that needs a feature, by a feature of the compiler that
/// is not stable.
fn documentation() -> Outcome {
    for package in PUBLISHED {
        document(package, None)?;
        let index = package
            .described()
            .join("doc")
            .join(package.library())
            .join("index.html");
        let page =
            fs::read_to_string(&index).map_err(|error| format!("{}: {error}", index.display()))?;
        for feature in package.labels {
            if !page.contains(&format!("crate feature `{feature}`")) {
                return Err(format!(
                    "{} labels no item with the feature {feature}",
                    index.display()
                ));
            }
        }
        println!(
            "{}: documented, {} labels",
            package.name,
            package.labels.len()
        );
    }
    let core = &PUBLISHED[0];
    document(core, Some(CHIP))?;
    println!("{}: documented for {CHIP}", core.name);
    Ok(())
}

fn document(package: &Published, chip: Option<&str>) -> Outcome {
    let mut command = match chip {
        None => cargo(),
        Some(chip) => debian::cargo_for(chip)?,
    };
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTDOCFLAGS", "--cfg docsrs -D warnings")
        .args(["doc", "--locked", "--quiet", "--no-deps", "--all-features"])
        .arg("--target-dir")
        .arg(package.described())
        .args(["--package", package.name])
        .arg("--manifest-path")
        .arg(package.manifest());
    if let Some(chip) = chip {
        command.args(["--target", chip]);
    }
    run_command(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_file_beside_the_readme_leads_nowhere_from_a_registry() {
        let links =
            links("[a](core/README.md) ![b](https://docs.rs/corepool) <https://example.org>");
        assert_eq!(
            links,
            [
                "core/README.md",
                "https://docs.rs/corepool",
                "https://example.org"
            ]
        );
        assert!(wrong(&links[0]).unwrap_err().contains("leads nowhere"));
        assert_eq!(wrong(&links[1]), Ok(()));
        assert!(wrong(&links[2]).is_err());
    }

    #[test]
    fn a_link_to_a_file_that_the_repository_lacks_is_an_error() {
        let repository = env!("CARGO_PKG_REPOSITORY");
        assert_eq!(wrong(&format!("{repository}/blob/main/README.md")), Ok(()));
        assert!(wrong(&format!("{repository}/blob/main/missing.md")).is_err());
    }
}
