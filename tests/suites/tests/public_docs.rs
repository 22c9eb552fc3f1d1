//! Each public function says in its documentation from where it may be called and what it costs; one that can
//! fail, how; and a future, what is lost when it is dropped.
//!
//! These are the lines that the documentation of `corepool` explains under *Contract lines*:
//!
//! ```text
//! * **Context**: any.
//! * **Cost**: O(1).
//! * **Cancel safety**: safe.
//!
//! # Errors
//! ```
//!
//! Three kinds of function need none of them:
//!
//! * a `const fn`, which the compiler can call as well: it waits for nobody and shares nothing;
//! * an option of a builder, from `self` to `Self`, which only moves a value;
//! * a method whose documentation begins with `` See [`Type::method`] ``, where that one has them.
//!
//! Each function has an example, too, which is compiled as a doctest. It is in the function's own documentation, or:
//!
//! * in that of its type or trait, on the same page, whose example calls the method, or implements it;
//! * in that of the method to which it refers.

use std::collections::{BTreeMap, BTreeSet};

use syn::{FnArg, Item, ReturnType, Type};

use self::library::{Function, files, functions_of, parsed};

mod library;

const CONTEXT: &str = "* **Context**: ";
const COST: &str = "* **Cost**: ";
const CANCEL_SAFETY: &str = "* **Cancel safety**: ";
const ERRORS: &str = "# Errors";

/// A future that stands for a job which goes on without it. A function that returns one has no unfinished work of its own,
/// and what a drop does is in the documentation of the type.
const STANDS_FOR_A_JOB: &str = "JobFuture";

fn has(docs: &[String], line: &str) -> bool {
    docs.iter().any(|text| text.starts_with(line))
}

/// All names in some syntax.
fn names(syntax: &impl quote::ToTokens) -> BTreeSet<String> {
    fn collect(stream: proc_macro2::TokenStream, into: &mut BTreeSet<String>) {
        for tree in stream {
            match tree {
                proc_macro2::TokenTree::Group(group) => collect(group.stream(), into),
                proc_macro2::TokenTree::Ident(ident) => {
                    into.insert(ident.to_string());
                }
                _ => {}
            }
        }
    }
    let mut names = BTreeSet::new();
    collect(syntax.to_token_stream(), &mut names);
    names
}

/// The lines of the examples in a documentation that are compiled.
fn example(docs: &[String]) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut is_inside = false;
    let mut is_compiled = false;
    for line in docs {
        if let Some(language) = line.strip_prefix("```") {
            is_inside = !is_inside;
            is_compiled = is_inside && !["ignore", "text"].iter().any(|of| language.contains(of));
        } else if is_compiled {
            lines.push(&**line);
        }
    }
    lines
}

/// How a function is called in the documentation of another.
fn name_of(function: &Function) -> String {
    let name = &function.signature.ident;
    match &function.owner {
        Some(owner) => format!("{owner}::{name}"),
        None => name.to_string(),
    }
}

/// The function whose documentation is this one's, too: it begins with `` See [`Type::method`](..) ``.
fn referred(docs: &[String]) -> Option<&str> {
    let (name, _) = docs.first()?.strip_prefix("See [`")?.split_once("`]")?;
    Some(name)
}

/// A `const fn`, or an option of a builder, which moves a value into `self`.
fn needs_none(function: &Function) -> bool {
    function.signature.constness.is_some() || is_option(function)
}

fn is_option(function: &Function) -> bool {
    let takes_self = matches!(
        function.signature.inputs.first(),
        Some(FnArg::Receiver(receiver)) if receiver.reference.is_none()
    );
    let gives_self = matches!(
        &function.signature.output,
        ReturnType::Type(_, output) if matches!(&**output, Type::Path(path) if path.path.is_ident("Self"))
    );
    takes_self && gives_self
}

/// The types that are futures, by their `impl`s, and their documentation.
fn futures(files: &[syn::File]) -> Vec<(String, Vec<String>)> {
    let items = || files.iter().flat_map(|file| &file.items);
    let is_future = |name: &str| {
        items().any(|item| {
            matches!(item, Item::Impl(block)
                if block.trait_.as_ref().is_some_and(|(_, path, _)| path.is_ident("Future"))
                    && matches!(&*block.self_ty, Type::Path(path)
                        if path.path.segments.last().is_some_and(|segment| segment.ident == name)))
        })
    };
    let mut futures = Vec::new();
    for item in items() {
        if let Item::Struct(structure) = item
            && matches!(structure.vis, syn::Visibility::Public(_))
            && is_future(&structure.ident.to_string())
        {
            futures.push((
                structure.ident.to_string(),
                library::doc_lines(&structure.attrs),
            ));
        }
    }
    futures
}

/// The lines that the documentation of these files lacks, each with the name of the function or future.
fn omissions(files: &[syn::File]) -> Vec<String> {
    let (functions, futures) = (functions_of(files), futures(files));
    let is_documented_at = |name: &str| {
        functions.iter().any(|function| {
            let has_lines =
                needs_none(function) || has(&library::doc_lines(&function.attributes), CONTEXT);
            name_of(function) == name && has_lines
        })
    };
    let mut omissions = Vec::new();
    for function in &functions {
        let (name, docs) = (name_of(function), library::doc_lines(&function.attributes));
        let mut omit = |what: &str| omissions.push(format!("{name}: {what}"));
        if needs_none(function) {
            continue;
        }
        if let Some(other) = referred(&docs) {
            if !is_documented_at(other) {
                omit(&format!("what {other} says"));
            }
            continue;
        }
        for line in [CONTEXT, COST] {
            if !has(&docs, line) {
                omit(line);
            }
        }
        let output = names(&function.signature.output);
        if output.contains("Result") && !docs.iter().any(|text| text == ERRORS) {
            omit(ERRORS);
        }
        let gives_future = output.contains("Future")
            || futures
                .iter()
                .any(|(future, _)| future != STANDS_FOR_A_JOB && output.contains(future));
        if (function.signature.asyncness.is_some() || gives_future) && !has(&docs, CANCEL_SAFETY) {
            omit(CANCEL_SAFETY);
        }
    }
    for (name, docs) in &futures {
        if !has(docs, CANCEL_SAFETY) {
            omissions.push(format!("{name}: {CANCEL_SAFETY}"));
        }
    }
    omissions
}

/// Functions of which an example would say no more than their names.
const SPEAK_FOR_THEMSELVES: &[&str] = &[
    // Numbers that the caller has chosen: SLOTS and WORKERS, `capacity` and `max_workers`, the count of `run_workers`.
    "StaticPool::capacity",
    "StaticPool::max_workers",
    "ProcessPool::max_workers",
    "Workers::count",
    // Numbers that identify, and mean nothing else.
    "JobFuture::id",
    "JobId::index",
    "WorkerId::index",
    // As of any collection.
    "JobTable::is_empty",
];

/// The public types and traits with their documentation.
fn types(files: &[syn::File]) -> BTreeMap<String, Vec<String>> {
    let items = files.iter().flat_map(|file| &file.items);
    let documented = items.filter_map(|item| {
        let (name, attributes) = match item {
            Item::Struct(structure) => (&structure.ident, &structure.attrs),
            Item::Trait(owner) => (&owner.ident, &owner.attrs),
            _ => return None,
        };
        Some((name.to_string(), library::doc_lines(attributes)))
    });
    documented.collect()
}

/// The functions without an example.
fn without_example(files: &[syn::File]) -> Vec<String> {
    let (functions, types) = (functions_of(files), types(files));
    let with_own: BTreeSet<String> = functions
        .iter()
        .filter(|function| !example(&library::doc_lines(&function.attributes)).is_empty())
        .map(name_of)
        .collect();
    let has_one = |function: &Function| {
        let (name, docs) = (name_of(function), library::doc_lines(&function.attributes));
        if let Some(other) = referred(&docs) {
            return with_own.contains(other) || SPEAK_FOR_THEMSELVES.contains(&other);
        }
        let of_type = function.owner.as_ref().and_then(|owner| types.get(owner));
        let method = &function.signature.ident;
        let is_used = |line: &str| {
            let after = |before: &str| {
                let rest = line.split_once(&format!("{before}{method}"));
                rest.is_some_and(|(_, rest)| rest.starts_with(['(', '<', ':']))
            };
            let is_of_type = || {
                let owner = function.owner.as_deref();
                owner.is_some_and(|owner| line.contains(&format!("{owner}::")))
            };
            after(".") || after("fn ") || after("::") && is_of_type()
        };
        let is_in_that_of_type = of_type.is_some_and(|docs| example(docs).into_iter().any(is_used));
        with_own.contains(&name) || is_in_that_of_type || SPEAK_FOR_THEMSELVES.contains(&&*name)
    };
    let without = functions.iter().filter(|function| !has_one(function));
    without.map(name_of).collect()
}

#[test]
fn each_public_function_has_an_example() {
    let files: Vec<_> = files().iter().map(|path| parsed(path)).collect();
    let without = without_example(&files);
    assert!(
        without.is_empty(),
        "{} have no example: {without:#?}",
        without.len()
    );
}

#[test]
fn each_public_function_says_its_contract() {
    let files: Vec<_> = files().iter().map(|path| parsed(path)).collect();
    let count = functions_of(&files).len();
    assert!(
        count > 150,
        "the public functions are not where they were: {count}"
    );
    let omissions = omissions(&files);
    assert!(
        omissions.is_empty(),
        "{} lines are left out: {omissions:#?}",
        omissions.len()
    );
}

/// A library of one file.
fn omitted(text: &str) -> Vec<String> {
    omissions(&[syn::parse_str(text).unwrap()])
}

#[test]
fn a_function_without_context_or_cost_is_found() {
    let with = |lines: &str| {
        omitted(&format!(
            "pub use x::wait; /// Waits.\n///\n{lines} pub fn wait(n: u32) {{}}"
        ))
    };
    let (context, cost) = ("/// * **Context**: any.\n", "/// * **Cost**: O(1).\n");
    assert_eq!(with(&format!("{context}{cost}")), [""; 0]);
    assert_eq!(with(context), ["wait: * **Cost**: "]);
    assert_eq!(with(cost), ["wait: * **Context**: "]);
    assert_eq!(with("").len(), 2);
}

/// A type `Pool` with this method, whose documentation has these lines after the two that each has.
fn omitted_by(lines: &[&str], method: &str) -> Vec<String> {
    let lines: String = ["* **Context**: any.", "* **Cost**: O(1)."]
        .iter()
        .chain(lines)
        .map(|line| format!("/// {line}\n"))
        .collect();
    omitted(&format!(
        "pub use x::Pool; impl Pool {{ {lines} {method} {{}} }}"
    ))
}

#[test]
fn a_result_without_errors_is_found() {
    for method in [
        "pub fn take(&self) -> Result<u32, E>",
        "pub fn take(&self) -> Option<Result<u32, E>>",
        "pub fn take(&self) -> std::io::Result<u32>",
        "pub fn take(&self) -> impl Iterator<Item = Result<u32, E>>",
    ] {
        assert_eq!(
            omitted_by(&[], method),
            ["Pool::take: # Errors"],
            "{method}"
        );
        assert_eq!(omitted_by(&["", "# Errors"], method), [""; 0], "{method}");
    }
    assert_eq!(omitted_by(&[], "pub fn take(&self) -> u32"), [""; 0]);
}

#[test]
fn a_future_without_cancel_safety_is_found() {
    for method in [
        "pub async fn next(&self)",
        "pub fn next(&self) -> impl Future<Output = u32>",
    ] {
        let missing = ["Pool::next: * **Cancel safety**: "];
        assert_eq!(omitted_by(&[], method), missing, "{method}");
        let line = "* **Cancel safety**: safe.";
        assert_eq!(omitted_by(&[line], method), [""; 0], "{method}");
    }
    let lines = "/// * **Context**: any.\n/// * **Cost**: O(1).\n";
    let future = "pub struct Next; impl Future for Next {}";
    assert_eq!(
        omitted(&format!(
            "pub use x::Pool; impl Pool {{ {lines} pub fn next(&self) -> Next {{}} }} {future}"
        )),
        [
            "Pool::next: * **Cancel safety**: ",
            "Next: * **Cancel safety**: "
        ]
    );
}

#[test]
fn a_method_of_a_trait_is_held_as_well() {
    let found = omitted("pub use x::Port; pub trait Port { fn now(&self) -> u64; }");
    assert_eq!(found.len(), 2);
}

#[test]
fn a_const_function_and_an_option_of_a_builder_need_no_lines() {
    let method =
        |method: &str| omitted(&format!("pub use x::Pool; impl Pool {{ {method} {{}} }}")).len();
    assert_eq!(method("pub const fn new() -> Self"), 0);
    assert_eq!(method("pub fn size(mut self, size: u32) -> Self"), 0);
    assert_eq!(method("pub fn clone_of(&self) -> Self"), 2);
    assert_eq!(method("pub fn new() -> Self"), 2);
}

#[test]
fn a_view_refers_to_a_function_that_has_the_lines() {
    let refers_to = |other: &str| {
        let lines = "/// * **Context**: any.\n/// * **Cost**: O(1).\n";
        omitted(&format!(
            "pub use x::{{Pool, View}};
             impl Pool {{ {lines} pub fn size(&self) -> u32 {{}} }}
             impl View {{ /// See [`Pool::{other}`](x::Pool::{other}).\n pub fn size(self) -> u32 {{}} }}"
        ))
    };
    assert_eq!(refers_to("size"), [""; 0]);
    assert_eq!(refers_to("length"), ["View::size: what Pool::length says"]);
}

/// Whether a method is found to have no example, if the documentation of its type and its own have these blocks of code.
fn has_no_example(of_type: &str, of_method: &str) -> bool {
    let text = format!(
        "pub use x::Pool;
         /// A pool.
         {of_type}
         pub struct Pool;
         impl Pool {{
             /// Waits.
             {of_method}
             pub fn wait(&self) {{}}
         }}"
    );
    without_example(&[syn::parse_str(&text).unwrap()]) == ["Pool::wait"]
}

#[test]
fn a_function_without_an_example_is_found() {
    let block = |language: &str, code: &str| format!("/// ```{language}\n/// {code}\n/// ```\n");
    assert!(has_no_example("", ""));
    for language in ["", "no_run", "compile_fail"] {
        assert!(!has_no_example("", &block(language, "pool.wait()")));
    }
    for language in ["text", "ignore", "rust,ignore"] {
        assert!(has_no_example("", &block(language, "pool.wait()")));
    }
}

#[test]
fn an_example_of_a_type_is_one_for_the_methods_that_it_calls() {
    let calls = |code: &str| format!("/// ```\n/// {code}\n/// ```\n");
    for code in ["pool.wait();", "Pool::wait(&pool);", "fn wait(&self) {}"] {
        assert!(!has_no_example(&calls(code), ""), "{code}");
    }
    for code in ["pool.wait_async();", "Other::wait();", "await_it();"] {
        assert!(has_no_example(&calls(code), ""), "{code}");
    }
}
