//! Links with the memory of the chip's board in `examples/firmware`.

use std::{env, path::PathBuf};

fn main() {
    let variable = |name| env::var(name).expect("set by cargo");
    let target = variable("TARGET");
    let board = match target.as_str() {
        "thumbv6m-none-eabi" => "microbit",
        "thumbv7m-none-eabi" => "lm3s6965evb",
        _ => "riscv-virt",
    };
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let memory = here.join("../../../../examples/firmware").join(board);
    println!("cargo::rerun-if-changed={}/memory.x", memory.display());
    println!("cargo::rustc-link-search={}", memory.display());
    if !target.starts_with("thumb") {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
