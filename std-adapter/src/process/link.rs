//! The link to a child, and how its thread sleeps: on the pool, the socket, the child's standard error,
//! and its end at once.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, ChildStderr, ExitStatus},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Wake, Waker},
    thread,
    time::Duration,
};

use corepool::{LossReason, Parker, Worker, remote::Link};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::send,
    process::{Pid, Signal, kill_process},
};

use super::{
    child,
    reason::loss_reason,
    system::{WITHOUT_SIGNAL, end_of_process, send_without_signal},
};
use crate::{clock::now, spin::PollSpin};

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);
const STDERR: Token = Token(2);
const END: Token = Token(3);

/// How many bytes of what a child wrote last to its standard error are kept.
const KEPT: usize = 2_048;
/// How long a child has to exit when it has closed its socket, or was said goodbye to.
const GRACE: Duration = Duration::from_secs(1);
/// How often a child's end is looked for where no descriptor tells of it. Most often the end of its
/// socket does, sooner.
const LOOK_FOR_END: Duration = Duration::from_millis(250);

/// After how many reads the child's end is looked for, where there is always more to read, so that the
/// thread does not sleep: the child may have left its socket to a process that sends without an end.
const LOOK_AMONG: u32 = 256;

/// Nobody has woken the thread, and it is up.
const UP: u8 = 0;
/// It sleeps, or is about to.
const ASLEEP: u8 = 1;
/// It was woken.
const WOKEN: u8 = 2;

/// What wakes a thread that polls.
struct PollWaker {
    state: AtomicU8,
    waker: mio::Waker,
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // AcqRel: pairs with the swaps in `park`; what was done before the wake is seen after it.
        if self.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            // Fails only if the poll is gone, and its thread with it.
            let _ = self.waker.wake();
        }
    }
}

/// What a poll has seen, for the link to look at.
#[derive(Debug, Default)]
struct Seen {
    /// There may be something to read from the standard error.
    stderr: Cell<bool>,
    /// The child may have ended.
    end: Cell<bool>,
    /// By when the child has to be heard of, until it has been.
    start_by: Cell<Option<Duration>>,
}

/// Sleeps until woken, or until something happens on the descriptors of a child.
pub(super) struct PollWorker {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    waker: Arc<PollWaker>,
    seen: Rc<Seen>,
    /// Whether no descriptor tells of the child's end, so that it is looked for from time to time.
    looks: Cell<bool>,
    spin: PollSpin,
}

impl PollWorker {
    pub(super) fn new(spins: u32) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE)?;
        Ok(Self {
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(8)),
            waker: Arc::new(PollWaker {
                state: AtomicU8::new(UP),
                waker,
            }),
            seen: Rc::new(Seen::default()),
            looks: Cell::new(false),
            spin: PollSpin::new(spins),
        })
    }

    /// Watches a child, its socket and its standard error from now on. They are closed when the link is
    /// dropped, and not watched any more. The child has to be heard of within `start_timeout`.
    pub(super) fn link(
        &self,
        socket: UnixStream,
        stderr: ChildStderr,
        child: Arc<OwnedChild>,
        start_timeout: Duration,
    ) -> io::Result<ChildLink> {
        socket.set_nonblocking(true)?;
        send_without_signal(&socket)?;
        rustix::io::ioctl_fionbio(&stderr, true)?;
        let poll = self.poll.borrow();
        let both = Interest::READABLE | Interest::WRITABLE;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&socket.as_raw_fd()), SOCKET, both)?;
        let source = stderr.as_raw_fd();
        registry.register(&mut SourceFd(&source), STDERR, Interest::READABLE)?;
        match &child.end {
            Some(end) => {
                let source = end.as_raw_fd();
                registry.register(&mut SourceFd(&source), END, Interest::READABLE)?;
            }
            None => self.looks.set(true),
        }
        let start_by = now().checked_add(start_timeout);
        self.seen.start_by.set(start_by);
        // It may have ended before it was watched.
        self.seen.end.set(true);
        Ok(ChildLink {
            socket,
            stderr,
            seen: Rc::clone(&self.seen),
            waker: Arc::clone(&self.waker),
            last: Vec::new(),
            left: None,
            received: 0,
            start_timeout,
            child,
        })
    }

    /// For how long to sleep at most.
    fn timeout(&self, deadline: Option<Duration>) -> Option<Duration> {
        let deadlines = deadline.into_iter().chain(self.seen.start_by.get());
        let timeout = deadlines.min().map(|at| at.saturating_sub(now()));
        let looks = self.looks.get().then_some(LOOK_FOR_END);
        timeout.into_iter().chain(looks).min()
    }
}

impl Parker for PollWorker {
    fn waker(&self) -> Waker {
        Arc::clone(&self.waker).into()
    }

    fn park(&self, deadline: Option<Duration>) {
        let state = &self.waker.state;
        // Acquire and AcqRel: pair with the swap in `wake_by_ref`.
        let asleep = state.compare_exchange(UP, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        if asleep.is_ok() {
            let mut events = self.events.borrow_mut();
            // An interrupted wait is one that was short.
            let timeout = self.timeout(deadline);
            let _ = self.poll.borrow_mut().poll(&mut events, timeout);
            for event in events.iter() {
                match event.token() {
                    STDERR => self.seen.stderr.set(true),
                    END => self.seen.end.set(true),
                    _ => {}
                }
            }
            if self.looks.get() {
                self.seen.end.set(true);
            }
        }
        state.swap(UP, Ordering::AcqRel);
    }
}

impl Worker for PollWorker {
    fn spin(&self, round: u32) -> bool {
        self.spin.looks_again(round)
    }
}

/// A child process.
pub(super) struct OwnedChild {
    id: u32,
    /// Readable when the child has ended, and a name for it that no other process ever gets. Not on
    /// every system.
    end: Option<OwnedFd>,
    state: Mutex<ChildState>,
}

enum ChildState {
    Running(Child),
    /// With its status, if anybody knows it.
    Ended(Option<ExitStatus>),
}

impl OwnedChild {
    pub(super) fn new(child: Child) -> Self {
        let pid = pid(child.id());
        let end = pid.and_then(end_of_process);
        Self::watched_by(child, end)
    }

    fn watched_by(child: Child, end: Option<OwnedFd>) -> Self {
        Self {
            id: child.id(),
            end,
            state: Mutex::new(ChildState::Running(child)),
        }
    }

    /// Calls `f` with the child while it runs, or returns how it ended.
    fn while_running<R>(&self, f: impl FnOnce(&mut Child) -> R) -> Result<R, Option<ExitStatus>> {
        // A handle has no state that a panic could leave broken.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let ChildState::Running(child) = &mut *state {
            match child.try_wait() {
                Ok(None) => return Ok(f(child)),
                Ok(Some(status)) => *state = ChildState::Ended(Some(status)),
                // There is no such child any more, and somebody else has its status, or nobody.
                Err(_) => *state = ChildState::Ended(None),
            }
        }
        match *state {
            ChildState::Ended(status) => Err(status),
            ChildState::Running(_) => Err(None),
        }
    }

    /// The number of its process, if it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.while_running(|_| self.id).ok()
    }

    /// Sends a signal to the child, if it runs.
    pub(super) fn signal(&self, signal: Signal) {
        // Its number has not gone to another process: it has not been waited for.
        let _ = self.while_running(|_| {
            #[cfg(target_os = "linux")]
            if let Some(end) = &self.end {
                return rustix::process::pidfd_send_signal(end, signal);
            }
            pid(self.id).map_or(Ok(()), |pid| kill_process(pid, signal))
        });
    }

    /// Waits for the child's end, for no longer than `timeout` if there is one. How it ended, if it has.
    fn wait(&self, timeout: Option<Duration>) -> Result<(), Option<ExitStatus>> {
        let deadline = timeout.and_then(|timeout| now().checked_add(timeout));
        loop {
            self.while_running(|_| ())?;
            let left = deadline.map(|deadline| deadline.saturating_sub(now()));
            if left == Some(Duration::ZERO) {
                return Ok(());
            }
            match &self.end {
                Some(end) => {
                    let left = left.and_then(|left| left.try_into().ok());
                    // An interrupted wait is one that was short.
                    let _ = poll(&mut [PollFd::new(end, PollFlags::IN)], left.as_ref());
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Waits for the child to end, for no longer than [`GRACE`], and kills it then. How it ended, if by
    /// itself.
    fn reap(&self) -> Result<(), Option<ExitStatus>> {
        self.wait(Some(GRACE))?;
        self.kill();
        Ok(())
    }

    /// Kills the child, and waits for it.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
        let _ = self.wait(None);
    }
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(id.try_into().ok()?)
}

fn describe(end: Result<(), Option<ExitStatus>>) -> String {
    match end {
        Err(Some(status)) => status.to_string(),
        Err(None) => String::from(
            "its status is unknown, since this process ignores SIGCHLD or has waited for it elsewhere",
        ),
        Ok(()) => String::from("it did not exit and was killed"),
    }
}

/// What may be the matter with a program that is no worker.
const HINT: &str = " (does its main call run_worker_if_asked first?)";

/// The socket to a child.
pub(super) struct ChildLink {
    socket: UnixStream,
    stderr: ChildStderr,
    seen: Rc<Seen>,
    waker: Arc<PollWaker>,
    /// What the child wrote last to its standard error.
    last: Vec<u8>,
    /// Once nothing more is to come: how many bytes there are to be read.
    left: Option<u64>,
    /// How often something was there to be read.
    received: u32,
    start_timeout: Duration,
    child: Arc<OwnedChild>,
}

impl ChildLink {
    /// Passes on what the child has written to its standard error, and keeps the last of it.
    fn pass_stderr_on(&mut self) {
        let mut buffer = [0; 4_096];
        // Once around for what is there, even if the child writes without an end.
        for _ in 0..16 {
            match self.stderr.read(&mut buffer) {
                Ok(count @ 1..) => {
                    let new = &buffer[..count];
                    let _ = io::stderr().write_all(new);
                    self.last.extend_from_slice(new);
                    let surplus = self.last.len().saturating_sub(KEPT);
                    self.last.drain(..surplus);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing now, or never more.
                Ok(0) | Err(_) => return self.seen.stderr.set(false),
            }
        }
    }

    /// Why the child is lost. Kills it if it does not end by itself.
    pub(super) fn why(&mut self) -> LossReason {
        // The end of its input tells a child that a goodbye did not get to.
        let _ = self.socket.shutdown(Shutdown::Write);
        let end = self.child.reap();
        let mut text = format!("its process ended: {}", describe(end));
        if self.seen.start_by.get().is_some() {
            text += ", before it had become a worker";
            // Those that know of it say themselves why.
            if !end.is_err_and(child::says_why) {
                text += HINT;
            }
        }
        self.reason(&text)
    }

    /// The child has been said goodbye to: waits for its end, and kills it if that does not come.
    pub(super) fn part(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = self.child.reap();
        self.pass_stderr_on();
    }

    /// Why the child is lost, which has not become a worker in its time, and is killed.
    fn too_late(&mut self) -> LossReason {
        self.child.kill();
        let timeout = self.start_timeout;
        self.reason(&format!(
            "its process had not become a worker in {timeout:?} (start_timeout) and was killed{HINT}"
        ))
    }

    fn reason(&mut self, text: &str) -> LossReason {
        self.pass_stderr_on();
        let last = String::from_utf8_lossy(&self.last);
        let lines: Vec<_> = last.lines().rev().take(8).collect();
        let lines: Vec<_> = lines.into_iter().rev().collect();
        let mut details = format!("process {}", self.child.id);
        if !lines.is_empty() {
            details += &format!(", which said last: {}", lines.join(" | "));
        }
        loss_reason(text, &details)
    }

    /// From now on, what has arrived is handed out, and then the end: nothing of what others send who
    /// have the child's socket.
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
                    // Results may have arrived that are to be had first.
                    self.come_to_an_end();
                    self.waker.wake_by_ref();
                    return Ok(0);
                }
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        if self.seen.stderr.get() {
            self.pass_stderr_on();
        }
        if self.seen.end.take() && self.child.id().is_none() {
            self.come_to_an_end();
        }
        let most = match self.left {
            Some(0) => return Err(self.why()),
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
                    if self.received.is_multiple_of(LOOK_AMONG) {
                        self.seen.end.set(true);
                    }
                    self.seen.start_by.set(None);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.left.is_none() => break,
                Ok(0) | Err(_) => return Err(self.why()),
            }
        }
        let start_by = self.seen.start_by.get();
        if start_by.is_some_and(|at| now() >= at) {
            return Err(self.too_late());
        }
        Ok(0)
    }

    /// The waker is that of the thread, whose poll watches the socket.
    fn wake_on_data(&mut self, _waker: &Waker) {}

    fn is_lossless(&self) -> bool {
        true
    }
}

impl Drop for ChildLink {
    /// A child is not left alone, however its link comes to its end.
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

    use super::*;

    /// How a link ends whose child leaves its socket and standard error to another process, which does
    /// this and ends with the socket.
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
            true => OwnedChild::new(child),
            false => OwnedChild::watched_by(child, None),
        };
        let worker = PollWorker::new(0).unwrap();
        let hour = Duration::from_secs(3_600);
        let mut link = worker.link(ours, stderr, Arc::new(child), hour).unwrap();
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
    fn a_wake_ends_the_sleep_that_comes_next() {
        let worker = PollWorker::new(0).unwrap();
        worker.waker().wake();
        worker.park(None);
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
        let child = Arc::new(OwnedChild::new(child));
        let worker = PollWorker::new(0).unwrap();
        let mut link = worker.link(ours, stderr, child, Duration::MAX).unwrap();
        link.seen.stderr.set(true);
        assert_eq!(link.receive(&mut [0; 8]), Ok(0));
        assert!(!link.seen.stderr.get());
    }
}
