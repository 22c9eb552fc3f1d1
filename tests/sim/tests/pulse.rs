//! The pulse monitor, live, with slow workers and cores that stall.

use std::time::Duration;

use corepool_sim::{Sim, busy, sleep, sometimes};
use pulse_app::{FRAMES, Monitor, Outcome, POOL, Plan, Platform, WhenBusy, control_loop};

/// Samples of a second. It is the least that the monitor takes.
const RATE: u32 = 20;
const SECONDS: u32 = 30;
const WINDOWS: usize = 11;
/// `COREPOOL_SIM_SCHEDULES` asks for another number.
const RUNS: u64 = 500;

/// The board: its tick is virtual, and a job takes its time.
#[derive(Default)]
struct Board {
    reports: [u32; WINDOWS],
    dropped: u32,
}

impl Platform for Board {
    fn worker() -> u8 {
        busy(Duration::from_millis(200)..Duration::from_secs(6));
        1
    }

    fn tick(&mut self) {
        sleep(Duration::from_secs(1) / RATE);
    }

    fn report(&mut self, window: u32, outcome: Outcome) {
        self.reports[window as usize] += 1;
        match outcome {
            Outcome::Measured(_) => {}
            Outcome::Dropped(_) => self.dropped += 1,
            Outcome::Failed(error) => panic!("window {window}: {error}"),
        }
    }
}

/// A pulse of 75 beats a minute, as a triangle.
fn samples() -> impl Iterator<Item = u16> {
    (0..SECONDS * RATE).map(|tick| {
        let phase = tick * 1_000 * 75 / 60 / RATE % 1_000;
        500 + phase.min(1_000 - phase) as u16
    })
}

#[test]
fn every_window_is_reported_once_whatever_stalls() {
    let plan = Plan::new(RATE * 1_000, 10_000, 2_000).unwrap();
    let mut sim = Sim::new(3);
    sim.pool(&POOL).workers(1..=2, &POOL);
    // SAFETY: only jobs and the control loop lock frames, and neither outlives its run.
    unsafe { sim.reset_any(&FRAMES) };
    sim.stall(0..=2, Duration::from_secs(3));
    sim.run(RUNS, |_| {
        let mut board = Board::default();
        let mut monitor = Monitor::new(&POOL, &FRAMES, plan, WhenBusy::DropWindow);
        control_loop(&mut monitor, samples(), &mut board);
        assert_eq!(board.reports, [1; WINDOWS]);
        sometimes!(board.dropped > 0, "a window found no frame");
        sometimes!(board.dropped == 0, "every window found a frame");
    });
}
