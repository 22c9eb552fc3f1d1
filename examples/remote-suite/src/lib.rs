//! Jobs that cross a wire, and what must become of them when it is cut, when it damages what it
//! carries, and when the other side starts anew.
//!
//! The side that submits may be a host or a board, and so may the other: [`run`] is the same task. It
//! is in a pool of its own, with a worker of its own: the remote worker takes nothing while the wire is
//! cut, and it is this task that has it mended.
#![no_std]

use core::{fmt, future::poll_fn, task::Poll, time::Duration};

use corepool::{
    CodecError, JobError, JobFuture, LossReason, Panic, PanicLocation, StaticPool,
    remote::{JobContext, JobEntry, JobTable, RemoteConfig, RemoteJob},
};
use portable_atomic::{AtomicBool, AtomicU32, Ordering};
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// How many bytes a frame has at most.
pub const FRAME: usize = 64;

/// The pool of the side that submits.
pub type Pool = StaticPool<8, 1024>;

/// The pool that [`run`] is in.
pub type Tasks = StaticPool<1, 2048>;

/// How the side that submits deals with a wire that does damage.
pub fn config() -> RemoteConfig {
    RemoteConfig {
        probe: Duration::from_millis(20),
        silence: Some(Duration::from_secs(5)),
        retries: u8::MAX,
        panic: hear_of_panic,
        ..RemoteConfig::default()
    }
}

/// The words that [`Fail`] panics with.
const WORDS: &str = "out of paper";

/// The panic of [`Fail`] came with its words, and with file and line.
static HAS_HEARD: AtomicBool = AtomicBool::new(false);

fn hear_of_panic(text: Option<&str>, place: Option<PanicLocation<'_>>) -> Panic {
    let is_here = place.is_some_and(|place| place.file.ends_with("lib.rs") && place.line > 0);
    HAS_HEARD.store(text == Some(WORDS) && is_here, Ordering::Relaxed);
    Panic::new(())
}

/// A change of the wire, or of the peer behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The wire loses all bytes, in both directions.
    Cut,
    /// The wire loses no more bytes.
    Mend,
    /// The wire changes some of the bytes, in both directions.
    Damage,
    /// The wire changes no more bytes.
    Clean,
    /// The side that runs the jobs is switched off, and on again.
    Restart,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Cut,
        Self::Mend,
        Self::Damage,
        Self::Clean,
        Self::Restart,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "cut",
            Self::Mend => "mend",
            Self::Damage => "damage",
            Self::Clean => "clean",
            Self::Restart => "restart",
        })
    }
}

/// The services that the suite needs of its host.
pub trait Bench: Sync {
    /// Has something done to the wire, soon.
    fn inflict(&self, fault: Fault);

    /// Says how a test ended; 1 if it failed.
    fn report(&self, name: &str, passed: bool) -> usize;
}

/// Which side this is.
static IDENTITY: AtomicU32 = AtomicU32::new(0);

/// Says which side this is, to the job that asks. To be called before jobs are served.
pub fn set_identity(identity: u32) {
    IDENTITY.store(identity, Ordering::Relaxed);
}

/// The number of the side that it runs on.
#[derive(Serialize, Deserialize, Schema)]
struct Identity;

impl RemoteJob for Identity {
    type Output = u32;
    const NAME: &'static str = "identity";
    const IDEMPOTENT: bool = true;

    fn run(self, _context: &mut JobContext<'_>) -> u32 {
        IDENTITY.load(Ordering::Relaxed)
    }
}

#[derive(Serialize, Deserialize, Schema)]
struct Square(u32);

impl RemoteJob for Square {
    type Output = u64;
    const NAME: &'static str = "square";
    const IDEMPOTENT: bool = true;

    fn run(self, _context: &mut JobContext<'_>) -> u64 {
        u64::from(self.0) * u64::from(self.0)
    }
}

/// How often it looked.
#[derive(Serialize, Deserialize, Schema)]
struct UntilCancelled;

impl RemoteJob for UntilCancelled {
    type Output = u32;
    const NAME: &'static str = "until_cancelled";

    fn run(self, context: &mut JobContext<'_>) -> u32 {
        let mut looks = 1_u32;
        while !context.is_cancelled() {
            looks = looks.saturating_add(1);
        }
        looks
    }
}

#[derive(Serialize, Deserialize, Schema)]
struct Large([[u8; 32]; 24]);

impl RemoteJob for Large {
    type Output = ();
    const NAME: &'static str = "large";

    fn run(self, _context: &mut JobContext<'_>) {}
}

/// Panics.
#[derive(Serialize, Deserialize, Schema)]
struct Fail;

impl RemoteJob for Fail {
    type Output = ();
    const NAME: &'static str = "fail";

    fn run(self, _context: &mut JobContext<'_>) {
        panic!("{WORDS}");
    }
}

/// The table that both sides are built with.
pub static JOBS: JobTable = JobTable::new(&[
    JobEntry::of::<Identity>(),
    JobEntry::of::<Square>(),
    JobEntry::of::<UntilCancelled>(),
    JobEntry::of::<Large>(),
    JobEntry::of::<Fail>(),
]);

fn submit<J: RemoteJob>(pool: &'static Pool, job: J) -> JobFuture<'static, J::Output> {
    pool.submit_remote(job).expect("there is room")
}

/// Lets the remote worker look at the wire.
async fn a_while() {
    let mut looked = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        match core::mem::replace(&mut looked, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// A job that does not end by itself, on the other side.
async fn endless(pool: &'static Pool) -> JobFuture<'static, u32> {
    let job = submit(pool, UntilCancelled);
    while !job.running() {
        a_while().await;
    }
    job
}

async fn a_job_runs_on_the_other_side(pool: &'static Pool, identity: u32) -> bool {
    submit(pool, Identity).await.ok() == Some(identity)
}

async fn results_come_back_to_who_asked(pool: &'static Pool) -> bool {
    for round in 0..100 {
        let jobs = [1, 2, 3, 4, 5].map(|n| submit(pool, Square(round * n)));
        for (n, job) in (1..).zip(jobs) {
            if job.await.ok() != Some(u64::from(round * n).pow(2)) {
                return false;
            }
        }
    }
    true
}

async fn a_job_that_waits_there_is_taken_back(pool: &'static Pool) -> bool {
    let runs = endless(pool).await;
    let waits = submit(pool, Square(1));
    while !waits.running() {
        a_while().await;
    }
    let at_once = waits.cancel();
    let cancelled = matches!(waits.await, Err(JobError::Cancelled));
    runs.cancel();
    !at_once && cancelled && runs.await.is_ok()
}

async fn a_job_without_an_end_ends_when_it_is_cancelled(pool: &'static Pool) -> bool {
    let job = endless(pool).await;
    job.cancel();
    // Told while it runs, or taken back if it does not yet.
    matches!(job.await, Ok(1..) | Err(JobError::Cancelled))
}

async fn arguments_too_large_for_a_frame_are_refused(pool: &'static Pool) -> bool {
    let refused = submit(pool, Large([[1; 32]; 24])).await;
    matches!(refused, Err(JobError::Codec(CodecError::ArgumentsTooLarge)))
}

async fn a_wire_that_does_damage_loses_no_idempotent_job(
    pool: &'static Pool,
    bench: &dyn Bench,
) -> bool {
    bench.inflict(Fault::Damage);
    let sound = results_come_back_to_who_asked(pool).await;
    bench.inflict(Fault::Clean);
    sound
}

async fn a_wire_cut_in_the_midst_of_a_job_loses_it_and_is_used_again(
    pool: &'static Pool,
    bench: &dyn Bench,
) -> bool {
    let lost = endless(pool).await;
    bench.inflict(Fault::Cut);
    let lost = lost.await;
    bench.inflict(Fault::Mend);
    matches!(lost, Err(JobError::WorkerLost(LossReason::SILENT)))
        && submit(pool, Square(7)).await.ok() == Some(49)
}

async fn a_side_switched_off_in_the_midst_of_a_job_loses_it_and_is_used_again(
    pool: &'static Pool,
    bench: &dyn Bench,
) -> bool {
    let lost = endless(pool).await;
    bench.inflict(Fault::Restart);
    let lost = lost.await;
    // Which of the two is noticed first is up to how long the start takes.
    matches!(
        lost,
        Err(JobError::WorkerLost(
            LossReason::RESTARTED | LossReason::SILENT
        ))
    ) && submit(pool, Square(7)).await.ok() == Some(49)
}

/// A panic ends the program of a board, which says text, file and line before. It is switched on again.
async fn a_panic_on_the_other_side_comes_with_its_words(
    pool: &'static Pool,
    bench: &dyn Bench,
) -> bool {
    let failed = submit(pool, Fail).await;
    let has_heard =
        matches!(failed, Err(JobError::Panicked(_))) && HAS_HEARD.load(Ordering::Relaxed);
    bench.inflict(Fault::Restart);
    // The job may have been sent to the side that is switched off.
    while submit(pool, Square(7)).await.ok() != Some(49) {}
    has_heard
}

/// The tests, on a pool with a remote worker. `identity` is that of the other side. Ends the
/// pool, and so the worker; how many failed.
pub async fn run(pool: &'static Pool, identity: u32, bench: &'static dyn Bench) -> usize {
    let mut failed = 0;
    macro_rules! test {
        ($($name:ident($($argument:expr),*))*) => {
            $(failed += bench.report(stringify!($name), $name($($argument),*).await);)*
        };
    }
    test! {
        a_job_runs_on_the_other_side(pool, identity)
        results_come_back_to_who_asked(pool)
        a_job_that_waits_there_is_taken_back(pool)
        a_job_without_an_end_ends_when_it_is_cancelled(pool)
        arguments_too_large_for_a_frame_are_refused(pool)
        a_wire_that_does_damage_loses_no_idempotent_job(pool, bench)
        a_wire_cut_in_the_midst_of_a_job_loses_it_and_is_used_again(pool, bench)
        a_side_switched_off_in_the_midst_of_a_job_loses_it_and_is_used_again(pool, bench)
        a_panic_on_the_other_side_comes_with_its_words(pool, bench)
        a_job_runs_on_the_other_side(pool, identity)
    }
    let _ = pool.shutdown(false, false);
    failed
}
