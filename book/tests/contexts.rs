//! The table of the chapter on contexts agrees with the line *Context* of each function.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_in(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The lines *Context* of all functions of this name in the core's API.
fn contexts_of(name: &str) -> Vec<String> {
    let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/api");
    let mut files = Vec::new();
    files_in(&api, &mut files);
    let mut found = Vec::new();
    for file in files {
        let mut context = None;
        for line in read(&file).lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("/// * **Context**: ") {
                context = Some(String::from(text));
            } else if line.starts_with("pub ") && line.contains("fn ") {
                let is_it =
                    line.contains(&format!("fn {name}(")) || line.contains(&format!("fn {name}<"));
                found.extend(context.take().filter(|_| is_it));
            } else if !line.starts_with("///") && !line.starts_with("#[") {
                context = None;
            }
        }
    }
    found
}

/// Whether a line *Context* is one of a row of the table, by the row's first words.
fn belongs(row: &str, context: &str) -> bool {
    let may_block = context.starts_with("any that may block");
    match row {
        "any context, interrupt handlers included" => {
            context.starts_with("any")
                && !may_block
                && !context.starts_with("any in which")
                && !context.contains("for the call")
        }
        "any context that may block" => may_block && !context.contains("of zero"),
        "any context that may block; with a time limit of zero, any" => {
            may_block && context.contains("with a `timeout` of zero, any")
        }
        "any for the call, and any that may block for `next`" => {
            context.starts_with("any for the call; any that may block for `next`")
        }
        "any without `wait`, and any that may block with `wait`" => {
            context.starts_with("any without `wait`. With `wait`, any that may block")
        }
        "the worker's own context, in no job of the pool" => {
            context.starts_with("any in which `worker` may sleep, and no job or task of this pool")
        }
        other => panic!("an unknown row: {other}"),
    }
}

#[test]
fn the_table_agrees_with_the_documentation() {
    let chapter = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contexts.md"));
    let rows = chapter.lines().filter(|line| line.starts_with("| "));
    let mut count = 0;
    for row in rows.skip(1) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [context, calls] = cells[..] else {
            panic!("two cells: {row}");
        };
        for name in calls.split('`').skip(1).step_by(2) {
            let documented = contexts_of(name);
            assert!(!documented.is_empty(), "{name} is documented nowhere");
            let agrees = documented.iter().any(|line| belongs(context, line));
            assert!(agrees, "{name}: {context}: {documented:?}");
            count += 1;
        }
    }
    assert!(count > 30, "the table was not found");
}
