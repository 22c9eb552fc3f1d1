//! The child's side.

use std::{
    any::Any,
    cell::Cell,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    rc::Rc,
    task::Waker,
    thread,
    time::Duration,
};

use corepool::{
    LossReason, Parker,
    remote::{Buffers, JobTable, Link, PanicMessage, serve_catching},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Signal, getpid, kill_process},
};

use super::ASKED;
use crate::panic::message;

/// How the exit status says that the initializer failed.
const INITIALIZER_FAILED: i32 = 70;

/// If this process was started to be a worker, is one, and exits when there is no more to do;
/// returns at once if not. To be called first in `main`, with the table that the
/// [`ProcessPool`](super::ProcessPool) is made with.
pub fn run_worker_if_asked(jobs: &'static JobTable) {
    run_worker_with(jobs, || Ok(()));
}

/// [`run_worker_if_asked`], with an initializer, which is called before the first job. If it fails,
/// its text is the reason for which the pool is broken.
///
/// ```no_run
/// # use corepool::remote::JobTable;
/// # static JOBS: JobTable = JobTable::new(&[]);
/// corepool_std::process::run_worker_with(&JOBS, || match std::fs::read("weights.bin") {
///     Ok(_weights) => Ok(()),
///     Err(error) => Err(error.to_string()),
/// });
/// ```
pub fn run_worker_with(jobs: &'static JobTable, initializer: impl FnOnce() -> Result<(), String>) {
    let Some(frame) = std::env::var_os(ASKED) else {
        return;
    };
    // The children of this process have the variable, too, but no socket as their input.
    let Some(socket) = socket_on_stdin() else {
        return;
    };
    let frame = frame.to_str().and_then(|frame| frame.parse().ok());
    let served = serve(jobs, socket, frame.unwrap_or(DEFAULT_FRAME), initializer);
    process::exit(match served {
        Ok(()) => 0,
        Err(Failed::Initializer) => INITIALIZER_FAILED,
        Err(Failed::System(error)) => {
            eprintln!("a worker could not start: {error}");
            1
        }
    });
}

/// Why there is no worker.
enum Failed {
    Initializer,
    System(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

fn socket_on_stdin() -> Option<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    socket.local_addr().is_ok().then_some(socket)
}

/// How many bytes a frame may have if the parent does not say.
pub(super) const DEFAULT_FRAME: usize = 1 << 20;

fn serve(
    jobs: &'static JobTable,
    socket: UnixStream,
    frame: usize,
    initializer: impl FnOnce() -> Result<(), String>,
) -> Result<(), Failed> {
    // A job that reads standard input is not to read the jobs that come.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
    end_with_the_parent(&socket)?;
    let initialized = catch_unwind(AssertUnwindSafe(initializer))
        .unwrap_or_else(|_| Err(String::from("it panicked")));
    if let Err(text) = initialized {
        eprintln!("the initializer failed: {text}");
        return Err(Failed::Initializer);
    }
    socket.set_nonblocking(true)?;
    let full = Rc::new(Cell::new(false));
    let parker = SocketParker {
        socket: socket.try_clone()?,
        full: Rc::clone(&full),
    };
    let mut link = ParentLink { socket, full };
    let (mut outbox, mut inbox) = (vec![0; frame], vec![0; frame]);
    let buffers = Buffers {
        outbox: &mut outbox,
        inbox: &mut inbox,
    };
    // Either it has said goodbye, or it is gone.
    let _ = serve_catching(&mut link, jobs, buffers, &parker, catch_panic);
    Ok(())
}

/// Ends this process when the other end of the socket is closed, whatever it is at.
fn end_with_the_parent(socket: &UnixStream) -> std::io::Result<()> {
    let socket = socket.try_clone()?;
    thread::Builder::new()
        .name(String::from("parent-watch"))
        .spawn(move || {
            loop {
                // Of a hang-up a poll tells even if it is not asked for.
                let mut fds = [PollFd::new(&socket, PollFlags::empty())];
                let ended = PollFlags::HUP | PollFlags::ERR;
                if poll(&mut fds, None).is_ok() && fds[0].revents().intersects(ended) {
                    // A job may be at work, and hold any lock: no way out but this one is sure.
                    let _ = kill_process(getpid(), Signal::KILL);
                }
            }
        })?;
    Ok(())
}

fn catch_panic(f: &mut dyn FnMut()) -> Result<(), PanicMessage> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload: Box<dyn Any + Send>| {
        let mut text = PanicMessage::new();
        for char in message(&payload).chars() {
            if text.push(char).is_err() {
                break;
            }
        }
        text
    })
}

/// The socket to the parent.
struct ParentLink {
    socket: UnixStream,
    /// Whether the socket has not taken all that it was given.
    full: Rc<Cell<bool>>,
}

const PARENT_GONE: LossReason = LossReason("the parent process is gone");

impl Link for ParentLink {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        match self.socket.write(bytes) {
            Ok(count) => {
                self.full.set(count < bytes.len());
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.full.set(true);
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
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

    /// Nobody but the socket wakes the parker, which watches it.
    fn wake_on_data(&mut self, _waker: &Waker) {}

    fn is_lossless(&self) -> bool {
        true
    }
}

/// Sleeps until the socket has something to read, or room for what is to be written.
struct SocketParker {
    socket: UnixStream,
    full: Rc<Cell<bool>>,
}

impl Parker for SocketParker {
    fn waker(&self) -> Waker {
        Waker::noop().clone()
    }

    fn park(&self, _deadline: Option<Duration>) {
        let mut wanted = PollFlags::IN;
        if self.full.get() {
            wanted |= PollFlags::OUT;
        }
        // An interrupted wait is one that was short.
        let _ = poll(&mut [PollFd::new(&self.socket, wanted)], None);
    }
}
