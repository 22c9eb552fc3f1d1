//! How many bytes a tiny job takes on its way to another process, and its result on its way back.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Waker,
    thread,
};

use corepool::{
    LossReason, StaticPool,
    remote::{Buffers, Link, RemoteConfig, RemoteWorker, serve},
};
use corepool_std::{HostPort, StreamLink, ThreadParker, ThreadWorker};

use crate::{
    processes::{JOBS, TinyJob},
    workloads::check,
};

/// How many jobs are counted: numbers of jobs and arguments have the lengths that they have in a
/// batch.
const COUNTED: u64 = 10_000;

/// Bytes a job.
pub struct Bytes {
    /// From the pool to the child.
    pub request: f64,
    /// Back.
    pub result: f64,
}

/// The bytes that have gone through a link.
#[derive(Default)]
struct Counts {
    sent: AtomicUsize,
    received: AtomicUsize,
}

/// A link that counts.
struct Counting<'c> {
    link: StreamLink<UnixStream>,
    counts: &'c Counts,
}

impl Link for Counting<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        let sent = self.link.send(bytes)?;
        // Relaxed: a result is waited for before the counts are read, which orders them.
        self.counts.sent.fetch_add(sent, Relaxed);
        Ok(sent)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        let received = self.link.receive(buffer)?;
        self.counts.received.fetch_add(received, Relaxed);
        Ok(received)
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        self.link.wake_on_data(waker);
    }

    /// As the link to a child, which is a socket, too.
    fn is_lossless(&self) -> bool {
        true
    }
}

/// Counts them, one job after the other, so that all has arrived when a result is there.
///
/// # Errors
///
/// There are no sockets or threads.
///
/// # Panics
///
/// If a result is wrong.
pub fn bytes_a_job() -> io::Result<Bytes> {
    let pool = StaticPool::<16, 64>::new();
    pool.install(&HostPort);
    let counts = Counts::default();
    let (ours, theirs) = UnixStream::pair()?;
    let mut client = Counting {
        link: StreamLink::new(ours.try_clone()?, ours)?,
        counts: &counts,
    };
    let mut server = StreamLink::new(theirs.try_clone()?, theirs)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut outbox, mut inbox) = ([0; 1024], [0; 1024]);
            let buffers = Buffers {
                outbox: &mut outbox,
                inbox: &mut inbox,
            };
            serve(&mut server, &JOBS, buffers, &ThreadParker::new())
        });
        scope.spawn(|| {
            let (mut outbox, mut inbox) = ([0; 1024], [0; 1024]);
            let buffers = Buffers {
                outbox: &mut outbox,
                inbox: &mut inbox,
            };
            let config = RemoteConfig::default();
            RemoteWorker::<_>::new(&mut client, &JOBS, buffers, config)
                .run(pool.pool_ref(), &ThreadWorker::new(0))
        });
        let job = |number| {
            let job = pool.submit_remote(TinyJob(number));
            let result = job.expect("there is room").result();
            check(number, result.expect("a result"));
        };
        let counted = || [counts.sent.load(Relaxed), counts.received.load(Relaxed)];
        // Not the greetings.
        job(0);
        let before = counted();
        (0..COUNTED).for_each(job);
        let after = counted();
        // Only a wait could fail.
        let _ = pool.shutdown(false, false);
        let a_job = |way: usize| (after[way] - before[way]) as f64 / COUNTED as f64;
        Ok(Bytes {
            request: a_job(0),
            result: a_job(1),
        })
    })
}
