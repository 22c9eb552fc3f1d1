//! The link to a child, and how its thread sleeps: on the pool, the socket, and the child's standard
//! error at once.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    os::{fd::AsRawFd, unix::net::UnixStream},
    process::{Child, ChildStderr},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Wake, Waker},
    thread,
    time::Duration,
};

use corepool::{JobId, LossReason, Parker, Worker, remote::Link};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::process::{Pid, Signal, kill_process};

use super::reason::loss_reason;
use crate::port;

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);
const STDERR: Token = Token(2);

/// How many bytes of what a child wrote last to its standard error are kept.
const KEPT: usize = 2_048;
/// For how long a thread looks again at most before it sleeps: each look is two system calls, so
/// that their number alone does not say.
const LOOK: Duration = Duration::from_micros(50);
/// How many milliseconds a child has to exit when it has closed its socket.
const GRACE: u32 = 1_000;

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

/// Sleeps until woken, or until something happens on the descriptors of a child.
pub(super) struct PollWorker {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    waker: Arc<PollWaker>,
    /// Whether there may be something to read from the standard error.
    has_stderr: Rc<Cell<bool>>,
    spins: u32,
    /// Since when it has looked in vain.
    idle_since: Cell<Duration>,
    had_jobs: Cell<bool>,
}

impl PollWorker {
    /// Whether a job was ever sent to the other side.
    pub(super) fn has_had_jobs(&self) -> bool {
        self.had_jobs.get()
    }

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
            has_stderr: Rc::new(Cell::new(false)),
            spins,
            idle_since: Cell::new(Duration::ZERO),
            had_jobs: Cell::new(false),
        })
    }

    /// Watches a child's socket and standard error from now on. They are closed when the link is
    /// dropped, and not watched any more.
    pub(super) fn link(
        &self,
        socket: UnixStream,
        stderr: ChildStderr,
        child: Arc<OwnedChild>,
    ) -> io::Result<ChildLink> {
        socket.set_nonblocking(true)?;
        rustix::io::ioctl_fionbio(&stderr, true)?;
        let poll = self.poll.borrow();
        let both = Interest::READABLE | Interest::WRITABLE;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&socket.as_raw_fd()), SOCKET, both)?;
        let source = stderr.as_raw_fd();
        registry.register(&mut SourceFd(&source), STDERR, Interest::READABLE)?;
        Ok(ChildLink {
            socket,
            stderr,
            has_stderr: Rc::clone(&self.has_stderr),
            last: Vec::new(),
            child,
        })
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
            let timeout = deadline.map(|deadline| deadline.saturating_sub(port::now()));
            let mut events = self.events.borrow_mut();
            // An interrupted wait is one that was short.
            let _ = self.poll.borrow_mut().poll(&mut events, timeout);
            if events.iter().any(|event| event.token() == STDERR) {
                self.has_stderr.set(true);
            }
        }
        state.swap(UP, Ordering::AcqRel);
    }
}

impl Worker for PollWorker {
    fn spin(&self, round: u32) -> bool {
        let now = port::now();
        if round == 0 {
            self.idle_since.set(now);
        }
        let looks = round < self.spins && now.saturating_sub(self.idle_since.get()) < LOOK;
        if looks {
            thread::yield_now();
        }
        looks
    }

    fn on_job_start(&self, _job: JobId) {
        self.had_jobs.set(true);
    }
}

/// A child that is there until it has been waited for.
pub(super) struct OwnedChild(Mutex<Option<Child>>);

impl OwnedChild {
    pub(super) fn new(child: Child) -> Self {
        Self(Mutex::new(Some(child)))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Option<Child>) -> R) -> R {
        // A handle has no state that a panic could leave broken.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.with(|child| child.as_ref().map(Child::id))
    }

    /// Sends a signal to the child, if it is there: its number cannot have gone to another process,
    /// since it has not been waited for.
    pub(super) fn signal(&self, signal: Signal) {
        self.with(|child| {
            let id = child.as_ref().and_then(|child| child.id().try_into().ok());
            if let Some(pid) = id.and_then(Pid::from_raw) {
                let _ = kill_process(pid, signal);
            }
        });
    }

    /// Waits for the child to exit, for no longer than [`GRACE`], and kills it then. How it ended.
    pub(super) fn reap(&self) -> String {
        for _ in 0..GRACE {
            let ended = self.with(|child| match child {
                Some(running) => running.try_wait().transpose().inspect(|_| *child = None),
                None => Some(Err(ErrorKind::NotFound.into())),
            });
            match ended {
                Some(Ok(status)) => return status.to_string(),
                Some(Err(error)) => return error.to_string(),
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
        self.kill();
        String::from("it did not exit and was killed")
    }

    /// Kills the child, and waits for it.
    pub(super) fn kill(&self) {
        if let Some(mut child) = self.with(Option::take) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The socket to a child.
pub(super) struct ChildLink {
    socket: UnixStream,
    stderr: ChildStderr,
    has_stderr: Rc<Cell<bool>>,
    /// What the child wrote last to its standard error.
    last: Vec<u8>,
    child: Arc<OwnedChild>,
}

impl ChildLink {
    /// Passes on what the child has written to its standard error, and keeps the last of it.
    fn pass_stderr_on(&mut self) {
        let mut buffer = [0; 4_096];
        // Once around for what is there, even if the child writes without an end.
        for _ in 0..16 {
            match self.stderr.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    let new = &buffer[..count];
                    let _ = io::stderr().write_all(new);
                    self.last.extend_from_slice(new);
                    let surplus = self.last.len().saturating_sub(KEPT);
                    self.last.drain(..surplus);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.has_stderr.set(false),
            }
        }
    }

    /// Why the child is lost. Kills it if it is not gone by itself.
    pub(super) fn why(&mut self) -> LossReason {
        let id = self.child.id();
        // The end of its input tells a child that a goodbye did not get to.
        let _ = self.socket.shutdown(Shutdown::Write);
        let status = self.child.reap();
        self.pass_stderr_on();
        let last = String::from_utf8_lossy(&self.last);
        let lines: Vec<_> = last.lines().rev().take(8).collect();
        let lines: Vec<_> = lines.into_iter().rev().collect();
        let details = match (id, lines.is_empty()) {
            (Some(id), true) => format!("process {id}"),
            (Some(id), false) => format!("process {id}, which said last: {}", lines.join(" | ")),
            (None, _) => String::new(),
        };
        loss_reason(&format!("its process ended: {status}"), &details)
    }
}

impl Link for ChildLink {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        loop {
            match self.socket.write(bytes) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.why()),
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        if self.has_stderr.get() {
            self.pass_stderr_on();
        }
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(self.why()),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.why()),
            }
        }
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
