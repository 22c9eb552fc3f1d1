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

use std::collections::BTreeSet;

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
