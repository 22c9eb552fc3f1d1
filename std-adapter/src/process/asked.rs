//! How a parent asks a program to be its worker, and how the program finds that it was asked.
//!
//! The question is an environment variable. It names the socket that the child has as its standard
//! input, so that it means nothing to any other process: not to one that inherits the variable, and
//! not to one that has another socket there.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::fstat,
    process::{Pid, getegid, geteuid, getgid, getppid, getuid},
};

/// Set in the environment of a child that is to be a worker.
const VARIABLE: &str = "COREPOOL_WORKER";

/// How many bytes a frame may have.
pub(super) const FRAMES: std::ops::RangeInclusive<usize> = 64..=1 << 30;

/// Whether this program has looked for the question.
static LOOKED: AtomicBool = AtomicBool::new(false);

/// What a child is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The process that asks.
    parent: u32,
    /// The number of the child's standard input, which no other socket has.
    socket: u64,
    /// How many bytes a frame may have.
    frame: usize,
}

impl Question {
    /// The question to a child that has `socket` as its standard input.
    pub(super) fn new(socket: &UnixStream, frame: usize) -> io::Result<Self> {
        Ok(Self {
            parent: process::id(),
            socket: number_of(socket)?,
            frame,
        })
    }

    /// The variable that asks it: name and value.
    pub(super) fn variable(self) -> (&'static str, String) {
        let Self {
            parent,
            socket,
            frame,
        } = self;
        (VARIABLE, format!("{parent}:{socket}:{frame}"))
    }

    fn parse(value: &str) -> Option<Self> {
        let mut numbers = value.split(':');
        let question = Self {
            parent: numbers.next()?.parse().ok()?,
            socket: numbers.next()?.parse().ok()?,
            frame: numbers.next()?.parse().ok()?,
        };
        numbers.next().is_none().then_some(question)
    }

    fn from_environment() -> Option<Self> {
        Self::parse(std::env::var_os(VARIABLE)?.to_str()?)
    }

    /// This process's standard input, if it is the socket that the question names.
    fn socket(self) -> Option<UnixStream> {
        let stdin = io::stdin();
        let socket = UnixStream::from(stdin.as_fd().try_clone_to_owned().ok()?);
        let is_named = number_of(&socket).ok()? == self.socket;
        (is_named && socket.peer_addr().is_ok()).then_some(socket)
    }
}

/// A number that no two sockets have at a time.
fn number_of(socket: &UnixStream) -> io::Result<u64> {
    // Of another width elsewhere.
    #[allow(clippy::useless_conversion)]
    Ok(fstat(socket)?.st_ino.into())
}

/// A question that this process is to answer by being a worker.
pub(super) struct Asked {
    pub(super) socket: UnixStream,
    pub(super) frame: usize,
    /// The process at the other end, as far as the kernel tells.
    pub(super) parent: Option<Pid>,
}

/// Looks for the question, and takes it out of the environment. `None`: this process was not asked.
///
/// # Errors
///
/// It was, and must not be a worker, for this reason.
pub(super) fn look() -> Option<Result<Asked, String>> {
    // Relaxed: a flag that nothing else depends on.
    LOOKED.store(true, Ordering::Relaxed);
    let question = Question::from_environment();
    take_out();
    let question = question?;
    let socket = question.socket()?;
    Some(accept(question, socket))
}

fn accept(question: Question, socket: UnixStream) -> Result<Asked, String> {
    if has_other_rights() {
        return Err(format!(
            "this program has other rights than the user who started it (user {} acts as {}, \
             group {} as {}): it takes no jobs from anybody",
            getuid().as_raw(),
            geteuid().as_raw(),
            getgid().as_raw(),
            getegid().as_raw(),
        ));
    }
    let (parent, user) =
        peer(&socket).map_err(|error| format!("its parent is unknown: {error}"))?;
    if user.is_some_and(|user| user != geteuid().as_raw()) {
        return Err(format!(
            "it was asked by user {}, and is a program of user {}",
            user.unwrap_or_default(),
            geteuid().as_raw()
        ));
    }
    if !FRAMES.contains(&question.frame) {
        return Err(format!(
            "it was asked for frames of {} bytes: 64 to 1 GiB are possible",
            question.frame
        ));
    }
    Ok(Asked {
        socket,
        frame: question.frame,
        parent,
    })
}

/// Whether the kernel gave this program rights that its starter has not: by its user or group, or
/// otherwise.
fn has_other_rights() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: the function has no preconditions.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return true;
    }
    getuid() != geteuid() || getgid() != getegid()
}

/// The process at the other end of a socket, and its user, as far as the system tells.
#[cfg(target_os = "linux")]
fn peer(socket: &UnixStream) -> io::Result<(Option<Pid>, Option<u32>)> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: `peer` is as long as `length` says, and of the type that the option has.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    } != 0;
    if failed {
        return Err(io::Error::last_os_error());
    }
    // No number where it is in another namespace of processes.
    Ok((Pid::from_raw(peer.pid), Some(peer.uid)))
}

/// The same where no call is known to tell.
#[cfg(not(target_os = "linux"))]
fn peer(_socket: &UnixStream) -> io::Result<(Option<Pid>, Option<u32>)> {
    Ok((None, None))
}

/// Takes the question out of the environment, so that the children of this process do not inherit it.
/// Where another thread may read the environment, it stays, and means nothing to them.
fn take_out() {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads == 1 && std::env::var_os(VARIABLE).is_some() {
        // SAFETY: this is the only thread of the process, so that nobody reads the environment now.
        unsafe { std::env::remove_var(VARIABLE) };
    }
}

/// Why this program must not start workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It was asked to be one, and has not looked for that.
    IsToBeWorker,
    /// It has not looked whether it was asked, and its children would not either.
    NeverLooks,
}

/// Whether this program must not start workers. `itself`: they are to run this program, in the same
/// way.
pub(super) fn refusal(itself: bool) -> Option<Refusal> {
    // Relaxed: as in `look`.
    if LOOKED.load(Ordering::Relaxed) {
        return None;
    }
    // Even if its standard input is another by now.
    let is_asked = Question::from_environment().is_some_and(|question| {
        let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
        parent.is_some_and(|parent| u32::try_from(parent) == Ok(question.parent))
            || question.socket().is_some()
    });
    if is_asked {
        return Some(Refusal::IsToBeWorker);
    }
    itself.then_some(Refusal::NeverLooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_understood_as_it_was_asked() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let question = Question::new(&socket, 1_000).unwrap();
        assert_eq!(Question::parse(&question.variable().1), Some(question));
    }

    #[test]
    fn what_is_no_question_is_none() {
        for value in ["", "1048576", "1:2", "1:2:3:4", "1:2:-3", "1:2:x", " 1:2:3"] {
            assert_eq!(Question::parse(value), None, "{value}");
        }
    }

    #[test]
    fn no_two_sockets_have_the_same_number() {
        let (one, other) = UnixStream::pair().unwrap();
        assert_ne!(number_of(&one).unwrap(), number_of(&other).unwrap());
        let clone = one.try_clone().unwrap();
        assert_eq!(number_of(&one).unwrap(), number_of(&clone).unwrap());
    }

    #[test]
    fn a_frame_that_is_out_of_bounds_is_refused() {
        for frame in [0, 63, (1 << 30) + 1, usize::MAX] {
            let (socket, _other) = UnixStream::pair().unwrap();
            let question = Question::new(&socket, frame).unwrap();
            let refused = accept(question, socket).map(|_| ()).unwrap_err();
            assert!(refused.contains(&frame.to_string()), "{refused}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_says_who_is_at_the_other_end() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let (parent, user) = peer(&socket).unwrap();
        let parent = parent.map(|parent| parent.as_raw_nonzero().get());
        assert_eq!(parent, Some(process::id().try_into().unwrap()));
        assert_eq!(user, Some(geteuid().as_raw()));
    }
}
