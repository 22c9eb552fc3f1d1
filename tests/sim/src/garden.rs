//! The planted bugs.
//!
//! Each module has one bug: `sim` declares the chip, and `scenario` is the main program of core 0.
//! `MENDED` chooses the twin.

use core::{
    cell::Cell,
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    task::{Poll, Waker},
    time::Duration,
};

use corepool::{JobError, StaticPool};
use corepool_sim::{Failed, Report, Sim, at, busy, now, point, sometimes_late};
use critical_section::Mutex;

use crate::link;

/// One planted bug and its twin.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// The name of the bug.
    pub name: &'static str,
    /// The simulator finds the bug within so many runs.
    pub within: u64,
    /// Searches with seeds from the second number on, for so many seeds. The flag chooses the twin.
    pub search: fn(bool, u64, u64) -> Result<Report, Failed>,
}

/// All planted bugs.
pub const GARDEN: &[Planted] = &[
    Planted {
        name: "room is looked at, and then taken, while a handler submits",
        within: 200,
        search: check_then_submit::search,
    },
    Planted {
        name: "a value is read in one critical section and written in another, on two cores",
        within: 500,
        search: two_sections::search,
    },
    Planted {
        name: "a handler waits for a result",
        within: 100,
        search: wait_in_handler::search,
    },
    Planted {
        name: "a lock is shared with a handler that is not masked",
        within: 200,
        search: lock_in_handler::search,
    },
    Planted {
        name: "a flag is looked at, and then the task parks, without a second look",
        within: 1_000,
        search: lost_edge::search,
    },
    Planted {
        name: "a worker is lost, its frame is used again, and it comes back and writes",
        within: 2_000,
        search: late_writer::search,
    },
    Planted {
        name: "`Full` is not handled in a burst",
        within: 200,
        search: burst::search,
    },
    Planted {
        name: "a task stores no waker at its second poll",
        within: 1_000,
        search: stale_waker::search,
    },
    Planted {
        name: "two ticks of a timer pend, and one is lost",
        within: 1_000,
        search: lost_tick::search,
    },
    Planted {
        name: "a millisecond counter is compared with `>` at its wrap",
        within: 100,
        search: wrap::search,
    },
    Planted {
        name: "a remote job that must not run twice says that it may",
        within: 2_000,
        search: link::search,
    },
];

/// A bug that needs many events in a row, so that most of a search is the reduction.
pub const STORM: Planted = Planted {
    name: "a ring has a place too few for a byte at every step of a turn",
    within: 300,
    search: storm::search,
};

mod check_then_submit {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL).first_seed(first_seed);
        let button = sim.interrupt("button", 3, || {
            let _ = POOL.submit_detached(|| ());
        });
        sim.spontaneous(button, 0..=4);
        sim.try_run(seeds, |_| {
            for _ in 0..4 {
                if POOL.free_slots() > 0 {
                    let job = POOL.submit(|| busy(Duration::from_millis(1)));
                    assert!(mended || job.is_ok(), "there was room");
                }
            }
        })
    }
}

mod two_sections {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();
    static SUM: Mutex<Cell<u32>> = Mutex::new(Cell::new(0));

    fn add(mended: bool) {
        if mended {
            critical_section::with(|cs| SUM.borrow(cs).set(SUM.borrow(cs).get() + 1));
        } else {
            let sum = critical_section::with(|cs| SUM.borrow(cs).get());
            critical_section::with(|cs| SUM.borrow(cs).set(sum + 1));
        }
    }

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(2);
        sim.pool(&POOL)
            .reset(&SUM)
            .workers(1..=1, &POOL)
            .first_seed(first_seed);
        sim.try_run(seeds, |_| {
            let job = POOL.submit(move || add(mended)).unwrap();
            add(mended);
            job.result().unwrap();
            assert_eq!(critical_section::with(|cs| SUM.borrow(cs).get()), 2);
        })
    }
}

mod wait_in_handler {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL).first_seed(first_seed);
        let button = sim.interrupt("button", 3, move || {
            if let Ok(mut job) = POOL.submit(|| 6 * 7) {
                if mended {
                    let _ = job.try_result();
                } else {
                    let _ = job.result();
                }
            }
        });
        sim.spontaneous(button, 0..=1);
        sim.try_run(seeds, |_| {
            POOL.submit(|| ()).unwrap().result().unwrap();
        })
    }
}

mod lock_in_handler {
    use super::*;

    static LOCK: AtomicBool = AtomicBool::new(false);
    static COUNT: AtomicU32 = AtomicU32::new(0);

    fn count() {
        while LOCK.swap(true, SeqCst) {
            corepool::spin_loop();
        }
        point!();
        COUNT.fetch_add(1, SeqCst);
        LOCK.store(false, SeqCst);
    }

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(1);
        sim.reset(&LOCK).reset(&COUNT).first_seed(first_seed);
        let button = sim.interrupt("button", 3, count);
        sim.spontaneous(button, 0..=2);
        sim.try_run(seeds, |_| {
            for _ in 0..3 {
                if mended {
                    critical_section::with(|_| count());
                } else {
                    count();
                }
            }
        })
    }
}

mod lost_edge {
    use super::*;

    static POOL: StaticPool<4, 64> = StaticPool::new();
    static EDGE: AtomicBool = AtomicBool::new(false);
    static WAKER: Mutex<Cell<Option<Waker>>> = Mutex::new(Cell::new(None));

    fn edge() {
        EDGE.store(true, SeqCst);
        if let Some(waker) = critical_section::with(|cs| WAKER.borrow(cs).take()) {
            waker.wake();
        }
    }

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(2);
        sim.pool(&POOL)
            .reset(&EDGE)
            .reset(&WAKER)
            .first_seed(first_seed);
        sim.workers(1..=1, &POOL);
        let input = sim.interrupt("input", 3, edge);
        sim.try_run(seeds, move |chip| {
            let task = POOL
                .spawn(poll_fn(move |cx| {
                    if EDGE.load(SeqCst) {
                        return Poll::Ready(());
                    }
                    point!();
                    let waker = cx.waker().clone();
                    critical_section::with(|cs| WAKER.borrow(cs).set(Some(waker)));
                    match mended && EDGE.load(SeqCst) {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    }
                }))
                .unwrap();
            chip.busy(Duration::ZERO..Duration::from_micros(10));
            chip.raise(input);
            task.result().unwrap();
        })
    }
}

mod late_writer {
    use super::*;

    const FRESH: u32 = 2;

    static POOL: StaticPool<4, 64> = StaticPool::new();
    /// A frame: the number of its owner, and what that has written.
    static OWNER: AtomicU32 = AtomicU32::new(0);
    static FRAME: AtomicU32 = AtomicU32::new(0);

    fn work(me: u32, mended: bool) {
        busy(Duration::from_millis(1));
        // The job has a stake in the frame only as long as it is the owner.
        if !mended || OWNER.load(SeqCst) == me {
            FRAME.store(me, SeqCst);
        }
    }

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(3);
        sim.pool(&POOL).workers(1..=2, &POOL).first_seed(first_seed);
        sim.reset(&OWNER).reset(&FRAME);
        sim.hang(1).in_a_job().returns(sometimes_late());
        sim.try_run(seeds, move |chip| {
            OWNER.store(1, SeqCst);
            let mut first = POOL.submit(move || work(1, mended)).unwrap();
            let first = first.result_timeout(Duration::from_millis(50));
            if matches!(first, Err(JobError::TimedOut)) {
                // The frame is used again, by another job on another core.
                OWNER.store(FRESH, SeqCst);
                let second = POOL.submit(move || work(FRESH, mended)).unwrap();
                second.result().unwrap();
                chip.busy(Duration::from_secs(20));
                assert_eq!(FRAME.load(SeqCst), FRESH, "the frame is the second job's");
            }
        })
    }
}

mod burst {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();
    static DONE: AtomicU32 = AtomicU32::new(0);
    static REFUSED: AtomicU32 = AtomicU32::new(0);

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL).first_seed(first_seed);
        sim.reset(&DONE).reset(&REFUSED);
        let packet = sim.interrupt("packet", 2, move || {
            let submitted = POOL.submit_detached(|| {
                busy(Duration::from_micros(1)..Duration::from_micros(50));
                DONE.fetch_add(1, SeqCst);
            });
            if submitted.is_err() && mended {
                REFUSED.fetch_add(1, SeqCst);
            }
        });
        sim.spontaneous(packet, 0..=8);
        sim.try_run(seeds, |chip| {
            chip.busy(Duration::from_micros(100));
            chip.quiet();
            let known = DONE.load(SeqCst) + REFUSED.load(SeqCst);
            assert_eq!(
                known as usize,
                chip.fired(packet),
                "each packet is accounted for"
            );
        })
    }
}

mod stale_waker {
    use super::*;

    static POOL: StaticPool<4, 64> = StaticPool::new();
    static STEPS: AtomicU32 = AtomicU32::new(0);
    static WAKER: Mutex<Cell<Option<Waker>>> = Mutex::new(Cell::new(None));

    fn step() {
        STEPS.fetch_add(1, SeqCst);
        if let Some(waker) = critical_section::with(|cs| WAKER.borrow(cs).take()) {
            waker.wake();
        }
    }

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(2);
        sim.pool(&POOL)
            .reset(&STEPS)
            .reset(&WAKER)
            .first_seed(first_seed);
        sim.workers(1..=1, &POOL);
        let transfer = sim.interrupt("transfer", 3, step);
        sim.try_run(seeds, move |chip| {
            let mut is_first = true;
            let task = POOL
                .spawn(poll_fn(move |cx| {
                    if mended || core::mem::take(&mut is_first) {
                        let waker = cx.waker().clone();
                        critical_section::with(|cs| WAKER.borrow(cs).set(Some(waker)));
                    }
                    match STEPS.load(SeqCst) {
                        2.. => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                }))
                .unwrap();
            chip.raise(transfer);
            chip.busy(Duration::ZERO..Duration::from_micros(10));
            chip.raise(transfer);
            task.result().unwrap();
        })
    }
}

mod lost_tick {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(1);

    static TICKS: AtomicU32 = AtomicU32::new(0);
    static LAST: AtomicU64 = AtomicU64::new(0);

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(1);
        sim.reset(&TICKS).reset(&LAST).first_seed(first_seed);
        let timer = sim.every(PERIOD, 0, "timer", 2, move || {
            let ticks = if mended {
                // The timer's counter says how many periods have passed.
                let periods = (now().as_nanos() / PERIOD.as_nanos()) as u64;
                (periods - LAST.swap(periods, SeqCst)) as u32
            } else {
                1
            };
            TICKS.fetch_add(ticks, SeqCst);
        });
        let _ = timer;
        sim.stall(0..=1, Duration::from_millis(3));
        sim.try_run(seeds, |chip| {
            for _ in 0..10 {
                critical_section::with(|_| at("in a section"));
                chip.busy(Duration::from_micros(500));
            }
            chip.quiet();
            let periods = (chip.now().as_nanos() / PERIOD.as_nanos()) as u32;
            let ticks = TICKS.load(SeqCst);
            assert!(ticks + 1 >= periods, "{ticks} ticks in {periods} periods");
        })
    }
}

mod wrap {
    use super::*;

    const TIMEOUT: u32 = 20;

    /// The milliseconds of a counter that wraps 10 ms after power-on.
    fn millis() -> u32 {
        (u32::MAX - 10).wrapping_add(now().as_millis() as u32)
    }

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let mut sim = Sim::new(1);
        sim.first_seed(first_seed);
        sim.try_run(seeds, |chip| {
            chip.busy(Duration::ZERO..Duration::from_millis(20));
            let start = millis();
            chip.busy(Duration::from_millis(5));
            let is_late = match mended {
                true => millis().wrapping_sub(start) > TIMEOUT,
                false => millis() > start.wrapping_add(TIMEOUT),
            };
            assert!(!is_late, "5 ms are not more than {TIMEOUT}");
        })
    }
}

/// Only a storm of interrupts shows the bug. Other strategies fire at one of three points at most, and it
/// takes each of eleven.
mod storm {
    use super::*;

    /// The points of a turn.
    const STEPS: u32 = 11;

    /// The bytes that wait for the main loop.
    static WAITING: AtomicU32 = AtomicU32::new(0);

    pub fn search(mended: bool, first_seed: u64, seeds: u64) -> Result<Report, Failed> {
        let places = if mended { STEPS } else { STEPS - 1 };
        let mut sim = Sim::new(2);
        sim.reset(&WAITING).first_seed(first_seed);
        let uart = sim.interrupt("uart", 2, move || {
            let waiting = WAITING.fetch_add(1, SeqCst);
            assert!(waiting < places, "the ring is full");
        });
        sim.spontaneous(uart, 0..=16);
        // So that there is another event to choose at each point.
        sim.task(1, "background", 0, || {
            loop {
                corepool::spin_loop();
            }
        });
        sim.try_run(seeds, |_| {
            for _turn in 0..20 {
                for _step in 0..STEPS {
                    point!();
                }
                WAITING.store(0, SeqCst);
            }
        })
    }
}
