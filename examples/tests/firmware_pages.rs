//! The pages of `firmware` show code that is built: each piece is in the file of the last link before
//! it. Where a line says `// …`, something is left out.

use std::{fs, path::Path};

const LEFT_OUT: &str = "// …\n";

const FENCE: &str = "```";

fn pages() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/firmware"))
}

fn read(name: &str) -> String {
    let path = pages().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The targets of the links in this text within the repository.
fn targets(prose: &str) -> impl Iterator<Item = &str> {
    let links = prose.split("](").skip(1);
    let targets = links.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://"))
}

#[track_caller]
fn assert_shows_what_is_built(page: &str) {
    let text = read(page);
    let parts: Vec<&str> = text.split(FENCE).collect();
    let (pairs, _) = parts.as_chunks::<2>();
    for [prose, block] in pairs {
        let (_language, code) = block.split_once('\n').expect("the fence ends its line");
        let name = targets(prose).last().expect("the file is named before");
        let file = read(name);
        let mut left = file.as_str();
        for piece in code.split(LEFT_OUT) {
            let place = left.find(piece).filter(|_| !piece.trim().is_empty());
            let place = place.unwrap_or_else(|| panic!("{page}: not in {name}:\n{piece}"));
            left = &left[place + piece.len()..];
        }
    }
    assert!(!pairs.is_empty(), "{page} shows no code");
}

#[test]
fn ports_are_those_of_the_boards() {
    assert_shows_what_is_built("PORTS.md");
}

#[test]
fn what_the_guide_shows_is_built() {
    assert_shows_what_is_built("BRING-UP.md");
}

#[test]
fn links_within_the_repository_lead_somewhere() {
    for page in ["README.md", "PORTS.md", "BRING-UP.md"] {
        let text = read(page);
        let prose = text.split(FENCE).step_by(2);
        for target in prose.flat_map(targets) {
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page } else { file };
            assert!(pages().join(file).exists(), "{page}: {target}");
            let is_there = || {
                let linked = read(file);
                let mut headings = linked.lines().filter(|line| line.starts_with('#'));
                headings.any(|heading| anchor(heading) == section)
            };
            assert!(section.is_empty() || is_there(), "{page}: {target}");
        }
    }
}

/// The name of a heading in a link.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter_map(|character| match character {
        ' ' => Some('-'),
        '-' => Some(character),
        _ => character.is_alphanumeric().then_some(character),
    });
    kept.collect()
}
