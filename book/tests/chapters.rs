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

/// The most words of a sentence.
const WORDS: usize = 25;

/// The sentences of a page, without code, links and emphasis. A cell of a table, an item of a list and a heading end one.
fn sentences(page: &str) -> Vec<String> {
    let prose: String = page.split(FENCE).step_by(2).collect();
    let mut parts: Vec<String> = vec![String::new()];
    for line in prose.lines().map(str::trim) {
        let begins = ["* ", "- ", "#", "|", "> "];
        let is_numbered = line
            .split_once(". ")
            .is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        if line.is_empty() || is_numbered || begins.iter().any(|begin| line.starts_with(begin)) {
            parts.push(String::new());
        }
        let last = parts.last_mut().expect("there is one from the start");
        last.push(' ');
        last.push_str(line);
    }
    let mut found = Vec::new();
    for part in parts.iter().flat_map(|part| part.split(" | ")) {
        // A name in code and the target of a link are one word each.
        let mut text: String = part
            .split('`')
            .enumerate()
            .map(|(n, text)| if n % 2 == 0 { text } else { "X" })
            .collect();
        while let Some((before, target)) = text.split_once("](") {
            let after = target.split_once(')').map_or("", |(_, after)| after);
            text = format!("{before}]{after}");
        }
        let text = text.replace("**", "").replace(['*', '|', '#', '>'], "");
        found.extend(
            text.split_inclusive(['.', '?', '!', ':'])
                .map(|end| String::from(end.trim())),
        );
    }
    found
}

fn is_clear(sentence: &str) -> bool {
    let first = sentence.split_whitespace().next().unwrap_or_default();
    !["What", "Who", "Whoever", "Of"].contains(&first)
        && sentence.split_whitespace().count() <= WORDS
}

#[test]
fn a_sentence_is_short_and_begins_with_its_party() {
    let mut count = 0;
    for name in chapters()
        .iter()
        .map(String::as_str)
        .chain(["../../README.md"])
    {
        for sentence in sentences(&read(&book().join("src").join(name))) {
            assert!(is_clear(&sentence), "{name}: {sentence}");
            count += 1;
        }
    }
    assert!(count > 1_000, "the sentences were not found: {count}");
}

#[test]
fn a_long_sentence_and_one_without_a_party_are_found() {
    let of = |text: &str| sentences(text).iter().all(|sentence| is_clear(sentence));
    assert!(of(
        "* The worker runs the job. [It](x.md) has ended.\n| a | b |\n"
    ));
    assert!(!of("The end.\nWhat the worker runs is a job."));
    assert!(!of(&format!(
        "1. **Jobs.** A{} job.",
        " long".repeat(WORDS)
    )));
    assert!(of(&format!(
        "```rust\nA{} job.\n```\n",
        " long".repeat(WORDS)
    )));
}
