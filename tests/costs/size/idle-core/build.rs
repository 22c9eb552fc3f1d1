//! Links with the memory of the board with several harts in `examples/firmware`.

use std::{env, path::PathBuf};

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let board = here.join("../../../../examples/firmware/riscv-virt-smp");
    println!("cargo::rerun-if-changed={}/memory.x", board.display());
    println!("cargo::rustc-link-search={}", board.display());
    println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
