//! Links with `cortex-m-rt`'s script and this board's `memory.x`.

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
    println!(
        "cargo::rustc-link-search={}",
        std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo")
    );
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
