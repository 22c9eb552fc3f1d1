//! The threads of a process pool: each looks after one child at a time.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use corepool::{
    LossReason,
    remote::{Buffers, JobTable, RemoteConfig, RemoteEnd, RemoteError, RemoteWorker},
};
use rustix::process::Signal;

use super::{
    child::ChildProcess, command::WorkerCommand, link::ChildLink, poll_worker::PollWorker,
};
use crate::{
    intern::intern,
    threads::host_pool::{Coming, HostPool, ThreadMain},
};

/// How many jobs a child has at most, waiting and running.
const WINDOW: usize = 64;

/// The children of a pool.
pub(in crate::process) struct Children {
    jobs: &'static JobTable,
    command: WorkerCommand,
    start_timeout: Duration,
    remote: RemoteConfig,
    /// The child of each thread, by the thread's number.
    running: Mutex<Vec<Option<Arc<ChildProcess>>>>,
}

/// Why a thread has no child any more.
enum Failed {
    /// The system refused to start it.
    Start(io::Error),
    /// The remote worker ended with another error.
    Remote(RemoteError),
    /// It was a worker, and is lost.
    Lost,
    /// It never was a worker, for this reason.
    NoWorker(LossReason),
}

impl ThreadMain for Children {
    /// One for each job: a child has several jobs at a time, but runs one after the other.
    fn threads_wanted(pool: &HostPool<Self>) -> usize {
        pool.view().unfinished()
    }

    fn run(pool: &HostPool<Self>, number: usize, coming: Coming<Self>) {
        // Jobs do not run on these threads, so no job that blocks counts on this one.
        drop(coming);
        let main = &pool.main;
        let frame_bytes = main.command.frame_bytes;
        let (mut outbox, mut inbox) = (vec![0; frame_bytes], vec![0; frame_bytes]);
        loop {
            let buffers = Buffers {
                outbox: &mut outbox,
                inbox: &mut inbox,
            };
            match main.look_after_child(pool, number, buffers) {
                Ok(RemoteEnd::ShutDown) => return,
                Ok(RemoteEnd::Retired) => {}
                Err(Failed::Lost) => {}
                // The next child would end likewise.
                Err(Failed::NoWorker(reason)) => return break_pool(pool, reason.0),
                Err(Failed::Remote(RemoteError::Run(_))) => return,
                Err(Failed::Remote(error)) => return break_pool(pool, &error.to_string()),
                // The system may be short of something for a while. The next submit that finds no idle child tries
                // again.
                Err(Failed::Start(_)) if pool.leave_to_others(number) => return,
                Err(Failed::Start(error)) => {
                    let file = main.command.file();
                    let text = format!("cannot start a worker process ({file}): {error}");
                    return break_pool(pool, &text);
                }
            }
            let view = pool.view();
            let is_over = view.is_shut_down() && view.unfinished() == 0;
            if is_over || view.broken_reason().is_some() {
                return;
            }
        }
    }
}

fn break_pool(pool: &HostPool<Children>, text: &str) {
    pool.view().break_pool(intern(text, ""));
}

impl Children {
    /// At most `max` children. They know these jobs, and are started by this command.
    pub(in crate::process) fn new(
        max: usize,
        jobs: &'static JobTable,
        command: WorkerCommand,
        start_timeout: Duration,
        remote: RemoteConfig,
    ) -> Self {
        let mut running = Vec::new();
        running.resize_with(max, || None);
        Self {
            jobs,
            command,
            start_timeout,
            remote,
            running: Mutex::new(running),
        }
    }

    fn running(&self) -> MutexGuard<'_, Vec<Option<Arc<ChildProcess>>>> {
        // A list of handles has no state that a panic could leave broken.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process numbers of the children that run.
    pub(in crate::process) fn ids(&self) -> Vec<u32> {
        let running = self.running();
        let running = running.iter().flatten().filter(|child| child.is_running());
        running.map(|child| child.id()).collect()
    }

    /// Sends a signal to each child that runs.
    pub(in crate::process) fn signal(&self, signal: Signal) {
        for child in self.running().iter().flatten() {
            child.signal(signal);
        }
    }

    /// Sets the child of the thread with this number.
    fn set(&self, number: usize, child: Option<Arc<ChildProcess>>) {
        if let Some(place) = self.running().get_mut(number) {
            *place = child;
        }
    }

    /// Starts a child, and has it run jobs until it ends.
    fn look_after_child(
        &self,
        pool: &HostPool<Self>,
        number: usize,
        buffers: Buffers<'_>,
    ) -> Result<RemoteEnd, Failed> {
        let worker = PollWorker::new(pool.options().spins).map_err(Failed::Start)?;
        let link = self.start(&worker, number).map_err(Failed::Start)?;
        let mut remote = RemoteWorker::<_, WINDOW>::new(link, self.jobs, buffers, self.remote);
        let end = remote
            .run(pool.view(), &worker)
            .map_err(|error| match error {
                RemoteError::Lost(_) if remote.has_met() => Failed::Lost,
                RemoteError::Lost(reason) => Failed::NoWorker(reason),
                error => Failed::Remote(error),
            });
        if end.is_ok() {
            remote.link_mut().part();
        }
        drop(remote);
        self.set(number, None);
        end
    }

    fn start(&self, worker: &PollWorker, number: usize) -> io::Result<ChildLink> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = self.command.spawn(theirs)?;
        let stderr = child.stderr.take();
        let child = Arc::new(ChildProcess::new(child));
        let Some(stderr) = stderr else {
            child.kill();
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let link = ChildLink::new(worker, ours, stderr, Arc::clone(&child), self.start_timeout)
            .inspect_err(|_| child.kill())?;
        self.set(number, Some(child));
        Ok(link)
    }
}
