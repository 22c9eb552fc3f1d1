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
    // The scripts of `riscv-rt` and `aarch64-rt` need it before their own, those for other chips include it.
    let scripts: &[&str] = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("riscv32" | "riscv64") => &["memory.x", "link.x"],
        Ok("aarch64") => &["memory.x", "image.ld"],
        _ => &["link.x"],
    };
    for script in scripts {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
}
