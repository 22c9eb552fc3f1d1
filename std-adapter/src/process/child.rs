//! The child's side.

use std::{
    any::Any,
    cell::Cell,
    fmt,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{self, ExitStatus},
    rc::Rc,
    task::Waker,
    thread,
    time::Duration,
};
#[cfg(target_os = "linux")]
use std::{ffi::CString, path::Path};

use corepool::{
    LossReason, Parker,
    remote::{Buffers, JobTable, Link, PanicMessage, serve_catching},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::send,
    process::{Pid, Signal, getpid, kill_process},
};

use super::{
    asked::{self, Asked},
    system::{WITHOUT_SIGNAL, end_of_process, send_without_signal},
};
use crate::panic::message;

/// How the exit status says that the initializer failed.
const INITIALIZER_FAILED: i32 = 70;
/// How it says that the program must not be a worker.
const REFUSED: i32 = 77;

/// Whether a child that ended so has said why there is no worker.
pub(super) fn says_why(status: Option<ExitStatus>) -> bool {
    let code = status.and_then(|status| status.code());
    matches!(code, Some(INITIALIZER_FAILED | REFUSED))
}

/// If this process was started to be a worker, is one, and exits when there is no more to do.
/// Returns at once if not.
///
/// Give it the table that the [`ProcessPool`](super::ProcessPool) is made with. A program that has
/// not called it can make no pool of children that run it again: they would make pools in turn.
///
/// * **Context**: first in `main`, before any other thread is started.
/// * **Cost**: a look at the environment, and some calls of the system. In a worker it takes all
///   jobs of the parent, and never returns.
pub fn run_worker_if_asked(jobs: &'static JobTable) {
    run_worker_with(jobs, || Ok(()));
}

/// [`run_worker_if_asked`], with an initializer, which is called before the first job. If it fails,
/// its text is the reason for which the pool is broken.
///
/// * **Context**: as for [`run_worker_if_asked`].
/// * **Cost**: as for [`run_worker_if_asked`].
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
    let Some(asked) = asked::look() else {
        return;
    };
    let served = asked
        .map_err(Failed::Refused)
        .and_then(|asked| serve(jobs, asked, initializer));
    process::exit(match served {
        Ok(()) => 0,
        Err(Failed::Initializer(text)) => {
            say(format_args!("the initializer failed: {text}"));
            INITIALIZER_FAILED
        }
        Err(Failed::Refused(text)) => {
            say(format_args!("no worker: {text}"));
            REFUSED
        }
        Err(Failed::System(error)) => {
            say(format_args!("a worker could not start: {error}"));
            1
        }
    });
}

/// Tells the one who reads the standard error, if there is one.
pub(super) fn say(text: fmt::Arguments<'_>) {
    // At once, so that it is not mixed with lines of others; if it fails, nobody reads it.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Why there is no worker.
enum Failed {
    Initializer(String),
    Refused(String),
    System(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// How many bytes a frame may have if the application does not say.
pub(super) const DEFAULT_FRAME: usize = 1 << 20;

fn serve(
    jobs: &'static JobTable,
    asked: Asked,
    initializer: impl FnOnce() -> Result<(), String>,
) -> Result<(), Failed> {
    let Asked {
        socket,
        frame,
        parent,
    } = asked;
    // A job that reads standard input is not to read the jobs that come.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
    take_own_name();
    end_with_the_parent(&socket, parent)?;
    catch_unwind(AssertUnwindSafe(initializer))
        .unwrap_or_else(|payload| Err(format!("it panicked: {}", message(&payload))))
        .map_err(Failed::Initializer)?;
    socket.set_nonblocking(true)?;
    send_without_signal(&socket)?;
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

/// Gives this process the name of its program, which it has not if it was started by another path.
fn take_own_name() {
    #[cfg(target_os = "linux")]
    if let Some(program) = std::env::args_os().next()
        && let Some(name) = Path::new(&program).file_name()
        && let Ok(name) = CString::new(name.as_encoded_bytes())
    {
        // A process whose name nobody can set works as well.
        let _ = rustix::thread::set_name(&name);
    }
}

/// Ends this process when the parent ends, whatever it is at: when the other end of the socket is
/// closed, or, where the system can tell, when the process is gone that made it.
fn end_with_the_parent(socket: &UnixStream, parent: Option<Pid>) -> io::Result<()> {
    let socket = socket.try_clone()?;
    let parent = parent.and_then(end_of_process);
    thread::Builder::new()
        .name(String::from("parent-watch"))
        .spawn(move || {
            loop {
                // Of a hang-up a poll tells even if it is not asked for.
                let mut fds = vec![PollFd::new(&socket, PollFlags::empty())];
                fds.extend(
                    parent
                        .iter()
                        .map(|parent| PollFd::new(parent, PollFlags::IN)),
                );
                let ended = PollFlags::HUP | PollFlags::ERR | PollFlags::IN;
                let told = poll(&mut fds, None).is_ok();
                if told && fds.iter().any(|fd| fd.revents().intersects(ended)) {
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
        match send(&self.socket, bytes, WITHOUT_SIGNAL) {
            Ok(count) => {
                self.full.set(count < bytes.len());
                Ok(count)
            }
            Err(Errno::AGAIN) => {
                self.full.set(true);
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
