//! Turns the recording of the host's example into an array for flash, and names the family of the chip.

use std::{env, fs, path::Path};

const RECORDING: &str = "../../data/pulse.csv";

/// The families of chips, as conditions of the source.
const FAMILIES: [&str; 3] = ["a_profile", "cortex_m", "riscv"];

fn main() {
    for family in FAMILIES {
        println!("cargo::rustc-check-cfg=cfg({family})");
    }
    println!("cargo::rustc-cfg={}", family());
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

/// The family of the chip that the program is built for.
fn family() -> &'static str {
    let cfg = |name: &str| env::var(format!("CARGO_CFG_{name}")).unwrap_or_default();
    let arch = cfg("TARGET_ARCH");
    // No Cortex-M loads or stores 64 bits exclusively, and each Arm of the A-profile does.
    let has_64_bits = cfg("TARGET_HAS_ATOMIC").split(',').any(|bits| bits == "64");
    match arch.as_str() {
        "riscv32" | "riscv64" => "riscv",
        "arm" if !has_64_bits => "cortex_m",
        _ => "a_profile",
    }
}
