//! Whether `core/FOREIGN.md` names each place where the pool calls foreign code, and no other.
//!
//! A place is a function in a file. It is found by the words of the call in the source, up to the file's own
//! tests. Code that implements or wraps a trait for others only passes calls on.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::root;

/// The words of a call of foreign code in the source, and its name on the page.
const CALLS: &[(&str, &str)] = &[
    (".wake()", "wake"),
    (".wake_by_ref()", "wake"),
    ("waker.clone()", "clone of a waker"),
    ("drop(waker)", "drop of a waker"),
    ("parker.waker()", "waker"),
    ("worker.waker()", "waker"),
    (".park(", "park"),
    (".spin(", "spin"),
    (".stays(", "stays"),
    (".urgency()", "urgency"),
    (".least_priority()", "least_priority"),
    (".on_start(", "on_start"),
    (".on_job_start(", "on_job_start"),
    (".on_job_end(", "on_job_end"),
    ("trace!(", "log"),
    ("warning!(", "log"),
    ("log::error!(", "log"),
    (".no_idle_worker(", "no_idle_worker"),
    (".worker_is_coming(", "worker_is_coming"),
    ("port.with_parker(", "with_parker"),
    ("port.catch_panic(", "catch_panic"),
    (".unobserved_failure(", "unobserved_failure"),
    (".blocked_callers_run_jobs(", "blocked_callers_run_jobs"),
    (".context()", "context"),
    ("port.now()", "now"),
    ("Port::now", "now"),
    ("S::store(", "store"),
    ("S::release(", "release"),
    ("drop_in_place(", "destructor"),
    ("(self.vtable.drop)(", "destructor"),
    (".take().0)(", "job"),
    ("future.poll(", "job"),
    ("function(item)", "job"),
    ("callback(", "callback"),
    (".run(&mut", "job"),
    ("items.next()", "source"),
    ("function.clone()", "clone of a function"),
    ("C::sleep(", "sleep of a core"),
    ("C::wake(", "wake of a core"),
    ("C::current()", "number of a core"),
    ("C::now()", "clock of a port"),
    ("|clock| clock()", "clock of a port"),
    ("            pend();", "pend"),
    ("shim::corepool_port_", "shim"),
    (".0.pend()", "pend"),
    (".0.serve(", "serve"),
    ("link.send(", "send"),
    ("link.receive(", "receive"),
    (".wake_on_data(", "wake_on_data"),
    (".is_lossless()", "is_lossless"),
    ("config.panic)(", "panic"),
    ("(shared.text)(", "payload of a panic"),
    ("(shared.location)(", "payload of a panic"),
    ("(shared.share)(", "payload of a panic"),
    ("= catch_panic(&mut", "catch_panic"),
    ("postcard::from_bytes", "deserialize"),
    ("postcard::serialize_with", "serialize"),
    ("postcard::to_slice", "serialize"),
    ("initializer()", "initializer"),
    ("(self.on_start)(", "on_start"),
    ("A::capture()", "capture"),
    ("A::enter(", "enter"),
];

/// Files that pass calls on for others, or in which the words mean something else.
const PASS_ON: &[&str] = &[
    "core/log.rs",
    "core/machine/port.rs",
    "core/machine/worker.rs",
    "core/machine/link.rs",
    "core/remote/scripted.rs",
];

/// A place: file, function, call.
type Place = (String, String, String);

/// The sources below a folder, without those of tests and models.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() && name != "models" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// The name of the function that begins in a line.
fn function_in(line: &str) -> Option<&str> {
    let rest = line.split_once("fn ")?.1;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| &rest[..end])
}

/// The places in a file's text.
fn places_in(file: &str, text: &str) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    let mut function = String::from("(constant)");
    for line in text.lines() {
        if line.starts_with("mod tests") || line.starts_with("pub(crate) mod tests") {
            break;
        }
        let mut code = line.split("//").next().unwrap_or_default();
        if let Some(name) = function_in(code) {
            name.clone_into(&mut function);
            // A signature calls nobody.
            code = code.split_once('{').map_or("", |(_, body)| body);
        }
        for (words, call) in CALLS {
            if code.contains(words) {
                places.insert((file.to_owned(), function.clone(), (*call).to_owned()));
            }
        }
    }
    places
}

/// The places in the sources of a crate.
fn places_of(krate: &str) -> BTreeSet<Place> {
    let mut found = Vec::new();
    let folder = root().join(krate).join("src");
    sources(&folder, &mut found);
    let mut places = BTreeSet::new();
    for path in found {
        let name = path.strip_prefix(&folder).unwrap_or(&path);
        let name = format!("{krate}/{}", name.display());
        if PASS_ON.contains(&&*name) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        places.extend(places_in(&name, &text));
    }
    places
}

/// The places that the page names: its tables' first column is the call, the second has the places.
fn places_on(page: &str) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    for line in page.lines() {
        let mut cells = line.split('|').skip(1);
        let (Some(call), Some(at)) = (cells.next(), cells.next()) else {
            continue;
        };
        for place in at.split('`').skip(1).step_by(2) {
            if let Some((file, function)) = place.split_once(' ') {
                let call = call.trim().to_owned();
                places.insert((file.to_owned(), function.to_owned(), call));
            }
        }
    }
    places
}

#[test]
fn the_page_of_foreign_code_names_each_place_that_calls_it_and_no_other() {
    let page = fs::read_to_string(root().join("core/FOREIGN.md")).expect("the page is there");
    let named = places_on(&page);
    let mut called = places_of("core");
    called.extend(places_of("std-adapter"));
    let say = |places: Vec<&Place>| {
        let places = places.into_iter();
        let lines = places.map(|(file, function, call)| format!("  {call}: `{file} {function}`\n"));
        lines.collect::<String>()
    };
    let missing = say(called.difference(&named).collect());
    let gone = say(named.difference(&called).collect());
    assert!(
        missing.is_empty() && gone.is_empty(),
        "called, and not on the page:\n{missing}on the page, and not called:\n{gone}"
    );
}

#[test]
fn a_call_is_found_with_its_function_and_not_in_comments_or_tests() {
    let text = "fn ring(&self) {\n    waker.wake();\n    // waker.wake()\n}\nfn other() { port.now() }\nmod tests {\nfn a() {\n  x.park(None);\n}";
    let found = places_in("f.rs", text);
    let expected = [("f.rs", "other", "now"), ("f.rs", "ring", "wake")];
    let expected = expected.map(|(file, at, call)| (file.into(), at.into(), call.into()));
    assert_eq!(found.into_iter().collect::<Vec<Place>>(), expected);
}
