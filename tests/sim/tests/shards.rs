//! A campaign over several processes. Each test runs another one, in a process of its own, with and without
//! shards.

use std::{
    process::{Command, Output},
    thread,
    time::Duration,
};

use corepool::StaticPool;
use corepool_sim::{Chip, Sim, busy, point, sometimes};

static POOL: StaticPool<4, 32> = StaticPool::new();

/// A shard has this variable.
const SHARD: &str = "COREPOOL_SIM_SHARD";

fn sim() -> Sim<'static> {
    let mut sim = Sim::new(3);
    sim.pool(&POOL).workers(1..=2, &POOL);
    let button = sim.interrupt("button", 1, || {
        let _ = POOL.submit_detached(|| ());
    });
    sim.spontaneous(button, 0..=2).count_distinct();
    sim.stall(0..=1, Duration::from_millis(1));
    sim
}

fn scenario(_chip: &Chip) {
    let job = POOL.submit(|| busy(Duration::from_millis(1)));
    job.unwrap().result().unwrap();
}

/// Runs a test of this program with a variable, and returns its output.
fn output_of(test: &str, variable: &str, value: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let Output { stdout, stderr, .. } = Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(variable, value)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

const SHARDS: &str = "COREPOOL_SIM_SHARDS";

/// The line of the output that begins with this mark, after it.
fn line_of(text: &str, mark: &str) -> String {
    let line = text.lines().find_map(|line| line.split_once(mark));
    line.unwrap_or_else(|| panic!("{text}")).1.to_string()
}

#[test]
#[ignore = "another test runs it"]
fn passes() {
    let mut report = sim().everywhere(1).try_run(1_000, scenario).unwrap();
    // The order of the runs counts for this number.
    report.hash = 0;
    println!("report: {report:?}");
}

#[test]
fn shards_run_each_seed_once() {
    let alone = output_of("passes", SHARDS, "1");
    let shared = output_of("passes", SHARDS, "3");
    assert_eq!(line_of(&alone, "report: "), line_of(&shared, "report: "));
}

#[test]
#[ignore = "another test runs it"]
fn fails_in_one_seed() {
    sim().run(1_000, |chip| {
        scenario(chip);
        let micros = chip.now().as_micros();
        assert!(!(1_300..1_310).contains(&micros), "a rare time");
    });
}

#[test]
fn a_failure_in_a_shard_is_reported_as_if_there_were_none() {
    let shared = output_of("fails_in_one_seed", SHARDS, "4");
    let seed = line_of(&shared, ", of seed ");
    let number: u64 = seed.trim().parse().unwrap();
    assert!(
        number >= 64 && !number.is_multiple_of(4),
        "of the parent: {seed}"
    );
    let alone = output_of("fails_in_one_seed", "COREPOOL_SIM_SEED", seed.trim());
    for mark in ["core 0: panicked", "the least schedule: "] {
        assert_eq!(line_of(&alone, mark), line_of(&shared, mark));
    }
}

fn is_shard() -> bool {
    std::env::var_os(SHARD).is_some()
}

#[test]
#[ignore = "another test runs it"]
fn fails_in_some_seeds_of_shards_only() {
    let is_shard = is_shard();
    sim().run(1_000, |chip| {
        scenario(chip);
        let micros = chip.now().as_micros();
        assert!(
            !is_shard || !(1_300..1_310).contains(&micros),
            "a rare time"
        );
    });
}

#[test]
fn a_seed_that_fails_in_a_shard_only_is_reported_as_a_difference() {
    let text = output_of("fails_in_some_seeds_of_shards_only", SHARDS, "2");
    let seed = line_of(&text, ", of seed ");
    let difference = format!("seed {seed} failed in a shard, and passes in its parent");
    assert!(text.contains(&difference), "{text}");
}

#[test]
#[ignore = "another test runs it"]
fn fails_in_each_run_of_shards_only() {
    let is_shard = is_shard();
    sim().run(1_000, |chip| {
        scenario(chip);
        assert!(!is_shard, "a shard");
    });
}

#[test]
fn a_plain_order_that_fails_in_a_shard_is_reported_with_its_text() {
    let text = output_of("fails_in_each_run_of_shards_only", SHARDS, "2");
    assert!(text.contains("a shard of the simulation failed"), "{text}");
    assert!(text.contains("shards.rs"), "{text}");
}

#[test]
#[ignore = "another test runs it"]
fn crashes_in_shards() {
    sim().run(1_000, |chip| {
        scenario(chip);
        if is_shard() {
            std::process::abort();
        }
    });
}

#[test]
fn a_crash_of_a_shard_is_reported() {
    let text = output_of("crashes_in_shards", SHARDS, "2");
    assert!(
        text.contains("its process ended without a result: signal: 6"),
        "{text}"
    );
    assert!(
        text.contains("the process crashes in a simulation of the test crashes_in_shards"),
        "{text}"
    );
}

#[test]
#[ignore = "another test runs it"]
fn sometimes_holds_in_shards_only() {
    sim().run(1_000, |chip| {
        scenario(chip);
        sometimes!(is_shard(), "a shard runs");
        point!();
    });
}

#[test]
fn a_condition_that_holds_in_a_shard_holds() {
    let text = output_of("sometimes_holds_in_shards_only", SHARDS, "2");
    assert!(text.contains("test result: ok"), "{text}");
    let text = output_of("sometimes_holds_in_shards_only", SHARDS, "1");
    assert!(text.contains("held in no run"), "{text}");
}

#[test]
#[ignore = "another test runs it"]
fn simulates_on_a_thread_without_a_name() {
    let simulation = thread::spawn(|| sim().run(1_000, scenario));
    simulation.join().unwrap();
}

#[test]
fn shards_need_the_name_of_the_test() {
    let text = output_of("simulates_on_a_thread_without_a_name", SHARDS, "2");
    assert!(text.contains("COREPOOL_SIM_SHARDS=2: a shard is called by the test's name"));
}
