//! `cargo xtask bare`: what the core is on bare metal. It needs no std and no heap, it cannot panic,
//! and none of its functions recurses, so that its own part of a stack has a bound.
//!
//! `tests/checks/bare`, a use of every call, is built for a chip, and the machine code is looked at as a
//! linker does: a piece of code or data is part of the firmware if an exported function refers to
//! it, directly or through others.
//!
//! * **No panic, no heap**: none of those pieces is one of core's panics or of the allocator.
//! * **No recursion**: a function is assumed to call each function that it refers to, and each in the
//!   tables of functions that it refers to. So the graph has an edge for every direct call, and for
//!   every closure or trait object from who makes it, but none for a table that is only reached
//!   through other data. It must have no cycle.
//!
//! For further targets the compiler checks the same use: processors that no board has.
//!
//! Guards that run while a job unwinds are not in it: a chip does not unwind. Nor is the way from who
//! calls a pointer to the function behind it. That is for the most part the application's: a job, a
//! callback, a destructor, a waker, a worker's hook, the port. They may call the core again. A job
//! that waits runs other jobs on top of itself; a result that is dropped may hold the last handle of
//! another one; a callback may keep the promise of another job. Each such level keeps a slot from
//! all others until it returns, so there are at most as many as slots. Wakers, hooks and the port
//! keep none: how deep they go is up to whoever writes them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt, fs,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
};

use object::{
    File, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SectionKind,
    SymbolKind, read::archive::ArchiveFile,
};
use petgraph::{
    algo::tarjan_scc,
    graph::{DiGraph, NodeIndex},
    visit::Dfs,
};

use crate::{Outcome, debian, root, run_command};

const TARGET: &str = "thumbv7m-none-eabi";

/// The further targets: Armv7-R, a Cortex-M23, an x86 without a system, and a processor without any atomics.
const FURTHER: &[&str] = &[
    "armv7r-none-eabi",
    "thumbv8m.base-none-eabi",
    "x86_64-unknown-none",
    "thumbv4t-none-eabi",
];

/// The parts of names that must not be in the firmware.
const FORBIDDEN: &[&str] = &[
    "core::panicking",
    "core::slice::index",
    "expect_failed",
    "unwrap_failed",
    "__rust_alloc",
    "__rust_realloc",
    "__rust_dealloc",
];

/// How the core's words change, with features of `tests/checks/bare`.
const VARIANTS: &[(&str, &[&str])] = &[
    ("compare-and-swap", &[]),
    ("critical sections", &["--features", "critical-section"]),
];

/// Features of `tests/checks/bare` that plant a defect, and what must be found then.
const CONTROLS: &[Control] = &[
    Control {
        feature: "control-panic",
        export: "control_panic",
        found: |findings| !findings.forbidden.is_empty(),
    },
    Control {
        feature: "control-recursion",
        export: "control_recursion",
        found: |findings| {
            let cycle_has = |name| findings.cycles.iter().any(|cycle| cycle.contains(name));
            ["calls_itself", "calls_the_other", "calls_by_table"]
                .into_iter()
                .all(cycle_has)
        },
    },
];

struct Control {
    feature: &'static str,
    export: &'static str,
    found: fn(&Findings) -> bool,
}

pub fn run(_args: &[String]) -> Outcome {
    check_further()?;
    let exports = exports()?;
    for control in CONTROLS {
        let library = build(&["--features", control.feature])?;
        let exports = [exports.as_slice(), &[control.export.to_owned()]].concat();
        if !(control.found)(&examine(&library, &exports)?) {
            return Err(format!("the check does not find {}", control.feature));
        }
        println!("{} fails, as it should", control.feature);
    }
    for (variant, args) in VARIANTS {
        let findings = examine(&build(args)?, &exports)?;
        println!("with {variant}:\n{findings}");
        if !(findings.forbidden.is_empty() && findings.cycles.is_empty()) {
            return Err("the core can panic, asks for a heap, or recurses".to_owned());
        }
    }
    Ok(())
}

/// The functions that `tests/checks/bare` exports.
fn exports() -> Result<Vec<String>, String> {
    let path = root().join("tests/checks/bare/src/lib.rs");
    let source = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(source
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("extern \"C\" fn ")?;
            Some(rest.split_once('(')?.0.to_owned())
        })
        .collect())
}

/// Has the compiler check `tests/checks/bare` for the further targets.
fn check_further() -> Outcome {
    let (installed, others): (Vec<&str>, Vec<&str>) = FURTHER
        .iter()
        .partition(|target| debian::is_not_needed_for(target));
    for targets in [installed, others] {
        if let Some(first) = targets.first() {
            let mut command = command_for(first, "check")?;
            command.args(targets.iter().flat_map(|target| ["--target", target]));
            run_command(&mut command)?;
        }
    }
    println!("the core compiles for {}", FURTHER.join(", "));
    Ok(())
}

/// Builds `tests/checks/bare` for the chip; returns the library.
fn build(args: &[&str]) -> Result<PathBuf, String> {
    let mut command = command_for(TARGET, "build")?;
    command.args(["--target", TARGET]);
    run_command(command.args(args))?;
    Ok(root().join(format!("target/firmware/{TARGET}/release/libbare.a")))
}

/// A cargo that has the standard library for `target`, or builds it. It does `what` with `tests/checks/bare`.
fn command_for(target: &str, what: &str) -> Result<Command, String> {
    let mut command = debian::cargo_for(target)?;
    command.args([what, "--quiet", "--locked", "--release"]);
    command.args(["--manifest-path", "tests/checks/bare/Cargo.toml"]);
    // As the boards are built, so that the standard library is built once.
    command.args(["--target-dir", "target/firmware"]);
    command.args(["--config", "profile.release.debug='none'"]);
    Ok(command)
}

/// The findings in the firmware.
struct Findings {
    /// Its functions, and how many of them are the core's.
    functions: usize,
    of_the_core: usize,
    /// Pairs of which the first may call the second.
    calls: usize,
    /// Bytes of machine code.
    text: u64,
    /// Names of what must not be there, and of what is missing.
    forbidden: BTreeSet<String>,
    /// Functions that call each other, or themselves.
    cycles: Vec<String>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "functions            {:>6}", self.functions)?;
        writeln!(f, "  of them corepool's {:>6}", self.of_the_core)?;
        writeln!(f, "call edges           {:>6}", self.calls)?;
        writeln!(f, "bytes of code        {:>6}", self.text)?;
        writeln!(f, "panics, allocator    {:>6}", self.forbidden.len())?;
        write!(f, "cycles of calls      {:>6}", self.cycles.len())?;
        for name in &self.forbidden {
            write!(f, "\n  can be reached: {name}")?;
        }
        for cycle in &self.cycles {
            write!(f, "\n  recurses: {cycle}")?;
        }
        Ok(())
    }
}

/// A section of the library, or what is in none of its objects. Each function has a section of its
/// own.
struct Piece {
    name: String,
    is_code: bool,
    is_missing: bool,
    size: u64,
}

/// Looks at all that the exported functions can reach.
fn examine(library: &Path, exports: &[String]) -> Result<Findings, String> {
    let bytes =
        fs::read(library).map_err(|error| format!("cannot read {}: {error}", library.display()))?;
    let references = references(&bytes)
        .map_err(|error| format!("cannot make sense of {}: {error}", library.display()))?;
    let mut reached = BTreeSet::new();
    for export in exports {
        // Without its exports, the check would look at the wrong program.
        let &start = references
            .exported
            .get(export)
            .ok_or_else(|| format!("{export} is not in {}", library.display()))?;
        let mut walk = Dfs::new(&references.graph, start);
        while let Some(piece) = walk.next(&references.graph) {
            reached.insert(piece);
        }
    }
    let pieces = &references.graph;
    let functions: Vec<NodeIndex> = reached
        .iter()
        .copied()
        .filter(|&piece| pieces[piece].is_code)
        .collect();
    let mut calls = pieces.map(|_, piece| piece, |_, ()| ());
    calls.clear_edges();
    for &function in &functions {
        for callee in callees(pieces, function) {
            calls.add_edge(function, callee, ());
        }
    }
    let of_the_core = functions
        .iter()
        .filter(|&&function| pieces[function].name.contains("corepool::"))
        .count();
    if exports.is_empty() || of_the_core == 0 {
        return Err(format!("{} has nothing of the core", library.display()));
    }
    let calls_itself = |&function: &NodeIndex| calls.contains_edge(function, function);
    let cycles = tarjan_scc(&calls)
        .into_iter()
        .filter(|cycle| cycle.len() > 1 || cycle.iter().any(calls_itself))
        .map(|cycle| {
            let names = cycle.iter().map(|&index| pieces[index].name.as_str());
            names.collect::<Vec<_>>().join(", ")
        })
        .collect();
    Ok(Findings {
        functions: functions.len(),
        of_the_core,
        calls: calls.edge_count(),
        text: functions.iter().map(|&piece| pieces[piece].size).sum(),
        forbidden: reached
            .iter()
            .map(|&index| &pieces[index])
            .filter(|piece| {
                piece.is_missing || FORBIDDEN.iter().any(|name| piece.name.contains(name))
            })
            .map(|piece| piece.name.clone())
            .collect(),
        cycles,
    })
}

/// The functions that one may call. It may be in a table that it refers to, as a waker's `clone` is,
/// and does not call itself by that. Code behind a table's own entries was made elsewhere.
fn callees(pieces: &DiGraph<Piece, ()>, function: NodeIndex) -> BTreeSet<NodeIndex> {
    let is_code = |&piece: &NodeIndex| pieces[piece].is_code;
    let (named, tables): (Vec<_>, Vec<_>) = pieces.neighbors(function).partition(is_code);
    let entries = tables.into_iter().flat_map(|table| pieces.neighbors(table));
    let mut callees = BTreeSet::from_iter(named);
    callees.extend(entries.filter(|entry| is_code(entry) && *entry != function));
    callees
}

/// Which piece refers to which.
struct References {
    graph: DiGraph<Piece, ()>,
    /// Where each function is that other programs can call.
    exported: HashMap<String, NodeIndex>,
}

/// Reads the library's objects.
fn references(library: &[u8]) -> object::Result<References> {
    let mut graph = DiGraph::new();
    let mut exported = HashMap::new();
    let mut objects = Vec::new();
    for member in ArchiveFile::parse(library)?.members() {
        let object = File::parse(member?.data(library)?)?;
        let mut pieces = HashMap::new();
        for section in object.sections() {
            let piece = graph.add_node(Piece {
                name: section.name()?.to_owned(),
                is_code: section.kind() == SectionKind::Text,
                is_missing: false,
                size: section.size(),
            });
            pieces.insert(section.index(), piece);
        }
        for symbol in object.symbols() {
            let piece = symbol.section_index().and_then(|index| pieces.get(&index));
            let Some(&piece) = piece else { continue };
            if symbol.kind() == SymbolKind::Text {
                graph[piece].name = demangled(symbol.name()?);
            }
            if symbol.is_global() {
                exported.insert(symbol.name()?.to_owned(), piece);
            }
        }
        objects.push((object, pieces));
    }
    for (object, pieces) in &objects {
        let mut thumb = thumb_code(object)?;
        for section in object.sections() {
            let from = pieces[&section.index()];
            let mut relocated = BTreeSet::new();
            for (offset, relocation) in section.relocations() {
                relocated.insert(offset);
                let RelocationTarget::Symbol(symbol) = relocation.target() else {
                    continue;
                };
                let symbol = object.symbol_by_index(symbol)?;
                let to = match symbol.section_index() {
                    Some(index) => pieces[&index],
                    None => {
                        let name = symbol.name()?;
                        let missing = || {
                            graph.add_node(Piece {
                                name: demangled(name),
                                is_code: false,
                                is_missing: true,
                                size: 0,
                            })
                        };
                        *exported.entry(name.to_owned()).or_insert_with(missing)
                    }
                };
                graph.update_edge(from, to, ());
            }
            let code = thumb.remove(&section.index()).unwrap_or_default();
            if calls_itself(section.data()?, &code, &relocated) {
                graph.update_edge(from, from, ());
            }
        }
    }
    Ok(References { graph, exported })
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Where each section has instructions, and no data between them: the assembler marks both.
fn thumb_code(object: &File) -> object::Result<HashMap<SectionIndex, Vec<Range<u64>>>> {
    let mut marks: HashMap<_, BTreeMap<u64, bool>> = HashMap::new();
    for symbol in object.symbols() {
        let is_code = match symbol.name()?.split('.').next() {
            Some("$t") => true,
            Some("$d") => false,
            _ => continue,
        };
        if let Some(section) = symbol.section_index() {
            let marks = marks.entry(section).or_default();
            marks.insert(symbol.address(), is_code);
        }
    }
    let ranges = marks.into_iter().map(|(section, marks)| {
        let ends = marks.keys().copied().skip(1).chain([u64::MAX]);
        let ranges = marks.iter().zip(ends);
        let code = ranges.filter(|((_, is_code), _)| **is_code);
        (section, code.map(|((&start, _), end)| start..end).collect())
    });
    Ok(ranges.collect())
}

/// Whether a function's code has a call without relocation. That is one whose distance the assembler
/// knew: inside the section, and so of the function itself.
fn calls_itself(data: &[u8], code: &[Range<u64>], relocated: &BTreeSet<u64>) -> bool {
    let halfword = |at: u64| {
        let at = usize::try_from(at).ok()?;
        let bytes = data.get(at..at + 2)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    };
    code.iter().any(|range| {
        let mut at = range.start;
        while at < range.end
            && let Some(first) = halfword(at)
        {
            let is_wide = first >= 0xE800;
            // Encoding T1 of BL: 11110 and eleven bits, 11x1 and twelve bits.
            let is_call = first & 0xF800 == 0xF000
                && halfword(at + 2).is_some_and(|second| second & 0xD000 == 0xD000);
            if is_call && !relocated.contains(&at) {
                return true;
            }
            at += if is_wide { 4 } else { 2 };
        }
        false
    })
}
