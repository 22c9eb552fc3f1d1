//! A fault injector: in scenes that use the whole API, the n-th call into foreign code panics, for every n.
//!
//! Jobs, callbacks, destructors, wakers, workers, ports, links, spills, initializers, loggers, sources of a map
//! and remote jobs are foreign: whoever uses the pool has written them. Each run plays one scene with one such
//! panic. After it the laws of conservation are checked (`stage`): every slot is free, every value was dropped
//! once, the workers that are counted are there, no place of a waiter is lost, every future has ended, another
//! job runs or the pool says why it is broken, and the pool's own drop does not panic.
//!
//! Threads take turns (`lockstep`), so that a run is the same each time and a wait that never ends is seen at
//! once; but for the threads of a `ThreadPool`, which run as they like and are watched by the parent process.

mod bomb;
mod far;
mod lockstep;
mod machine;
mod parent;
mod report;
mod scenes;
mod stage;
mod value;

use std::process::ExitCode;

use crate::{
    bomb::Call,
    scenes::{SCENES, Scene},
    stage::{Arrangement, Stage, guard},
};

/// The most panics in a call that threads repeat for as long as they wait.
const OF_A_NAME: usize = 24;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match *args {
        ["child", arrangement, scene, skip] => {
            child(arrangement, scene, skip.parse().unwrap_or(0));
            ExitCode::SUCCESS
        }
        ref filters => parent::run(filters),
    }
}

/// Plays a scene as often as it has calls, beginning after the first `skip`.
fn child(arrangement: &str, scene: &str, skip: usize) {
    let arrangement = Arrangement::ALL
        .into_iter()
        .find(|other| other.name() == arrangement)
        .expect("a known arrangement");
    let scene = SCENES
        .iter()
        .find(|other| other.name == scene)
        .expect("a known scene");
    // Panics are what this is about.
    std::panic::set_hook(Box::new(|_| {}));
    log::set_logger(&machine::Logger).expect("the only logger");
    log::set_max_level(log::LevelFilter::Trace);
    let mut calls = play(scene, arrangement, None);
    if !arrangement.takes_turns() {
        calls.retain(|call| call.nth <= OF_A_NAME);
    }
    if scene.is_control {
        return;
    }
    let total = calls.len();
    for (number, call) in calls.into_iter().enumerate().skip(skip) {
        report::begins(number + 1, total, call.name, call.nth);
        play(scene, arrangement, Some(call));
    }
}

/// Plays a scene once. Returns its calls.
fn play(scene: &Scene, arrangement: Arrangement, bomb: Option<Call>) -> Vec<Call> {
    if bomb.is_none() {
        report::begins(0, 0, "no call", 0);
    }
    value::forget_values();
    machine::forget_ids();
    let stage = Stage::new(arrangement);
    bomb::arm(bomb);
    guard("the scene", || (scene.play)(&stage));
    let gone_off = bomb::disarm();
    let calls = bomb::trace();
    stage.end(arrangement.takes_turns());
    report::ends(gone_off || bomb.is_none());
    calls
}
