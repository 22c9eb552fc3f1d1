//! The example `primes`, with a board: the example starts the emulator, whose standard input and output
//! are the board's serial port.

use std::process::Stdio;

use super::{compare, read, wire::End};
use crate::{cargo, root};

pub(super) const NAME: &str = "primes-to-riscv";

const BOARD: &End = &End::hart("riscv-virt-primes");

/// The name, the crate and the target of the board.
pub(super) const CRATE: (&str, &str, &str) = (NAME, BOARD.package, BOARD.target);

/// Runs the example, whose progress is seen meanwhile; returns what was measured, or what is wrong.
///
/// It needs no limit of time: the example gives up a board that is silent.
pub(super) fn check() -> Result<String, String> {
    let program = BOARD.build()?;
    let board = BOARD.command(&program, "stdio");
    let mut example = cargo();
    example
        .args(["run", "--quiet", "--locked", "--release"])
        .args(["--package", "corepool-examples", "--example", "primes"])
        .args(["--", "--board"])
        .arg(board.get_program())
        .args(board.get_args());
    let output = example.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("ended with {}:\n{said}", output.status));
    }
    let expected = read(root().join("examples/primes-jobs/expected.txt"))?;
    let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
    compare(&said, &expected).map_err(|wrong| format!("{wrong}:\n{said}"))
}
