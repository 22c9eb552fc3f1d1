//! Two chips and a link. Cores 0 and 1 are the first chip: the main program, and the pool's remote
//! worker. Core 2 is the second chip, where the jobs run.
//!
//! The cable is cut, bytes are damaged, cores stall, and the second chip restarts, be it in the midst of a
//! job. The planted bug is a job that must not run twice, and says that it may.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    task::Waker,
    time::Duration,
};

use corepool::{
    JobError, LossReason, StaticPool,
    remote::{
        Buffers, JobContext, JobEntry, JobTable, Link, RemoteConfig, RemoteError, RemoteJob,
        RemoteWorker, serve,
    },
};
use corepool_sim::{Failed, LendsNothing, Report, Sim, busy, core, parker, point, sometimes};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

static POOL: StaticPool<4, 64, 1, 1> = StaticPool::new();
static THERE: Pipe = Pipe::new();
static BACK: Pipe = Pipe::new();
/// The second chip restarts.
static RESTARTS: AtomicBool = AtomicBool::new(false);
static RESTARTED: AtomicU32 = AtomicU32::new(0);
/// The cable stays where it is. An interrupt that pends may come after the end of the faults.
static IS_PLUGGED_IN: AtomicBool = AtomicBool::new(false);
/// How often each job of `Store` ran.
static STORED: [AtomicU32; JOBS] = [const { AtomicU32::new(0) }; JOBS];

const JOBS: usize = 3;
const MS: Duration = Duration::from_millis(1);
/// The core of the second chip.
const SECOND: usize = 2;

/// One direction of the cable: the receiver's FIFO.
struct Pipe(Mutex<Fifo>);

// SAFETY: the mutex is private to this module, which holds its guard across no point. So no run keeps one.
unsafe impl LendsNothing for Pipe {}

struct Fifo {
    bytes: [u8; 256],
    count: usize,
    /// The receiver's.
    waker: Option<Waker>,
    is_cut: bool,
    /// So many bytes from now on are damaged.
    damages: u32,
}

impl Pipe {
    const fn new() -> Self {
        Self(Mutex::new(Fifo {
            bytes: [0; 256],
            count: 0,
            waker: None,
            is_cut: false,
            damages: 0,
        }))
    }

    /// No point lies inside the lock.
    fn lock(&self) -> MutexGuard<'_, Fifo> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let waker = self.lock().waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// One end of the cable.
struct End {
    out: &'static Pipe,
    into: &'static Pipe,
    /// It loses its memory when the second chip restarts.
    is_second: bool,
}

impl End {
    fn restarts(&self) -> Result<(), LossReason> {
        match self.is_second && RESTARTS.load(SeqCst) {
            true => Err(LossReason("the chip restarts")),
            false => Ok(()),
        }
    }
}

impl Link for End {
    fn send(&mut self, bytes: &[u8]) -> Result<usize, LossReason> {
        point!("send");
        self.restarts()?;
        let count = {
            let mut fifo = self.out.lock();
            if fifo.is_cut {
                return Ok(bytes.len());
            }
            let (start, room) = (fifo.count, fifo.bytes.len() - fifo.count);
            let count = room.min(bytes.len());
            fifo.bytes[start..start + count].copy_from_slice(&bytes[..count]);
            for byte in start..start + count {
                if fifo.damages > 0 {
                    fifo.damages -= 1;
                    fifo.bytes[byte] ^= 0x10;
                }
            }
            fifo.count += count;
            count
        };
        self.out.wake();
        Ok(count)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, LossReason> {
        point!("receive");
        self.restarts()?;
        let count = {
            let mut fifo = self.into.lock();
            let count = fifo.count.min(buffer.len());
            buffer[..count].copy_from_slice(&fifo.bytes[..count]);
            fifo.bytes.copy_within(count.., 0);
            fifo.count -= count;
            count
        };
        if count > 0 {
            // The sender has room now.
            self.out.wake();
        }
        Ok(count)
    }

    fn wake_on_data(&mut self, waker: &Waker) {
        self.into.lock().waker = Some(waker.clone());
    }
}

/// Stores a number on the second chip. It must not run twice.
#[derive(Serialize, Deserialize, Schema)]
struct Store<const BUG: bool>(u32);

impl<const BUG: bool> RemoteJob for Store<BUG> {
    type Output = u32;
    const NAME: &'static str = "store";
    /// The bug.
    const IDEMPOTENT: bool = BUG;

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        let before = STORED[self.0 as usize].fetch_add(1, SeqCst);
        assert_eq!(before, 0, "job {} has run before", self.0);
        work();
        self.0 * 2
    }
}

/// Adds. It may run twice.
#[derive(Serialize, Deserialize, Schema)]
struct Add(u32, u32);

impl RemoteJob for Add {
    type Output = u32;
    const NAME: &'static str = "add";
    const IDEMPOTENT: bool = true;
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(20));

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        work();
        self.0 + self.1
    }
}

/// Ends the program of the second chip if it restarts meanwhile.
fn work() {
    busy(MS / 10..5 * MS);
    if core() == SECOND && RESTARTS.load(SeqCst) {
        // It is no panic: the chip just begins anew.
        resume_unwind(Box::new("the chip restarts"));
    }
}

static JOBS_OF_BOTH: JobTable =
    JobTable::new(&[JobEntry::of::<Store<false>>(), JobEntry::of::<Add>()]);
static JOBS_WITH_THE_BUG: JobTable =
    JobTable::new(&[JobEntry::of::<Store<true>>(), JobEntry::of::<Add>()]);

fn jobs(mended: bool) -> &'static JobTable {
    match mended {
        true => &JOBS_OF_BOTH,
        false => &JOBS_WITH_THE_BUG,
    }
}

/// Core 1: the remote worker of the first chip.
fn remote_worker(jobs: &'static JobTable) {
    let config = RemoteConfig {
        probe: 10 * MS,
        silence: Some(200 * MS),
        ..RemoteConfig::default()
    };
    loop {
        let (mut outbox, mut inbox) = ([0; 128], [0; 128]);
        let buffers = Buffers {
            outbox: &mut outbox,
            inbox: &mut inbox,
        };
        let end = End {
            out: &THERE,
            into: &BACK,
            is_second: false,
        };
        let mut worker = RemoteWorker::<_, 2>::new(end, jobs, buffers, config);
        match worker.run(POOL.pool_ref(), &parker()) {
            Ok(_) => return,
            Err(RemoteError::Lost(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Core 2: the second chip.
fn second_chip(jobs: &'static JobTable) {
    loop {
        let served = catch_unwind(AssertUnwindSafe(|| {
            let (mut outbox, mut inbox) = ([0; 128], [0; 128]);
            let buffers = Buffers {
                outbox: &mut outbox,
                inbox: &mut inbox,
            };
            let mut end = End {
                out: &BACK,
                into: &THERE,
                is_second: true,
            };
            serve(&mut end, jobs, buffers, &parker())
        }));
        if !RESTARTS.swap(false, SeqCst) {
            match served {
                // The goodbye.
                Ok(Ok(())) => return,
                Ok(Err(reason)) => panic!("{reason}"),
                Err(payload) => resume_unwind(payload),
            }
        }
        sometimes!(served.is_err(), "the chip restarts in the midst of a job");
        sometimes!(served.is_ok(), "the chip restarts between two jobs");
    }
}

/// Searches with seeds from `first_seed` on.
pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
    let mut sim = Sim::new(3);
    sim.blocked_callers_wait(&POOL)
        .reset(&THERE)
        .reset(&BACK)
        .reset(&RESTARTS)
        .reset(&RESTARTED)
        .reset(&IS_PLUGGED_IN)
        .reset(&STORED)
        .first_seed(first_seed);
    sim.task(1, "remote worker", 0, || remote_worker(jobs(mended)));
    sim.task(SECOND, "second chip", 0, || second_chip(jobs(mended)));
    let cut = sim.interrupt_on(SECOND, "cut", 1, || {
        for pipe in [&THERE, &BACK] {
            pipe.lock().is_cut = !IS_PLUGGED_IN.load(SeqCst);
        }
    });
    let damage = sim.interrupt_on(SECOND, "damage", 1, || {
        for pipe in [&THERE, &BACK] {
            pipe.lock().damages += 1;
        }
    });
    let restart = sim.interrupt_on(SECOND, "restart", 2, || {
        RESTARTS.store(true, SeqCst);
        RESTARTED.fetch_add(1, SeqCst);
        THERE.lock().count = 0;
        THERE.wake();
    });
    sim.spontaneous(cut, 0..=1)
        .spontaneous(damage, 0..=2)
        .spontaneous(restart, 0..=2)
        .stall(0..=1, 50 * MS)
        .heal_within(Duration::from_secs(10));
    sim.try_run(seeds, |chip| {
        let mut stores = Vec::new();
        for number in 0..JOBS as u32 {
            let job = match mended {
                true => POOL.submit_remote(Store::<false>(number)).map_err(drop),
                false => POOL.submit_remote(Store::<true>(number)).map_err(drop),
            };
            stores.push(job.expect("there is room"));
        }
        let mut sum = POOL.submit_remote(Add(40, 2)).expect("there is room");
        // The cable lies there for a while, and then it is plugged in again. No fault comes after that.
        let early = sum.result_timeout(Duration::from_secs(1));
        sometimes!(
            matches!(early, Err(JobError::TimedOut)),
            "the link is down for a second"
        );
        IS_PLUGGED_IN.store(true, SeqCst);
        chip.heal();
        for pipe in [&THERE, &BACK] {
            pipe.lock().is_cut = false;
        }
        for (number, store) in (0..).zip(stores) {
            let result = store.result();
            let times = STORED[number as usize].load(SeqCst);
            match result {
                Ok(twice) => assert_eq!((twice, times), (number * 2, 1)),
                Err(JobError::WorkerLost(_)) => {
                    sometimes!(times == 1, "a job ran, and its result was lost");
                    sometimes!(times == 0, "a job was lost before it ran");
                }
                Err(error) => panic!("job {number}: {error}"),
            }
        }
        match early {
            Err(JobError::TimedOut) => early_end(sum.result()),
            early => early_end(early),
        }
        // A closure cannot travel: the remote worker runs it on this side.
        let near = POOL.submit(core).expect("there is room");
        assert_eq!(near.result().ok(), Some(1));
        sometimes!(
            RESTARTED.load(SeqCst) == 2,
            "the second chip restarts twice"
        );
        POOL.shutdown(true, false).expect("the main program waits");
    })
}

/// An addition has the right result, or is lost.
fn early_end(sum: Result<u32, JobError>) {
    match sum {
        Ok(sum) => assert_eq!(sum, 42),
        Err(JobError::WorkerLost(_)) => sometimes!(true, "an addition is lost for good"),
        Err(error) => panic!("the addition: {error}"),
    }
}
