//! Links as the other boards do, and with `defmt`'s script.

#[path = "../link.rs"]
mod link;

fn main() {
    link::main();
    println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
}
