//! Each public function and method of the library is called by a test.
//!
//! Which one a call means is read off the source: `Type::method`, `.pool_ref().method(`, or `.method(` in a
//! file that names the type and no other with a method of that name that takes arguments as this one does,
//! or none. So a method that several types have, as `submit`, is called by a test of each of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Item, TraitItem};

use self::library::{is_hidden, parsed, root, sources};

mod library;

/// The owner of a method, or nothing of a function, and the name.
type Function = (Option<String>, String);

/// The name of a method, and whether it takes arguments.
type Method = (String, bool);

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

/// The public functions of the library.
#[derive(Default)]
struct Library {
    /// Whether it takes arguments, beside the one that it is called on.
    functions: BTreeMap<Function, bool>,
}

impl Library {
    /// Traits that are there to be implemented are left out: the library calls their methods.
    fn read() -> Self {
        let mut library = Self::default();
        for function in library::functions() {
            match function.owner {
                Some(_) if function.is_called_by_the_library => {}
                Some(owner) => library.add_method(&owner, &function.signature),
                None => {
                    let name = function.signature.ident.to_string();
                    library.functions.insert((None, name), true);
                }
            }
        }
        library
    }

    fn add_method(&mut self, owner: &str, signature: &syn::Signature) {
        let function = (Some(owner.to_string()), signature.ident.to_string());
        let arguments = signature.inputs.len() - usize::from(signature.receiver().is_some());
        self.functions.insert(function, arguments > 0);
    }

    /// The types that have such a method.
    fn owners<'a>(&'a self, (name, takes): &'a Method) -> impl Iterator<Item = &'a str> {
        self.functions
            .iter()
            .filter(move |((_, method), other)| method == name && *other == takes)
            .filter_map(|((owner, _), _)| owner.as_deref())
    }
}

/// The names and calls in a file of tests.
#[derive(Default)]
struct Tests {
    /// All that is named.
    names: BTreeSet<String>,
    /// `.method(`
    methods: BTreeSet<Method>,
    /// `Type::method`, or `function(`
    functions: BTreeSet<Function>,
    /// The methods that each macro of the file calls of the type that it gets: `$type::method`.
    of_macros: BTreeMap<String, BTreeSet<String>>,
}

fn is_punct(tree: Option<&TokenTree>, expected: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == expected)
}

fn ident(tree: Option<&TokenTree>) -> Option<String> {
    match tree {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

/// Behind `::`, and maybe generic arguments and another `::`, what follows.
fn behind_colons(trees: &[TokenTree], at: usize) -> Option<String> {
    if !is_punct(trees.get(at), ':') || !is_punct(trees.get(at + 1), ':') {
        return None;
    }
    if is_punct(trees.get(at + 2), '<') {
        let end = (at + 3..trees.len()).find(|&end| is_punct(trees.get(end), '>'))?;
        return behind_colons(trees, end + 1);
    }
    ident(trees.get(at + 2))
}

impl Tests {
    fn read(&mut self, stream: TokenStream) {
        let trees: Vec<_> = stream.into_iter().collect();
        for (at, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(name) => self.read_name(&name.to_string(), &trees, at),
                _ => {}
            }
        }
    }

    fn read_name(&mut self, name: &str, trees: &[TokenTree], at: usize) {
        self.names.insert(name.to_string());
        let before = at.checked_sub(1).and_then(|before| trees.get(before));
        let next = behind_colons(trees, at + 1);
        let arguments = match trees.get(at + 1) {
            Some(TokenTree::Group(arguments)) => Some(!arguments.stream().is_empty()),
            _ => None,
        };
        let is_called = arguments.is_some();
        if is_punct(before, '.') && (is_called || is_punct(trees.get(at + 1), ':')) {
            // Behind `::<T>`, there are some or none.
            for takes in [true, false] {
                if arguments.is_none_or(|arguments| arguments == takes) {
                    self.methods.insert((name.to_string(), takes));
                }
            }
            let of_handle = at >= 4
                && ident(trees.get(at - 3)).is_some_and(|name| name == "pool_ref")
                && is_punct(trees.get(at - 4), '.');
            if of_handle {
                let method = (Some(String::from("PoolRef")), name.to_string());
                self.functions.insert(method);
            }
        } else if let Some(method) = next {
            if method == "builder" {
                self.names.insert(format!("{name}Builder"));
            }
            self.functions.insert((Some(name.to_string()), method));
        } else if is_called {
            self.functions.insert((None, name.to_string()));
        }
        if name == "macro_rules"
            && let (Some(name), Some(TokenTree::Group(body))) =
                (ident(trees.get(at + 2)), trees.get(at + 3))
        {
            let calls = self.of_macros.entry(name).or_default();
            calls_of_parameters(body.stream(), calls);
        } else if is_punct(trees.get(at + 1), '!')
            && let Some(calls) = self.of_macros.get(name)
            && let Some(TokenTree::Group(given)) = trees.get(at + 2)
            && let Some(owner) = ident(given.stream().into_iter().next().as_ref())
        {
            let calls = calls
                .iter()
                .map(|method| (Some(owner.clone()), method.clone()));
            self.functions.extend(calls);
        }
    }
}

/// The methods that a macro calls of its parameters.
fn calls_of_parameters(stream: TokenStream, into: &mut BTreeSet<String>) {
    let trees: Vec<_> = stream.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(group) = tree {
            calls_of_parameters(group.stream(), into);
        } else if is_punct(Some(tree), '$') {
            into.extend(behind_colons(&trees, at + 2));
        }
    }
}

/// Whether a test calls the function.
fn is_called(function: &Function, takes: bool, library: &Library, tests: &[Tests]) -> bool {
    let (owner, name) = function;
    let method = (name.clone(), takes);
    tests.iter().any(|file| {
        if file.functions.contains(function) {
            return true;
        }
        let Some(owner) = owner else {
            return false;
        };
        file.methods.contains(&method)
            && (library.owners(&method).count() == 1 || file.names.contains(owner))
            && library
                .owners(&method)
                .all(|other| other == owner || !file.names.contains(other))
    })
}

/// The tests beside the code, and those in folders of their own. The boards of the firmware are tests of the ports.
fn tests() -> Vec<Tests> {
    let mut tests = Vec::new();
    let mut files = Vec::new();
    sources(&root().join("tests/suites/src"), &mut files);
    sources(&root().join("tests/suites/tests"), &mut files);
    sources(&root().join("core/tests"), &mut files);
    sources(&root().join("examples/firmware"), &mut files);
    for path in files {
        let mut file = Tests::default();
        file.read(tokens(&fs::read_to_string(path).unwrap()));
        tests.push(file);
    }
    for path in library::files() {
        for item in parsed(&path).items {
            if let Item::Mod(module) = &item
                && is_hidden(&module.attrs)
            {
                let mut file = Tests::default();
                file.read(quote::quote!(#module));
                tests.push(file);
            }
        }
    }
    tests
}

#[test]
fn each_public_function_is_called_by_a_test() {
    let (library, tests) = (Library::read(), tests());
    let uncalled: Vec<_> = library
        .functions
        .iter()
        .filter(|(function, takes)| !is_called(function, **takes, &library, &tests))
        .map(|((owner, name), _)| match owner {
            Some(owner) => format!("{owner}::{name}"),
            None => name.clone(),
        })
        .collect();
    assert!(uncalled.is_empty(), "no test calls: {uncalled:#?}");
    for expected in ["submit", "map", "shutdown"] {
        let method = (String::from(expected), true);
        let owners: Vec<_> = library.owners(&method).collect();
        for owner in [
            "Executor",
            "PoolRef",
            "ProcessPool",
            "StaticPool",
            "ThreadPool",
        ] {
            assert!(
                owners.contains(&owner),
                "{owner} has no {expected}: {owners:?}"
            );
        }
    }
}

/// A method that forwards to an executor's own is no test of it, unless a test calls the method.
#[test]
fn each_method_of_the_pools_under_test_is_called_by_the_suite() {
    let methods = parsed(&root().join("tests/suites/src/methods.rs"));
    let mut files = Vec::new();
    sources(&root().join("tests/suites/src/suite"), &mut files);
    files.push(root().join("tests/suites/src/fixture.rs"));
    files.push(root().join("tests/suites/src/tools.rs"));
    let mut suite = Tests::default();
    for path in files {
        suite.read(tokens(&fs::read_to_string(path).unwrap()));
    }
    let mut names = Vec::new();
    for item in methods.items {
        if let Item::Trait(owner) = item {
            for item in owner.items {
                if let TraitItem::Fn(method) = item {
                    names.push(method.sig.ident.to_string());
                }
            }
        }
    }
    assert!(names.len() > 20, "the trait is not where it was");
    let is_called = |name: &str| {
        [true, false].map(|takes| suite.methods.contains(&(name.to_string(), takes))) != [false; 2]
    };
    names.retain(|name| !is_called(name));
    assert!(names.is_empty(), "the suite does not call: {names:#?}");
}

/// A call of one type is none of another type's method of that name.
#[test]
fn a_call_counts_for_the_type_that_its_file_names() {
    let mut library = Library::default();
    let submit = syn::parse_str("fn submit(self, job: u32)").unwrap();
    for owner in ["Pool", "Ref", "PoolRef"] {
        library.add_method(owner, &submit);
    }
    let of = |owner: &str| (Some(owner.to_string()), String::from("submit"));
    let file = |text| {
        let mut file = Tests::default();
        file.read(tokens(text));
        [file]
    };
    let calls =
        |text| ["Pool", "Ref"].map(|owner| is_called(&of(owner), true, &library, &file(text)));
    assert_eq!(calls("Pool::new().submit(1)"), [true, false]);
    assert_eq!(calls("Pool::new().submit()"), [false, false]);
    assert_eq!(calls("f(a: Ref<1>, Pool) { a.submit(1) }"), [false, false]);
    let of_handle = file("f(a: Pool) { a.pool_ref().submit(1) }");
    assert!(is_called(&of("PoolRef"), true, &library, &of_handle));
    assert_eq!(calls("Ref::submit(a, Pool)"), [false, true]);
    assert_eq!(calls("Ref::<1>::submit(a)"), [false, true]);
    assert_eq!(
        calls("macro_rules! m { ($t:ident) => { $t::submit() } } m!(Pool);"),
        [true, false]
    );
    assert_eq!(calls("a.submit"), [false, false]);
}

/// The names of a type's own public methods.
fn methods_of(owner: &str) -> BTreeSet<String> {
    let functions = library::functions().into_iter();
    functions
        .filter(|function| function.owner.as_deref() == Some(owner))
        .map(|function| function.signature.ident.to_string())
        .collect()
}

/// The view's methods, but for these, and with those that only this type has.
fn like_the_view(left_out: &[&str], own: &[&str]) -> BTreeSet<String> {
    let mut methods = methods_of("PoolRef");
    for name in left_out {
        assert!(methods.remove(*name), "the view has no {name}");
    }
    methods.extend(own.iter().map(ToString::to_string));
    methods
}

/// The view alone has these: ports, and those that start workers, ask for `runs_caller` and `workers_wanted`, and the
/// others change the type of the view.
const OF_THE_VIEW: [&str; 4] = ["limit_to", "runs_caller", "spill_to", "workers_wanted"];

#[test]
fn a_static_pool_has_the_methods_of_its_view() {
    let expected = like_the_view(&OF_THE_VIEW, &["new", "pool_ref", "bytes_per_slot"]);
    assert_eq!(methods_of("StaticPool"), expected);
}

#[test]
fn a_thread_pool_has_the_methods_of_its_view_but_those_by_which_workers_and_ports_come() {
    let by_the_pool_itself = ["install", "run", "run_pending", "worker_lost"];
    // For jobs that may go elsewhere, which a pool of threads offers as any `RemoteExecutor`.
    let remote = [
        "submit_remote",
        "submit_remote_async",
        "submit_remote_blocking",
        "submit_remote_timeout",
    ];
    let left_out = [&OF_THE_VIEW[..], &by_the_pool_itself, &remote].concat();
    let expected = like_the_view(
        &left_out,
        &["new", "builder", "pool_ref", "threads_started"],
    );
    assert_eq!(methods_of("ThreadPool"), expected);
}

#[test]
fn a_pool_in_lent_memory_is_worked_with_by_its_view() {
    let expected = ["new", "pool_ref"].map(String::from);
    assert_eq!(methods_of("LentPool"), BTreeSet::from(expected));
}

#[test]
fn each_method_of_executor_is_one_of_the_view() {
    let of_the_view = methods_of("PoolRef");
    assert!(methods_of("Executor").is_subset(&of_the_view));
}

/// The methods of pools are documented once, at the static pool's. A thread pool is made otherwise.
#[test]
fn a_view_and_a_thread_pool_refer_to_the_documentation_of_the_static_pool() {
    let mut shared = methods_of("StaticPool");
    shared.remove("new");
    let mut count = 0;
    for function in library::functions() {
        let name = function.signature.ident.to_string();
        let owner = function.owner.as_deref().unwrap_or_default();
        if ["PoolRef", "ThreadPool"].contains(&owner) && shared.contains(&name) {
            let lines = library::doc_lines(&function.attributes);
            let refers = format!("[`StaticPool::{name}`](");
            let first = lines.first().map_or("", String::as_str);
            assert!(first.contains(&refers), "{owner}::{name}: {first}");
            count += 1;
        }
    }
    assert!(count > 50, "the methods are not where they were: {count}");
}
