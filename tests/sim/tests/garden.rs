//! The simulator finds each planted bug, and is silent about its twin.
//!
//! `COREPOOL_SIM_SCHEDULES` sets the number of runs of each twin, `COREPOOL_SIM_REPETITIONS` the
//! number of searches for each bug.

use corepool_sim::FailedBy;
use corepool_sim_tests::{GARDEN, Planted, STORM};

/// Runs of each twin.
const TWINS: u64 = 2_000;
/// Searches for each bug, each with seeds of its own.
const REPETITIONS: u64 = 100;

fn repetitions() -> u64 {
    let asked = std::env::var("COREPOOL_SIM_REPETITIONS");
    asked.map_or(REPETITIONS, |text| {
        text.parse().expect("a number of searches")
    })
}

/// The bug is found in 99 of 100 searches.
fn is_found(planted: &Planted, repetitions: u64) {
    let found = (0..repetitions).filter(|repetition| {
        let failed = (planted.search)(false, repetition * 1_000_000, planted.within);
        failed.is_err_and(|failed| matches!(failed.kind, FailedBy::Run(_)))
    });
    let found = found.count() as u64;
    println!(
        "{found} of {repetitions} within {} runs: {}",
        planted.within, planted.name
    );
    assert!(found * 100 >= repetitions * 99, "{}", planted.name);
}

#[test]
fn each_planted_bug_is_found_within_its_runs() {
    for planted in GARDEN {
        is_found(planted, repetitions());
    }
}

#[test]
fn a_bug_that_needs_a_storm_of_interrupts_is_found_within_its_runs() {
    is_found(&STORM, repetitions().div_ceil(5));
}

#[test]
fn each_twin_passes() {
    for planted in GARDEN.iter().chain([&STORM]) {
        if let Err(failed) = (planted.search)(true, 0, TWINS) {
            panic!("{}: {failed}", planted.name);
        }
    }
}
