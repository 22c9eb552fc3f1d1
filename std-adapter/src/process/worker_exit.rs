//! How a process that cannot be a worker tells its parent why: by a line on standard error and an exit status.

use std::{
    fmt,
    io::{self, Write},
    process::ExitStatus,
};

/// The exit status of a child whose initializer has failed.
pub(super) const INITIALIZER_FAILED: i32 = 70;
/// The exit status of a child whose program must not be a worker.
pub(super) const REFUSED: i32 = 77;

/// Whether a child that ended with this status has said itself why it is no worker.
pub(super) fn has_said_why(status: ExitStatus) -> bool {
    matches!(status.code(), Some(INITIALIZER_FAILED | REFUSED))
}

/// Writes a line to standard error.
pub(super) fn say(text: fmt::Arguments<'_>) {
    // One write, so that the line is not mixed with others. If the write fails, nobody reads standard error.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
