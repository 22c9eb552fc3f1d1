//! The process that starts the others and watches them: one that aborts or hangs costs one run.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{
    scenes::{SCENES, Scene},
    stage::Arrangement,
};

/// How long a run may take, on any machine, and on one that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// The outcome of the runs.
#[derive(Default)]
struct Tally {
    runs: usize,
    /// The call did not come in that run: threads ran in another order.
    missed: usize,
    calls: BTreeMap<String, usize>,
    broken: usize,
    /// The controls in which a law was broken, as it must be.
    controls: usize,
}

/// Plays all scenes, or those whose arrangement or name has one of the filters in it.
pub(crate) fn run(filters: &[&str]) -> ExitCode {
    let mut total = Tally::default();
    let mut failed = false;
    for arrangement in Arrangement::ALL {
        let mut tally = Tally::default();
        for scene in SCENES.iter().filter(|scene| scene.is_for(arrangement)) {
            let name = format!("{} {}", arrangement.name(), scene.name);
            if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter)) {
                continue;
            }
            failed |= !play(arrangement, scene, &mut tally);
        }
        if tally.runs + tally.controls > 0 {
            println!(
                "{}: {} panics in {} kinds of call, {} of them not reached, {} runs break a law; {} controls do",
                arrangement.name(),
                tally.runs,
                tally.calls.len(),
                tally.missed,
                tally.broken,
                tally.controls
            );
        }
        total.runs += tally.runs;
        total.broken += tally.broken;
        for (call, runs) in tally.calls {
            *total.calls.entry(call).or_default() += runs;
        }
    }
    println!(
        "{} panics in {} kinds of call: {} runs break a law",
        total.runs,
        total.calls.len(),
        total.broken
    );
    for (call, runs) in &total.calls {
        println!("  {runs:6} {call}");
    }
    if failed || total.broken > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// One run of a child process.
#[derive(Default)]
struct Run {
    number: usize,
    call: String,
    broken: Vec<String>,
}

/// Plays a scene with each of its calls. False if it says nothing about the pool: a control whose breach goes
/// unnoticed, a scene that breaks a law without any panic, or one that no bomb reached.
fn play(arrangement: Arrangement, scene: &Scene, tally: &mut Tally) -> bool {
    let (mut skip, mut sound) = (0, true);
    loop {
        let mut run: Option<Run> = None;
        let mut total = 0;
        let why = child(arrangement, scene, skip, &mut |line| {
            let mut fields = line.split('\t');
            match fields.next() {
                Some("run") => {
                    let mut number = || fields.next().and_then(|field| field.parse().ok());
                    let (at, of) = (number().unwrap_or(0), number().unwrap_or(0));
                    total = of;
                    run = Some(Run {
                        number: at,
                        call: fields.next().unwrap_or_default().to_owned(),
                        broken: Vec::new(),
                    });
                }
                Some("broken") => {
                    if let Some(run) = &mut run {
                        run.broken
                            .push(fields.next().unwrap_or_default().to_owned());
                    }
                }
                ended @ Some("done" | "missed") => {
                    if let Some(run) = run.take() {
                        let missed = ended == Some("missed");
                        sound &= end(arrangement, scene, tally, run, missed);
                    }
                }
                _ => {}
            }
        });
        let Some(mut run) = run else {
            if let Some(why) = why {
                println!("{} / {}: {why}", arrangement.name(), scene.name);
                return false;
            }
            return sound;
        };
        // It came to its end in the midst of a run.
        if let Some(why) = why {
            run.broken.push(why);
        }
        skip = run.number;
        let is_first = run.number == 0;
        sound &= end(arrangement, scene, tally, run, false);
        if is_first || skip == total {
            return sound;
        }
    }
}

fn end(arrangement: Arrangement, scene: &Scene, tally: &mut Tally, run: Run, missed: bool) -> bool {
    let place = format!("{} / {}", arrangement.name(), scene.name);
    if run.number == 0 {
        if scene.is_control {
            tally.controls += usize::from(!run.broken.is_empty());
            if run.broken.is_empty() {
                println!("{place}: no law is broken, which a control must");
            }
            return !run.broken.is_empty();
        }
        for law in &run.broken {
            println!("{place}: without any panic: {law}");
        }
        return run.broken.is_empty();
    }
    tally.runs += 1;
    *tally.calls.entry(run.call.clone()).or_default() += 1;
    tally.missed += usize::from(missed);
    if missed && arrangement.takes_turns() {
        println!(
            "{place}: {} (call {}) was not reached again",
            run.call, run.number
        );
        return false;
    }
    if !run.broken.is_empty() {
        tally.broken += 1;
        let laws = run.broken.join("; ");
        println!("{place}: call {}, {}: {laws}", run.number, run.call);
    }
    true
}

/// Runs a child process to its end. Why it has not come to it by itself, if so.
fn child(
    arrangement: Arrangement,
    scene: &Scene,
    skip: usize,
    hear: &mut dyn FnMut(&str),
) -> Option<String> {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Some(format!("no program: {error}")),
    };
    let child = Command::new(program)
        .args(["child", arrangement.name(), scene.name, &skip.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Some(format!("cannot start a child process: {error}")),
    };
    let output = child.stdout.take()?;
    let (sender, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let hangs = loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => hear(&line),
            Err(mpsc::RecvTimeoutError::Disconnected) => break false,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                break true;
            }
        }
    };
    let status = child.wait();
    let _ = reader.join();
    if hangs {
        return Some(format!("hangs: no end in {} s", PATIENCE.as_secs()));
    }
    match status {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("the program ends: {status}")),
        Err(error) => Some(format!("the program's end is not known: {error}")),
    }
}
