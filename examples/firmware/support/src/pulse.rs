//! The pulse monitor on a board: the application's crate, on the recording of the host's example.
//!
//! The readings are printed in the form of `examples/data/readings.csv`, with which they are
//! compared to the last digit, as the host's are.

use core::cell::Cell;

use critical_section::Mutex;
use pulse_app::{FRAMES, Monitor, Outcome, Plan, Platform, Pool, Pulse, WhenBusy};
use semihosting::println;

/// The recording, in flash.
static SAMPLES: &[u16] = &include!(concat!(env!("OUT_DIR"), "/samples.rs"));

/// Its sample rate, windows of 10 s, one every 2 s.
const PLAN: Plan = match Plan::new(116_988, 10_000, 2_000) {
    Ok(plan) => plan,
    Err(_) => panic!("no such plan"),
};

/// The most samples that a tick takes.
const SAMPLES_A_TICK: usize = 16;

/// Windows in the recording.
const WINDOWS: usize = PLAN.windows_in(SAMPLES.len());

/// The replay of the recording: a sample a step, from a main loop or from a timer's handler.
pub struct Replay {
    monitor: Monitor,
    left: &'static [u16],
    log: Log,
}

/// The fate of the windows.
struct Log {
    /// The pulse, and whether it was measured where it should be.
    readings: [Option<(Pulse, bool)>; WINDOWS],
    /// Windows that were reported.
    reported: usize,
}

impl Platform for Log {
    /// Whether the job is where it should be; boards number their workers in different ways.
    fn worker() -> u8 {
        let request = critical_section::with(|cs| REQUEST.borrow(cs).get());
        request.is_some_and(|(_, expected)| expected()).into()
    }

    fn report(&mut self, window: u32, outcome: Outcome) {
        self.reported += 1;
        match outcome {
            Outcome::Measured(reading) => {
                self.readings[window as usize] =
                    reading.pulse.map(|pulse| (pulse, reading.worker == 1));
            }
            lost => println!("window {window}: {lost:?}"),
        }
    }
}

impl Replay {
    /// A replay on `pool`. One replay at a time.
    pub const fn new(pool: &'static Pool, when_busy: WhenBusy) -> Self {
        Self {
            monitor: Monitor::new(pool, &FRAMES, PLAN, when_busy),
            left: SAMPLES,
            log: Log {
                readings: [None; WINDOWS],
                reported: 0,
            },
        }
    }

    /// Takes the next sample, if one is left, and collects results. With [`WhenBusy::DropWindow`]
    /// it never waits. False when the last window has been reported.
    pub fn step(&mut self) -> bool {
        match self.left.split_first() {
            Some((&sample, left)) => {
                self.left = left;
                self.monitor.step(sample, &mut self.log);
            }
            None => self.monitor.collect(&mut self.log),
        }
        self.log.reported < WINDOWS
    }

    /// Takes samples until a window is being measured, and no more than [`SAMPLES_A_TICK`]. So an emulator whose
    /// clock is the host's is not waited for. False when the last window has been reported.
    fn steps(&mut self) -> bool {
        for _ in 0..SAMPLES_A_TICK {
            if !self.step() {
                return false;
            }
            if self.log.reported < PLAN.windows_in(SAMPLES.len() - self.left.len()) {
                break;
            }
        }
        true
    }

    /// Prints the readings, and how many windows were measured where they should be.
    pub fn print(&self) {
        println!("window,milli_bpm,quality");
        for (window, reading) in self.log.readings.iter().enumerate() {
            if let Some((pulse, _)) = reading {
                println!("{window},{},{}", pulse.milli_bpm, pulse.quality);
            }
        }
        let there = |reading: &&Option<(Pulse, bool)>| reading.is_some_and(|(_, there)| there);
        let count = self.log.readings.iter().filter(there).count();
        println!("{count} of {WINDOWS} windows measured where they should be");
    }
}

/// The pool to replay on, and what says, in a job, whether it is where it should be.
type Request = (&'static Pool, fn() -> bool);

/// The request to the tick's handler, if there is one.
static REQUEST: Mutex<Cell<Option<Request>>> = Mutex::new(Cell::new(None));

/// Has [`InHandler`] replay on `pool` from the next tick on. The windows should be measured where
/// `expected` says yes.
pub fn request(pool: &'static Pool, expected: fn() -> bool) {
    critical_section::with(|cs| REQUEST.borrow(cs).set(Some((pool, expected))));
}

/// Whether all of the replay that was requested is printed.
pub fn is_over() -> bool {
    critical_section::with(|cs| REQUEST.borrow(cs).get().is_none())
}

/// The replay from the handler of the board's periodic interrupt, which owns it.
#[derive(Default)]
pub struct InHandler(Option<Replay>);

impl InHandler {
    /// Nothing to replay yet.
    pub const fn new() -> Self {
        Self(None)
    }

    /// A tick: a sample, or several. After the last window the readings are printed and the pool is shut down.
    pub fn on_tick(&mut self) {
        let Some((pool, _)) = critical_section::with(|cs| REQUEST.borrow(cs).get()) else {
            return;
        };
        let replay = self
            .0
            .get_or_insert_with(|| Replay::new(pool, WhenBusy::DropWindow));
        if !replay.steps() {
            replay.print();
            self.0 = None;
            critical_section::with(|cs| REQUEST.borrow(cs).set(None));
            // Without `wait` it cannot fail.
            let _ = pool.shutdown(false, false);
        }
    }
}
