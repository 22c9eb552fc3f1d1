//! The page `core/PYTHON.md` has a row for each public name of Python's executors and futures, and for each
//! parameter. `python_names.txt` lists them. The page has no other rows, and names no type or method that the library
//! does not have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use syn::{Ident, ImplItem, Item, TraitItem, Type};

use self::library::root;

mod library;

/// The first code in a text, and the rest of the text.
fn code(text: &str) -> Option<(&str, &str)> {
    let (_, from) = text.split_once('`')?;
    from.split_once('`')
}

/// The words of a text that are Python names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '.')
}

/// The rows of the page: the module and the name, with the words of all rows of that name.
fn rows(page: &str) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
    let (mut rows, mut module) = (BTreeMap::<_, BTreeSet<_>>::new(), "");
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            module = code(heading).unwrap().0;
        } else if let Some(row) = line.strip_prefix("| `") {
            let (python, _) = row.split_once('`').unwrap();
            let name = python.split('(').next().unwrap();
            rows.entry((module, name))
                .or_default()
                .extend(words(python));
        }
    }
    rows
}

/// The lines of the list: module, name, parameters.
fn listed(list: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').collect())
}

/// The names that the page lacks, and those that it has beyond the list.
fn differences(page: &str, list: &str) -> Vec<String> {
    let mut rows = rows(page);
    let mut found = Vec::new();
    for line in listed(list) {
        let [module, name, parameters @ ..] = &line[..] else {
            panic!("{line:?}");
        };
        let Some(words) = rows.remove(&(*module, *name)) else {
            found.push(format!("{module}.{name} has no row"));
            continue;
        };
        let lacking = parameters.iter().filter(|word| !words.contains(*word));
        found.extend(lacking.map(|word| format!("{module}.{name} lacks {word}")));
    }
    let beyond = rows.keys();
    found.extend(beyond.map(|(module, name)| format!("{module}.{name} is not listed")));
    found
}

/// The members of the library's types: variants, fields and functions, each as `Type::member`.
fn members() -> BTreeSet<String> {
    let mut members = BTreeSet::new();
    for file in library::files() {
        for item in library::parsed(&file).items {
            let (owner, names) = members_of(item);
            members.extend(names.map(|name| format!("{owner}::{name}")));
        }
    }
    members
}

/// The name of a type, and those of its members that this item has.
fn members_of(item: Item) -> (String, impl Iterator<Item = Ident>) {
    let (owner, names): (_, Vec<Ident>) = match item {
        Item::Enum(it) => {
            let variants = it.variants.into_iter();
            (
                it.ident.to_string(),
                variants.map(|variant| variant.ident).collect(),
            )
        }
        Item::Struct(it) => {
            let fields = it.fields.into_iter();
            (
                it.ident.to_string(),
                fields.filter_map(|field| field.ident).collect(),
            )
        }
        Item::Trait(it) => {
            let functions = it.items.into_iter().filter_map(|item| match item {
                TraitItem::Fn(function) => Some(function.sig.ident),
                _ => None,
            });
            (it.ident.to_string(), functions.collect())
        }
        Item::Impl(it) => {
            let functions = it.items.into_iter().filter_map(|item| match item {
                ImplItem::Fn(function) => Some(function.sig.ident),
                _ => None,
            });
            let Type::Path(owner) = *it.self_ty else {
                return (String::new(), Vec::new().into_iter());
            };
            let owner = owner
                .path
                .segments
                .last()
                .map(|last| last.ident.to_string());
            (owner.unwrap_or_default(), functions.collect())
        }
        _ => (String::new(), Vec::new()),
    };
    (owner, names.into_iter())
}

/// The paths of the page that the library does not have: `Type::member`.
fn unknown<'t>(page: &'t str, known: &BTreeSet<String>) -> Vec<&'t str> {
    let (mut rest, mut unknown) = (page, Vec::new());
    while let Some((path, behind)) = code(rest) {
        rest = behind;
        let is_path = path.contains("::") && !path.contains('(');
        if is_path && !known.contains(path) {
            unknown.push(path);
        }
    }
    unknown
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

#[test]
fn each_name_of_pythons_has_a_row() {
    let list = read("tests/suites/tests/python_names.txt");
    assert_eq!(differences(&read("core/PYTHON.md"), &list), [""; 0]);
}

#[test]
fn each_path_on_the_page_is_in_the_library() {
    let known = members();
    assert_eq!(unknown(&read("core/PYTHON.md"), &known), [""; 0]);
    assert_eq!(
        unknown("`JobFuture::outcome_of`", &known),
        ["JobFuture::outcome_of"]
    );
}

#[test]
fn a_gap_is_found() {
    let page = "## `m`\n| `f(a)` | f |\n| `h()` | h |";
    let found = differences(page, "# a list\nm f a b\nm g");
    assert_eq!(
        found,
        ["m.f lacks b", "m.g has no row", "m.h is not listed"]
    );
}
