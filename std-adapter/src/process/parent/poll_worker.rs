//! How the thread of a child parks: it polls for a wake-up, the socket, the child's standard error and its end at
//! once.

use std::{
    cell::{Cell, RefCell},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::ChildStderr,
    rc::Rc,
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use corepool::{Parker, Worker};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{
    clock::now,
    spin::{poll::PollSpin, sleep_state::SleepState},
};

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);
const STDERR: Token = Token(2);
const END: Token = Token(3);

/// How often the thread asks for a child's end where no descriptor tells of it. Most often the end of the child's
/// socket tells of it sooner.
const ASKS_AFTER: Duration = Duration::from_millis(250);

/// Wakes a thread that polls.
struct PollWaker {
    state: SleepState,
    waker: mio::Waker,
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.set_woken() {
            // It fails only if the poll is gone, and its thread with it.
            let _ = self.waker.wake();
        }
    }
}

/// The findings of the polls about a child, for its link.
pub(super) struct Seen {
    /// There may be something to read from the child's standard error.
    pub(super) stderr: Cell<bool>,
    /// The child may have ended.
    pub(super) end: Cell<bool>,
    /// The time by which the child must send something. `None` when it has.
    pub(super) start_by: Cell<Option<Duration>>,
    /// Wakes the thread, so that it looks at the link again.
    pub(super) waker: Waker,
}

/// The thread of a child as a worker: it polls until woken, or until something happens on the child's descriptors.
pub(super) struct PollWorker {
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    waker: Arc<PollWaker>,
    seen: Rc<Seen>,
    /// Whether no descriptor tells of the child's end, so that the thread asks for it.
    asks_for_end: Cell<bool>,
    spin: PollSpin,
}

impl PollWorker {
    pub(super) fn new(spins: u32) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(PollWaker {
            state: SleepState::default(),
            waker: mio::Waker::new(poll.registry(), WAKE)?,
        });
        Ok(Self {
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(8)),
            seen: Rc::new(Seen {
                stderr: Cell::default(),
                end: Cell::default(),
                start_by: Cell::default(),
                waker: Arc::clone(&waker).into(),
            }),
            waker,
            asks_for_end: Cell::new(false),
            spin: PollSpin::new(spins),
        })
    }

    /// Watches a child's socket, standard error and end until they are closed. The child must send something within
    /// `start_timeout`.
    pub(super) fn watch(
        &self,
        socket: &UnixStream,
        stderr: &ChildStderr,
        end: Option<&OwnedFd>,
        start_timeout: Duration,
    ) -> io::Result<Rc<Seen>> {
        let poll = self.poll.borrow();
        let registry = poll.registry();
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&socket.as_raw_fd()), SOCKET, both)?;
        let source = stderr.as_raw_fd();
        registry.register(&mut SourceFd(&source), STDERR, Interest::READABLE)?;
        match end {
            Some(end) => {
                let source = end.as_raw_fd();
                registry.register(&mut SourceFd(&source), END, Interest::READABLE)?;
            }
            None => self.asks_for_end.set(true),
        }
        self.seen.start_by.set(now().checked_add(start_timeout));
        // The child may have ended before this.
        self.seen.end.set(true);
        Ok(Rc::clone(&self.seen))
    }

    /// The longest time to sleep.
    fn timeout(&self, deadline: Option<Duration>) -> Option<Duration> {
        let deadlines = deadline.into_iter().chain(self.seen.start_by.get());
        let timeout = deadlines.min().map(|at| at.saturating_sub(now()));
        let asks = self.asks_for_end.get().then_some(ASKS_AFTER);
        timeout.into_iter().chain(asks).min()
    }
}

impl Parker for PollWorker {
    fn waker(&self) -> Waker {
        Arc::clone(&self.waker).into()
    }

    fn park(&self, deadline: Option<Duration>) {
        let state = &self.waker.state;
        if state.begin() {
            let mut events = self.events.borrow_mut();
            // An interrupted poll is a short one.
            let timeout = self.timeout(deadline);
            let _ = self.poll.borrow_mut().poll(&mut events, timeout);
            for event in events.iter() {
                match event.token() {
                    STDERR => self.seen.stderr.set(true),
                    END => self.seen.end.set(true),
                    _ => {}
                }
            }
            if self.asks_for_end.get() {
                self.seen.end.set(true);
            }
        }
        state.end();
    }
}

impl Worker for PollWorker {
    fn spin(&self, round: u32) -> bool {
        self.spin.looks_again(round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_ends_the_sleep_that_comes_next() {
        let worker = PollWorker::new(0).unwrap();
        worker.waker().wake();
        worker.park(None);
    }
}
