//! Links with `cortex-m-rt`'s and `defmt`'s scripts and the `memory.x` of the same board's crate.

fn main() {
    println!("cargo::rerun-if-changed=../lm3s6965evb/memory.x");
    println!(
        "cargo::rustc-link-search={}/../lm3s6965evb",
        std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo")
    );
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
}
