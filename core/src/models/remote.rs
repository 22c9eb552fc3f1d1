//! A remote worker: its jobs in flight meet threads that wait for them, cancel them, detach them,
//! or end the pool or the worker.
//!
//! The other side has no thread. It answers at once when it receives something. So the worker
//! notices everything else by way of the pool.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use postcard_schema::{Schema, schema::NamedType};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MACHINE, Sleeper, explore, spawn, with_pool};
use crate::{
    JobError, JobFuture, OnLoss, Parker, Port, RunError, StaticPool, WorkerId,
    remote::{
        Buffers, JobContext, JobEntry, JobTable, RemoteConfig, RemoteEnd, RemoteError, RemoteJob,
        RemoteWorker,
        scripted::{Says, Scripted, ToClient, ToServer},
    },
};

type Pool = StaticPool<2, 32, 1, 1, 1>;

/// The machine of the other models, with a clock, which stands still.
struct Clocked;

// SAFETY: as for `MACHINE`.
unsafe impl Port for Clocked {
    fn context(&self) -> NonZeroUsize {
        MACHINE.context()
    }

    fn now(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        MACHINE.with_parker(f);
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        false
    }
}

/// The number of values that travel. One interleaving is run at a time.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A job that returns itself, and counts job and result.
struct Echo(u8);

impl Echo {
    fn new(value: u8) -> Self {
        ALIVE.fetch_add(1, Relaxed);
        Self(value)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        assert_ne!(ALIVE.fetch_sub(1, Relaxed), 0, "dropped twice");
    }
}

impl Serialize for Echo {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Echo {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u8::deserialize(from).map(Self::new)
    }
}

impl Schema for Echo {
    const SCHEMA: &'static NamedType = u8::SCHEMA;
}

impl RemoteJob for Echo {
    type Output = Self;
    const NAME: &'static str = "echo";

    fn run(self, _context: &mut JobContext<'_>) -> Self {
        self
    }
}

static JOBS: JobTable = JobTable::new(&[JobEntry::of::<Echo>()]);

/// The other side runs each job at once.
fn does_it(message: ToServer, says: &mut Says) {
    match message {
        ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
        ToServer::Request { id, .. } => says.say_with(ToClient::Result { id }, 7_u8),
        _ => {}
    }
}

/// The other side is busy with another job, and takes jobs back.
fn takes_it_back(message: ToServer, says: &mut Says) {
    match message {
        ToServer::Hello(hello) => says.say(ToClient::Welcome(hello)),
        ToServer::Cancel { id } => says.say(ToClient::Cancelled { id }),
        _ => {}
    }
}

/// In every interleaving: a remote worker runs until the pool ends or it is declared lost, while
/// `race` acts on a job.
fn with_job(
    name: &str,
    preemptions: usize,
    script: fn(ToServer, &mut Says),
    expected: Result<RemoteEnd, RemoteError>,
    race: impl Fn(&'static Pool, JobFuture<'static, Echo>) + Send + Sync + 'static,
) {
    explore(name, Some(preemptions), move || {
        ALIVE.store(0, Relaxed);
        with_pool(&Clocked, |pool: &'static Pool| {
            let worker = spawn(move || {
                let buffers = Buffers {
                    outbox: &mut [0; 64],
                    inbox: &mut [0; 64],
                };
                let config = RemoteConfig::default();
                let link = Scripted::new(script);
                let mut worker = RemoteWorker::<_, 1>::new(link, &JOBS, buffers, config);
                worker.run(pool.pool_ref(), &Sleeper::new())
            });
            race(pool, pool.submit_remote(Echo::new(7)).unwrap());
            let end = worker.join().unwrap();
            // The worker may end before it is declared lost, or before it sees the broken pool.
            assert!(end == expected || end == Ok(RemoteEnd::ShutDown), "{end:?}");
        });
        assert_eq!(ALIVE.load(Relaxed), 0, "something was not dropped");
    });
}

/// A job comes while the worker goes to sleep.
#[test]
fn sleep() {
    let end = Ok(RemoteEnd::ShutDown);
    with_job("remote: submit, result", 2, does_it, end, |pool, job| {
        assert_eq!(job.result().unwrap().0, 7);
        pool.shutdown(false, false).unwrap();
    });
}

/// A cancel reaches the other side, wherever the job is then.
#[test]
fn cancel() {
    let end = Ok(RemoteEnd::ShutDown);
    with_job("remote: cancel", 2, takes_it_back, end, |pool, job| {
        job.cancel();
        assert!(matches!(job.result(), Err(JobError::Cancelled)));
        pool.shutdown(false, false).unwrap();
    });
}

/// A cancel and an answer cross.
#[test]
fn cancel_too_late() {
    let end = Ok(RemoteEnd::ShutDown);
    with_job("remote: cancel, answer", 2, does_it, end, |pool, job| {
        let cancelled = job.cancel();
        match job.result() {
            Ok(result) => assert!(!cancelled && result.0 == 7),
            Err(error) => assert!(cancelled && matches!(error, JobError::Cancelled), "{error}"),
        }
        pool.shutdown(false, false).unwrap();
    });
}

/// The worker stays until its job has ended.
#[test]
fn shut_down() {
    let end = Ok(RemoteEnd::ShutDown);
    with_job("remote: shutdown", 2, does_it, end, |pool, job| {
        pool.shutdown(true, false).unwrap();
        assert!(job.done());
        assert_eq!(job.result().unwrap().0, 7);
    });
}

/// The handle detaches the job.
#[test]
fn drop_the_handle() {
    let end = Ok(RemoteEnd::ShutDown);
    with_job("remote: drop", 2, does_it, end, |pool, job| {
        drop(job);
        pool.shutdown(false, false).unwrap();
    });
}

/// The pool breaks.
#[test]
fn broken() {
    let reason = crate::BrokenReason::Application("model");
    let end = Err(RemoteError::Run(RunError::Broken(reason)));
    with_job("remote: break", 2, does_it, end, |pool, job| {
        pool.break_pool("model");
        match job.result() {
            Ok(result) => assert_eq!(result.0, 7),
            Err(error) => assert!(matches!(error, JobError::Broken(_)), "{error}"),
        }
    });
}

/// The worker is declared lost while the answer comes, or while it sleeps because none does.
fn lost(name: &str, script: fn(ToServer, &mut Says)) {
    let end = Err(RemoteError::Run(RunError::DeclaredLost));
    with_job(name, 2, script, end, |pool, job| {
        while !job.done() {
            // SAFETY: no scopes here.
            unsafe { pool.worker_lost(WorkerId::FIRST, OnLoss::Continue) };
            if pool.workers() == 0 {
                // The worker was lost before it took the job, or has not joined yet.
                pool.shutdown(false, true).unwrap();
            }
            loom::thread::yield_now();
        }
        match job.result() {
            Ok(result) => assert_eq!(result.0, 7),
            Err(JobError::WorkerLost(_) | JobError::Cancelled) => {}
            Err(error) => panic!("{error}"),
        }
        pool.shutdown(false, false).unwrap();
    });
}

#[test]
fn lost_while_the_answer_comes() {
    lost("remote: worker lost, answer", does_it);
}

#[test]
fn lost_asleep() {
    lost("remote: worker lost, asleep", takes_it_back);
}
