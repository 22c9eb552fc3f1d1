//! The standard error of a child.

use std::{
    io::{self, ErrorKind, Read, Write},
    process::ChildStderr,
};

/// How many bytes are kept of what a child wrote last.
const KEPT: usize = 2_048;
/// How many lines of them are in the reason for a loss.
const LINES: usize = 8;

/// The standard error of a child, which the parent passes on to its own.
pub(super) struct Stderr {
    /// Its reads do not wait.
    pipe: ChildStderr,
    /// The child's last output.
    last: Vec<u8>,
}

impl Stderr {
    pub(super) fn new(pipe: ChildStderr) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self {
            pipe,
            last: Vec::new(),
        })
    }

    pub(super) fn pipe(&self) -> &ChildStderr {
        &self.pipe
    }

    /// Passes on what the child has written, and keeps the last of it. True if there may be more.
    pub(super) fn pass_on(&mut self) -> bool {
        let mut buffer = [0; 4_096];
        // At most 16 reads at a time, since a child may write without an end.
        for _ in 0..16 {
            match self.pipe.read(&mut buffer) {
                Ok(count @ 1..) => {
                    let new = &buffer[..count];
                    let _ = io::stderr().write_all(new);
                    self.last.extend_from_slice(new);
                    let surplus = self.last.len().saturating_sub(KEPT);
                    self.last.drain(..surplus);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // There is nothing to read now, or ever.
                Ok(0) | Err(_) => return false,
            }
        }
        true
    }

    /// The last lines that the child wrote. `None` if there are none.
    pub(super) fn last_lines(&self) -> Option<String> {
        let last = String::from_utf8_lossy(&self.last);
        let mut lines: Vec<_> = last.lines().rev().take(LINES).collect();
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join(" | "))
    }
}
