//! How a parent asks a program to be its worker, and how the program finds that it was asked.
//!
//! The question is an environment variable. It names the socket that the child has as its standard input. So it
//! means nothing to a process that inherits the variable and has another standard input.

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

use super::argument;

/// The variable in the environment of a child that is to be a worker.
const VARIABLE: &str = "COREPOOL_WORKER";

/// How many bytes a frame may have, at least and at most.
pub(super) const FRAME_BYTES: std::ops::RangeInclusive<usize> = 64..=1 << 30;

/// Whether this program has looked for the question.
static LOOKED: AtomicBool = AtomicBool::new(false);

/// The question that a child is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The process that asks.
    parent: u32,
    /// The number of the socket that is the child's standard input.
    socket: u64,
    /// How many bytes a frame may have.
    frame_bytes: usize,
}

impl Question {
    /// The question to a child that has `socket` as its standard input.
    pub(super) fn new(socket: &UnixStream, frame_bytes: usize) -> io::Result<Self> {
        Ok(Self {
            parent: process::id(),
            socket: number_of(socket)?,
            frame_bytes,
        })
    }

    /// The variable that asks the question: its name and value.
    pub(super) fn variable(self) -> (&'static str, String) {
        let Self {
            parent,
            socket,
            frame_bytes,
        } = self;
        (VARIABLE, format!("{parent}:{socket}:{frame_bytes}"))
    }

    fn parse(value: &str) -> Option<Self> {
        let mut numbers = value.split(':');
        let question = Self {
            parent: numbers.next()?.parse().ok()?,
            socket: numbers.next()?.parse().ok()?,
            frame_bytes: numbers.next()?.parse().ok()?,
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

/// The number of a socket. No two sockets have the same at a time.
fn number_of(socket: &UnixStream) -> io::Result<u64> {
    // On some systems, the number has another width.
    #[allow(clippy::useless_conversion)]
    Ok(fstat(socket)?.st_ino.into())
}

/// The parent that asks this process to be its worker.
pub(super) struct Parent {
    pub(super) socket: UnixStream,
    /// How many bytes a frame may have.
    pub(super) frame_bytes: usize,
    /// The process at the other end of the socket, as far as the kernel tells.
    pub(super) process: Option<Pid>,
    /// The argument of the initializer, as the parent has encoded it.
    pub(super) argument: Option<String>,
}

/// Whether this process was asked to be a worker.
pub(super) enum Asked {
    /// Nobody has asked it.
    No,
    /// Its parent has asked it.
    Yes(Parent),
    /// Its parent has asked it, and it must not be a worker, for this reason.
    Refused(String),
}

/// Looks for the question, and takes it out of the environment.
pub(super) fn look() -> Asked {
    // Relaxed: a flag that nothing else depends on.
    LOOKED.store(true, Ordering::Relaxed);
    let question = Question::from_environment();
    let argument = std::env::var(argument::VARIABLE).ok();
    take_out();
    let asked = question.and_then(|question| Some((question, question.socket()?)));
    match asked.map(|(question, socket)| accept(question, socket, argument)) {
        None => Asked::No,
        Some(Ok(parent)) => Asked::Yes(parent),
        Some(Err(reason)) => Asked::Refused(reason),
    }
}

fn accept(
    question: Question,
    socket: UnixStream,
    argument: Option<String>,
) -> Result<Parent, String> {
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
    let (process, user) =
        peer(&socket).map_err(|error| format!("its parent is unknown: {error}"))?;
    if user.is_some_and(|user| user != geteuid().as_raw()) {
        return Err(format!(
            "it was asked by user {}, and is a program of user {}",
            user.unwrap_or_default(),
            geteuid().as_raw()
        ));
    }
    if !FRAME_BYTES.contains(&question.frame_bytes) {
        return Err(format!(
            "it was asked for frames of {} bytes: 64 to 1 GiB are possible",
            question.frame_bytes
        ));
    }
    Ok(Parent {
        socket,
        frame_bytes: question.frame_bytes,
        process,
        argument,
    })
}

/// Whether the kernel gave this program rights that its starter lacks, by a user, a group, or otherwise.
fn has_other_rights() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: `getauxval` has no preconditions.
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
    // SAFETY: `peer` has the type of the option's value, and `length` is its size.
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
    // There is no number for a process in another namespace.
    Ok((Pid::from_raw(peer.pid), Some(peer.uid)))
}

/// Other systems: no call is known to tell.
#[cfg(not(target_os = "linux"))]
fn peer(_socket: &UnixStream) -> io::Result<(Option<Pid>, Option<u32>)> {
    Ok((None, None))
}

/// Takes the question and the initializer's argument out of the environment, so that the children of this process do
/// not inherit them. Where another thread may read the environment, they stay. They mean nothing to the children.
fn take_out() {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    for variable in [VARIABLE, argument::VARIABLE] {
        if threads == 1 && std::env::var_os(variable).is_some() {
            // SAFETY: this is the only thread of the process, so nobody reads the environment meanwhile.
            unsafe { std::env::remove_var(variable) };
        }
    }
}

/// Why this program must not start workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its parent has asked it to be a worker, and it has not looked for the question.
    IsToBeWorker,
    /// It has not looked for the question, and its children would not look either.
    NeverLooks,
}

/// Which program the children of a pool run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildProgram {
    /// The program of this process, in the same way.
    ThisOne,
    /// Another, or this one with arguments that may lead it elsewhere.
    Another,
}

/// Why this program must not start such children, if it must not.
pub(super) fn refusal(children: ChildProgram) -> Option<Refusal> {
    // Relaxed: as in `look`.
    if LOOKED.load(Ordering::Relaxed) {
        return None;
    }
    // It was asked even if it has another standard input by now.
    let is_asked = Question::from_environment().is_some_and(|question| {
        let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
        parent.is_some_and(|parent| u32::try_from(parent) == Ok(question.parent))
            || question.socket().is_some()
    });
    if is_asked {
        return Some(Refusal::IsToBeWorker);
    }
    match children {
        ChildProgram::ThisOne => Some(Refusal::NeverLooks),
        ChildProgram::Another => None,
    }
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
            let refused = accept(question, socket, None).map(|_| ()).unwrap_err();
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
