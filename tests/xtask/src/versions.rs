//! Whether the oldest Rust that the project builds with is the same wherever it is named.

use std::{fs, path::Path};

use crate::root;

/// The `rust-version` lines of all manifests below a folder.
fn versions_in(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "target" && name != ".git" {
            versions_in(&path, found);
        } else if name == "Cargo.toml" {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines = text
                .lines()
                .filter_map(|line| line.strip_prefix("rust-version = "));
            let manifest = path.display().to_string();
            found.extend(lines.map(|version| (manifest.clone(), version.trim_matches('"').into())));
        }
    }
}

#[test]
fn the_oldest_rust_is_the_same_in_every_manifest_and_in_the_readme() {
    let mut found = Vec::new();
    versions_in(root(), &mut found);
    let readme = fs::read_to_string(root().join("README.md")).expect("the page is there");
    let words = "stable Rust from ";
    let (_, rest) = readme
        .split_once(words)
        .expect("the README names the oldest Rust");
    let named = rest.split_whitespace().next().unwrap_or_default();
    assert!(found.len() > 5, "{found:?}");
    for (manifest, version) in found {
        assert_eq!(version, named, "{manifest}");
    }
}
