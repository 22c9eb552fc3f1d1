//! `bench` measures, prints tables and bars, and fails if a bar does not hold that can.

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::Instant,
};

use bench::{
    bars, inline, instructions, processes, python, report,
    statistics::{Results, Slice, slice},
    workloads::{CONTENDERS, Effort, Kind, Workload},
};

const USAGE: &str = "\
usage: cargo xtask bench [--rounds N] [--only WORKLOAD,...] [--peers NAME,...] [--quick] [--write]

  --rounds N       the number of rounds (15)
  --only NAMES     run only these workloads
  --peers NAMES    run only the peers with one of NAMES in their names
  --quick          short slices and few rounds: rough figures
  --write          write the tables, and draw some of them
  --draw           only draw the tables that are there";

struct Options {
    rounds: usize,
    workloads: Vec<Workload>,
    peers: Option<Vec<String>>,
    effort: Effort,
    write: bool,
}

impl Options {
    fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            rounds: 15,
            workloads: Workload::ALL.to_vec(),
            peers: None,
            effort: Effort::full(),
            write: false,
        };
        let mut is_partial = false;
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || {
                args.next()
                    .ok_or_else(|| format!("{arg} needs a value\n{USAGE}"))
            };
            match arg.as_str() {
                "--rounds" => {
                    options.rounds = value()?.parse().map_err(|_| String::from(USAGE))?;
                }
                "--only" => {
                    options.workloads = value()?
                        .split(',')
                        .map(workload)
                        .collect::<Result<_, _>>()?;
                }
                "--peers" => {
                    options.peers = Some(value()?.split(',').map(String::from).collect());
                }
                "--quick" => {
                    options.effort = Effort::quick();
                    options.rounds = 3;
                }
                "--write" => options.write = true,
                _ => return Err(String::from(USAGE)),
            }
            is_partial |= matches!(arg.as_str(), "--only" | "--peers" | "--quick");
        }
        if options.write && is_partial {
            return Err(format!(
                "--write needs a run of all workloads and peers, without --quick\n{USAGE}"
            ));
        }
        Ok(options)
    }

    fn takes_part(&self, name: &str, kind: Kind) -> bool {
        kind != Kind::Peer
            || self
                .peers
                .as_ref()
                .is_none_or(|peers| peers.iter().any(|peer| name.contains(peer.as_str())))
    }
}

fn workload(name: &str) -> Result<Workload, String> {
    let all = Workload::ALL;
    let found = all.iter().find(|workload| workload.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|workload| workload.name()).collect();
        format!("there is no workload {name}, but: {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    processes::run_child_if_asked();
    match Options::parse(env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all bars hold that can.
fn run(options: &Options) -> Result<bool, String> {
    if !python::is_there() {
        println!("python3 is not installed: its pools do not take part.\n");
    }
    let mut results = Results::default();
    let mut tables = Vec::new();
    for &workload in &options.workloads {
        let start = Instant::now();
        measure(workload, options, &mut results)?;
        let table = report::table(&results, workload);
        println!("{table}");
        eprintln!("{:.0} s\n", start.elapsed().as_secs_f64());
        tables.push(table);
    }
    let bars = bars::all(&results, &options.workloads);
    let of_bars = report::bars(&bars);
    println!("{of_bars}");
    if options.write {
        tables.insert(0, of_bars);
        write(&tables)?;
    }
    Ok(bars
        .iter()
        .all(|bar| bar.verdict() != bars::Verdict::DoesNotHold))
}

/// All rounds of a workload, each with a slice of everybody at every size.
fn measure(workload: Workload, options: &Options, results: &mut Results) -> Result<(), String> {
    match workload {
        Workload::Allocations => return allocations(options, results),
        Workload::Instructions => {
            for one in inline::CONTENDERS {
                if options.takes_part(one.name, one.kind) {
                    results.push((workload, 0), one.name, instructions::count(one.name)?);
                }
            }
            return Ok(());
        }
        _ => {}
    }
    for round in 1..=options.rounds {
        eprint!(
            "\r{}: round {round} of {} ",
            workload.title(),
            options.rounds
        );
        if workload == Workload::Inline {
            for one in inline::CONTENDERS {
                if options.takes_part(one.name, one.kind)
                    && let Some(slice) = time_inline(one, &options.effort)
                {
                    results.push((workload, 0), one.name, slice);
                }
            }
            continue;
        }
        for &size in workload.sizes() {
            for one in CONTENDERS {
                if !options.takes_part(one.name, one.kind) {
                    continue;
                }
                let slice = match workload {
                    Workload::Idle => idle(one.name, size)?,
                    _ => (one.run)(workload, size, &options.effort),
                };
                if let Some(slice) = slice {
                    results.push((workload, size), one.name, slice);
                }
            }
        }
    }
    Ok(())
}

fn time_inline(contender: &inline::Inline, effort: &Effort) -> Option<Slice> {
    const JOBS: u64 = 1_000;
    let mut timed = None;
    let time = || {
        (contender.run)(JOBS, &mut |batch| {
            timed = Some(slice(effort.slice, JOBS as usize, batch));
        });
    };
    thread::scope(|scope| scope.spawn(time).join()).ok()?;
    timed
}

/// The output of a program beside this one.
fn output_of(name: &str, args: &[&str]) -> Result<String, String> {
    let here = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let program = here.with_file_name(name);
    let output = Command::new(&program)
        .args(args)
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!(
            "{} ended with {}",
            program.display(),
            output.status
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// In a process that has no other threads.
fn idle(name: &str, workers: usize) -> Result<Option<Slice>, String> {
    let output = output_of("idle", &[name, &workers.to_string()])?;
    if output.is_empty() {
        return Ok(None);
    }
    let time = output.trim().parse();
    let time = time.map_err(|_| format!("cannot make sense of {output:?}"))?;
    Ok(Some(Slice { time, cpu: None }))
}

/// In a process whose heap counts.
fn allocations(options: &Options, results: &mut Results) -> Result<(), String> {
    for line in output_of("allocations", &[])?.lines() {
        let mut words = line.split('\t');
        let parsed = (|| {
            let name = words.next()?;
            let one = CONTENDERS.iter().find(|one| one.name == name)?;
            let workers = words.next()?.parse().ok()?;
            let time = words.next()?.parse().ok()?;
            Some((one, workers, Slice { time, cpu: None }))
        })();
        let (one, workers, slice) =
            parsed.ok_or_else(|| format!("cannot make sense of {line:?}"))?;
        if options.takes_part(one.name, one.kind) {
            results.push((Workload::Allocations, workers), one.name, slice);
        }
    }
    Ok(())
}

/// Puts the tables behind what the README says of them. `cargo xtask bench` draws the plot from them.
fn write(tables: &[String]) -> Result<(), String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let problem = |error| format!("{}: {error}", readme.display());
    let text = fs::read_to_string(&readme).map_err(problem)?;
    let introduction = text.split("\n## ").next().unwrap_or_default().trim_end();
    fs::write(&readme, format!("{introduction}\n\n{}", tables.join("\n"))).map_err(problem)
}
