//! How a child is kept from this process's descriptors.

use std::{io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Resource, getrlimit};

/// The first descriptor that is not standard input, output, or error.
const FIRST: libc::c_int = 3;
/// How many descriptors are marked one by one, at most, where the system cannot mark them at once.
const MOST: u64 = 1 << 16;

/// Starts a child without this process's descriptors, even if some library has opened them without `CLOEXEC`.
pub(super) fn close_in_child(command: &mut Command) {
    let end = end();
    // SAFETY: between fork and exec the closure makes system calls and nothing else.
    unsafe { command.pre_exec(move || mark(end)) };
}

/// The descriptor after the last that is marked one by one.
fn end() -> libc::c_int {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    libc::c_int::try_from(limit.min(MOST)).unwrap_or(libc::c_int::MAX)
}

/// Marks all descriptors to be closed by the exec, and closes none: if the exec fails, `std` tells the parent by one of
/// them.
fn mark(end: libc::c_int) -> io::Result<()> {
    if !mark_at_once() {
        mark_one_by_one(end);
    }
    Ok(())
}

fn mark_one_by_one(end: libc::c_int) {
    for descriptor in FIRST..end {
        // SAFETY: `fcntl` sets a flag of a descriptor and touches no memory. No exec of this process is to pass the
        // descriptor on.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// False if the kernel is older than the call.
#[cfg(target_os = "linux")]
fn mark_at_once() -> bool {
    // By number, since not every C library has a name for the call.
    // SAFETY: as in `mark_one_by_one`, for all descriptors.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn mark_at_once() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::{fd::AsRawFd, unix::net::UnixStream};

    use super::*;

    /// As on a kernel that is older than the call.
    #[test]
    fn descriptors_are_marked_one_by_one_as_well() {
        let (one, _other) = UnixStream::pair().unwrap();
        // SAFETY: a copy of a descriptor that is there.
        let copy = unsafe { libc::fcntl(one.as_raw_fd(), libc::F_DUPFD, FIRST) };
        // SAFETY: it reads a flag.
        let is_marked = || unsafe { libc::fcntl(copy, libc::F_GETFD) } == libc::FD_CLOEXEC;
        assert!(copy >= FIRST && !is_marked());
        mark_one_by_one(end());
        assert!(is_marked());
        // SAFETY: it is the test's own.
        unsafe { libc::close(copy) };
    }
}
