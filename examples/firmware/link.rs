//! The build script of the boards: links with the runtime's script and the board's `memory.x`.

use std::{env, path::Path};

/// Tells cargo; a board that needs more says so after it.
pub fn main() {
    let board = env::var("CARGO_PKG_NAME").expect("set by cargo");
    // A board with a framework has the memory of the board that the first part of its name is.
    let folder = match board.rsplit_once('-') {
        Some((bare, _)) if !Path::new("memory.x").exists() => format!("../{bare}"),
        _ => ".".to_owned(),
    };
    let here = env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
    println!("cargo::rustc-link-search={here}/{folder}");
    println!("cargo::rerun-if-changed={folder}/memory.x");
    // `riscv-rt`'s script needs it before its own, `cortex-m-rt`'s includes it.
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "riscv32") {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
