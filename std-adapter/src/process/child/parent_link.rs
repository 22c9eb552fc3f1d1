//! The child's link to its parent.

use std::{
    cell::Cell,
    io::{self, ErrorKind, Read},
    os::unix::net::UnixStream,
    rc::Rc,
    task::Waker,
    time::Duration,
};

use corepool::{LossReason, Parker, remote::Link};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::send,
};

use crate::process::system::{WITHOUT_SIGNAL, send_without_signal};

/// The link over a socket to the parent, and the parker that waits for it.
pub(super) fn link(socket: UnixStream) -> io::Result<(ParentLink, SocketParker)> {
    socket.set_nonblocking(true)?;
    send_without_signal(&socket)?;
    let is_full = Rc::new(Cell::new(false));
    let parker = SocketParker {
        socket: socket.try_clone()?,
        is_full: Rc::clone(&is_full),
    };
    Ok((ParentLink { socket, is_full }, parker))
}

/// The socket to the parent.
pub(super) struct ParentLink {
    socket: UnixStream,
    /// Whether the socket has not taken all that it was given.
    is_full: Rc<Cell<bool>>,
}

const PARENT_GONE: LossReason = LossReason("the parent process is gone");

impl Link for ParentLink {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        match send(&self.socket, bytes, WITHOUT_SIGNAL) {
            Ok(count) => {
                self.is_full.set(count < bytes.len());
                Ok(count)
            }
            Err(Errno::AGAIN) => {
                self.is_full.set(true);
                Ok(0)
            }
            Err(Errno::INTR) => Ok(0),
            Err(_) => Err(PARENT_GONE),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        match self.socket.read(buffer) {
            Ok(0) => Err(PARENT_GONE),
            Ok(count) => Ok(count),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(0),
                _ => Err(PARENT_GONE),
            },
        }
    }

    /// Only the socket wakes the parker, which polls it.
    fn wake_on_data(&mut self, _waker: &Waker) {}

    fn is_lossless(&self) -> bool {
        true
    }
}

/// Sleeps until the socket has something to read, or room for what is to be written.
pub(super) struct SocketParker {
    socket: UnixStream,
    is_full: Rc<Cell<bool>>,
}

impl Parker for SocketParker {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        let mut wanted = PollFlags::IN;
        if self.is_full.get() {
            wanted |= PollFlags::OUT;
        }
        // An interrupted poll is a short one.
        let _ = poll(&mut [PollFd::new(&self.socket, wanted)], None);
    }
}
