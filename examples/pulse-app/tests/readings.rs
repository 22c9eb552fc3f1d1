//! The readings of the shipped recording, to the last bit.
//!
//! `data/readings.csv` is what any machine must find, chips included. A change of the arithmetic
//! changes it: run this test with `UPDATE_READINGS=1` in the environment, then look at the diff.

use std::{env, fs, path::Path};

use pulse_app::{FRAMES, Monitor, Outcome, POOL, Plan, Platform, Reading, WhenBusy, control_loop};

/// A machine without workers: jobs run where the monitor waits for them, and so in order.
struct Bench {
    readings: String,
}

impl Platform for Bench {
    fn worker() -> u8 {
        0
    }

    fn report(&mut self, window: u32, outcome: Outcome) {
        let Outcome::Measured(Reading {
            pulse: Some(pulse), ..
        }) = outcome
        else {
            panic!("window {window}: {outcome:?}");
        };
        self.readings += &format!("{window},{},{}\n", pulse.milli_bpm, pulse.quality);
    }
}

#[test]
fn the_readings_of_the_shipped_recording_are_the_same_everywhere() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    let recording = fs::read_to_string(data.join("pulse.csv")).unwrap();
    let samples = recording
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap().parse().unwrap());

    let plan = Plan::new(116_988, 10_000, 2_000).unwrap();
    let mut monitor = Monitor::new(&POOL, &FRAMES, plan, WhenBusy::Wait);
    let mut bench = Bench {
        readings: "window,milli_bpm,quality\n".into(),
    };
    control_loop(&mut monitor, samples, &mut bench);

    let expected = data.join("readings.csv");
    if env::var_os("UPDATE_READINGS").is_some() {
        fs::write(&expected, &bench.readings).unwrap();
    }
    assert_eq!(bench.readings, fs::read_to_string(&expected).unwrap());
}
