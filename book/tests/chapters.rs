//! Each code block of the book is built, and each command in it exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

const FENCE: &str = "```";

fn book() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file names of the chapters, as the summary lists them.
fn chapters() -> Vec<String> {
    let summary = read(&book().join("src/SUMMARY.md"));
    let links = summary.split("](").skip(1);
    let names: Vec<_> = links
        .filter_map(|rest| Some(rest.split_once(')')?.0.into()))
        .collect();
    assert!(names.len() > 15, "{names:?}");
    names
}

struct Block {
    chapter: PathBuf,
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut found = Vec::new();
    for name in chapters() {
        let chapter = book().join("src").join(name);
        let text = read(&chapter);
        for block in text.split(FENCE).skip(1).step_by(2) {
            let (language, text) = block.split_once('\n').expect("the fence ends its line");
            found.push(Block {
                chapter: chapter.clone(),
                language: language.into(),
                text: text.into(),
            });
        }
    }
    found
}

#[test]
fn every_chapter_is_among_the_doctests() {
    let doctests = read(&book().join("lib.rs"));
    for name in chapters() {
        assert!(doctests.contains(&format!("\"src/{name}\"")), "{name}");
    }
}

/// Rust that is no doctest is a whole file of a package that is built. mdbook would ignore a file that is missing.
#[test]
fn a_block_that_is_no_doctest_is_a_whole_file() {
    let mut count = 0;
    for Block {
        chapter,
        language,
        text,
    } in blocks()
    {
        let at = chapter.display();
        if language == "rust,ignore" || text.contains("{{#") {
            let file = text
                .strip_prefix("{{#include ")
                .and_then(|rest| rest.strip_suffix("}}\n"))
                .unwrap_or_else(|| panic!("{at}: more than a file: {text}"));
            read(&chapter.with_file_name(file));
            count += 1;
        } else {
            let languages = ["python", "rust", "rust,no_run", "sh", "text", "toml"];
            assert!(languages.contains(&language.as_str()), "{at}: {language}");
        }
    }
    assert!(count > 8, "the programs were not found");
}

/// The documentation and the anchors of headings are left to `cargo xtask book`.
#[test]
fn links_to_files_lead_to_one() {
    let mut count = 0;
    for name in chapters() {
        let chapter = book().join("src").join(&name);
        let text = read(&chapter);
        let prose: String = text.split(FENCE).step_by(2).collect();
        let links = prose.split("](").skip(1);
        for link in links.filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.contains("://") && !file.starts_with("../doc/") {
                assert!(chapter.with_file_name(file).exists(), "{name}: {link}");
                count += 1;
            }
        }
    }
    assert!(count > 50, "the links were not found");
}

#[test]
fn commands_exist() {
    let root = book().parent().expect("the book is in the repository");
    let examples = read(&root.join("examples/Cargo.toml"));
    let verbs = read(&root.join("tests/xtask/src/main.rs"));
    let mut count = 0;
    for block in blocks().iter().filter(|block| block.language == "sh") {
        for line in block.text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let after = |word| words.iter().skip_while(|&&found| found != word).nth(1);
            if let Some(example) = after("--example") {
                assert!(
                    examples.contains(&format!("name = \"{example}\"")),
                    "{line}"
                );
                count += 1;
            }
            if let Some(verb) = after("xtask") {
                assert!(verbs.contains(&format!("name: \"{verb}\"")), "{line}");
                count += 1;
            }
        }
    }
    assert!(count > 1, "the commands were not found");
}
