//! Runs the pulse monitor as its users do.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// HeartPy 1.2.7 on the shipped recording; see `data/README.md`.
const HEARTPY: f64 = 62.4;
const HEARTPY_FROM_50_S: [f64; 7] = [62.2, 60.3, 63.6, 60.3, 62.0, 61.8, 61.4];

fn monitor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulse-monitor"));
    command.args(args);
    command
}

fn run(args: &[&str]) -> Output {
    monitor(args).output().unwrap()
}

/// Standard output of a run that succeeds and complains of nothing.
fn output(args: &[&str]) -> String {
    let output = run(args);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{args:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts that a run fails with one line on standard error, and returns it.
#[track_caller]
fn error(args: &[&str]) -> String {
    let output = run(args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert_eq!(
        (stderr.lines().count(), output.stdout.len()),
        (1, 0),
        "{args:?}: {stderr}"
    );
    stderr.trim_end().into()
}

/// Writes a file for a test and returns its path.
fn file(name: &str, text: impl AsRef<[u8]>) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().into()
}

/// Samples of a pulse of 90 bpm at 50 Hz, one a line.
fn ninety_bpm() -> String {
    let sample = |i: u32| 500.0 + 100.0 * (f64::from(i) * 1.5 / 50.0 * std::f64::consts::TAU).sin();
    (0..1500).map(|i| format!("{:.0}\n", sample(i))).collect()
}

/// A measured window of the table.
#[derive(Debug, PartialEq)]
struct Row {
    from: f64,
    bpm: f64,
    good: bool,
}

/// The measured windows of the table.
fn rows(output: &str) -> Vec<Row> {
    let row = |line: &str| {
        let [_window, from, _to, _worker, bpm, _quality, verdict] =
            *line.split_whitespace().collect::<Vec<_>>()
        else {
            return None;
        };
        Some(Row {
            from: from.parse().ok()?,
            bpm: bpm.parse().ok()?,
            good: verdict == "good",
        })
    };
    output.lines().filter_map(row).collect()
}

fn median(output: &str) -> f64 {
    let line = output.lines().last().unwrap();
    line.strip_prefix("median of the good windows: ")
        .unwrap()
        .strip_suffix(" bpm")
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn the_shipped_recording_agrees_with_heartpy() {
    let output = output(&[]);
    assert!((median(&output) - HEARTPY).abs() < 2.0, "{output}");
    let rows = rows(&output);
    for (start, bpm) in (50..).step_by(10).zip(HEARTPY_FROM_50_S) {
        let row = rows
            .iter()
            .find(|row| row.from == f64::from(start))
            .unwrap();
        assert!(
            row.good && (row.bpm - bpm).abs() < 2.0,
            "HeartPy: {bpm}, here: {row:?}"
        );
    }
}

#[test]
fn the_artefacts_of_the_first_40_s_are_not_good() {
    assert!(
        rows(&output(&[]))
            .iter()
            .all(|row| row.from > 30.0 || !row.good)
    );
}

#[test]
fn a_replay_measures_all_windows_the_same_with_any_number_of_workers() {
    let expected = rows(&output(&[]));
    for workers in 1..=8 {
        let output = output(&["--workers", &workers.to_string()]);
        assert!(
            output.contains("60 windows: ") && output.contains(" 0 dropped, 0 failed"),
            "{output}"
        );
        assert_eq!(rows(&output), expected, "{workers} workers");
    }
}

#[test]
fn every_live_window_is_measured_or_counted_as_dropped() {
    let replayed = rows(&output(&[]));
    // 128 s in a fraction of a second, then faster than any worker.
    for speed in ["500", "1000000"] {
        let output = run(&["--speed", speed]);
        let output = String::from_utf8(output.stdout).unwrap();
        assert!(output.contains("15000 ticks, one every "), "{output}");
        let dropped = output.matches(" dropped: ").count();
        assert!(
            output.contains(&format!(" {dropped} dropped, 0 failed")),
            "{output}"
        );
        let no_pulse = output.matches(" no pulse").count();
        let live = rows(&output);
        assert_eq!(live.len() + dropped + no_pulse, 60, "{output}");
        assert!(live.iter().all(|row| replayed.contains(row)), "{output}");
    }
}

#[test]
fn the_output_has_table_and_picture_and_no_control_characters_in_a_pipe() {
    let output = output(&["--workers", "1"]);
    for part in [
        "window    from      to  worker    bpm  quality",
        "bpm   ● good window",
        "worker 0 │■■■",
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(
        !output.contains(|c: char| c.is_control() && c != '\n'),
        "{output}"
    );
    assert!(
        output.lines().all(|line| line.chars().count() <= 80),
        "{output}"
    );
}

#[test]
fn one_value_a_line_is_measured_at_the_rate_that_is_given() {
    let file = file("ninety.txt", ninety_bpm());
    let bpm = |rate| median(&output(&[&file, "--rate", rate]));
    assert!((bpm("50") - 90.0).abs() < 0.5);
    assert!((bpm("25") - 45.0).abs() < 0.5);
}

#[test]
fn window_and_hop_are_free() {
    let file = file("window.txt", ninety_bpm());
    let windows = |window, hop| {
        rows(&output(&[
            &file, "--rate", "50", "--window", window, "--hop", hop,
        ]))
        .len()
    };
    assert_eq!(windows("10", "2"), 11);
    assert_eq!(windows("5", "0.5"), 51);
    assert_eq!(windows("20", "20"), 1);
}

#[test]
fn a_line_without_a_pulse_has_exit_status_1() {
    let output = run(&[&file("flat.txt", "512\n".repeat(2000))]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.ends_with("no window is good, so there is no median\n"),
        "{stdout}"
    );
}

#[test]
fn bad_input_ends_with_one_line_that_names_file_and_line() {
    for (name, text, problem) in [
        (
            "text.csv",
            "timer,hr\n0,515\n8.5,high\n",
            "3: \"high\" is not a number",
        ),
        ("nan.csv", "515\nNaN\n", "2: \"NaN\" is not a finite number"),
        ("empty.csv", "", "1: no samples"),
        ("one.csv", "hr\n515\n", "2: a single sample is no recording"),
        (
            "wide.csv",
            "1,2,3\n",
            "1: 3 columns; there must be 1 (value) or 2 (time in ms, value)",
        ),
        ("still.csv", "0,1\n0,2\n", "2: the time does not rise"),
        (
            "slow.csv",
            "0,1\n100,2\n",
            "2: the time column gives 10.000 Hz: the sample rate must be from 20 to 10000 Hz",
        ),
        (
            "short.csv",
            "1\n2\n3\n",
            "3: the recording is 0.0 s long, and a window takes 10.0 s: record more, or shorten --window, to 4.5 s at \
             the least",
        ),
    ] {
        let file = file(name, text);
        assert_eq!(error(&[&file]), format!("error: {file}:{problem}"));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    assert!(error(&["no/such.csv"]).starts_with("error: no/such.csv: "));
    let folder = env!("CARGO_TARGET_TMPDIR");
    assert!(error(&[folder]).starts_with(&format!("error: {folder}: ")));
}

#[test]
fn windows_and_hops_that_cannot_be_are_refused_with_the_bounds() {
    let window = "error: --window: at this sample rate, the window must be from 4.500 to";
    for seconds in ["4.4", "26", "4000000"] {
        assert!(error(&["--window", seconds]).contains(window), "{seconds}");
    }
    let hop = "error: --hop: the hop must be from 0.013 s (one point) to 10.000 s (the window)";
    for seconds in ["0.012", "10.001"] {
        assert!(error(&["--hop", seconds]).contains(hop), "{seconds}");
    }
    // The bound itself is one.
    output(&["--hop", "0.013"]);
}

#[test]
fn arguments_that_cannot_be_have_exit_status_2() {
    for args in [
        ["--workers", "0"],
        ["--workers", "9"],
        ["--window", "NaN"],
        ["--window", "-1"],
        ["--hop", "0"],
        ["--hop", "inf"],
        ["--rate", "0"],
        ["--rate", "19.9"],
        ["--rate", "fast"],
        ["--speed", "0"],
        ["--pulse", "60"],
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .starts_with("error: "),
            "{args:?}"
        );
    }
}

/// It is no option of its own, for which the command line would propose to take it for a file.
#[test]
fn a_negative_number_is_refused_with_the_bounds_of_its_option() {
    for (option, bounds) in [
        ("--workers", "must be a number from 1 to 8"),
        ("--window", "not a positive number"),
        ("--hop", "not a positive number"),
        ("--rate", "not a positive number"),
        ("--speed", "not a positive number"),
    ] {
        let output = run(&[option, "-5"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{option}: {stderr}");
        assert!(stderr.contains(bounds), "{option}: {stderr}");
    }
}

#[test]
fn a_rate_that_was_assumed_is_in_the_first_line() {
    let file = file("one_column.txt", ninety_bpm());
    let first = |args: &[&str]| output(args).lines().next().unwrap().to_owned();
    assert!(first(&[&file]).contains("100.000 Hz (assumed: "));
    assert!(!first(&[&file, "--rate", "50"]).contains("assumed"));
}

#[test]
fn standard_input_is_a_recording() {
    let mut child = monitor(&["-", "--rate", "50"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(ninety_bpm().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.starts_with("standard input: 1500 samples, "),
        "{output}"
    );
    assert!((median(&output) - 90.0).abs() < 0.5, "{output}");
}

#[test]
fn help_names_every_option() {
    let help = output(&["--help"]);
    for option in [
        "[FILE]",
        "--workers",
        "--window",
        "--hop",
        "--rate",
        "--speed",
        "--help",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = monitor(&[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}
