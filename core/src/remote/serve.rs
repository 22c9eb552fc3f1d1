//! The side that runs the jobs.
//!
//! One loop in one context: it takes in what arrives, runs the jobs in the order in which they
//! came, and sends back what became of each. While a job runs, the loop rests, except where the job
//! asks its context whether it is cancelled.

use super::{
    buffers::Buffers,
    server::{CatchPanic, PanicMessage, Server},
    table::JobTable,
};
use crate::{
    error::LossReason,
    machine::{link::Link, port::Parker},
};

/// Calls `f`, and does not catch: for chips, where a panic ends the program.
fn just_call(f: &mut dyn FnMut()) -> Result<(), PanicMessage> {
    f();
    Ok(())
}

/// Runs the jobs that arrive by `link`, in the context that calls. It returns when the pool on the
/// other side is shut down, and says goodbye. This is the whole life of a core that shares no
/// memory.
///
/// `parker` is how to sleep, and is given to the link to be woken by.
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

/// [`serve`], with a net under the jobs: one that panics ends with the panic's text.
///
/// * **Context**: as for [`serve`].
/// * **Cost**: as for [`serve`], and a call of `catch_panic` or two for each job.
///
/// # Errors
///
/// As for [`serve`].
pub fn serve_catching<L: Link, P: Parker>(
    link: &mut L,
    jobs: &'static JobTable,
    buffers: Buffers<'_>,
    parker: &P,
    catch_panic: CatchPanic,
) -> Result<(), LossReason> {
    link.wake_on_data(&parker.waker());
    let mut server = Server::new(link, parker, jobs.key(), catch_panic, buffers);
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
