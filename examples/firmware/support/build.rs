//! Turns the recording of the host's example into an array for flash.

use std::{env, fs, path::Path};

const RECORDING: &str = "../../data/pulse.csv";

fn main() {
    println!("cargo::rerun-if-changed={RECORDING}");
    let text = fs::read_to_string(RECORDING).expect("the recording is in the repository");
    // Time and value, after a header.
    let samples: Vec<u16> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(1)?.parse().ok())
        .collect();
    let out = env::var_os("OUT_DIR").expect("set by cargo");
    fs::write(Path::new(&out).join("samples.rs"), format!("{samples:?}")).expect("writable");
}
