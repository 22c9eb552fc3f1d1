//! Tells the crate the optimisation level that it is built with.

fn main() {
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo::rustc-env=COREPOOL_SIM_OPT_LEVEL={level}");
    println!("cargo::rerun-if-changed=build.rs");
}
