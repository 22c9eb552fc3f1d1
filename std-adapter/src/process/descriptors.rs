//! The descriptors that a child is not to have.

use std::{io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Resource, getrlimit};

/// The first that is not standard input, output, or error.
const FIRST: libc::c_int = 3;
/// The most descriptors that are closed one by one, where they cannot be closed at once.
const MOST: u64 = 1 << 16;

/// Has a child begin without the descriptors of this process that some library has opened without
/// `CLOEXEC`.
pub(super) fn close_in_child(command: &mut Command) {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    let end = libc::c_int::try_from(limit.min(MOST)).unwrap_or(libc::c_int::MAX);
    // SAFETY: between fork and exec the closure makes system calls and nothing else.
    unsafe { command.pre_exec(move || mark(end)) };
}

/// Marks all descriptors to be closed at the exec: `std` still tells its parent by one if that fails.
fn mark(end: libc::c_int) -> io::Result<()> {
    if !mark_at_once() {
        for descriptor in FIRST..end {
            // SAFETY: a flag of a descriptor, of which this process does nothing more but exec.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// False: the kernel is older than the call.
#[cfg(target_os = "linux")]
fn mark_at_once() -> bool {
    // SAFETY: as above, of all descriptors. By its number: not every C library has a name for it.
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
