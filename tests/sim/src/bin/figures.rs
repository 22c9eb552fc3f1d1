//! The simulator's figures: times, each as a ratio to a bare pair of fibers that is timed beside it, and the growth of
//! the process.
//!
//! The argument is the time in microseconds that shuttle takes for a schedule of the application of
//! `application`.

use std::{
    hint::black_box,
    process::ExitCode,
    sync::LazyLock,
    time::{Duration, Instant},
};

use corepool::StaticPool;
use corepool_sim::{Granularity, Sim, busy, point, sleep};
use corepool_sim_tests::{GARDEN, resident};
use corosensei::Coroutine;
use pulse_app::{FRAMES, Monitor, Outcome, POOL as PULSE, Plan, Platform, WhenBusy, control_loop};

static POOL: StaticPool<16, 32> = StaticPool::new();

/// The processor time of this thread in nanoseconds, so that the load of the machine counts less. The
/// wall's time where the kernel does not tell.
fn now() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let times = std::fs::read_to_string("/proc/thread-self/schedstat");
    let processor = times
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok());
    processor.unwrap_or_else(|| START.elapsed().as_nanos() as f64)
}

/// The best of five, in nanoseconds for each of `count`.
fn best(count: u64, mut run: impl FnMut()) -> f64 {
    let times = (0..5).map(|_| {
        let begin = now();
        run();
        (now() - begin) / count as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

/// There and back again.
fn fiber_pair() -> f64 {
    const COUNT: u64 = 20_000_000;
    best(COUNT, || {
        let mut fiber = Coroutine::new(|yielder, ()| {
            loop {
                yielder.suspend(());
            }
        });
        for _ in 0..COUNT {
            black_box(fiber.resume(()));
        }
        // SAFETY: the fiber's stack has nothing to drop.
        unsafe { fiber.force_reset() };
    })
}

/// A point at which nothing happens.
fn point_without_switch() -> f64 {
    const POINTS: u64 = 100_000;
    let mut sim = Sim::new(1);
    best(100 * 2 * POINTS, || {
        for _ in 0..100 {
            let report = sim.try_run(0, |_| {
                for _ in 0..POINTS {
                    point!();
                }
            });
            black_box(report).ok();
        }
    })
}

/// A point at which another core takes over.
fn point_with_switch() -> f64 {
    const POINTS: u64 = 8_000;
    let turns = || {
        for _ in 0..POINTS {
            corepool::spin_loop();
        }
    };
    let mut sim = Sim::new(2);
    sim.task(1, "other", 0, turns);
    best(100 * 2 * 2 * POINTS, || {
        for _ in 0..100 {
            black_box(sim.try_run(0, |_| turns())).ok();
        }
    })
}

/// Power-on, boot and end of a chip with three cores, two of which are workers.
fn boot() -> f64 {
    const RUNS: u64 = 10_000;
    let mut sim = Sim::new(3);
    sim.pool(&POOL)
        .workers(1..=2, &POOL)
        .granularity(Granularity::Calls);
    best(RUNS, || {
        black_box(sim.try_run(RUNS, |_| point!())).ok();
    })
}

/// Two workers, a submitter of eight jobs, and a handler that submits one.
fn application(granularity: Granularity) -> f64 {
    const RUNS: u64 = 5_000;
    let mut sim = Sim::new(3);
    sim.pool(&POOL)
        .workers(1..=2, &POOL)
        .granularity(granularity);
    let handler = sim.interrupt("handler", 1, || {
        POOL.submit_detached(|| ()).ok();
    });
    sim.spontaneous(handler, 0..=1);
    best(RUNS, || {
        let report = sim.try_run(RUNS, |_| {
            let jobs: Vec<_> = (0..8_usize)
                .map(|number| POOL.submit(move || number).ok())
                .collect();
            for (number, job) in jobs.into_iter().enumerate() {
                assert_eq!(job.map(|job| job.result().ok()), Some(Some(number)));
            }
        });
        assert!(report.is_ok(), "{report:?}");
    })
}

/// The pulse monitor, with 11 windows.
fn pulse() -> f64 {
    #[derive(Default)]
    struct Board {
        reports: u32,
    }
    impl Platform for Board {
        fn worker() -> u8 {
            busy(Duration::from_millis(200)..Duration::from_millis(2_500));
            1
        }
        fn tick(&mut self) {
            sleep(Duration::from_millis(50));
        }
        fn report(&mut self, _window: u32, _outcome: Outcome) {
            self.reports += 1;
        }
    }
    const RUNS: u64 = 300;
    let plan = Plan::new(20_000, 10_000, 2_000).expect("a plan");
    let mut sim = Sim::new(3);
    sim.pool(&PULSE).workers(1..=2, &PULSE);
    // SAFETY: only jobs and the control loop lock frames, and neither outlives its run.
    unsafe { sim.reset_any(&FRAMES) };
    best(RUNS, || {
        let report = sim.try_run(RUNS, |_| {
            let mut board = Board::default();
            let samples = (0..600_u32).map(|tick| 500 + (tick % 16) as u16);
            let mut monitor = Monitor::new(&PULSE, &FRAMES, plan, WhenBusy::DropWindow);
            control_loop(&mut monitor, samples, &mut board);
            assert_eq!(board.reports, 11);
        });
        assert!(report.is_ok(), "{report:?}");
    })
}

/// The MiB by which the process grows in a million runs of a job.
fn growth() -> f64 {
    let mut sim = Sim::new(3);
    sim.pool(&POOL)
        .workers(1..=2, &POOL)
        .granularity(Granularity::Calls);
    let mut runs = |count| {
        let report = sim.try_run(count, |_| {
            POOL.submit(|| ()).unwrap().result().unwrap();
        });
        assert!(report.is_ok(), "{report:?}");
    };
    runs(1_000);
    let before = resident();
    runs(1_000_000);
    resident().saturating_sub(before) as f64 / f64::from(1 << 20)
}

/// The longest search and reduction of a planted bug.
fn reduction() -> f64 {
    let times = GARDEN.iter().map(|planted| {
        let begin = now();
        black_box((planted.search)(false, 0, planted.within)).ok();
        now() - begin
    });
    times.fold(0.0, f64::max)
}

fn main() -> ExitCode {
    let shuttle = std::env::args()
        .nth(1)
        .and_then(|text| text.parse::<f64>().ok());
    let Some(shuttle) = shuttle else {
        eprintln!(
            "usage: figures MICROSECONDS\n\n  MICROSECONDS  shuttle's time for a schedule: `steps rate` prints it"
        );
        return ExitCode::FAILURE;
    };
    let pair = fiber_pair();
    let atomics = application(Granularity::Atomics);
    println!(
        "{:<58} {:>12} {:>9} {:>9}",
        "", "time", "× a pair", "at most"
    );
    println!(
        "{:<58} {:>9.1} ns {:>9} {:>9}",
        "a bare pair of fiber switches", pair, 1, ""
    );
    let rows = [
        ("a point without a switch", point_without_switch(), 4.0),
        // A processor mispredicts a return to another stack than that of its call, of which a bare pair has
        // none. Here each switch has one on average. With a second one, the ratio is 14: such as if the
        // host's stack resumes each fiber.
        ("a point with a switch", point_with_switch(), 12.0),
        ("reset, boot and end of a run, 3 cores", boot(), 1_900.0),
        (
            "2 workers, a submitter, a handler, 8 jobs: calls",
            application(Granularity::Calls),
            11_900.0,
        ),
        ("the same: atomics", atomics, 47_600.0),
        ("the pulse monitor, 11 windows", pulse(), 158_000.0),
        (
            "the longest search and reduction of a planted bug",
            reduction(),
            476_000_000.0,
        ),
    ];
    let mut holds = true;
    for (name, time, bar) in rows {
        let ratio = time / pair;
        let mark = if ratio <= bar { "" } else { "  does not hold" };
        holds &= ratio <= bar;
        println!("{name:<58} {time:>9.1} ns {ratio:>9.1} {bar:>9}{mark}");
    }
    let ratio = shuttle * 1_000.0 / atomics;
    let mark = if ratio >= 5.0 { "" } else { "  does not hold" };
    holds &= ratio >= 5.0;
    println!(
        "shuttle's schedules of the same application take {ratio:.1} times as long; at least 5 times{mark}"
    );
    let growth = growth();
    let mark = if growth < 10.0 { "" } else { "  does not hold" };
    holds &= growth < 10.0;
    println!("the process grows by {growth:.1} MiB in 1,000,000 runs; less than 10{mark}");
    match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
