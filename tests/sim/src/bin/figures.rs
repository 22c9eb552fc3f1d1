//! The simulator's figures: times, each as a ratio to a bare pair of fibers that is timed beside it, and the growth of
//! the process.
//!
//! The argument is the program that prints the time that shuttle takes for a schedule of the application of
//! `application`.
//!
//! A pair takes twice as long at one moment as at another, by the processor's clock and its neighbours. So each time is
//! divided by that of a pair right before it, and the median of several rounds counts.

use std::{
    hint::black_box,
    process::{Command, ExitCode},
    time::Duration,
};

use corepool::StaticPool;
use corepool_sim::{Granularity, Sim, busy, point, sleep};
use corepool_sim_tests::{GARDEN, resident};
use corosensei::Coroutine;
use pulse_app::pulse::measure;
use pulse_app::{FRAMES, Monitor, Outcome, POOL as PULSE, Plan, Platform, WhenBusy, control_loop};

static POOL: StaticPool<16, 32> = StaticPool::new();

/// The processor time of this thread in nanoseconds, so that the load of the machine counts less.
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

/// The median of so many rounds counts.
const ROUNDS: usize = 9;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The nanoseconds for each of `count`.
fn time(count: u64, run: impl FnOnce()) -> f64 {
    let begin = now();
    run();
    (now() - begin) / count as f64
}

/// There and back again.
fn fiber_pair() -> f64 {
    const COUNT: u64 = 5_000_000;
    time(COUNT, || {
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
    time(100 * 2 * POINTS, || {
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
    time(100 * 2 * 2 * POINTS, || {
        for _ in 0..100 {
            black_box(sim.try_run(0, |_| turns())).ok();
        }
    })
}

/// Power-on, boot and end of a chip with three cores, two of which are workers.
fn boot() -> f64 {
    const RUNS: u64 = 5_000;
    let mut sim = Sim::new(3);
    sim.pool(&POOL)
        .workers(1..=2, &POOL)
        .granularity(Granularity::Calls);
    time(RUNS, || {
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
    time(RUNS, || {
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

/// A sample of the pulse monitor.
fn sample(tick: u32) -> u16 {
    500 + (tick % 16) as u16
}

/// The pulse monitor's plan.
fn plan() -> Plan {
    Plan::new(20_000, 10_000, 2_000).expect("a plan")
}

/// The windows that it has.
const WINDOWS: u32 = 11;

/// The pulse monitor's own computing, without a simulation.
fn computing() -> f64 {
    const RUNS: u64 = 2_000;
    let plan = plan();
    time(RUNS, || {
        for _ in 0..RUNS {
            for window in 0..WINDOWS {
                let first = window * plan.hop() as u32;
                let mut points: Vec<i16> = (first..first + plan.window() as u32)
                    .map(|tick| sample(tick).wrapping_sub(0x8000).cast_signed())
                    .collect();
                black_box(measure(&mut points, plan.point_rate_mhz()));
            }
        }
    })
}

/// The pulse monitor, in a campaign so long that its checked runs, which run twice and are recorded, count for little.
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
    const RUNS: u64 = 2_000;
    let plan = plan();
    let mut sim = Sim::new(3);
    sim.pool(&PULSE).workers(1..=2, &PULSE);
    // SAFETY: only jobs and the control loop lock frames, and neither outlives its run.
    unsafe { sim.reset_any(&FRAMES) };
    time(RUNS, || {
        let report = sim.try_run(RUNS, |_| {
            let mut board = Board::default();
            let samples = (0..600).map(sample);
            let mut monitor = Monitor::new(&PULSE, &FRAMES, plan, WhenBusy::DropWindow);
            control_loop(&mut monitor, samples, &mut board);
            assert_eq!(board.reports, WINDOWS);
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
        time(1, || {
            black_box((planted.search)(false, 0, planted.within)).ok();
        })
    });
    times.fold(0.0, f64::max)
}

/// The nanoseconds that shuttle takes for a schedule of the same application.
fn shuttle(program: &str) -> Result<f64, String> {
    let mut command = Command::new(program);
    command.args(["rate", "--count", "500"]);
    let output = command.output();
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let microseconds: f64 = printed
        .trim()
        .parse()
        .map_err(|_| format!("{command:?} printed {printed:?}, and no number"))?;
    Ok(microseconds * 1_000.0)
}

/// A time that has a bar.
struct Figure {
    name: &'static str,
    /// One measurement, in nanoseconds.
    measure: fn() -> f64,
    /// In bare pairs of fibers.
    at_most: f64,
}

const FIGURES: &[Figure] = &[
    Figure {
        name: "a point without a switch",
        measure: point_without_switch,
        at_most: 4.0,
    },
    // A processor mispredicts a return to another stack than that of its call, of which a bare pair has
    // none. Here each switch has one on average. With a second one, the ratio is 14: such as if the
    // host's stack resumes each fiber.
    Figure {
        name: "a point with a switch",
        measure: point_with_switch,
        at_most: 12.0,
    },
    Figure {
        name: "reset, boot and end of a run, 3 cores",
        measure: boot,
        at_most: 1_900.0,
    },
    Figure {
        name: "2 workers, a submitter, a handler, 8 jobs: calls",
        measure: || application(Granularity::Calls),
        at_most: 11_900.0,
    },
    Figure {
        name: ATOMICS,
        measure: || application(Granularity::Atomics),
        at_most: 47_600.0,
    },
    Figure {
        name: "the longest search and reduction of a planted bug",
        measure: reduction,
        at_most: 476_000_000.0,
    },
];

/// The figure that shuttle's time is compared with.
const ATOMICS: &str = "the same: atomics";

fn main() -> ExitCode {
    match figures() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the figures; returns whether all hold.
fn figures() -> Result<bool, String> {
    let program = std::env::args().nth(1);
    let program = program.ok_or("usage: figures STEPS, with the program of tests/checks/steps")?;
    let mut pairs = Vec::new();
    let mut measured = [const { Vec::new() }; FIGURES.len()];
    let mut shuttles = Vec::new();
    let mut pulses = Vec::new();
    for _ in 0..ROUNDS {
        for (measured, figure) in measured.iter_mut().zip(FIGURES) {
            let pair = fiber_pair();
            let time = (figure.measure)();
            pairs.push(pair);
            measured.push((time, time / pair));
            if figure.name == ATOMICS {
                shuttles.push(shuttle(&program)? / time);
            }
        }
        let own = computing();
        pulses.push((own, pulse() / own));
    }
    println!(
        "{:<58} {:>12} {:>9} {:>9}",
        "", "time", "× a pair", "at most"
    );
    println!(
        "{:<58} {:>9.1} ns {:>9} {:>9}",
        "a bare pair of fiber switches",
        median(pairs),
        1,
        ""
    );
    let mut all_hold = true;
    let mut mark = |holds: bool| {
        all_hold &= holds;
        if holds { "" } else { "  does not hold" }
    };
    for (measured, figure) in measured.into_iter().zip(FIGURES) {
        let Figure { name, at_most, .. } = figure;
        let (times, ratios): (Vec<_>, Vec<_>) = measured.into_iter().unzip();
        let (time, ratio) = (median(times), median(ratios));
        let note = mark(ratio <= *at_most);
        println!("{name:<58} {time:>9.1} ns {ratio:>9.1} {at_most:>9}{note}");
    }
    let ratio = median(shuttles);
    let note = mark(ratio >= 5.0);
    println!(
        "shuttle's schedules of the same application take {ratio:.1} times as long; at least 5 times{note}"
    );
    let (own, ratios): (Vec<_>, Vec<_>) = pulses.into_iter().unzip();
    let (own, ratio) = (median(own), median(ratios));
    let a_second = 1e9 / (own * ratio);
    let note = mark(ratio <= 8.0);
    println!(
        "the pulse monitor, {WINDOWS} windows, runs {a_second:.0} times a second: {ratio:.1} times its own computing; at most 8{note}"
    );
    let growth = growth();
    let note = mark(growth < 10.0);
    println!("the process grows by {growth:.1} MiB in 1,000,000 runs; less than 10{note}");
    Ok(all_hold)
}
