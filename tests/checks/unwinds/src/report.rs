//! The report of a child process to its parent, line by line.

use std::{io::Write as _, process};

/// Says a line. Nobody reads it if the parent is gone.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// The run with this bomb begins.
pub(crate) fn begins(number: usize, total: usize, name: &str, nth: usize) {
    say(format_args!("run\t{number}\t{total}\t{name}\t{nth}"));
}

/// The run has ended, and its bomb did or did not go off.
pub(crate) fn ends(gone_off: bool) {
    say(format_args!("{}", if gone_off { "done" } else { "missed" }));
}

/// A law was broken.
pub(crate) fn broken(law: &str) {
    say(format_args!("broken\t{law}"));
}

/// Somebody waits for ever: the end of this process.
pub(crate) fn hangs(why: &str) -> ! {
    broken(&format!("hangs: {why}"));
    process::exit(0);
}
