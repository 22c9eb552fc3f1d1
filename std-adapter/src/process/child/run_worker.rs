//! The entry of a child: it serves its parent's jobs if it was started to be a worker.

#[cfg(target_os = "linux")]
use std::{ffi::CString, path::Path};
use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
};

use corepool::{
    Panic,
    remote::{Buffers, JobTable, serve_catching},
};
use postcard_schema::Schema;
use serde::de::DeserializeOwned;

use super::{
    super::{
        argument,
        panic_place::{catch, note_places},
        question::{self, Asked, Parent},
        worker_exit::{INITIALIZER_FAILED, REFUSED, say},
    },
    parent_link,
    parent_watch::end_with_the_parent,
};
use crate::panic::{from_payload_at, message};

/// Makes this process a worker if it was started to be one. The worker runs its parent's jobs, and exits
/// when the parent says goodbye or is gone. In any other process the call returns at once.
///
/// Give it the table that the [`ProcessPool`](crate::process::ProcessPool) is made with. A program that
/// has not made this call can build no pool whose children run the program again. They would build
/// pools in turn.
///
/// * **Context**: first in `main`, before another thread starts.
/// * **Cost**: a look at the environment, and some system calls. In a worker, the call runs the
///   parent's jobs and never returns.
///
/// ```no_run
/// # use corepool::remote::JobTable;
/// # static JOBS: JobTable = JobTable::new(&[]);
/// fn main() {
///     corepool_std::process::run_worker_if_asked(&JOBS); // a child stays in here
///     println!("the parent goes on");
/// }
/// ```
pub fn run_worker_if_asked(jobs: &'static JobTable) {
    run_worker_with(jobs, || Ok(()));
}

/// [`run_worker_if_asked`] with an initializer. The worker calls it before its first job. If it fails,
/// the pool is broken, and its text is the reason.
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
    run_worker(jobs, |argument| match argument {
        None => initializer(),
        Some(_) => Err(String::from(
            "its parent has given an argument: call run_worker_with_argument",
        )),
    });
}

/// [`run_worker_with`] an initializer that has an argument: the one that the parent has given by
/// [`initializer_argument`](crate::process::ProcessPoolBuilder::initializer_argument). Python's `initargs`.
///
/// The pool is broken if the parent has given none, or one of another type.
///
/// * **Context**: as for [`run_worker_if_asked`].
/// * **Cost**: as for [`run_worker_if_asked`].
///
/// ```no_run
/// # use corepool::remote::JobTable;
/// # static JOBS: JobTable = JobTable::new(&[]);
/// use corepool_std::process::{ProcessPool, run_worker_with_argument};
/// use postcard_schema::Schema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Schema)]
/// struct Model {
///     file: String,
/// }
///
/// fn main() {
///     run_worker_with_argument(&JOBS, |model: Model| match std::fs::read(model.file) {
///         Ok(_weights) => Ok(()),
///         Err(error) => Err(error.to_string()),
///     });
///     let model = Model { file: String::from("weights.bin") };
///     let pool = ProcessPool::builder(&JOBS).initializer_argument(&model).build();
///     # drop(pool.unwrap());
/// }
/// ```
pub fn run_worker_with_argument<A: DeserializeOwned + Schema>(
    jobs: &'static JobTable,
    initializer: impl FnOnce(A) -> Result<(), String>,
) {
    run_worker(jobs, |argument| initializer(argument::decode(argument)?));
}

/// Makes this process a worker if it was started to be one. The initializer gets the argument that the parent has
/// encoded.
fn run_worker(
    jobs: &'static JobTable,
    initializer: impl FnOnce(Option<&str>) -> Result<(), String>,
) {
    let served = match question::look() {
        Asked::No => return,
        Asked::Yes(parent) => serve(jobs, parent, initializer),
        Asked::Refused(reason) => Err(Failed::Refused(reason)),
    };
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

/// Why this process, which was asked, is no worker.
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

fn serve(
    jobs: &'static JobTable,
    parent: Parent,
    initializer: impl FnOnce(Option<&str>) -> Result<(), String>,
) -> Result<(), Failed> {
    // A job that reads standard input must not read the jobs that come.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
    take_own_name();
    end_with_the_parent(&parent.socket, parent.process)?;
    let argument = parent.argument.as_deref();
    catch_unwind(AssertUnwindSafe(|| initializer(argument)))
        .unwrap_or_else(|payload| Err(format!("it panicked: {}", message(&payload))))
        .map_err(Failed::Initializer)?;
    // After the initializer, which may set a hook of its own.
    note_places();
    let (mut link, parker) = parent_link::link(parent.socket)?;
    let (mut outbox, mut inbox) = (vec![0; parent.frame_bytes], vec![0; parent.frame_bytes]);
    let buffers = Buffers {
        outbox: &mut outbox,
        inbox: &mut inbox,
    };
    // The parent has said goodbye, or it is gone.
    let _ = serve_catching(&mut link, jobs, buffers, &parker, catch_panic);
    Ok(())
}

/// Gives this process the name of its program. A process that was started by another path lacks it.
fn take_own_name() {
    #[cfg(target_os = "linux")]
    if let Some(program) = std::env::args_os().next()
        && let Some(name) = Path::new(&program).file_name()
        && let Ok(name) = CString::new(name.as_encoded_bytes())
    {
        // A process without the name works as well.
        let _ = rustix::thread::set_name(&name);
    }
}

fn catch_panic(f: &mut dyn FnMut()) -> Result<(), Panic> {
    catch(f).map_err(|(payload, place)| from_payload_at(payload, place))
}
