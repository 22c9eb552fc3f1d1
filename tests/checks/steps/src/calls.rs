//! Every call that a user of the pool can make is made in the checks, or it is said why not.
//!
//! The core's source is searched for what is public: methods in `impl` blocks, free functions, and
//! what types are in their own way when they are dropped, polled or iterated. Each is in [`CALLS`],
//! with the operation that makes it while it is stopped, and the call of the more urgent. A call
//! that is new in the core is an error until it is listed here, and so is one that is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, iter,
    path::{Path, PathBuf},
};

use crate::{
    operations::OPERATIONS,
    stopped::ENDS,
    urgent::{self, CALLS as URGENT},
};

/// In which row a call is made, or why it is in none.
#[derive(Clone, Copy)]
enum Row {
    In(&'static str),
    Not(&'static str),
}
use Row::{In, Not};

/// A call, in which row it is stopped, and in which row it is urgent.
struct Call(&'static str, Row, Row);

impl Call {
    const fn same(call: &'static str, row: &'static str) -> Self {
        Self(call, In(row), In(row))
    }

    const fn not(call: &'static str, why: &'static str) -> Self {
        Self(call, Not(why), Not(why))
    }
}

const BEFORE: &str = "touches nothing that is shared";
const VALUE: &str = "the value is the caller's alone";
const SETUP: &str = "comes before the workers";
const REMOTE: &str = "of the feature `remote`, which is not built here";
const SIM: &str = "of the feature `sim`, which is not built here";

/// The calls that a user can make. A `StaticPool`, a `LentPool` and a `PoolRef` have the same methods,
/// which all go by way of `PoolRef`; [`searched`] gives them its name.
const CALLS: &[Call] = &[
    Call::not("PoolRef::new", BEFORE),
    Call::not("PoolRef::pool_ref", BEFORE),
    Call::not("PoolRef::at", BEFORE),
    Call::not("PoolRef::spill_to", BEFORE),
    Call::not("PoolRef::limit_to", BEFORE),
    Call::not("PoolRef::carrying", BEFORE),
    Call::not("PoolRef::bytes_per_slot", BEFORE),
    Call::not("PoolRef::install", SETUP),
    Call::not("PoolConfig::words", BEFORE),
    Call::not("spin_loop", BEFORE),
    Call::not("install", SIM),
    Call("PoolRef::submit", In("submit, then drop"), In("submit")),
    Call::same("PoolRef::submit_detached", "submit_detached"),
    Call::same("PoolRef::submit_cancellable", "submit_cancellable"),
    Call::same("CancelToken::is_cancelled", "submit_cancellable"),
    Call::same("PoolRef::submit_blocking", "submit_blocking"),
    Call::same("PoolRef::submit_timeout", "submit_timeout"),
    Call::same("PoolRef::submit_async", "submit_async"),
    Call::same("SubmitAsync: Future", "submit_async"),
    Call::same("PoolRef::spawn", "spawn"),
    Call::same("PoolRef::cancel_current_task", "cancel_current_task"),
    Call::same("CancelCurrentTask: Future", "cancel_current_task"),
    Call::same("PoolRef::promise", "promise, set_result"),
    Call::same("Promise::set_result", "promise, set_result"),
    Call::same("Promise::is_cancelled", "promise, set_result"),
    Call::same("Promise::start", "promise, start"),
    Call::same("Promise::cancel_requested", "promise, start"),
    Call::same("Promise::set_cancelled", "promise, start"),
    Call::same("Promise::set_error", "promise, set_error"),
    Call::same("Promise: Drop", "drop of a promise"),
    Call::same("PoolRef::map", "map"),
    Call(
        "PoolRef::map_with",
        In("map_with"),
        In("map_with, until it times out"),
    ),
    Call::same("Map: Iterator", "map"),
    Call(
        "Map: Drop",
        In("map_with"),
        In("map_with, until it times out"),
    ),
    Call::same("PoolRef::scope", "scope"),
    Call::same("Scope::submit", "scope"),
    Call::same("Scope::map", "scope"),
    Call::not(
        "Scope::map_with",
        "as `Scope::map`, with the options of `map_with`",
    ),
    Call("PoolRef::run", In("work"), In("run")),
    Call("PoolRef::run_pending", In("run one"), In("run_pending")),
    Call(
        "PoolRef::shutdown",
        In("shutdown that waits"),
        In("shutdown"),
    ),
    Call::same("PoolRef::shutdown_timeout", "shutdown_timeout"),
    Call::same("PoolRef::shutdown_async", "shutdown_async"),
    Call::same("Shutdown: Future", "shutdown_async"),
    Call::same("PoolRef::break_pool", "break_pool"),
    Call::same("PoolRef::worker_lost", "worker_lost"),
    Call::same("PoolRef::capacity", "what else looks"),
    Call::same("PoolRef::free_slots", "what else looks"),
    Call::same("PoolRef::workers", "what else looks"),
    Call::same("PoolRef::max_workers", "what else looks"),
    Call::same("PoolRef::workers_wanted", "what else looks"),
    Call::same("PoolRef::runs_caller", "what else looks"),
    Call::same("PoolRef::unfinished", "what else looks"),
    Call::same("PoolRef::idle_workers", "what else looks"),
    Call::same("PoolRef::broken_reason", "what else looks"),
    Call::same("PoolRef::is_shut_down", "what else looks"),
    Call(
        "JobFuture::id",
        In("try_result"),
        In("try_result and what else looks"),
    ),
    Call(
        "JobFuture::done",
        In("try_result"),
        In("try_result and what else looks"),
    ),
    Call(
        "JobFuture::state",
        In("try_result"),
        In("try_result and what else looks"),
    ),
    Call(
        "JobFuture::running",
        In("try_result"),
        In("try_result and what else looks"),
    ),
    Call(
        "JobFuture::cancelled",
        In("try_result"),
        In("try_result and what else looks"),
    ),
    Call(
        "JobFuture::cancel_requested",
        In("try_result"),
        In("try_result and what else looks"),
    ),
    Call(
        "JobFuture::try_result",
        In("try_result"),
        In("try_result and what else looks"),
    ),
    Call(
        "JobFuture::result",
        In("result of a job that is to come"),
        In("result"),
    ),
    Call(
        "JobFuture::result_timeout",
        In("result_timeout"),
        In("result_timeout, then result"),
    ),
    Call::same("JobFuture::error", "error"),
    Call(
        "JobFuture::error_timeout",
        In("error_timeout"),
        In("error_timeout, then error"),
    ),
    Call::same("JobFuture::cancel", "cancel"),
    Call::same("JobFuture::add_done_callback", "add_done_callback"),
    Call::same("JobFuture::cancel_on_drop", "cancel_on_drop"),
    Call(
        "JobFuture: Future",
        In("await, by one waker and another"),
        In("await with another waker"),
    ),
    Call::same("JobFuture: Drop", "drop"),
    Call::same("JobFuture::share", "share"),
    Call::same("SharedFuture::result", "shared result"),
    Call::same("SharedFuture::result_timeout", "shared result_timeout"),
    Call::same("SharedFuture::try_result", "share"),
    Call::same("SharedFuture::result_async", "shared result_async"),
    Call::same("ResultAsync: Future", "shared result_async"),
    Call::same(
        "SharedFuture::add_done_callback",
        "shared add_done_callback",
    ),
    Call::same("SharedFuture: Drop", "share"),
    Call::same("CancelOnDrop: Future", "cancel_on_drop"),
    Call::same("CancelOnDrop: Drop", "cancel_on_drop"),
    Call("wait", In("wait"), In("wait for all")),
    Call::same("wait_async", "wait_async"),
    Call::same("WaitAsync: Future", "wait_async"),
    Call::same("WaitAsync: Drop", "wait_async"),
    Call("wait_shared", In("wait_shared"), In("wait_shared for all")),
    Call::same("wait_shared_async", "wait_shared_async"),
    Call::same("WaitSharedAsync: Future", "wait_shared_async"),
    Call::same("gather", "gather"),
    Call::same("Gather: Future", "gather"),
    Call::same("as_completed", "as_completed"),
    Call::same("AsCompleted: Iterator", "as_completed"),
    Call::same("AsCompleted::into_unfinished", "as_completed"),
    Call(
        "AsCompleted::next_done",
        In("next_done"),
        In("next_done with another waker"),
    ),
    Call::not("LentPool: Drop", "nobody else is there"),
    Call::not("StaticPool: Drop", "nobody else is there"),
    Call::not("WorkerId::index", VALUE),
    Call::not("JobId::index", VALUE),
    Call::not("SubmitError::into_inner", VALUE),
    Call::not("SubmitError::map", VALUE),
    Call::not("CallbackError::into_inner", VALUE),
    Call::not("Panic::new", VALUE),
    Call::not("Panic::shared", VALUE),
    Call::not("Panic::text", VALUE),
    Call::not("Panic::location", VALUE),
    Call::not("Panic::into_payload", VALUE),
    Call::not("PoolRef::submit_remote", REMOTE),
    Call::not("PoolRef::submit_remote_blocking", REMOTE),
];

/// The core's source.
fn core_source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../core/src")
}

/// Whether this attribute says of what follows that it is not built here.
fn is_left_out(attribute: &str) -> bool {
    let left_out = [
        "test",
        "loom",
        "all(loom, test)",
        "feature = \"remote\"",
        // The ports run on chips.
        concat!(
            "all(not(loom),any(feature = \"aarch32\",feature = \"aarch64\",feature = \"cortex-m\",",
            "feature = \"riscv\",feature = \"rtos\"))",
        ),
    ];
    left_out
        .iter()
        .any(|condition| attribute == format!("#[cfg({condition})]"))
}

/// A file's text, without the items that are not built here.
fn what_is_built(text: &str) -> String {
    let mut built = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut attribute = line.to_string();
        while attribute.starts_with("#[cfg(") && !attribute.ends_with(")]") {
            let Some(next) = lines.next() else { break };
            attribute.push_str(next.trim());
        }
        if is_left_out(&attribute) {
            // The last line of an item is not indented.
            lines.find(|line| !line.starts_with([' ', '#', '/']) && line.ends_with([';', '}']));
        } else {
            built.push_str(&attribute);
            built.push('\n');
        }
    }
    built
}

/// The first name in `text`, which may be a path.
fn name(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let path = &text[..end.unwrap_or(text.len())];
    path.rsplit("::").next().unwrap_or(path)
}

/// The text after `<...>`, if `text` begins with that.
fn after_generics(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            // Not of `->`.
            '>' if last != '-' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return &text[at + usize::from(c == '>')..];
        }
        last = c;
    }
    ""
}

/// The name of the public function that is defined in this line.
fn public_function(line: &str) -> Option<&str> {
    let mut rest = line.trim_start().strip_prefix("pub ")?;
    loop {
        match rest.split_once(' ')? {
            ("const" | "unsafe" | "async", after) => rest = after,
            ("fn", after) => return Some(name(after)),
            _ => return None,
        }
    }
}

/// Adds what is public in a file.
fn search(text: &str, found: &mut BTreeSet<String>) {
    // The type of the block that the line is in.
    let mut block: Option<String> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('}') {
            block = None;
        }
        if let Some(rest) = line.strip_prefix("impl") {
            let mut header = rest.to_owned();
            while !header.contains('{') {
                let Some(more) = lines.next() else { break };
                header.push(' ');
                header.push_str(more.trim());
            }
            let of = after_generics(&header);
            let whose = |text| match name(text) {
                "StaticPool" | "LentPool" => "PoolRef".to_owned(),
                other => other.to_owned(),
            };
            match of.split_once(" for ") {
                // `for<'a>` is no trait's.
                Some((of_trait, type_name)) if !of_trait.contains('{') => {
                    if let of_trait @ ("Future" | "Iterator" | "Drop") = name(of_trait) {
                        found.insert(format!("{}: {of_trait}", name(type_name)));
                    }
                }
                _ => block = Some(whose(of)),
            }
            // All in one line.
            if header.trim_end().ends_with('}') {
                block = None;
            }
            continue;
        }
        let Some(function) = public_function(line) else {
            continue;
        };
        match &block {
            Some(block) => found.insert(format!("{block}::{function}")),
            None => found.insert(function.to_owned()),
        };
    }
}

/// Whether a type is a user's to have. If not, what it does by itself is part of some call.
fn is_public(type_name: &str, all: &str) -> bool {
    ["struct", "enum"].iter().any(|kind| {
        let declared = format!("\npub {kind} {type_name}");
        all.match_indices(&declared).any(|(at, _)| {
            let next = all[at + declared.len()..].chars().next();
            next.is_some_and(|next| !next.is_alphanumeric() && next != '_')
        })
    })
}

/// The name of the module that this line declares, if it has a file of its own.
fn module(line: &str) -> Option<&str> {
    let (visibility, name) = line.strip_suffix(';')?.split_once("mod ")?;
    matches!(visibility, "" | "pub " | "pub(crate) ").then_some(name)
}

/// Adds what is built of a file, and of the files of its modules, which are in this folder.
fn read(file: &Path, folder: &Path, texts: &mut Vec<String>) -> Result<(), String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let text = what_is_built(&text);
    // A module with a path of its own belongs to the other variant of the shared words.
    let lines = iter::once("").chain(text.lines()).zip(text.lines());
    let own = lines.filter(|(before, _)| !before.starts_with("#[path"));
    for module in own.filter_map(|(_, line)| module(line)) {
        let folder = folder.join(module);
        let file = folder.with_extension("rs");
        let file = if file.exists() {
            file
        } else {
            folder.join("mod.rs")
        };
        read(&file, &folder, texts)?;
    }
    texts.push(text);
    Ok(())
}

/// The public functions and methods of the core.
fn searched() -> Result<BTreeSet<String>, String> {
    let (mut found, mut texts) = (BTreeSet::new(), Vec::new());
    let source = core_source();
    read(&source.join("lib.rs"), &source, &mut texts)?;
    texts.iter().for_each(|text| search(text, &mut found));
    let all = texts.concat();
    found.retain(|call| match call.split_once(": ") {
        Some((type_name, _)) => is_public(type_name, &all),
        None => true,
    });
    Ok(found)
}

/// Which check asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// `stopped`
    Stopped,
    /// `urgent`
    Urgent,
}

/// How many calls are made in this check, and which are not, and why; an error for each that is
/// listed wrongly.
pub fn check(check: Check) -> Result<String, String> {
    let found = searched()?;
    let rows: BTreeSet<&str> = match check {
        Check::Stopped => {
            let operations = OPERATIONS.iter().map(|operation| operation.name);
            operations.chain(ENDS.iter().map(|end| end.0)).collect()
        }
        Check::Urgent => URGENT.iter().map(urgent::Call::name).collect(),
    };
    let mut errors = Vec::new();
    let mut made = 0;
    let mut not = BTreeMap::<_, Vec<_>>::new();
    for Call(call, stopped, urgent) in CALLS {
        if !found.contains(*call) {
            errors.push(format!("{call} is listed in calls.rs, but not in the core"));
        }
        let row = match check {
            Check::Stopped => stopped,
            Check::Urgent => urgent,
        };
        match *row {
            In(row) if !rows.contains(row) => {
                errors.push(format!(
                    "{call} is to be made in a row that there is not: {row}"
                ));
            }
            In(_) => made += 1,
            Not(why) => not.entry(why).or_default().push(*call),
        }
    }
    let listed: BTreeSet<&str> = CALLS.iter().map(|call| call.0).collect();
    for call in found.iter().filter(|call| !listed.contains(call.as_str())) {
        errors.push(format!(
            "{call} is public in the core: have a row make it, and list it in calls.rs"
        ));
    }
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    let mut text = format!("{made} public calls are made here; not");
    for (why, calls) in not {
        text += &format!("\n  {}: {why}", calls.join(", "));
    }
    Ok(text)
}
