//! How many schedules a second this scheduler explores of a small application: a yardstick for the
//! simulator, whose figures have the same application.

use corepool::StaticPool;
use shuttle::{Config, FailurePersistence, MaxSteps, Runner, scheduler::RandomScheduler, thread};

use crate::machine::{Machine, Sleeper, start};

type Pool = StaticPool<16, 32>;

/// Two workers, a submitter of eight jobs, and a thread in the place of a handler.
fn application() {
    start();
    // Threads borrow it, and a schedule has few of them.
    let pool: &'static Pool = Box::leak(Box::new(Pool::new()));
    pool.install(&Machine);
    let workers: Vec<_> = (0..2)
        .map(|_| thread::spawn(move || pool.run(&Sleeper).is_ok()))
        .collect();
    let handler = thread::spawn(move || pool.submit_detached(|| ()).is_ok());
    let jobs: Vec<_> = (0..8_usize)
        .map(|number| pool.submit(move || number).ok())
        .collect();
    for (number, job) in jobs.into_iter().enumerate() {
        assert_eq!(job.map(|job| job.result().ok()), Some(Some(number)));
    }
    assert_eq!(handler.join().ok(), Some(true));
    assert!(pool.shutdown(true, false).is_ok());
    for worker in workers {
        assert_eq!(worker.join().ok(), Some(true));
    }
}

/// The processor time of this thread in nanoseconds.
#[cfg(unix)]
fn now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The wall's time, in nanoseconds.
#[cfg(not(unix))]
fn now() -> f64 {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed().as_nanos() as f64
}

/// Prints the microseconds that a schedule takes.
pub fn measure(count: usize) -> Result<(), String> {
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(1_000_000);
    config.failure_persistence = FailurePersistence::None;
    let begin = now();
    Runner::new(RandomScheduler::new_from_seed(1, count), config).run(application);
    println!("{:.1}", (now() - begin) / 1_000.0 / count as f64);
    Ok(())
}
