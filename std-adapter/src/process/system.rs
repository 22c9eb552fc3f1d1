//! The differences between the systems.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use rustix::{net::SendFlags, process::Pid};

/// For each send: a peer that is gone is an error and no `SIGPIPE`. Systems without such a flag have
/// [`send_without_signal`].
#[cfg(not(target_vendor = "apple"))]
pub(super) const WITHOUT_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const WITHOUT_SIGNAL: SendFlags = SendFlags::empty();

/// For all sends by a socket: a peer that is gone is an error and no `SIGPIPE`, on systems that say so once.
pub(super) fn send_without_signal(socket: &UnixStream) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    rustix::net::sockopt::set_socket_nosigpipe(socket, true)?;
    let _ = socket;
    Ok(())
}

/// A descriptor that is readable when the process has ended. `None` where the system has none.
#[cfg(target_os = "linux")]
pub(super) fn end_of_process(process: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn end_of_process(_process: Pid) -> Option<OwnedFd> {
    None
}
