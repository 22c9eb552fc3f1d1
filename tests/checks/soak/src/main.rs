//! Stress and soak: a random mix of everything that the pool can do, from several threads at once.
//!
//! The run is divided into epochs, each with a pool of its own. In an epoch, actors submit from
//! outside, from jobs and from callbacks; they wait, poll, await, cancel, drop and time out; jobs
//! panic, nest and suspend; workers leave and join; in some epochs the pool is shut down or breaks
//! under way. At the end of each epoch all is quiet, and the laws of conservation are checked:
//!
//! * every submit that was tried was completed, failed, cancelled or rejected;
//! * everything that was put into the pool has been dropped, once;
//! * every slot is free.

mod actor;
mod ledger;

use std::{
    process::ExitCode,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser as _;
use corepool::{ContextId, Panic, Parker, Port, StaticPool};
use corepool_std::{HostPort, ThreadWorker};
use fastrand::Rng;

use crate::{actor::Actor, ledger::Ledger};

/// The pool under test: small, so that it is full now and then.
pub(crate) type Pool = StaticPool<48, 64, 3, 8, 4>;

const ACTORS: usize = 3;
/// How many steps an actor takes in an epoch: two to the power of one of these. Short epochs end while all are
/// still in the midst of it.
const STEPS: core::ops::RangeInclusive<u32> = 3..=11;
/// After so many looks in a row at which nothing has happened, somebody waits for ever.
const LOOKS: u32 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

#[derive(clap::Parser)]
#[command(
    about = "Runs a random mix of all operations, and checks conservation laws at each quiet point"
)]
struct Args {
    /// Stop after this many minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// Stop after this many jobs.
    #[arg(long, default_value_t = 10_000_000)]
    jobs: u64,
    /// Replay the choices of an earlier run (not its thread schedule).
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    // Panics of jobs are part of the mix; a panic of the soak itself ends it with its message.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&ledger::EXPECTED_PANIC) {
            report(info);
        }
    }));
    let start = Instant::now();
    let end = args
        .minutes
        .map(|minutes| start + Duration::from_secs_f64(minutes * 60.0));
    thread::spawn(move || watch(seed));
    let mut rng = Rng::with_seed(seed);
    let mut total = Ledger::totals();
    let mut epochs = 0_u64;
    let is_over = |tried: u64| match end {
        Some(end) => Instant::now() >= end,
        None => tried >= args.jobs,
    };
    while !is_over(total.tried) {
        let ledger = run_epoch(&mut rng);
        if let Err(violation) = ledger {
            eprintln!("epoch {epochs}, seed {seed}: {violation}");
            return ExitCode::FAILURE;
        }
        epochs += 1;
        total = Ledger::totals();
    }
    println!(
        "{} jobs in {epochs} epochs, {:.0} s: {total}",
        total.tried,
        start.elapsed().as_secs_f64()
    );
    println!("all accounts balance");
    ExitCode::SUCCESS
}

/// Ends the program if nothing happens any more. It counts looks and asks no clock, so that a machine that
/// stands still is no failure.
fn watch(seed: u64) {
    let (mut before, mut looks) = (0, 0);
    while looks < LOOKS {
        thread::sleep(BETWEEN_LOOKS);
        let tried = Ledger::totals().tried;
        looks = if tried == before { looks + 1 } else { 0 };
        before = tried;
    }
    eprintln!("seed {seed}: after {before} jobs, somebody waits for ever");
    std::process::exit(1);
}

/// The host, without a message for each panic that nobody asks about: they are part of the mix.
struct QuietPort;

// SAFETY: contexts are those of the host's port.
unsafe impl Port for QuietPort {
    fn context(&self) -> ContextId {
        HostPort.context()
    }

    fn now(&self) -> Option<Duration> {
        HostPort.now()
    }

    fn with_parker(&self, f: &mut dyn FnMut(&dyn Parker)) {
        HostPort.with_parker(f);
    }

    fn blocked_callers_run_jobs(&self) -> bool {
        HostPort.blocked_callers_run_jobs()
    }

    fn catch_panic(&self, f: &mut dyn FnMut()) -> Result<(), Panic> {
        HostPort.catch_panic(f)
    }
}

/// How an epoch's pool ends.
#[derive(Clone, Copy)]
enum End {
    /// Quietly, when all work is done.
    Quiet,
    /// By a shutdown under way.
    ShutDown { cancel_futures: bool },
    /// By breaking under way.
    Break,
}

fn run_epoch(rng: &mut Rng) -> Result<(), String> {
    let memory: *mut Pool = Box::into_raw(Box::default());
    // SAFETY: it lives until the end of this function, when nobody uses it any more; tasks, which
    // need a pool that lives for ever, use their wakers only while they are polled.
    let pool: &'static Pool = unsafe { &*memory };
    pool.install(&QuietPort);
    let end = match rng.u32(0..6) {
        0 => End::ShutDown {
            cancel_futures: false,
        },
        1 => End::ShutDown {
            cancel_futures: true,
        },
        2 => End::Break,
        _ => End::Quiet,
    };
    let actors_done = AtomicBool::new(false);
    let barrier = Barrier::new(ACTORS + 1);
    let seeds: [u64; ACTORS] = std::array::from_fn(|_| rng.u64(..));
    let steps = 1_u32 << rng.u32(STEPS);
    let end_after = rng.u32(1..steps);
    let shift_seed = rng.u64(..);
    thread::scope(|scope| {
        // One worker stays; the others come and go.
        scope.spawn(|| {
            let _ = pool.run(&ThreadWorker::new(20));
        });
        scope.spawn(|| shift_workers(pool, shift_seed, &actors_done));
        let actors: Vec<_> = seeds
            .iter()
            .enumerate()
            .map(|(number, &seed)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let mut actor = Actor::new(pool, seed);
                    for step in 0..steps {
                        if number == 0 && step == end_after {
                            match end {
                                End::Quiet => {}
                                End::ShutDown { cancel_futures } => {
                                    let _ = pool.shutdown(false, cancel_futures);
                                }
                                End::Break => pool.break_pool("part of the mix"),
                            }
                        }
                        actor.step();
                    }
                })
            })
            .collect();
        barrier.wait();
        let mut failed = false;
        for actor in actors {
            failed |= actor.join().is_err();
        }
        actors_done.store(true, Ordering::Relaxed);
        let down = pool.shutdown(true, false);
        if failed {
            return Err(String::from("an actor panicked"));
        }
        down.map_err(|error| error.to_string())
    })?;
    if pool.free_slots() != pool.capacity() {
        return Err(format!(
            "{} of {} slots are free",
            pool.free_slots(),
            pool.capacity()
        ));
    }
    // SAFETY: all threads have been joined, and with them all futures are gone.
    drop(unsafe { Box::from_raw(memory) });
    Ledger::totals().check()
}

/// Has workers join, work for a while, and leave by running a bounded number of jobs.
fn shift_workers(pool: &'static Pool, seed: u64, actors_done: &AtomicBool) {
    let mut rng = Rng::with_seed(seed);
    while !actors_done.load(Ordering::Relaxed) {
        if pool.run_pending(rng.usize(1..50)) == 0 {
            thread::yield_now();
        }
    }
}
