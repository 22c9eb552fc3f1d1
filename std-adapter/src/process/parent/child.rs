//! The process of a child: its number, its signals, and its end.

use std::{
    fmt,
    os::fd::OwnedFd,
    process::{Child, ExitStatus},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, Signal, kill_process},
};

use crate::{clock::now, process::system::end_of_process};

/// How long a child may take to exit after its socket is closed, or after a goodbye.
const GRACE: Duration = Duration::from_secs(1);

/// A child process.
pub(super) struct ChildProcess {
    id: u32,
    /// A descriptor of the process that is readable when it has ended, and is never that of another process. Not
    /// every system has it.
    pub(super) end: Option<OwnedFd>,
    state: Mutex<State>,
}

enum State {
    Running(Child),
    Ended(End),
}

/// How a child has ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It ended by itself, with this status.
    Status(ExitStatus),
    /// It ended, and its status is lost: this process ignores `SIGCHLD`, or other code of it has waited for the child.
    Unknown,
    /// It did not end in time, and the parent killed it.
    Killed,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Unknown => f.write_str(
                "its status is unknown, since this process ignores SIGCHLD or has waited for it elsewhere",
            ),
            Self::Killed => f.write_str("it did not exit and was killed"),
        }
    }
}

impl ChildProcess {
    pub(super) fn new(child: Child) -> Self {
        let end = pid(child.id()).and_then(end_of_process);
        Self::watched_by(child, end)
    }

    pub(super) fn watched_by(child: Child, end: Option<OwnedFd>) -> Self {
        Self {
            id: child.id(),
            end,
            state: Mutex::new(State::Running(child)),
        }
    }

    /// The number of the process, whether or not it runs.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn is_running(&self) -> bool {
        self.while_running(|_| ()).is_ok()
    }

    /// Calls `f` with the child while it runs, or returns how it has ended.
    fn while_running<R>(&self, f: impl FnOnce(&mut Child) -> R) -> Result<R, End> {
        // A handle has no state that a panic could leave broken.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let end = match &mut *state {
            State::Ended(end) => return Err(*end),
            State::Running(child) => match child.try_wait() {
                Ok(None) => return Ok(f(child)),
                Ok(Some(status)) => End::Status(status),
                // The process has no such child any more.
                Err(_) => End::Unknown,
            },
        };
        *state = State::Ended(end);
        Err(end)
    }

    /// Sends a signal to the child, if it runs.
    pub(super) fn signal(&self, signal: Signal) {
        // No other process has its number, since nobody has waited for it.
        let _ = self.while_running(|_| {
            #[cfg(target_os = "linux")]
            if let Some(end) = &self.end {
                return rustix::process::pidfd_send_signal(end, signal);
            }
            pid(self.id).map_or(Ok(()), |pid| kill_process(pid, signal))
        });
    }

    /// Waits for the child's end, for no longer than `timeout` if there is one. `None` if the child still runs then.
    fn wait(&self, timeout: Option<Duration>) -> Option<End> {
        let deadline = timeout.and_then(|timeout| now().checked_add(timeout));
        loop {
            if let Err(end) = self.while_running(|_| ()) {
                return Some(end);
            }
            let left = deadline.map(|deadline| deadline.saturating_sub(now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            match &self.end {
                Some(end) => {
                    let left = left.and_then(|left| left.try_into().ok());
                    // An interrupted poll is a short one.
                    let _ = poll(&mut [PollFd::new(end, PollFlags::IN)], left.as_ref());
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Waits until the child has ended. Kills it if it has not after a second.
    pub(super) fn reap(&self) -> End {
        self.wait(Some(GRACE)).unwrap_or_else(|| {
            self.kill();
            End::Killed
        })
    }

    /// Kills the child, and waits for its end.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
        let _ = self.wait(None);
    }
}

fn pid(id: u32) -> Option<Pid> {
    Pid::from_raw(id.try_into().ok()?)
}
