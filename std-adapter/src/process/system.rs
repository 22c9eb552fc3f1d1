//! What the systems do in different ways.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use rustix::{net::SendFlags, process::Pid};

/// A peer that is gone is an error and no signal, whatever the application does with `SIGPIPE`: on
/// systems where each send can say so.
#[cfg(not(target_vendor = "apple"))]
pub(super) const WITHOUT_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const WITHOUT_SIGNAL: SendFlags = SendFlags::empty();

/// The same where the socket says it once.
pub(super) fn send_without_signal(socket: &UnixStream) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    rustix::net::sockopt::set_socket_nosigpipe(socket, true)?;
    let _ = socket;
    Ok(())
}

/// What can be read as soon as a process has ended; `None` where the system has no such thing.
#[cfg(target_os = "linux")]
pub(super) fn end_of_process(process: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn end_of_process(_process: Pid) -> Option<OwnedFd> {
    None
}
