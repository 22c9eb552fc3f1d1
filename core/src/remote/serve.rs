//! The loop of the side that runs the jobs.
//!
//! It is one loop in one context. It receives messages, runs the jobs in the order of their
//! arrival, and sends the outcome of each. While a job runs, the server handles messages only when
//! the job calls `is_cancelled`.

use super::{
    buffers::Buffers,
    last_words::LastWords,
    server::{CatchPanic, Server},
    table::JobTable,
};
use crate::{
    error::{LossReason, Panic},
    machine::{link::Link, port::Parker},
};

/// Calls `f` without catching a panic: for chips, where a panic ends the program.
fn just_call(f: &mut dyn FnMut()) -> Result<(), Panic> {
    f();
    Ok(())
}

/// Runs the jobs that arrive by `link`, in the calling context. It returns after the client's
/// goodbye: the pool has ended, or the remote worker has taken its `max_jobs`. A core that shares no
/// memory with the pool spends its whole life in this call.
///
/// `parker` is the way to sleep. The link gets its waker.
///
/// * **Context**: any in which `parker` may sleep. The jobs run there.
/// * **Cost**: O(bytes in the buffers) for each job, and the job. The call waits for jobs until the
///   goodbye. It takes no memory but `buffers` and its stack.
///
/// # Errors
///
/// The link has ended, for this reason.
///
/// ```no_run
/// # use corepool::{LossReason, SpinWorker, remote::{Buffers, JobTable, Link, serve}};
/// # fn core_1(mut uart: impl Link, jobs: &'static JobTable) {
/// let (mut outbox, mut inbox) = ([0; 64], [0; 256]);
/// loop {
///     let buffers = Buffers { outbox: &mut outbox, inbox: &mut inbox };
///     // Goodbye or not: the next session begins here.
///     let _ = serve(&mut uart, jobs, buffers, &SpinWorker);
/// }
/// # }
/// ```
pub fn serve<L: Link, P: Parker>(
    link: &mut L,
    jobs: &'static JobTable,
    buffers: Buffers<'_>,
    parker: &P,
) -> Result<(), LossReason> {
    serve_catching(link, jobs, buffers, parker, just_call)
}

/// [`serve`] that leaves the number of the running job in `last_words`, where the panic handler finds it:
/// see [`LastWords`].
///
/// * **Context**: as for [`serve`].
/// * **Cost**: as for [`serve`], and three atomic stores for each job.
///
/// # Errors
///
/// As for [`serve`].
///
/// ```no_run
/// # use corepool::{LossReason, SpinWorker};
/// # use corepool::remote::{Buffers, JobTable, LastWords, Link, serve_with_last_words};
/// static LAST_WORDS: LastWords = LastWords::new(); // the panic handler calls `LAST_WORDS.say(..)`
///
/// # fn core_1(mut uart: impl Link, jobs: &'static JobTable) -> Result<(), LossReason> {
/// let buffers = Buffers { outbox: &mut [0; 64], inbox: &mut [0; 256] };
/// serve_with_last_words(&mut uart, jobs, buffers, &SpinWorker, &LAST_WORDS)
/// # }
/// ```
pub fn serve_with_last_words<L: Link, P: Parker>(
    link: &mut L,
    jobs: &'static JobTable,
    buffers: Buffers<'_>,
    parker: &P,
    last_words: &LastWords,
) -> Result<(), LossReason> {
    link.wake_on_data(&parker.waker());
    let key = jobs.key();
    let server = Server::new(link, parker, key, just_call, Some(last_words), buffers);
    run(server, jobs)
}

/// [`serve`] that catches panics: a job that panics ends with the panic's text and location.
///
/// * **Context**: as for [`serve`].
/// * **Cost**: as for [`serve`], and a call of `catch_panic` or two for each job.
///
/// # Errors
///
/// As for [`serve`].
///
/// ```no_run
/// # use corepool::{LossReason, Panic, SpinWorker};
/// # use corepool::remote::{Buffers, JobTable, Link, serve_catching};
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// fn catch_panic(job: &mut dyn FnMut()) -> Result<(), Panic> {
///     catch_unwind(AssertUnwindSafe(job)).map_err(Panic::new)
/// }
///
/// # fn other_side(mut socket: impl Link, jobs: &'static JobTable) -> Result<(), LossReason> {
/// let buffers = Buffers { outbox: &mut [0; 64], inbox: &mut [0; 256] };
/// serve_catching(&mut socket, jobs, buffers, &SpinWorker, catch_panic)
/// # }
/// ```
pub fn serve_catching<L: Link, P: Parker>(
    link: &mut L,
    jobs: &'static JobTable,
    buffers: Buffers<'_>,
    parker: &P,
    catch_panic: CatchPanic,
) -> Result<(), LossReason> {
    link.wake_on_data(&parker.waker());
    run(
        Server::new(link, parker, jobs.key(), catch_panic, None, buffers),
        jobs,
    )
}

fn run(mut server: Server<'_>, jobs: &'static JobTable) -> Result<(), LossReason> {
    server.begin();
    loop {
        let moved = server.pump()?;
        if server.is_over() {
            return Ok(());
        }
        if let Some(next) = server.next() {
            server.run(next, jobs.get(next.job).map(|entry| entry.run))?;
        } else if !moved {
            server.sleep();
        }
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
