//! `cargo xtask <verb>`: the repository's own commands, beyond cargo's.

mod api;
mod bare;
mod bench;
mod book;
mod check;
mod cost;
mod debian;
mod deny;
mod firmware;
#[cfg(test)]
mod foreign;
mod fuzz;
mod layers;
mod loom;
mod memcheck;
mod mutants;
mod orderings;
mod package;
mod parts;
mod progress;
mod published;
mod sanitizers;
mod sim;
mod sim_mutants;
mod size;
mod soak;
mod steps;
mod test_programs;
mod unwinds;
#[cfg(test)]
mod versions;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

/// The end of a verb: success, or a message to the user.
type Outcome = Result<(), String>;

/// One verb of the command line.
struct Verb {
    name: &'static str,
    options: &'static str,
    /// A sentence without its subject, the command.
    help: &'static str,
    run: fn(&[String]) -> Outcome,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "api",
        options: "[--write | --semver]",
        help: "compares the public items with the lists in tests/api; --write writes the lists, and --semver asks whether the version follows from the changes",
        run: api::run,
    },
    Verb {
        name: "bare",
        options: "",
        help: "builds the core for a chip, and looks in its machine code for a panic, a heap or recursion",
        run: bare::run,
    },
    Verb {
        name: "bench",
        options: "[OPTIONS]",
        help: "times the pool beside the host's best pools and the machine's limits; --help lists the options",
        run: bench::run,
    },
    Verb {
        name: "book",
        options: "",
        help: "makes the book and the API's documentation, checks their links, and runs the book's programs",
        run: book::run,
    },
    Verb {
        name: "check",
        options: "",
        help: "runs the checks that each change passes before it is committed, in a few minutes",
        run: check::run,
    },
    Verb {
        name: "cost",
        options: "",
        help: "counts the instructions of each call with 4 and with 4,096 slots, which must be equal",
        run: cost::run,
    },
    Verb {
        name: "deny",
        options: "[--advisories]",
        help: "looks at the licences, origins and duplicates of the dependencies, and with --advisories at known faults",
        run: deny::run,
    },
    Verb {
        name: "firmware",
        options: "[--clippy] [--board NAME]",
        help: "runs the boards of examples/firmware in QEMU, or one of them; --clippy runs clippy for them instead",
        run: firmware::run,
    },
    Verb {
        name: "fuzz",
        options: "[TARGET] [--keep | --seconds N | --replay FILE] [--sanitizer address]",
        help: "compares the pool with a model in sequences of calls that libFuzzer finds by coverage",
        run: fuzz::run,
    },
    Verb {
        name: "layers",
        options: "",
        help: "prints the layers of the sources, and fails if a module uses a later one",
        run: layers::run,
    },
    Verb {
        name: "linear",
        options: "[--seed FIRST] [--count N]",
        help: "records random histories of overlapping calls, each of which some sequential order must explain",
        run: steps::linear,
    },
    Verb {
        name: "loom",
        options: "[--critical-sections] [FILTER]",
        help: "runs the model checker on the core's models, or on those with FILTER in their names; for both variants of the shared words, or for critical sections alone",
        run: loom::run,
    },
    Verb {
        name: "memcheck",
        options: "",
        help: "runs the single-threaded tests under valgrind",
        run: memcheck::run,
    },
    Verb {
        name: "mutants",
        options: "[OPTIONS]",
        help: "plants small faults in core, adapter and example, each of which a test must find; takes the options of cargo mutants",
        run: mutants::run,
    },
    Verb {
        name: "orderings",
        options: "[OPTIONS]",
        help: "weakens each memory ordering in the core, and a model must fail; --help lists the options",
        run: orderings::run,
    },
    Verb {
        name: "package",
        options: "",
        help: "makes the packages and their documentation as a registry and docs.rs have them",
        run: package::run,
    },
    Verb {
        name: "parts",
        options: "[FILTER]",
        help: "runs the suites with the marks that a chip's program has, each test in a process of its own",
        run: parts::run,
    },
    Verb {
        name: "sim",
        options: "[--quick | --figures]",
        help: "runs the simulator on its garden of planted bugs and on the pulse monitor; --quick takes fewer runs, and --figures times it",
        run: sim::run,
    },
    Verb {
        name: "size",
        options: "[--write] [--target TARGET]",
        help: "measures flash, RAM, instructions and stack on chips, beside other ways to hand work over",
        run: size::run,
    },
    Verb {
        name: "soak",
        options: "[OPTIONS]",
        help: "runs a random mix of all operations, and checks conservation laws; --help lists the options",
        run: soak::run,
    },
    Verb {
        name: "stopped",
        options: "[--seeds N] [NAME]",
        help: "stops one thread for ever before each of its steps, and the other threads must go on",
        run: steps::stopped,
    },
    Verb {
        name: "urgent",
        options: "[NAME]",
        help: "makes each call in the most urgent context of one core, and the call must end or sleep wherever the others are",
        run: steps::urgent,
    },
    Verb {
        name: "tsan",
        options: "[OPTIONS]",
        help: "runs soak and the conformance suites under ThreadSanitizer; takes the options of soak",
        run: sanitizers::tsan,
    },
    Verb {
        name: "asan",
        options: "[OPTIONS]",
        help: "runs soak and the conformance suites under AddressSanitizer; takes the options of soak",
        run: sanitizers::asan,
    },
    Verb {
        name: "unwinds",
        options: "[FILTER...]",
        help: "panics once in each call into foreign code, and checks conservation laws; with FILTER only in the scenes that have it in their names",
        run: unwinds::run,
    },
];

/// The repository.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Cargo, in the repository.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command
}

/// Runs a command to its end.
fn run_command(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} ended with {status}")),
        Err(error) => Err(format!("cannot run {:?}: {error}", command.get_program())),
    }
}

fn help() -> String {
    let mut text = String::from("usage: cargo xtask <verb>\n");
    for verb in VERBS {
        let call = format!("{} {}", verb.name, verb.options);
        text += &format!("\n  {}\n      {}", call.trim_end(), verb.help);
    }
    text
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((name, rest)) => match VERBS.iter().find(|verb| verb.name == name) {
            Some(verb) if verb.options.is_empty() && !rest.is_empty() => {
                Err(format!("{name} takes no arguments"))
            }
            Some(verb) => (verb.run)(rest),
            None => Err(help()),
        },
        None => Err(help()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
