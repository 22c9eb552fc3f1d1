//! `cargo xtask layers`: whether imports and calls go one way, from the top down.
//!
//! The README beside a crate's sources lists its layers from the bottom up, and in each layer its modules in an
//! order in which a reader never looks back: a module uses only those before it. This command reads each source
//! file and finds what it names of other modules of its crate:
//!
//! * a path, in an import or anywhere else;
//! * a method, by its name. `impl` blocks in an upper module give a lower type methods, and a lower module that
//!   calls one uses the upper module without an import. A method that several modules define counts for the first
//!   of them. A name that types of other crates have, too, is not looked at.
//!
//! A module may have a second file, for another variant of the program: its attribute `path` names that file, which
//! counts as the module.
//!
//! A use of a later module fails the command, and so does a module that the README does not list, or lists twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, ImplItem, Item, TraitItem, UseTree, Visibility};

use crate::{Outcome, root};

/// The crates whose layers are checked. Each has methods whose names types of other crates have, too.
const CRATES: &[(&str, &[&str])] = &[
    ("core", &["get", "load", "next", "store", "take", "vtable"]),
    (
        "std-adapter",
        &[
            "capacity",
            "env",
            "id",
            "map",
            "pool_ref",
            "shutdown_timeout",
            "spawn",
            "stack_size",
        ],
    ),
    ("std-adapter/sim", &["iter", "name", "take", "wait"]),
];

pub fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err("usage: cargo xtask layers".into());
    }
    let mut faults = Vec::new();
    for (krate, also_of_others) in CRATES {
        let layers = Layers::of_readme(&root().join(krate).join("src/README.md"))?;
        println!("{krate}:\n\n{layers}");
        let sources = root().join(krate).join("src");
        faults.extend(faults_of(&sources, &layers, also_of_others)?);
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

/// The layers of a crate as its README lists them.
struct Layers {
    rows: Vec<Row>,
}

/// A layer: a folder, or the ground.
struct Row {
    name: String,
    /// Each with its folder: `lockfree/queue`.
    modules: Vec<String>,
}

impl std::fmt::Display for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for row in &self.rows {
            let modules = row.modules.iter().map(|module| last_name(module));
            let modules: Vec<_> = modules.collect();
            writeln!(f, "    {:10} {}", row.name, modules.join(" "))?;
        }
        Ok(())
    }
}

impl Layers {
    fn of_readme(path: &Path) -> Result<Self, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self::of_text(&text))
    }

    /// Rows of a table whose first cell is the layer and whose second has its modules.
    fn of_text(text: &str) -> Self {
        let rows = text.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let name = cells.next()?.trim_matches('`').to_owned();
            let modules = cells.next()?.split('`').skip(1).step_by(2);
            let folder = if name.ends_with('/') { &name } else { "" };
            let modules: Vec<_> = modules.map(|module| format!("{folder}{module}")).collect();
            (!modules.is_empty()).then_some(Row { name, modules })
        });
        Self {
            rows: rows.collect(),
        }
    }

    /// The place of each module in the order.
    fn places(&self) -> Result<BTreeMap<&str, usize>, String> {
        let mut places = BTreeMap::new();
        let modules = self.rows.iter().flat_map(|row| &row.modules);
        for (place, module) in modules.enumerate() {
            if places.insert(module.as_str(), place).is_some() {
                return Err(format!("the README lists {module} twice"));
            }
        }
        Ok(places)
    }
}

fn last_name(module: &str) -> &str {
    module.rsplit('/').next().unwrap_or(module)
}

/// A source file, and what of it counts.
struct Source {
    /// The module that the README lists for it.
    module: String,
    items: Vec<Item>,
}

/// The modules below `folder`, but for those that are for tests and those that only declare others.
fn sources(folder: &Path, layers: &BTreeMap<&str, usize>) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    // Each file with the one that its name comes from, which is another one for a second variant.
    let mut files = vec![(folder.join("lib.rs"), folder.join("lib.rs"))];
    while let Some((file, named)) = files.pop() {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| failed(&error))?;
        let parsed = syn::parse_file(&text).map_err(|error| failed(&error))?;
        let items: Vec<_> = parsed
            .items
            .into_iter()
            .filter(|item| !is_for_tests(attributes(item)))
            .collect();
        for item in &items {
            if let Item::Mod(module) = item
                && module.content.is_none()
            {
                let name = module.ident.to_string();
                files.extend(file_of(&named, &name).map(|file| (file.clone(), file)));
                let path = path_in(&module.attrs);
                files.extend(path.map(|path| (beside(&file, &path), place_of(&named, &name))));
            }
        }
        let name = named
            .strip_prefix(folder)
            .unwrap_or(&named)
            .with_extension("");
        let name = name.to_string_lossy().replace('\\', "/");
        if let Some(module) = module_of(&name, layers) {
            sources.push(Source { module, items });
        } else if name != "lib" && !items.iter().all(declares_others) {
            return Err(failed(&"the README does not list this module"));
        }
    }
    Ok(sources)
}

fn declares_others(item: &Item) -> bool {
    match item {
        Item::Mod(module) => module.content.is_none(),
        item => matches!(item, Item::Use(_)),
    }
}

/// The module that the README lists for a file: that of its name, or of the folder that it is in.
fn module_of(file: &str, layers: &BTreeMap<&str, usize>) -> Option<String> {
    let file = file.strip_suffix("/mod").unwrap_or(file);
    let mut name = file;
    loop {
        if layers.contains_key(name) {
            return Some(name.to_owned());
        }
        name = name.rsplit_once('/')?.0;
    }
}

/// The place of a module that is declared in another file, without the folder's or the file's ending.
fn place_of(parent: &Path, module: &str) -> PathBuf {
    match parent.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "mod") => parent.with_file_name(module),
        _ => parent.with_extension("").join(module),
    }
}

/// The file of a module that is declared in another file.
fn file_of(parent: &Path, module: &str) -> Option<PathBuf> {
    let place = place_of(parent, module);
    let candidates = [place.with_extension("rs"), place.join("mod.rs")];
    candidates.into_iter().find(|file| file.exists())
}

/// The file of a module's other variant: the path in its attribute `path`, or in one that a `cfg_attr` has.
fn path_in(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let text = attribute.meta.to_token_stream().to_string();
        let (_, path) = text.split_once("path = \"")?;
        Some(path.split_once('"')?.0.to_owned())
    })
}

/// The file at `path`, as an attribute in `file` names it.
fn beside(file: &Path, path: &str) -> PathBuf {
    let folder = file.parent().unwrap_or(file);
    path.split('/')
        .fold(folder.to_owned(), |folder, step| match step {
            ".." => folder.parent().unwrap_or(&folder).to_owned(),
            step => folder.join(step),
        })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item is there for tests, documentation or the model checker only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text: String = attribute
            .meta
            .to_token_stream()
            .to_string()
            .split_whitespace()
            .collect();
        text.starts_with("cfg(")
            && (text.contains("test") || text == "cfg(loom)")
            && !text.contains("not(test)")
    })
}

/// The faults of the sources below `folder`. Calls of methods with the names `also_of_others` do not count.
fn faults_of(
    folder: &Path,
    layers: &Layers,
    also_of_others: &[&str],
) -> Result<Vec<String>, String> {
    let places = layers.places()?;
    let sources = sources(folder, &places)?;
    let mut faults: Vec<_> = places
        .keys()
        .filter(|module| sources.iter().all(|source| source.module != **module))
        .map(|module| format!("the README lists {module}, which is no module"))
        .collect();
    let defined = methods_of(&sources);
    for source in &sources {
        let own = own_functions(source);
        let mut uses = BTreeSet::new();
        for item in &source.items {
            uses_of_item(item, &source.module, &mut uses);
        }
        let place = places.get(source.module.as_str());
        for used in uses {
            let (module, by) = match &used {
                Use::Path(path) => (module_of(path, &places), path.clone()),
                Use::Method(name)
                    if own.contains(name) || also_of_others.contains(&name.as_str()) =>
                {
                    continue;
                }
                Use::Method(name) => (
                    first_with(name, &defined, &places),
                    format!("the method {name}"),
                ),
            };
            let Some(module) = module else {
                continue;
            };
            if places.get(module.as_str()) > place {
                faults.push(format!(
                    "{} uses {module}, which comes after it: {by}",
                    source.module
                ));
            }
        }
    }
    Ok(faults)
}

/// The first module that defines a method of this name.
fn first_with(
    name: &str,
    defined: &BTreeMap<String, BTreeSet<String>>,
    places: &BTreeMap<&str, usize>,
) -> Option<String> {
    let modules = defined.get(name)?.iter();
    modules
        .min_by_key(|module| places.get(module.as_str()))
        .cloned()
}

/// The modules that define a method of each name for others. An implementation of a trait does not define
/// the trait's methods.
fn methods_of(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut methods = BTreeMap::<String, BTreeSet<String>>::new();
    for source in sources {
        let mut define = |name: String| {
            methods
                .entry(name)
                .or_default()
                .insert(source.module.clone());
        };
        for item in &source.items {
            match item {
                Item::Impl(item) if item.trait_.is_none() => {
                    for item in &item.items {
                        if let ImplItem::Fn(method) = item
                            && !matches!(method.vis, Visibility::Inherited)
                        {
                            define(method.sig.ident.to_string());
                        }
                    }
                }
                Item::Trait(item) => {
                    for item in &item.items {
                        if let TraitItem::Fn(method) = item {
                            define(method.sig.ident.to_string());
                        }
                    }
                }
                _ => {}
            }
        }
    }
    methods
}

/// The names of a module's own functions, private ones included.
fn own_functions(source: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in &source.items {
        for pair in words(item.to_token_stream()).windows(2) {
            if let [first, name] = pair
                && first == "fn"
            {
                names.insert(name.clone());
            }
        }
    }
    names
}

/// The words of a piece of code, and of the macros in it.
fn words(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(words(group.stream())),
            token => found.push(token.to_string()),
        }
    }
    found
}

/// Something of another module that a module names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// By its path from the crate's root, with slashes.
    Path(String),
    Method(String),
}

fn uses_of_item(item: &Item, module: &str, uses: &mut BTreeSet<Use>) {
    if let Item::Use(item) = item {
        uses_of_tree(&item.tree, &mut Vec::new(), module, uses);
    } else {
        uses_of_tokens(item.to_token_stream(), module, uses);
    }
}

/// The paths of an import.
fn uses_of_tree(tree: &UseTree, before: &mut Vec<String>, module: &str, uses: &mut BTreeSet<Use>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            uses_of_tree(&path.tree, before, module, uses);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                uses_of_tree(tree, before, module, uses);
            }
        }
        UseTree::Name(name) => use_path(before, Some(&name.ident.to_string()), module, uses),
        UseTree::Rename(name) => use_path(before, Some(&name.ident.to_string()), module, uses),
        UseTree::Glob(_) => use_path(before, None, module, uses),
    }
}

/// A path that begins with `crate` or `super`.
fn use_path(names: &[String], last: Option<&str>, module: &str, uses: &mut BTreeSet<Use>) {
    let mut names: Vec<_> = names.iter().map(String::as_str).chain(last).collect();
    let mut from: Vec<_> = match names.first() {
        Some(&"crate") => Vec::new(),
        Some(&"super") => module.split('/').collect(),
        _ => return,
    };
    if names.first() == Some(&"crate") {
        names.remove(0);
    }
    while names.first() == Some(&"super") {
        names.remove(0);
        from.pop();
    }
    from.extend(names);
    uses.insert(Use::Path(from.join("/")));
}

/// The paths and the method calls in a piece of code, and in the macros in it.
fn uses_of_tokens(tokens: TokenStream, module: &str, uses: &mut BTreeSet<Use>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    let name = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => uses_of_tokens(group.stream(), module, uses),
            TokenTree::Ident(first) if first == "crate" || first == "super" => {
                let mut names = vec![first.to_string()];
                while is(at + 1, ':')
                    && is(at + 2, ':')
                    && let Some(next) = name(at + 3)
                {
                    names.push(next);
                    at += 3;
                }
                if names.len() > 1 {
                    use_path(&names, None, module, uses);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '.' => {
                if let Some(called) = name(at + 1)
                    && (matches!(tokens.get(at + 2), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
                        || is(at + 2, ':') && is(at + 3, ':'))
                {
                    uses.insert(Use::Method(called));
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The uses of later modules in these files, by a README of two layers.
    fn faults(low: &str, high: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder for the sources");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("the folder takes files");
        };
        write("lib.rs", "mod low; mod high;");
        write("low.rs", low);
        write("high.rs", high);
        let layers = Layers::of_text("| layer | modules | what |\n| ground | `low` `high` | all |");
        faults_of(folder.path(), &layers, &[]).expect("the sources are read")
    }

    #[test]
    fn a_use_of_an_earlier_module_is_no_fault() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            faults("pub struct Low;", "use crate::low::Low; fn f(_: Low) {}"),
            none
        );
    }

    #[test]
    fn an_import_of_a_later_module_is_a_fault() {
        for low in [
            "use crate::high::High;",
            "use super::{high::High};",
            "fn f() { crate::high::f(); }",
        ] {
            let found = faults(low, "pub struct High; pub fn f() {}");
            assert_eq!(found.len(), 1, "{low}: {found:?}");
        }
    }

    #[test]
    fn a_call_of_a_method_that_a_later_module_adds_is_a_fault() {
        let high = "use crate::low::Low; impl Low { pub(crate) fn upward(&self) {} }";
        for low in [
            "fn f(low: &Low) { low.upward(); }",
            "fn f(low: &Low) { assert!(low.upward() == ()); }",
        ] {
            let found = faults(&format!("pub struct Low; {low}"), high);
            assert_eq!(
                found,
                ["low uses high, which comes after it: the method upward"]
            );
        }
    }

    #[test]
    fn tests_may_use_any_module() {
        let low = "#[cfg(test)] mod tests { use crate::high::High; }";
        assert_eq!(faults(low, "pub struct High;"), Vec::<String>::new());
    }

    #[test]
    fn the_file_of_a_second_variant_counts_as_its_module() {
        let folder = tempfile::tempdir().expect("a folder for the sources");
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("the folder takes folders");
            fs::write(file, text).expect("the folder takes files");
        };
        write("lib.rs", "mod low; mod high;");
        let variant = "#[cfg_attr(any(), path = \"../other/word.rs\")] mod word;";
        write("low/mod.rs", variant);
        write("low/word.rs", "pub struct Word;");
        write("other/word.rs", "use crate::high::High;");
        write("high.rs", "pub struct High;");
        let layers = Layers::of_text("| `low/` | `word` | low |\n| ground | `high` | high |");
        let found = faults_of(folder.path(), &layers, &[]).expect("the sources are read");
        assert_eq!(
            found,
            ["low/word uses high, which comes after it: high/High"]
        );
    }

    #[test]
    fn a_module_that_the_readme_does_not_list_is_a_fault() {
        let folder = tempfile::tempdir().expect("a folder for the sources");
        fs::write(folder.path().join("lib.rs"), "mod stray;").expect("the folder takes files");
        fs::write(folder.path().join("stray.rs"), "fn f() {}").expect("the folder takes files");
        let layers = Layers::of_text("| ground | `low` | all |");
        assert!(faults_of(folder.path(), &layers, &[]).is_err());
    }
}
