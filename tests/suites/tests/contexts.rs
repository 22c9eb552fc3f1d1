//! The tables of the book's chapter on contexts agree with the line *Context* of each public function of the core, and
//! no function is left out.

use std::fs;

use self::library::{doc_lines, functions_of, parsed, root, sources};

mod library;

const CONTEXT: &str = "* **Context**: ";

/// The heading of the calls that any context may make.
const ANY: &str = "Any context, interrupt handlers included";

/// The first cell of the calls whose iterator blocks, and not the call.
const FOR_THE_CALL: &str = "any for the call, and any that may block for `next`";

/// A public function of the core that documents its context.
struct Documented {
    owner: Option<String>,
    name: String,
    /// The text of its line *Context*.
    context: String,
}

impl Documented {
    /// Whether a cell of the chapter means this function: by its name, or as `Type::method`.
    fn is(&self, call: &str) -> bool {
        let (owner, name) = match call.split_once("::") {
            Some((owner, name)) => (Some(owner), name),
            None => (None, call),
        };
        self.name == name && (owner.is_none() || owner == self.owner.as_deref())
    }
}

/// The line *Context* of a documentation, whole.
fn context_of(docs: &[String]) -> Option<String> {
    let mut lines = docs.iter().skip_while(|line| !line.starts_with(CONTEXT));
    let mut context = String::from(lines.next()?.strip_prefix(CONTEXT)?);
    for line in lines.take_while(|line| !line.is_empty() && !line.starts_with("* ")) {
        context.push(' ');
        context.push_str(line);
    }
    Some(context)
}

/// The functions of these files that a user calls. The library itself calls the methods of some traits.
fn documented(files: &[syn::File]) -> Vec<Documented> {
    let functions = functions_of(files).into_iter();
    let called = functions.filter_map(|function| {
        let context = context_of(&doc_lines(&function.attributes))?;
        let is_called_by_the_user = !context.starts_with("called ");
        is_called_by_the_user.then(|| Documented {
            owner: function.owner,
            name: function.signature.ident.to_string(),
            context,
        })
    });
    called.collect()
}

/// The last name of a path.
fn last_of(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or_default()
}

/// A context, and the calls that the chapter lists for it.
struct Row {
    context: String,
    calls: Vec<String>,
}

impl Row {
    fn has(&self, function: &Documented) -> bool {
        self.calls.iter().any(|call| function.is(call))
    }

    /// Whether this is the context that the function documents, or that of the function to which it refers.
    fn fits(&self, function: &Documented, rows: &[Self]) -> bool {
        let context = &*function.context;
        let Some(other) = context.strip_prefix("as for [`") else {
            return belongs(&self.context, context);
        };
        if context.contains(", for the call;") {
            return self.context == FOR_THE_CALL;
        }
        let other = other.split('`').next().unwrap_or_default();
        let name = last_of(other);
        let mut same = rows.iter().filter(|row| row.context == self.context);
        same.any(|row| row.calls.iter().any(|call| last_of(call) == name))
    }
}

/// The rows of the chapter's tables. In the section of `ANY`, the first cell is the purpose of the calls.
fn rows(chapter: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut heading = "";
    let lines: Vec<_> = chapter.lines().collect();
    for (at, &line) in lines.iter().enumerate() {
        if let Some(text) = line.strip_prefix("## ") {
            heading = text;
        }
        let is_row = line.starts_with("| ")
            && !lines
                .get(at + 1)
                .is_some_and(|next| next.starts_with("|--"));
        if !is_row {
            continue;
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [first, calls] = cells[..] else {
            panic!("two cells: {line}");
        };
        let context = if heading == ANY { ANY } else { first };
        let calls = calls.split('`').skip(1).step_by(2);
        rows.push(Row {
            context: context.into(),
            calls: calls.map(String::from).collect(),
        });
    }
    rows
}

/// Whether a line *Context* is one of a row, by the row's first words.
fn belongs(row: &str, context: &str) -> bool {
    let may_block = context.starts_with("any that may block");
    match row {
        ANY => {
            let is_any = context.starts_with("any.")
                || context.starts_with("any,")
                || context.starts_with("any;")
                || context.starts_with("any may poll it")
                || context.starts_with("any on a pool of this crate");
            is_any && !context.contains("the scope was opened")
        }
        "any context that may block" => {
            may_block && !context.contains("of zero") && !context.contains("no job or callback")
        }
        "any context that may block, in no job or callback of the pool" => {
            may_block && context.contains("no job or callback of the pool")
        }
        "any context that may block; with a time limit of zero, any" => {
            may_block && context.contains("with a `timeout` of zero, any")
        }
        FOR_THE_CALL => context.starts_with("any for the call; any that may block for `next`"),
        "any without `wait`, and any that may block with `wait`" => {
            context.starts_with("any without `wait`. With `wait`, any that may block")
                || context.starts_with("with `wait`, any that may block")
        }
        "any, if the scope was opened in a context that may block" => {
            context.starts_with("any") && context.contains("the scope was opened in one that may")
        }
        "the worker's own context, in no job of the pool" => {
            context.starts_with("any in which `worker` may sleep, and no job")
        }
        "the server's own context, in which its `parker` may sleep" => {
            context.starts_with("any in which `parker` may sleep")
        }
        "the job" => context == "in the job.",
        "an interrupt handler" => {
            context.starts_with("an interrupt handler,")
                || context.starts_with("the interrupt's handler")
        }
        "any context but the worker's handler" => {
            context.starts_with("any but the interrupt's handler")
        }
        "the thread of a core" => {
            context.starts_with("the thread of a core")
                || context.starts_with("the thread of a hart")
                || context.starts_with("the thread of the core")
        }
        "the panic handler" => context.starts_with("the panic handler"),
        other => panic!("an unknown row: {other}"),
    }
}

/// The ways in which the chapter and the documentation differ.
fn differences(chapter: &str, files: &[syn::File]) -> Vec<String> {
    let (rows, functions) = (rows(chapter), documented(files));
    let mut differences = Vec::new();
    for row in &rows {
        for call in &row.calls {
            let mut meant = functions.iter().filter(|function| function.is(call));
            if !meant.any(|function| row.fits(function, &rows)) {
                differences.push(format!("{call} is not documented for {}", row.context));
            }
        }
    }
    for function in &functions {
        let is_listed = rows
            .iter()
            .any(|row| row.has(function) && row.fits(function, &rows));
        if !is_listed {
            let owner = function.owner.as_deref().unwrap_or("crate");
            let Documented { name, context, .. } = function;
            differences.push(format!("{owner}::{name} is in no row: {context}"));
        }
    }
    differences
}

#[test]
fn the_tables_agree_with_the_documentation() {
    let chapter = fs::read_to_string(root().join("book/src/contexts.md")).unwrap();
    let mut paths = Vec::new();
    sources(&root().join("core/src"), &mut paths);
    let files: Vec<_> = paths.iter().map(|path| parsed(path)).collect();
    let count = documented(&files).len();
    assert!(count > 100, "the functions were not found: {count}");
    let differences = differences(&chapter, &files);
    assert!(differences.is_empty(), "{differences:#?}");
}

/// A pool with one method, and a chapter that lists one call for a context.
fn difference_of(call: &str, row: &str, context: &str) -> Vec<String> {
    let chapter = format!("| the caller is in | it may call |\n|---|---|\n| {row} | `{call}` |\n");
    let source = format!(
        "pub use x::Pool;
         impl Pool {{
             /// Waits.
             ///
             /// * **Context**: {context}
             pub fn result(&self) {{}}
         }}"
    );
    differences(&chapter, &[syn::parse_str(&source).unwrap()])
}

#[test]
fn a_call_in_a_row_of_another_context_is_found() {
    let row = "any context that may block";
    assert_eq!(difference_of("result", row, "any that may block."), [""; 0]);
    assert_eq!(
        difference_of("Pool::result", row, "any that may block."),
        [""; 0]
    );
    assert_eq!(difference_of("result", row, "any.").len(), 2);
}

#[test]
fn a_public_function_that_no_row_has_is_found() {
    let row = "any context that may block";
    assert_eq!(
        difference_of("Other::result", row, "any that may block."),
        [
            "Other::result is not documented for any context that may block",
            "Pool::result is in no row: any that may block."
        ]
    );
}

#[test]
fn a_method_that_the_library_calls_needs_no_row() {
    let row = "any context that may block";
    let told = difference_of("result", row, "called from any that submits.");
    assert_eq!(
        told,
        ["result is not documented for any context that may block"]
    );
}
