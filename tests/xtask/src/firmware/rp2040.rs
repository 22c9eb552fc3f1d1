//! The RP2040, which QEMU does not have: `rp2040js` from npm emulates one core of it, and
//! `examples/firmware/rp2040/emulator` adds the other one. It is the one emulator here in which `WFE` truly sleeps, so a
//! wake-up that is never sent shows. Debian has Node.js and npm; the emulator's version is in its lock file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use super::{Check, SEVERAL_CORES, build_with, compare, expected, read, run_to_its_end};
use crate::{debian, root, run_command};

const TARGET: &str = "thumbv6m-none-eabi";

/// The files that must be there to run the emulator, and the package of each.
const NODE: &[(&str, &str)] = &[("/usr/bin/node", "nodejs"), ("/usr/bin/npm", "npm")];

/// The status of the emulator when the firmware goes on.
pub(super) const GOES_ON: Option<i32> = Some(2);

/// How many seconds of the chip the suite may take; it takes 16.
const SUITE: &str = "30";
/// The moment from which on the control's cores send no event, in milliseconds of the chip.
const SEV_ENDS: &str = "1000";
/// How many seconds of the chip the control runs.
const CONTROL: &str = "20";
/// How many seconds of the recording the pulse monitor sees.
const RECORDING: u32 = 80;

pub(super) fn checks() -> [Check; 2] {
    [
        Check {
            name: "rp2040",
            check: Box::new(monitor),
        },
        Check {
            name: "rp2040-suite",
            check: Box::new(suite),
        },
    ]
}

/// The crates, for clippy.
pub(super) const CRATES: [(&str, &str, &str); 2] = [
    ("rp2040", "rp2040", TARGET),
    ("rp2040-suite", "rp2040-suite", TARGET),
];

/// Installs the emulator, unless that version is there. Returns the folder of its modules.
pub(super) fn install() -> Result<PathBuf, String> {
    debian::require(NODE)?;
    let sources = root().join("examples/firmware/rp2040/emulator");
    let folder = root().join("target/rp2040-emulator");
    let problem = |error| format!("cannot install the emulator: {error}");
    fs::create_dir_all(&folder).map_err(problem)?;
    let lock = read(sources.join("package-lock.json"))?;
    let installed = folder.join("installed.json");
    if fs::read_to_string(&installed).is_ok_and(|text| text == lock) {
        return Ok(folder.join("node_modules"));
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(file), folder.join(file)).map_err(problem)?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder)
        .args(["ci", "--no-audit", "--no-fund", "--silent"]);
    run_command(npm.stdout(Stdio::null()))?;
    fs::write(installed, lock).map_err(problem)?;
    Ok(folder.join("node_modules"))
}

pub(super) fn script() -> PathBuf {
    root().join("examples/firmware/rp2040/emulator/emulator.mjs")
}

/// Runs a program for some seconds of the chip; returns what it printed.
fn emulate(
    name: &str,
    program: &Path,
    seconds: &str,
    options: &[&str],
) -> Result<(ExitStatus, String), String> {
    let mut node = Command::new("node");
    node.env("NODE_PATH", install()?)
        .arg(script())
        .arg(program)
        .arg(seconds)
        .args(options);
    run_to_its_end(&mut node, name, "txt", || Ok(()))
}

/// The conformance suite, and its control: without `SEV`, it does not end.
fn suite(readings: &str) -> Result<String, String> {
    let program = build_with("rp2040-suite", TARGET, &[])?;
    let expected = expected(SEVERAL_CORES, readings)?;
    let (status, said) = emulate(
        "rp2040-control",
        &program,
        CONTROL,
        &["--without-sev-after", SEV_ENDS],
    )?;
    if status.code() != GOES_ON || compare(&said, &expected).is_ok() {
        return Err(format!(
            "the control, in which no event is sent, ended with {status}:\n{said}"
        ));
    }
    let (status, said) = emulate("rp2040-suite", &program, SUITE, &[])?;
    let measurements = compare(&said, &expected)
        .map_err(|wrong| format!("{wrong}; ended with {status}:\n{said}"))?;
    match status.success() {
        true => Ok(format!("{measurements}; without SEV, jobs stop")),
        false => Err(format!("ended with {status}:\n{said}")),
    }
}

/// The pulse monitor, with the host's recording at its sensor. Its samples are not those of the recording, one by one, and
/// so its readings are near the host's and not the same.
fn monitor(readings: &str) -> Result<String, String> {
    let program = build_with("rp2040", TARGET, &["--features", "emulated"])?;
    let recording = root().join("examples/data/pulse.csv");
    let recording = recording.to_string_lossy();
    let seconds = RECORDING.to_string();
    let (status, said) = emulate("rp2040", &program, &seconds, &["--recording", &recording])?;
    if status.code() != GOES_ON {
        return Err(format!("ended with {status}:\n{said}"));
    }
    let measured =
        compare_readings(&said, readings).map_err(|wrong| format!("{wrong}:\n{said}"))?;
    let measurements: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .collect();
    Ok(format!("{measured}; {}", measurements.join("; ")))
}

/// Compares the lines of the monitor with the host's readings: each window in its turn, and each good one near the host's,
/// by core 1.
fn compare_readings(said: &str, readings: &str) -> Result<String, &'static str> {
    // Windows of 10 s, one every 2 s. The last may be under way.
    const WINDOWS: usize = (RECORDING as usize - 10) / 2;
    /// Beats per minute.
    const NEAR: u32 = 2;
    let of_host = readings.lines().skip(1).filter_map(|line| {
        let milli_bpm: u32 = line.split(',').nth(1)?.parse().ok()?;
        Some(milli_bpm / 1000)
    });
    let of_host: Vec<u32> = of_host.collect();
    let (mut windows, mut good) = (0, 0);
    for line in said.lines().filter(|line| !line.starts_with('#')) {
        let (number, reading) = line.split_once(": ").ok_or("a line without a window")?;
        if number.parse() != Ok(windows) {
            return Err("a window is not in its turn");
        }
        if reading != "no pulse" {
            let pulse = reading
                .strip_suffix(" bpm, by core 1")
                .and_then(|bpm| bpm.parse::<u32>().ok())
                .ok_or("a window without a reading")?;
            match of_host.get(windows) {
                Some(host) if pulse.abs_diff(*host) <= NEAR => good += 1,
                _ => return Err("a pulse far from the host's"),
            }
        }
        windows += 1;
    }
    if windows < WINDOWS {
        return Err("windows are missing");
    }
    if good < windows / 3 {
        return Err("too few good windows");
    }
    Ok(format!("{good} good windows of {windows}, by core 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u32, reading: &str) -> String {
        (0..count)
            .map(|window| format!("{window}: {reading}\r\n"))
            .collect()
    }

    /// Compares with a host that measures 61 bpm everywhere.
    fn compared(said: &str) -> Result<String, &'static str> {
        let readings = (0..60).map(|window| format!("{window},61500,800\n"));
        let readings: String = readings.collect();
        compare_readings(said, &format!("window,milli_bpm,quality\n{readings}"))
    }

    #[test]
    fn a_monitor_that_measures_each_window_passes() {
        assert!(compared(&lines(35, "61 bpm, by core 1")).is_ok());
    }

    #[test]
    fn a_monitor_that_measures_elsewhere_or_too_little_fails() {
        for wrong in [
            "61 bpm, by core 0",
            "no pulse",
            "64 bpm, by core 1",
            "Dropped",
        ] {
            assert!(compared(&lines(35, wrong)).is_err(), "{wrong}");
        }
        assert!(compared(&lines(34, "61 bpm, by core 1")).is_err());
        assert!(compared("").is_err());
    }
}
