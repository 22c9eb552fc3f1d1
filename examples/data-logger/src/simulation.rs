//! The data logger on a simulated chip: the main loop and the ADC on core 0, a worker on core 1.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::Duration,
};

use corepool_sim::{
    Cause, Chip, Failed, FailedBy, FailedRun, LendsNothing, Sim, busy, now, sleep, sometimes,
};

use crate::{BUFFER, Board, DoubleBuffer, POOL, Record, Recorder, SAMPLES, on_sample};

/// The ADC's register: it counts its own samples.
static ADC: AtomicU16 = AtomicU16::new(0);

const TURN: Duration = Duration::from_micros(50);
const SAMPLE_TIME: RangeInclusive<Duration> =
    Duration::from_micros(95)..=Duration::from_micros(105);
const FLASH_TIME: RangeInclusive<Duration> =
    Duration::from_micros(100)..=Duration::from_micros(1200);
/// The runs of each search.
const RUNS: u64 = 3000;
/// The time for which the ADC runs.
const RECORDING: Duration = Duration::from_millis(6);

/// The flash of the test: it looks at each record at once.
#[derive(Default)]
struct Flash {
    records: usize,
    missing: usize,
    /// One more than the last sample that is stored.
    end: u16,
}

impl Board for Flash {
    fn now(&self) -> Duration {
        now()
    }

    fn store(&mut self, record: Option<Record>) {
        match record {
            Some(record) => {
                let samples = record.samples().expect("a record has its checksum");
                let first = samples[0];
                let consecutive = core::array::from_fn(|at| first + at as u16);
                assert_eq!(samples, consecutive, "a record's samples are consecutive");
                assert!(first >= self.end, "records are stored in order");
                self.end = first + SAMPLES as u16;
                self.records += 1;
            }
            None => self.missing += 1,
        }
        busy(FLASH_TIME);
    }
}

// SAFETY: all that the buffer holds are atomics, so no run keeps a reference to what it holds.
unsafe impl LendsNothing for DoubleBuffer {}

fn chip<'a>() -> Sim<'a> {
    let mut sim = Sim::new(2);
    sim.pool(&POOL)
        .reset(&BUFFER)
        .reset(&ADC)
        .workers(1..=1, &POOL);
    sim.every(SAMPLE_TIME, 0, "adc", 3, || {
        if now() < RECORDING {
            on_sample(ADC.fetch_add(1, Relaxed));
        }
    });
    sim.stall(0..=2, Duration::from_millis(6));
    sim.heal_within(Duration::from_millis(10));
    sim
}

/// Records for a while, and accounts for each sample.
fn record(mut recorder: Recorder, chip: &Chip) {
    let mut flash = Flash::default();
    while chip.now() < RECORDING {
        recorder.poll(&mut flash);
        sleep(TURN);
    }
    chip.heal();
    while !recorder.is_idle() {
        recorder.poll(&mut flash);
        sleep(TURN);
    }
    let stored = (flash.records + flash.missing) * SAMPLES;
    let known = stored + BUFFER.lost() as usize + BUFFER.filled();
    assert_eq!(
        known,
        ADC.load(Relaxed) as usize,
        "each sample is stored, or known to be missing"
    );
    sometimes!(flash.missing > 0, "a block is late");
    sometimes!(BUFFER.lost() > 0, "a sample finds no block");
}

#[test]
fn each_sample_is_stored_or_known_to_be_missing() {
    chip().run(RUNS, |chip| record(Recorder::new(), chip));
}

/// The failure that the simulation has to find with a recorder that has a bug.
fn found(recorder: fn() -> Recorder) -> FailedRun {
    match chip().try_run(RUNS, |chip| record(recorder(), chip)) {
        Err(Failed {
            kind: FailedBy::Run(run),
            ..
        }) => *run,
        other => panic!("no run failed: {other:?}"),
    }
}

#[test]
fn a_block_that_is_reused_too_early_is_found() {
    let run = found(Recorder::with_an_early_reuse);
    assert!(matches!(run.cause, Cause::Panic { .. }), "{}", run.cause);
}

#[test]
fn a_flag_that_is_cleared_too_late_is_found() {
    let run = found(Recorder::with_a_lost_edge);
    let known = matches!(run.cause, Cause::NotHealed(..) | Cause::Panic { .. });
    assert!(known, "{}", run.cause);
}

/// The schedule that the simulation printed for the early reuse: core 1 stalls in a job.
#[test]
fn a_late_block_is_not_reused_while_its_job_runs() {
    let schedule = "calls/core 1@a word is compressed#27:stall=1/4931020"
        .parse()
        .unwrap();
    let replay =
        |recorder: fn() -> Recorder| chip().replay(&schedule, |chip| record(recorder(), chip));
    replay(Recorder::new).unwrap();
    // The schedule still leads to the place that it is about.
    replay(Recorder::with_an_early_reuse).unwrap_err();
}
