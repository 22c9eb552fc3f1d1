//! The link to a child.

use std::{
    io::{self, ErrorKind, Read},
    net::Shutdown,
    os::unix::net::UnixStream,
    process::ChildStderr,
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::Duration,
};

use corepool::{LossReason, remote::Link};
use rustix::{io::Errno, net::send};

use super::{
    child::{ChildProcess, End},
    poll_worker::{PollWorker, Seen},
    stderr::Stderr,
};
use crate::{
    clock::now,
    intern::intern,
    process::{
        system::{WITHOUT_SIGNAL, send_without_signal},
        worker_exit::has_said_why,
    },
};

/// After how many reads the link asks for the child's end. A child may leave its socket to a process that sends
/// without an end, so that the thread never parks.
const ASKS_AMONG: u32 = 256;

/// The advice for a child that does not become a worker.
const HINT: &str = " (does its main call run_worker_if_asked first?)";

/// The socket to a child.
pub(super) struct ChildLink {
    socket: UnixStream,
    stderr: Stderr,
    seen: Rc<Seen>,
    /// How many bytes the link still reads before it ends. `None` while it goes on.
    left: Option<u64>,
    /// How many reads have found something.
    received: u32,
    start_timeout: Duration,
    child: Arc<ChildProcess>,
}

impl ChildLink {
    /// The link over `socket` to a child. `worker` watches the child from now on. The child must send something within
    /// `start_timeout`.
    pub(super) fn new(
        worker: &PollWorker,
        socket: UnixStream,
        stderr: ChildStderr,
        child: Arc<ChildProcess>,
        start_timeout: Duration,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        send_without_signal(&socket)?;
        let stderr = Stderr::new(stderr)?;
        let seen = worker.watch(&socket, stderr.pipe(), child.end.as_ref(), start_timeout)?;
        Ok(Self {
            socket,
            stderr,
            seen,
            left: None,
            received: 0,
            start_timeout,
            child,
        })
    }

    fn pass_stderr_on(&mut self) {
        if !self.stderr.pass_on() {
            self.seen.stderr.set(false);
        }
    }

    /// The child is lost: returns why, and kills the child if it does not end by itself.
    fn loss(&mut self) -> LossReason {
        // A child that still runs reads the socket's end, and exits.
        let _ = self.socket.shutdown(Shutdown::Write);
        let end = self.child.reap();
        let mut text = format!("its process ended: {end}");
        if self.seen.start_by.get().is_some() {
            text += ", before it had become a worker";
            match end {
                End::Status(status) if has_said_why(status) => {}
                _ => text += HINT,
            }
        }
        self.reason(&text)
    }

    /// The parent has said goodbye to the child. Waits for its end, and kills it if that does not come.
    pub(super) fn part(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = self.child.reap();
        self.pass_stderr_on();
    }

    /// The child has not become a worker in time: kills it, and returns why it is lost.
    fn late_start(&mut self) -> LossReason {
        self.child.kill();
        let timeout = self.start_timeout;
        self.reason(&format!(
            "its process had not become a worker in {timeout:?} (start_timeout) and was killed{HINT}"
        ))
    }

    fn reason(&mut self, text: &str) -> LossReason {
        self.pass_stderr_on();
        let mut details = format!("process {}", self.child.id());
        if let Some(lines) = self.stderr.last_lines() {
            details += &format!(", which said last: {lines}");
        }
        LossReason(intern(text, &details))
    }

    /// From now on, the link hands out the bytes that have arrived, and then ends. Other processes may have the
    /// child's socket: the link does not read the bytes that they send later.
    fn come_to_an_end(&mut self) {
        if self.left.is_none() {
            self.left = Some(rustix::io::ioctl_fionread(&self.socket).unwrap_or(0));
        }
    }
}

impl Link for ChildLink {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        loop {
            match send(&self.socket, bytes, WITHOUT_SIGNAL) {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                Err(_) => {
                    // Results may have arrived: the pool is to have them first.
                    self.come_to_an_end();
                    self.seen.waker.wake_by_ref();
                    return Ok(0);
                }
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        if self.seen.stderr.get() {
            self.pass_stderr_on();
        }
        if self.seen.end.take() && !self.child.is_running() {
            self.come_to_an_end();
        }
        let most = match self.left {
            Some(0) => return Err(self.loss()),
            Some(left) => buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX)),
            None => buffer.len(),
        };
        loop {
            match self.socket.read(&mut buffer[..most]) {
                Ok(count @ 1..) => {
                    self.left = self.left.map(|left| left.saturating_sub(count as u64));
                    self.received = self.received.wrapping_add(1);
                    if self.received.is_multiple_of(ASKS_AMONG) {
                        self.seen.end.set(true);
                    }
                    self.seen.start_by.set(None);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.left.is_none() => break,
                Ok(0) | Err(_) => return Err(self.loss()),
            }
        }
        let start_by = self.seen.start_by.get();
        if start_by.is_some_and(|at| now() >= at) {
            return Err(self.late_start());
        }
        Ok(0)
    }

    /// The waker is the thread's own, and its poll watches the socket.
    fn wake_on_data(&mut self, _waker: &Waker) {}

    fn is_lossless(&self) -> bool {
        true
    }
}

impl Drop for ChildLink {
    /// No child outlives its link.
    fn drop(&mut self) {
        self.child.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::fd::OwnedFd,
        process::{Command, Stdio},
    };

    use corepool::Parker;

    use super::*;

    /// The end of a link whose child leaves its socket and standard error to another process. That process
    /// runs the command `does`, and ends with the socket.
    fn end_beside_an_heir(does: &str, watched: bool) -> LossReason {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec 5<&0; {does} & exit 3")])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let child = match watched {
            true => ChildProcess::new(child),
            false => ChildProcess::watched_by(child, None),
        };
        let worker = PollWorker::new(0).unwrap();
        let hour = Duration::from_secs(3_600);
        let mut link = ChildLink::new(&worker, ours, stderr, Arc::new(child), hour).unwrap();
        loop {
            match link.receive(&mut [0; 8]) {
                Ok(0) => worker.park(None),
                Ok(_) => {}
                Err(reason) => return reason,
            }
        }
    }

    #[test]
    fn a_child_has_ended_when_it_has_and_not_when_its_socket_has() {
        for watched in [true, false] {
            let reason = end_beside_an_heir("cat <&5", watched).0;
            assert!(reason.contains("exit status: 3"), "{reason}");
        }
    }

    #[test]
    fn a_child_has_ended_even_if_another_sends_by_its_socket_without_an_end() {
        for watched in [true, false] {
            let reason = end_beside_an_heir("cat /dev/zero >&5 2>/dev/null", watched).0;
            assert!(reason.contains("exit status: 3"), "{reason}");
        }
    }

    #[test]
    fn a_look_at_standard_error_in_vain_is_the_last_until_a_poll_tells_of_it() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut child = Command::new("cat")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let child = Arc::new(ChildProcess::new(child));
        let worker = PollWorker::new(0).unwrap();
        let mut link = ChildLink::new(&worker, ours, stderr, child, Duration::MAX).unwrap();
        link.seen.stderr.set(true);
        assert_eq!(link.receive(&mut [0; 8]), Ok(0));
        assert!(!link.seen.stderr.get());
    }
}
