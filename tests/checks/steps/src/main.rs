//! The pool under a scheduler that picks, and stops, who takes the next step.

mod calls;
mod core_source;
mod few;
mod history;
mod linear;
mod machine;
mod one_by_one;
mod operations;
mod rate;
mod ring_pool;
mod stop;
mod stopped;
mod strict;
mod urgent;

use std::process::ExitCode;

const USAGE: &str = "usage: steps stopped [--seeds N] [NAME]
       steps linear [--seed FIRST] [--count N]
       steps urgent [NAME]
       steps rate [--count N]

  --seeds   for each step at which a thread is stopped, the number of random orders besides the plain one [3]
  --seed    the first seed [random]
  --count   the number of histories of the queue, and of the pool [5000]
  NAME      runs only the rows with NAME in their names";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let (verb, mut options) = args.split_first().ok_or(USAGE)?;
    if verb == "urgent" {
        return match options {
            [] => urgent::check(""),
            [name] => urgent::check(name),
            _ => Err(USAGE.into()),
        };
    }
    let mut values = [
        ("--seeds", 3),
        ("--seed", fastrand::u64(..1 << 32)),
        ("--count", 5_000),
    ];
    while let [name, value, rest @ ..] = options {
        let (_, place) = values
            .iter_mut()
            .find(|(known, _)| known == name)
            .ok_or(USAGE)?;
        *place = value
            .parse()
            .map_err(|error| format!("{name} {value}: {error}"))?;
        options = rest;
    }
    let [(_, seeds), (_, seed), (_, count)] = values;
    match (verb.as_str(), options) {
        ("stopped", []) => stopped::check(seeds, ""),
        ("stopped", [only]) => stopped::check(seeds, only),
        ("rate", []) => rate::measure(count as usize),
        ("linear", []) => {
            println!("seeds from {seed}");
            linear::check(seed, count)
        }
        _ => Err(USAGE.into()),
    }
}
