//! The thread that ends a child together with its parent.

use std::{io, os::unix::net::UnixStream, thread};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, Signal, getpid, kill_process},
};

use crate::process::system::end_of_process;

/// Ends this process when the parent ends, even in the midst of a job. The parent has ended when the other end of
/// the socket is closed, or when the kernel tells of the process's end.
pub(super) fn end_with_the_parent(socket: &UnixStream, parent: Option<Pid>) -> io::Result<()> {
    let socket = socket.try_clone()?;
    let parent = parent.and_then(end_of_process);
    thread::Builder::new()
        .name(String::from("parent-watch"))
        .spawn(move || {
            loop {
                // A poll tells of a hang-up even if it is not asked for.
                let mut fds = vec![PollFd::new(&socket, PollFlags::empty())];
                fds.extend(
                    parent
                        .iter()
                        .map(|parent| PollFd::new(parent, PollFlags::IN)),
                );
                let ended = PollFlags::HUP | PollFlags::ERR | PollFlags::IN;
                let told = poll(&mut fds, None).is_ok();
                if told && fds.iter().any(|fd| fd.revents().intersects(ended)) {
                    // A job may be at work and hold any lock. Only a kill is sure to end the process.
                    let _ = kill_process(getpid(), Signal::KILL);
                }
            }
        })?;
    Ok(())
}
