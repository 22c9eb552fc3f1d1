//! `cargo xtask orderings`: whether the models would notice a memory ordering that is too weak.
//!
//! Each ordering in `core/src` that is stronger than Relaxed is weakened by a step, alone, and the
//! models that execute it are run, the quickest first, until one of them fails. A model that fails
//! mostly does so among its first interleavings. So each model has a glance at first, and then a second. If none fails
//! in that time, those that did not end run to their end.
//!
//! An ordering that every model can do without is either stronger than it need be, or lacks a model,
//! or does something that loom cannot see. The last must be said where it is; see
//! `core/src/models/mod.rs` for the form. All runs are of one program; see
//! `core/src/lockfree/sync/weakenable.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use crate::{
    Outcome,
    loom::{End, LIMIT, Limit, Models, Run},
    root,
};

const HELP: &str = "\
usage: cargo xtask orderings [--all] [--jobs N] [FILTER]

  --all     run the models on justified orderings too: a model that fails refutes the comment
  --jobs N  run N models at a time (default: as many as there are processors)
  FILTER    only orderings whose FILE:LINE has FILTER in it";

/// Where orderings are not looked at: the models, what atomics are made of, the variant with critical sections, and the
/// ports. A port's atomics belong to the machine that it is for. No model has that machine, and boards run the ports.
const EXCEPT: &[&str] = &[
    "models",
    "lockfree/sync",
    "lockfree/sync.rs",
    "locked",
    "ports",
];

/// How long each model may take: at first, then, and in the end.
const LIMITS: [Limit; 3] = [Limit::Glance, Limit::Whole(1), LIMIT];

/// How a comment begins that says why no model fails.
const UNSEEN: &str = "// Unseen by loom, ";

/// How long its reason must be, in characters: a sentence.
const REASON: usize = 40;

/// How many lines below the comment the call may be, at most.
const BELOW: usize = 4;

pub fn run(args: &[String]) -> Outcome {
    let Some(options) = Options::parse(args)? else {
        println!("{HELP}");
        return Ok(());
    };
    let Source { sites, mut mutants } = Source::read()?;
    let models = Models::build()?;
    let baseline = Baseline::run(&models, options.jobs)?;
    baseline.check_that_found(&sites)?;
    mutants.retain(|mutant| mutant.to_string().contains(&options.filter));

    println!("{:<23} {:<30} {:<19} verdict", "where", "call", "weakened");
    let verdicts = in_parallel(
        options.jobs,
        &mutants,
        |mutant, output| match &mutant.justification {
            Some(_) if !options.all => Ok(Verdict::Justified),
            _ => mutant.judge(&models, &baseline, output),
        },
        |mutant, verdict| println!("{}", mutant.row(verdict)),
    )?;
    let count =
        |what: fn(&Verdict) -> bool| verdicts.iter().filter(|&verdict| what(verdict)).count();
    let killed = count(|verdict| matches!(verdict, Verdict::Killed { .. }));
    let (mut justified, mut wrong) = (0, Vec::new());
    for (mutant, verdict) in mutants.iter().zip(&verdicts) {
        match (&mutant.justification, verdict) {
            (Some(_), Verdict::Killed { .. }) => wrong.push(format!(
                "{mutant}: a model fails, although the comment says that none does"
            )),
            (Some(_), _) => justified += 1,
            (None, Verdict::Killed { .. }) => {}
            (None, _) => wrong.push(format!("{mutant}: no model fails, and no comment says why")),
        }
    }
    println!(
        "\nkilled/justified/total: {killed}/{justified}/{}",
        mutants.len()
    );
    match (mutants.is_empty(), wrong.is_empty()) {
        (true, _) => Err(format!("no ordering has {:?} in its place", options.filter)),
        (_, true) => Ok(()),
        (_, false) => Err(wrong.join("\n")),
    }
}

struct Options {
    all: bool,
    jobs: usize,
    filter: String,
}

impl Options {
    /// `None` if help was asked for.
    fn parse(args: &[String]) -> Result<Option<Self>, String> {
        let mut options = Self {
            all: false,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            filter: String::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" => return Ok(None),
                "--all" => options.all = true,
                "--jobs" => {
                    let number = args.next().and_then(|number| number.parse().ok());
                    options.jobs = number.filter(|&number| number > 0).ok_or(HELP)?;
                }
                filter if !filter.starts_with('-') => options.filter = filter.into(),
                _ => return Err(HELP.into()),
            }
        }
        Ok(Some(options))
    }
}

/// A call that takes orderings, in the source.
struct Call {
    /// From the repository, as the compiler names it.
    file: String,
    line: usize,
    column: usize,
    name: String,
    orderings: Vec<String>,
}

/// One ordering of one call, weakened.
struct Mutant {
    call: String,
    file: String,
    line: usize,
    /// As `core/src/lockfree/sync/weakenable.rs` names it.
    site: String,
    from: String,
    to: &'static str,
    /// Its name in a justification: the property that is lost.
    lost: String,
    /// Why no model can fail.
    justification: Option<String>,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.strip_prefix("core/src/").unwrap_or(&self.file);
        write!(f, "{file}:{}", self.line)
    }
}

/// The weaker orderings that replace `ordering`, and the property that each step takes from it.
fn weaker(ordering: &str) -> &'static [(&'static str, &'static str)] {
    match ordering {
        "Acquire" => &[("Relaxed", "Acquire")],
        "Release" => &[("Relaxed", "Release")],
        "AcqRel" => &[("Acquire", "Release"), ("Release", "Acquire")],
        "SeqCst" => &[("AcqRel", "SeqCst")],
        _ => &[],
    }
}

impl Call {
    fn sites(&self) -> impl Iterator<Item = String> {
        (0..self.orderings.len()).map(|number| self.site(number))
    }

    fn site(&self, number: usize) -> String {
        format!("{}:{}:{}:{number}", self.file, self.line, self.column)
    }

    fn mutants(&self) -> Vec<Mutant> {
        let mut mutants = Vec::new();
        for (number, from) in self.orderings.iter().enumerate() {
            let on_failure = if number == 0 { "" } else { " on failure" };
            for &(to, lost) in weaker(from) {
                mutants.push(Mutant {
                    call: format!("{}{on_failure}", self.name),
                    file: self.file.clone(),
                    line: self.line,
                    site: self.site(number),
                    from: from.clone(),
                    to,
                    lost: format!("{lost}{on_failure}"),
                    justification: None,
                });
            }
        }
        mutants
    }
}

/// The orderings of the source.
#[derive(Default)]
struct Source {
    /// All, as `core/src/lockfree/sync/weakenable.rs` names them.
    sites: BTreeSet<String>,
    /// The mutants to be tried, in the order of the source, with the justifications that are there.
    mutants: Vec<Mutant>,
}

impl Source {
    fn read() -> Result<Self, String> {
        let mut files = Vec::new();
        source_files(&root().join("core/src"), &mut files)?;
        let mut source = Self::default();
        for path in files {
            let relative = path.strip_prefix(root()).unwrap_or(&path);
            let file = relative.to_string_lossy().replace('\\', "/");
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
            source.add(&file, &text)?;
        }
        Ok(source)
    }

    fn add(&mut self, file: &str, text: &str) -> Outcome {
        let tokens: TokenStream = text.parse().map_err(|error| format!("{file}: {error}"))?;
        let mut calls = Vec::new();
        find_calls(file, None, tokens, &mut calls)?;
        calls.sort_by_key(|call| (call.line, call.column));
        self.sites.extend(calls.iter().flat_map(Call::sites));
        let mut mutants: Vec<Mutant> = calls.iter().flat_map(Call::mutants).collect();
        for comment in comments(file, text)? {
            comment.justify(&mut mutants)?;
        }
        self.mutants.append(&mut mutants);
        Ok(())
    }
}

fn source_files(directory: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let problem = |error| format!("{}: {error}", directory.display());
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(problem)?;
    entries.sort();
    for entry in entries {
        if EXCEPT
            .iter()
            .any(|name| entry.ends_with(format!("src/{name}")))
        {
            continue;
        }
        if entry.is_dir() {
            source_files(&entry, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    Ok(())
}

/// Finds the calls among the tokens between two brackets, macros' included. `called` is the name
/// before the opening bracket.
fn find_calls(
    file: &str,
    called: Option<&Ident>,
    tokens: TokenStream,
    calls: &mut Vec<Call>,
) -> Outcome {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut orderings = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |steps| at.checked_sub(steps).and_then(|at| tokens.get(at));
        match token {
            TokenTree::Group(group) => {
                let called = match before(1) {
                    Some(TokenTree::Ident(name)) if group.delimiter() == Delimiter::Parenthesis => {
                        Some(name)
                    }
                    _ => None,
                };
                find_calls(file, called, group.stream(), calls)?;
            }
            // "Ordering::Acquire"
            TokenTree::Ident(ordering)
                if is_punct(before(1))
                    && is_punct(before(2))
                    && matches!(before(3), Some(TokenTree::Ident(name)) if name == "Ordering") =>
            {
                orderings.push(ordering);
            }
            _ => {}
        }
    }
    match (called, orderings.as_slice()) {
        (_, []) => {}
        (Some(name), orderings) => {
            let start = name.span().start();
            calls.push(Call {
                file: file.into(),
                line: start.line,
                // The compiler counts from 1.
                column: start.column + 1,
                name: name.to_string(),
                orderings: orderings.iter().map(|name| name.to_string()).collect(),
            });
        }
        (None, orderings) => {
            // Relaxed has nothing to lose.
            if let Some(stray) = orderings.iter().find(|name| **name != "Relaxed") {
                let line = stray.span().start().line;
                return Err(format!(
                    "{file}:{line}: an ordering that is no argument cannot be followed: write it \
                     in the call"
                ));
            }
        }
    }
    Ok(())
}

fn is_punct(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

/// A comment that says why no model fails.
struct Comment {
    file: String,
    /// The first line, and the first line below.
    lines: (usize, usize),
    /// The property of the ordering that no model misses.
    lost: String,
    reason: String,
}

/// The comments in a file's text.
fn comments(file: &str, text: &str) -> Result<Vec<Comment>, String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut comments = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(rest) = line.strip_prefix(UNSEEN) else {
            if line.contains("Unseen by loom") {
                return Err(format!(
                    "{file}:{}: a justification begins a line, as \"{UNSEEN}Acquire: …\"",
                    at + 1
                ));
            }
            continue;
        };
        let more: Vec<&str> = lines
            .iter()
            .skip(at + 1)
            .take_while(|line| line.starts_with("//") && !line.starts_with(UNSEEN))
            .copied()
            .collect();
        let below = lines
            .iter()
            .skip(at)
            .take_while(|line| line.starts_with("//"))
            .count();
        let text = more.iter().fold(rest.to_string(), |text, line| {
            text + " " + line.trim_start_matches('/').trim()
        });
        let (lost, reason) = text.split_once(':').unwrap_or((&text, ""));
        comments.push(Comment {
            file: file.into(),
            lines: (at + 1, at + 1 + below),
            lost: lost.into(),
            reason: reason.trim().into(),
        });
    }
    Ok(comments)
}

impl Comment {
    /// Gives the reason to the mutant that the comment is about: of the next call below.
    fn justify(self, mutants: &mut [Mutant]) -> Outcome {
        let (line, below) = self.lines;
        let place = format!("{}:{line}", self.file);
        if self.reason.chars().count() < REASON {
            return Err(format!("{place}: that is no reason: {:?}", self.reason));
        }
        let next = mutants.iter().find(|mutant| mutant.line >= below);
        let call = next
            .filter(|next| next.line < below + BELOW)
            .map(|next| next.site.trim_end_matches(|c| c != ':').to_string())
            .ok_or_else(|| format!("{place}: there is no ordering to justify"))?;
        let mutant = mutants
            .iter_mut()
            .find(|mutant| mutant.site.starts_with(&call) && mutant.lost == self.lost)
            .ok_or_else(|| format!("{place}: the next call has no {:?} to lose", self.lost))?;
        match mutant.justification.replace(self.reason) {
            None => Ok(()),
            Some(_) => Err(format!("{place}: {:?} is justified twice", self.lost)),
        }
    }
}

/// The run of the models as they are.
struct Baseline {
    /// The models, quickest first.
    models: Vec<Model>,
}

struct Model {
    test: String,
    took: Duration,
    sites: BTreeSet<String>,
}

impl Baseline {
    fn run(models: &Models, jobs: usize) -> Result<Self, String> {
        let tests = models.list()?;
        let start = Instant::now();
        let mut measured = in_parallel(
            jobs,
            &tests,
            |test, output| {
                let start = Instant::now();
                let run = models.run(test, None, LIMIT, output)?;
                match run.end {
                    End::Passed => {}
                    End::Failed => return Err(format!("{test} fails as it is: cargo xtask loom")),
                    End::TookTooLong => return Err(format!("{test} takes too long as it is")),
                }
                Ok(Model {
                    test: test.clone(),
                    took: start.elapsed(),
                    sites: run.lines("ordering | ").map(String::from).collect(),
                })
            },
            |_, _| {},
        )?;
        measured.sort_by_key(|model| model.took);
        println!(
            "{} models pass, in {:.0} s\n",
            measured.len(),
            start.elapsed().as_secs_f32()
        );
        Ok(Self { models: measured })
    }

    /// Fails if a model executes an ordering that was not found in the source, and so is not tried.
    fn check_that_found(&self, sites: &BTreeSet<String>) -> Outcome {
        let is_tried = |site: &&String| !site.starts_with("core/src/models/");
        let executed = self.models.iter().flat_map(|model| &model.sites);
        match executed
            .filter(is_tried)
            .find(|&site| !sites.contains(site))
        {
            Some(site) => Err(format!(
                "{site}: executed, and not found in the source: is its ordering written in the call?"
            )),
            None => Ok(()),
        }
    }
}

enum Verdict {
    Killed {
        test: String,
        why: String,
        seconds: f32,
    },
    Justified,
    Survived {
        models: usize,
        too_long: Vec<String>,
    },
}

impl Mutant {
    fn judge(
        &self,
        models: &Models,
        baseline: &Baseline,
        output: &Path,
    ) -> Result<Verdict, String> {
        let weakened = format!("{}={}", self.site, self.to);
        let executing = |model: &&Model| model.sites.contains(&self.site);
        let mut left: Vec<&Model> = baseline.models.iter().filter(executing).collect();
        let count = left.len();
        let start = Instant::now();
        for limit in LIMITS {
            let mut too_long = Vec::new();
            for model in left {
                let run = models.run(&model.test, Some(&weakened), limit, output)?;
                match run.end {
                    End::Passed => {}
                    End::TookTooLong => too_long.push(model),
                    End::Failed => {
                        return Ok(Verdict::Killed {
                            test: model.test.clone(),
                            why: complaint(&run),
                            seconds: start.elapsed().as_secs_f32(),
                        });
                    }
                }
            }
            left = too_long;
        }
        Ok(Verdict::Survived {
            models: count,
            too_long: left.into_iter().map(|model| model.test.clone()).collect(),
        })
    }

    fn row(&self, verdict: &Verdict) -> String {
        let verdict = match verdict {
            Verdict::Killed { test, why, seconds } => {
                format!("killed by {test} in {seconds:.1} s: {why}")
            }
            Verdict::Justified => "justified".into(),
            Verdict::Survived { models: 0, .. } => "SURVIVED: no model executes it".into(),
            Verdict::Survived { models, too_long } if too_long.is_empty() => {
                format!("SURVIVED {models} models")
            }
            Verdict::Survived { models, too_long } => format!(
                "SURVIVED {models} models, of which took too long: {}",
                too_long.join(", ")
            ),
        };
        let place = self.to_string();
        let change = format!("{} → {}", self.from, self.to);
        format!("{place:<23} {:<30} {change:<19} {verdict}", self.call)
    }
}

/// The beginning of what a model that fails says.
fn complaint(run: &Run) -> String {
    let mut lines = run.output.lines();
    let panicked = lines.find(|line| line.contains("panicked at"));
    match panicked.and_then(|_| lines.next()) {
        Some(line) => line.chars().take(48).collect(),
        None => "it died".into(),
    }
}

/// Does `work` on every item, on `jobs` threads, each with a file of its own for output, and tells
/// `report` of the results in the items' order.
fn in_parallel<T: Sync, R: Send>(
    jobs: usize,
    items: &[T],
    work: impl Fn(&T, &Path) -> Result<R, String> + Sync,
    report: impl Fn(&T, &R),
) -> Result<Vec<R>, String> {
    let next = AtomicUsize::new(0);
    let (results, arriving) = mpsc::channel();
    std::thread::scope(|scope| {
        for job in 0..jobs {
            let (next, work, results) = (&next, &work, results.clone());
            scope.spawn(move || {
                let output = root().join(format!("target/loom/orderings-{job}.txt"));
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some(item) = items.get(at) else { break };
                    // Nobody receives any more: another item has failed.
                    if results.send((at, work(item, &output))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        let (mut early, mut done) = (BTreeMap::new(), Vec::new());
        for (at, result) in arriving {
            early.insert(at, result?);
            while let Some(result) = early.remove(&done.len()) {
                report(&items[done.len()], &result);
                done.push(result);
            }
        }
        Ok(done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Source, String> {
        let mut source = Source::default();
        source.add("file.rs", text)?;
        Ok(source)
    }

    fn changes(source: &Source) -> Vec<String> {
        let change = |mutant: &Mutant| format!("{}={}", mutant.site, mutant.to);
        source.mutants.iter().map(change).collect()
    }

    #[test]
    fn each_ordering_loses_each_of_its_parts() {
        let source = read(
            "fn f() {\n    word\n        .compare_exchange(0, g(1), Ordering::AcqRel, \
             Ordering::Acquire);\n    fence(Ordering::SeqCst);\n}",
        );
        assert_eq!(
            changes(&source.unwrap()),
            [
                "file.rs:3:10:0=Acquire",
                "file.rs:3:10:0=Release",
                "file.rs:3:10:1=Relaxed",
                "file.rs:4:5:0=AcqRel",
            ]
        );
    }

    #[test]
    fn relaxed_is_a_site_with_nothing_to_lose() {
        let source = read("fn f() { word.load(Ordering::Relaxed); }").unwrap();
        assert_eq!(changes(&source), [""; 0]);
        assert!(source.sites.contains("file.rs:1:15:0"));
    }

    #[test]
    fn calls_in_macros_are_found() {
        let source = read("assert!(word.load(Ordering::Acquire) == 0);").unwrap();
        assert_eq!(changes(&source), ["file.rs:1:14:0=Relaxed"]);
    }

    #[test]
    fn an_ordering_outside_a_call_is_an_error() {
        assert!(read("const ORDER: Ordering = Ordering::Acquire;").is_err());
    }

    const CALL: &str = "match word\n.swap(0, Ordering::AcqRel) {}";

    fn with_comment(comment: &str) -> Result<Vec<bool>, String> {
        let source = read(&format!("fn f() {{\n{comment}\n{CALL}\n}}"))?;
        let mutants = source.mutants.iter();
        Ok(mutants
            .map(|mutant| mutant.justification.is_some())
            .collect())
    }

    #[test]
    fn a_comment_justifies_what_it_names() {
        let comment = "// Release: what for.\n// Unseen by loom, Release: it has no model of this,\n\
                       // of which there is more to say.";
        assert_eq!(with_comment(comment).unwrap(), [true, false]);
    }

    #[test]
    fn a_comment_without_a_reason_is_an_error() {
        assert!(with_comment("// Unseen by loom, Release: it is.").is_err());
    }

    #[test]
    fn a_stale_comment_is_an_error() {
        let reason = "there is no such ordering in the call that follows";
        assert!(with_comment(&format!("// Unseen by loom, SeqCst: {reason}")).is_err());
        assert!(with_comment(&format!("// Unseen by loom, Release on failure: {reason}")).is_err());
        assert!(with_comment(&format!("// Unseen by loom, Release: {reason}\n\n\n\n\n")).is_err());
    }

    #[test]
    fn a_comment_of_another_form_is_an_error() {
        assert!(
            with_comment("// This is, Unseen by loom, Release: as everybody knows by now").is_err()
        );
    }
}
