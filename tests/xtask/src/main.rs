//! `cargo xtask <verb>`: what is run on the repository, beyond cargo's own commands.

mod bare;
mod bench;
mod check;
mod cost;
mod debian;
mod firmware;
#[cfg(test)]
mod foreign;
mod fuzz;
mod layers;
mod loom;
mod memcheck;
mod mutants;
mod orderings;
mod sanitizers;
mod size;
mod soak;
mod steps;
mod unwinds;
#[cfg(test)]
mod versions;

use std::{
    path::Path,
    process::{Command, ExitCode},
};

/// What a verb ends with: nothing, or what to tell the user.
type Outcome = Result<(), String>;

/// One verb of the command line.
struct Verb {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Outcome,
}

const VERBS: &[Verb] = &[
    Verb {
        name: "bare",
        help: "          the core built for a chip: no panic, no heap, no recursion",
        run: bare::run,
    },
    Verb {
        name: "bench",
        help: "[OPTIONS]  time, beside the best pools of the host and the machine's limits; --help lists the options",
        run: bench::run,
    },
    Verb {
        name: "check",
        help: "         what a change should pass before it is committed, in a few minutes",
        run: check::run,
    },
    Verb {
        name: "cost",
        help: "          instructions of each call, with 4 and with 4,096 slots: they must be equal",
        run: cost::run,
    },
    Verb {
        name: "firmware",
        help: "[--clippy] [--board NAME]  the boards of examples/firmware, or one of them, in QEMU; or clippy for them",
        run: firmware::run,
    },
    Verb {
        name: "fuzz",
        help: "[--keep | [--seconds N | --replay FILE] [--sanitizer address]]  sequences of calls against the model, found by coverage",
        run: fuzz::run,
    },
    Verb {
        name: "layers",
        help: "         the layers of the sources, and whether each module uses only those before it",
        run: layers::run,
    },
    Verb {
        name: "linear",
        help: "[--seed FIRST] [--count N]  random histories of overlapping calls, which some order must explain",
        run: steps::linear,
    },
    Verb {
        name: "loom",
        help: "[FILTER]   run the model checker on core's models, or on those whose name has FILTER in it",
        run: loom::run,
    },
    Verb {
        name: "memcheck",
        help: "          the tests of one thread under valgrind",
        run: memcheck::run,
    },
    Verb {
        name: "mutants",
        help: "[OPTIONS]  small faults put into core, adapter and example, which a test must notice; options of cargo mutants",
        run: mutants::run,
    },
    Verb {
        name: "orderings",
        help: "[OPTIONS]  weaken each memory ordering in core: a model must fail; --help lists the options",
        run: orderings::run,
    },
    Verb {
        name: "size",
        help: "[--write] [--target TARGET]  flash, RAM, instructions and stack on chips, beside other ways to hand work over",
        run: size::run,
    },
    Verb {
        name: "soak",
        help: "[OPTIONS]  a random mix of everything, with conservation laws; --help lists the options",
        run: soak::run,
    },
    Verb {
        name: "stopped",
        help: "[--seeds N] [NAME]  one thread is stopped for ever before each of its steps; the others go on",
        run: steps::stopped,
    },
    Verb {
        name: "urgent",
        help: "[NAME]    one core, strict priorities: each call of the more urgent ends or sleeps, wherever the others are",
        run: steps::urgent,
    },
    Verb {
        name: "tsan",
        help: "[OPTIONS]  soak and conformance suites under ThreadSanitizer; options as for soak",
        run: sanitizers::tsan,
    },
    Verb {
        name: "asan",
        help: "[OPTIONS]  the same under AddressSanitizer",
        run: sanitizers::asan,
    },
    Verb {
        name: "unwinds",
        help: "[FILTER...]  each call into foreign code panics once, and the laws of conservation are checked; or in the scenes whose name has FILTER in it",
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
        text += &format!("\n  {} {}", verb.name, verb.help);
    }
    text
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((name, rest)) => match VERBS.iter().find(|verb| verb.name == name) {
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
