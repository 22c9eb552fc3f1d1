//! The promises of the search: replays, reductions, determinism, and runs that show too little.

use std::{
    cell::Cell,
    collections::{BTreeSet, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use corepool::StaticPool;
use corepool_sim::{
    Action, Cause, Deviation, Failed, FailedBy, FailedRun, Granularity, Returns, Schedule, Sim,
    busy, now, point, sleep, sometimes,
};
use corepool_sim_tests::{GARDEN, resident};

fn failed_run(failed: Failed) -> FailedRun {
    match failed.kind {
        FailedBy::Run(run) => *run,
        _ => panic!("{failed}"),
    }
}

/// The sentences of a simulation that shows too little.
fn too_little(failed: Failed) -> Vec<String> {
    match failed.kind {
        FailedBy::ShowsTooLittle(sentences) => sentences,
        _ => panic!("{failed}"),
    }
}

mod replay {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();
    static SUM: AtomicU32 = AtomicU32::new(0);

    /// Loses an addition if two cores add at the same time.
    fn add() {
        let sum = SUM.load(SeqCst);
        point!("between load and store");
        SUM.store(sum + 1, SeqCst);
    }

    fn sim() -> Sim<'static> {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).reset(&SUM).workers(1..=1, &POOL);
        sim
    }

    fn scenario(_chip: &corepool_sim::Chip) {
        let job = POOL.submit(add).unwrap();
        add();
        job.result().unwrap();
        assert_eq!(SUM.load(SeqCst), 2);
    }

    #[test]
    fn a_seed_fails_in_the_same_way_again() {
        let mut failures = 0;
        for seed in 0..400 {
            let one = sim().first_seed(seed).try_run(1, scenario);
            let other = sim().first_seed(seed).try_run(1, scenario);
            assert_eq!(one, other, "seed {seed}");
            failures += u32::from(one.is_err());
        }
        assert!(failures > 20, "{failures}");
    }

    #[test]
    fn the_least_schedule_fails_in_the_same_way() {
        for seed in 0..400 {
            let Err(failed) = sim().first_seed(seed).try_run(1, scenario) else {
                continue;
            };
            let run = failed_run(failed);
            let again = failed_run(sim().replay(&run.schedule, scenario).unwrap_err());
            assert_eq!(again.cause, run.cause);
            assert_eq!(again.schedule.steps.len(), run.schedule.steps.len());
        }
    }

    #[test]
    fn a_failure_is_reduced_to_what_it_needs() {
        // To the other core between its load and its store, and back before the store.
        for seed in 0..400 {
            if let Err(failed) = sim().first_seed(seed).try_run(1, scenario) {
                let run = failed_run(failed);
                assert!(
                    run.schedule.steps.len() <= 2,
                    "seed {seed}: {:?}",
                    run.schedule
                );
            }
        }
    }

    #[test]
    fn without_any_deviation_of_the_least_schedule_the_run_passes() {
        let run = failed_run(sim().try_run(1_000, scenario).unwrap_err());
        for left_out in 0..run.schedule.steps.len() {
            let mut schedule = run.schedule.clone();
            schedule.steps.remove(left_out);
            sim().replay(&schedule, scenario).unwrap();
        }
    }

    #[test]
    fn a_step_that_fits_no_more_is_reported() {
        let step = Deviation {
            context: "core 0".into(),
            label: "a line that is gone".into(),
            visit: 1,
            action: Action::Switch(1),
        };
        let schedule = Schedule {
            granularity: Granularity::Calls,
            steps: vec![step.clone()],
        };
        let failed = sim().replay(&schedule, scenario).unwrap_err();
        assert_eq!(failed.kind, FailedBy::FitsNoMore(vec![step], None));
    }

    #[test]
    fn the_report_says_what_failed_and_how_to_run_it_again() {
        let failed = sim().try_run(1_000, scenario).unwrap_err();
        let text = failed.to_string();
        let test = "replay::the_report_says_what_failed_and_how_to_run_it_again";
        for part in [
            "assertion `left == right` failed",
            "core 0",
            "core 1",
            "between load and store",
            "without this one it passes",
            "COREPOOL_SIM_SEED=",
            &format!("cargo test {test} -- --include-ignored"),
            "COREPOOL_SIM_REPLAY='calls/core",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
    }
}

mod determinism {
    use super::*;

    /// The simulation of a scenario that differs from run to run.
    fn differs(scenario: impl Fn()) {
        let failed = Sim::new(1).try_run(64, |_| scenario()).unwrap_err();
        let cause = failed_run(failed).cause;
        assert!(matches!(cause, Cause::Nondeterminism { .. }), "{cause}");
    }

    #[test]
    fn the_order_of_a_hash_map_is_noticed() {
        differs(|| {
            let set: HashSet<u32> = (0..16).collect();
            for number in set {
                if number % 2 == 0 {
                    point!("even");
                } else {
                    point!("odd");
                }
            }
        });
    }

    #[test]
    fn a_host_clock_is_noticed() {
        let start = Instant::now();
        differs(|| {
            busy(Duration::from_nanos(start.elapsed().as_nanos() as u64));
        });
    }

    #[test]
    fn an_address_as_a_key_is_noticed() {
        let kept = Mutex::new(Vec::new());
        differs(|| {
            let place = Box::new([0_u8; 64]);
            busy(Duration::from_nanos(place.as_ptr().addr() as u64 & 0xFFFF));
            kept.lock().unwrap().push(place);
        });
    }

    #[test]
    fn a_difference_in_a_second_process_is_noticed() {
        // The same in each run of a process, and another one in the next.
        let result = std::panic::catch_unwind(|| {
            Sim::new(1).run(64, |_| {
                for _ in 0..std::process::id() % 1_000 {
                    point!();
                }
            });
        });
        let panic = result.unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(
            text.contains("the first 64 seeds differ in a second process"),
            "{text}"
        );
    }

    #[test]
    fn a_thread_local_is_noticed() {
        thread_local! {
            static COUNT: Cell<u32> = const { Cell::new(0) };
        }
        differs(|| {
            COUNT.set(COUNT.get() + 1);
            for _ in 0..COUNT.get() % 3 {
                point!();
            }
        });
    }

    #[test]
    fn a_static_that_is_not_reset_is_noticed() {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        differs(|| {
            for _ in 0..COUNT.fetch_add(1, SeqCst) % 3 {
                point!();
            }
        });
    }

    #[test]
    fn simulations_in_eight_threads_are_the_same() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        let hash = || {
            let mut sim = Sim::new(3);
            sim.pool(&POOL).workers(1..=2, &POOL);
            let report = sim.try_run(100, |_| {
                let job = POOL.submit(|| busy(Duration::from_millis(1))).unwrap();
                job.result().unwrap();
            });
            report.unwrap()
        };
        let alone = hash();
        thread::scope(|scope| {
            let others: Vec<_> = (0..8).map(|_| scope.spawn(hash)).collect();
            for other in others {
                assert_eq!(other.join().unwrap(), alone);
            }
        });
    }

    #[test]
    fn a_recorded_run_is_as_one_that_is_not_recorded() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        const MS: Duration = Duration::from_millis(1);
        let mut sim = Sim::new(3);
        sim.pool(&POOL).workers(1..=2, &POOL);
        let button = sim.interrupt("button", 1, || POOL.submit_detached(|| ()).unwrap());
        sim.spontaneous(button, 0..=2).spurious_wakes();
        sim.stall(0..=2, MS);
        let _ = sim.hang(1).returns(Returns::After((MS..3 * MS).into()));
        let mut sums = |first: u64, count| {
            let report = sim.first_seed(first).try_run(count, |_| {
                let jobs = [1, 2].map(|time| POOL.submit(move || busy(time * MS)).unwrap());
                let lock = critical_section::with(|_| now());
                let _: [(); 2] = jobs.map(|job| job.result().unwrap());
                assert!(now() > lock);
            });
            let report = report.unwrap();
            let fired = report.fired.iter().sum();
            [
                report.points,
                report.switches,
                report.stalls,
                report.hangs,
                report.jobs,
                fired,
            ]
        };
        let mut between = |first, (few, many)| {
            let (few, many): ([u64; 6], [u64; 6]) = (sums(first, few), sums(first, many));
            std::array::from_fn::<_, 6, _>(|place| many[place] - few[place])
        };
        for hundred in [100, 200, 300] {
            // The first 64 seeds are recorded, twice, and those between the hundreds are not.
            let not_recorded = between(0, (hundred + 32, hundred + 64));
            let recorded = between(hundred, (32, 64)).map(|sum| sum / 2);
            assert_eq!(recorded, not_recorded, "seeds from {hundred} on");
        }
    }

    #[test]
    fn a_run_after_many_others_is_as_in_the_beginning() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        let mut sim = Sim::new(3);
        sim.pool(&POOL).workers(1..=2, &POOL);
        let mut runs = |seed, count| {
            let sim = sim.first_seed(seed);
            sim.try_run(count, |_| {
                let jobs: Vec<_> = (0..3).map(|_| POOL.submit(|| point!()).unwrap()).collect();
                for job in jobs {
                    job.result().unwrap();
                }
            })
            .unwrap()
        };
        let first = runs(7, 1);
        runs(100, 2_000);
        assert_eq!(runs(7, 1), first);
    }
}

mod space {
    use super::*;

    static FLAG: AtomicU32 = AtomicU32::new(0);

    /// Core 1 sets a flag for a moment, and core 0 looks at it twice.
    fn sim() -> Sim<'static> {
        let mut sim = Sim::new(2);
        sim.reset(&FLAG).granularity(Granularity::Calls);
        sim.task(1, "sets", 0, || {
            FLAG.store(1, SeqCst);
            point!("the flag is set");
            FLAG.store(0, SeqCst);
        });
        sim
    }

    fn look() -> (u32, u32) {
        let first = FLAG.load(SeqCst);
        point!("between two looks");
        (first, FLAG.load(SeqCst))
    }

    #[test]
    fn all_schedules_of_a_small_scenario_are_run() {
        let seen = Mutex::new(BTreeSet::new());
        sim()
            .exhaustive(1_000)
            .try_run(0, |_| {
                let looks = look();
                seen.lock().unwrap().insert(looks);
            })
            .unwrap();
        let all = [(0, 0), (0, 1), (1, 0), (1, 1)];
        assert_eq!(seen.into_inner().unwrap(), all.into());
    }

    #[test]
    fn a_failure_that_takes_several_deviations_is_found_by_all_schedules() {
        let scenario = |_: &corepool_sim::Chip| assert_ne!(look(), (0, 1));
        sim().everywhere(1).try_run(0, scenario).unwrap();
        let run = failed_run(sim().exhaustive(1_000).try_run(0, scenario).unwrap_err());
        assert_eq!(run.schedule.steps.len(), 2, "{:?}", run.schedule);
    }

    #[test]
    fn a_scenario_with_more_schedules_than_the_bound_shows_too_little() {
        let sentences = too_little(
            sim()
                .exhaustive(5)
                .try_run(0, |_| assert_ne!(look(), (2, 2)))
                .unwrap_err(),
        );
        assert!(
            sentences[0].starts_with("there are more than 5 schedules"),
            "{sentences:?}"
        );
    }

    #[test]
    fn runs_that_differ_in_commuting_steps_only_count_once() {
        static ONE: StaticPool<2, 32> = StaticPool::new();
        static OTHER: StaticPool<2, 32> = StaticPool::new();
        let mut sim = Sim::new(2);
        sim.pool(&ONE).pool(&OTHER).count_distinct();
        sim.task(1, "other", 0, || {
            OTHER.submit_detached(|| ()).unwrap();
            OTHER.run_pending(1);
        });
        let report = sim
            .try_run(300, |_| {
                ONE.submit_detached(|| ()).unwrap();
                ONE.run_pending(1);
            })
            .unwrap();
        assert_eq!(report.distinct, 1);
    }

    #[test]
    fn runs_that_differ_in_the_order_of_two_accesses_count_as_two() {
        let mut sim = Sim::new(2);
        sim.count_distinct();
        sim.task(1, "other", 0, || point!());
        let report = sim.try_run(300, |chip| {
            point!();
            chip.quiet();
        });
        assert_eq!(report.unwrap().distinct, 2);
    }
}

mod misuse {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();

    #[test]
    fn an_empty_scenario_fails() {
        let sentences = too_little(Sim::new(1).try_run(10, |_| ()).unwrap_err());
        assert!(
            sentences[0].contains("the scenario is empty"),
            "{sentences:?}"
        );
    }

    #[test]
    fn a_pool_without_a_job_fails() {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let sentences = too_little(sim.try_run(10, |_| point!()).unwrap_err());
        assert_eq!(sentences, ["no job ran in any run"]);
    }

    #[test]
    fn an_interrupt_that_never_fires_fails() {
        let mut sim = Sim::new(1);
        let button = sim.interrupt("button", 1, || ());
        sim.spontaneous(button, 0..=1);
        // No point outside of the section, but for the start.
        let sentences = too_little(sim.try_run(0, |_| point!()).unwrap_err());
        assert_eq!(sentences, ["the interrupt `button` fired in no run"]);
    }

    #[test]
    fn an_interrupt_that_nothing_pends_fails() {
        let mut sim = Sim::new(1);
        let _button = sim.interrupt("button", 1, || ());
        let _adc = sim.every(Duration::from_secs(1), 0, "adc", 1, || ());
        let sentences = too_little(sim.try_run(10, |_| point!()).unwrap_err());
        assert_eq!(
            sentences,
            [
                "the interrupt `button` fired in no run: call `spontaneous`, `raise` or `pends`",
                "the interrupt `adc` fired in no run: shorten its period, or lengthen the scenario",
            ]
        );
    }

    #[test]
    fn faults_that_never_happen_fail() {
        let mut sim = Sim::new(1);
        sim.stall(0..=1, Duration::from_secs(1));
        let _ = sim.hang(0).in_a_job();
        let sentences = too_little(sim.try_run(0, |_| point!()).unwrap_err());
        assert_eq!(sentences, ["no core ever stalled", "no core ever hung"]);
    }

    #[test]
    fn a_condition_that_never_holds_fails() {
        let sentences = too_little(
            Sim::new(1)
                .try_run(10, |_| {
                    point!();
                    sometimes!(false, "one is two");
                })
                .unwrap_err(),
        );
        assert_eq!(sentences.len(), 1);
        assert!(sentences[0].contains("`one is two` (") && sentences[0].contains("search.rs:"));
        assert!(sentences[0].ends_with("held in no run"));
    }

    #[test]
    fn a_condition_that_is_never_reached_fails() {
        let reaches = AtomicUsize::new(0);
        let sentences = too_little(
            Sim::new(1)
                .try_run(10, |_| {
                    point!();
                    if reaches.load(SeqCst) > 0 {
                        sometimes!(true, "the impossible");
                    }
                })
                .unwrap_err(),
        );
        assert!(
            sentences[0].ends_with("was reached in no run"),
            "{sentences:?}"
        );
    }

    #[test]
    fn a_thread_of_the_host_that_uses_a_simulated_pool_is_named() {
        let failed = Sim::new(2)
            .pool(&POOL)
            .workers(1..=1, &POOL)
            .try_run(10, |_| {
                POOL.submit(|| ()).unwrap().result().unwrap();
                let host = thread::Builder::new().name("stray".into());
                host.spawn(|| POOL.free_slots()).unwrap().join().unwrap();
            })
            .unwrap_err();
        assert_eq!(failed.kind, FailedBy::HostThread(Some("stray".into())));
    }

    #[test]
    fn a_future_that_is_kept_for_the_next_run_is_a_lost_slot() {
        let kept = Cell::new(None);
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let failed = sim.try_run(10, |_| kept.set(Some(POOL.submit(|| ()).unwrap())));
        let text = failed.unwrap_err().to_string();
        let part =
            "chip: at the end, the pool `search::misuse::POOL` has 3 slots free instead of 4";
        assert!(text.contains(part) && !text.contains("REPLAY"), "{text}");
    }

    #[test]
    fn a_simulation_in_a_simulation_is_refused() {
        let inner = Cell::new(None);
        Sim::new(1)
            .try_run(1, |_| {
                point!();
                inner.set(Sim::new(1).try_run(1, |_| point!()).err());
            })
            .unwrap();
        assert_eq!(
            inner.take().map(|failed| failed.kind),
            Some(FailedBy::Nested)
        );
    }
}

mod declarations {
    use std::{
        panic::{self, AssertUnwindSafe},
        sync::Once,
    };

    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();

    thread_local! {
        /// The file of the thread's last panic.
        static FILE: Cell<Option<String>> = const { Cell::new(None) };
    }

    /// The text of the panic, whose place is in this file.
    fn refusal(declare: impl FnOnce()) -> String {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                FILE.set(info.location().map(|place| place.file().to_string()));
                before(info);
            }));
        });
        let payload = panic::catch_unwind(AssertUnwindSafe(declare)).unwrap_err();
        assert_eq!(FILE.take().as_deref(), Some(file!()));
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        text.unwrap_or_else(|| *payload.downcast().unwrap())
    }

    #[test]
    fn a_core_that_does_not_exist_is_refused() {
        let text = refusal(|| {
            Sim::new(1).workers(1..=1, &POOL);
        });
        assert!(
            text.starts_with("core 1 does not exist: `Sim::new(1)` has core 0 only."),
            "{text}"
        );
        let text = refusal(|| {
            let _ = Sim::new(3).hang(3);
        });
        assert!(text.contains("has the cores 0 to 2."), "{text}");
    }

    #[test]
    fn a_range_without_an_end_is_refused_with_its_call() {
        let text = refusal(|| {
            Sim::new(1).stall(1.., Duration::from_micros(3));
        });
        assert!(
            text.starts_with("the range of `stall` has no upper end"),
            "{text}"
        );
        let text = refusal(|| {
            Sim::new(1).kept_full(&POOL, 1.., Duration::from_micros(3));
        });
        assert!(text.starts_with("the range of `kept_full` has"), "{text}");
    }

    #[test]
    fn an_interrupt_of_priority_0_is_refused() {
        let text = refusal(|| {
            Sim::new(1).interrupt("button", 0, || ());
        });
        assert!(text.contains("`button` has priority 0"), "{text}");
    }

    #[test]
    fn no_seed_is_refused_unless_other_runs_are_asked_for() {
        let text = refusal(|| Sim::new(1).run(0, |_| point!()));
        assert!(text.starts_with("`run(0, ..)` runs no seed"), "{text}");
        Sim::new(1).everywhere(1).run(0, |_| point!());
    }
}

mod memory {
    use super::*;

    #[test]
    fn a_hundred_thousand_runs_take_no_memory() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        let mut sim = Sim::new(3);
        sim.pool(&POOL).workers(1..=2, &POOL);
        let mut runs = |count| {
            sim.try_run(count, |_| POOL.submit(|| ()).unwrap().result().unwrap())
                .unwrap();
        };
        runs(1_000);
        let before = resident();
        runs(100_000);
        let growth = resident().saturating_sub(before);
        assert!(growth < 1 << 20, "{growth} bytes more");
    }
}

#[test]
fn each_planted_bug_is_reduced_to_a_few_deviations() {
    for planted in GARDEN {
        let run = failed_run((planted.search)(false, 0, planted.within).unwrap_err());
        println!(
            "{}: {} to {}, {} runs",
            planted.name,
            run.deviations,
            run.schedule.steps.len(),
            run.reduced_by
        );
        assert!(
            run.schedule.steps.len() <= 11,
            "{}: {:?}",
            planted.name,
            run.schedule
        );
    }
}

mod crashes {
    use std::{
        alloc::{GlobalAlloc, Layout, System},
        process::{Command, Output},
        sync::atomic::AtomicBool,
    };

    use super::*;

    const CHILD: &str = "COREPOOL_SIM_TEST_CHILD";

    /// Runs `crash` in a child process, in the test of this name, and returns what that prints.
    fn output_of(test: &str, crash: impl FnOnce()) -> Option<String> {
        if std::env::var_os(CHILD).is_some() {
            crash();
            return None;
        }
        let program = std::env::current_exe().unwrap();
        let Output { status, stderr, .. } = Command::new(program)
            .args(["--exact", test])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(!status.success());
        Some(String::from_utf8_lossy(&stderr).into_owned())
    }

    #[test]
    fn a_loop_without_a_point_is_reported_with_its_place() {
        fn waits_for_ever() {
            let lock = Mutex::new(());
            let _held = lock.lock().unwrap();
            while lock.try_lock().is_err() {}
        }
        let test = "crashes::a_loop_without_a_point_is_reported_with_its_place";
        let Some(text) = output_of(test, || {
            Sim::new(1).run(10, |_| {
                point!("before the loop");
                waits_for_ever();
            });
        }) else {
            return;
        };
        for part in [
            "a loop without a point, in the test crashes::",
            "core 0 loops since the point `before the loop`",
            "waits_for_ever",
            "COREPOOL_SIM_SCHEDULES=0 cargo test crashes::",
            "frames of libraries are left out",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
        assert!(!text.contains("catch_unwind"), "{text}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_lock_of_the_host_that_never_comes_free_is_reported_with_its_place() {
        fn takes_the_lock(lock: &Mutex<()>) {
            drop(lock.lock());
        }
        let test = "crashes::a_lock_of_the_host_that_never_comes_free_is_reported_with_its_place";
        let Some(text) = output_of(test, || {
            let lock = Mutex::new(());
            let mut sim = Sim::new(2);
            sim.task(1, "logger", 0, || takes_the_lock(&lock));
            sim.run(10, |_| {
                let _held = lock.lock();
                sleep(Duration::from_micros(1));
            });
        }) else {
            return;
        };
        for part in [
            "a context blocks in the host, in the test crashes::",
            "logger blocks in the host since the point `start`",
            "takes_the_lock",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
    }

    #[test]
    fn the_backtrace_of_a_loop_without_a_point_is_that_of_its_context_alone() {
        #[inline(never)]
        fn waits_for_ever() {
            while std::hint::black_box(true) {}
        }
        #[inline(never)]
        fn lets_the_other_run() {
            corepool::spin_loop();
            std::hint::black_box(());
        }
        let test = "crashes::the_backtrace_of_a_loop_without_a_point_is_that_of_its_context_alone";
        let Some(text) = output_of(test, || {
            let mut sim = Sim::new(2);
            sim.task(1, "other", 0, waits_for_ever);
            sim.run(10, |_| lets_the_other_run());
        }) else {
            return;
        };
        assert!(text.contains("waits_for_ever"), "{text}");
        assert!(!text.contains("lets_the_other_run"), "{text}");
    }

    /// The system's allocator, until it is stuck as one whose lock is held.
    struct Allocator;

    static IS_STUCK: AtomicBool = AtomicBool::new(false);

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator;

    // SAFETY: all memory is the system's.
    unsafe impl GlobalAlloc for Allocator {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            while IS_STUCK.load(SeqCst) {
                std::hint::spin_loop();
            }
            // SAFETY: the caller's promise.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
            // SAFETY: the caller's promise.
            unsafe { System.dealloc(place, layout) }
        }
    }

    #[test]
    fn a_loop_in_the_allocator_is_reported_without_a_backtrace() {
        let test = "crashes::a_loop_in_the_allocator_is_reported_without_a_backtrace";
        let Some(text) = output_of(test, || {
            Sim::new(1).run(10, |_| {
                point!("before the loop");
                IS_STUCK.store(true, SeqCst);
                std::hint::black_box(Box::new(7));
            });
        }) else {
            return;
        };
        for part in [
            "a loop without a point",
            "core 0 loops since the point `before the loop`",
            "COREPOOL_SIM_SCHEDULES=0 cargo test crashes::",
            "no backtrace in time: the thread may be in the allocator",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
    }

    #[test]
    fn a_stack_overflow_prints_the_seed() {
        fn deep(level: u64) -> u64 {
            let block = std::hint::black_box([level; 64]);
            match level {
                u64::MAX => 0,
                level => block[0] + deep(level + 1),
            }
        }
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let test = "crashes::a_stack_overflow_prints_the_seed";
        let Some(text) = output_of(test, || {
            Sim::new(1).first_seed(71).run(10, |_| {
                point!();
                // After the four runs of the plain order.
                if RUNS.fetch_add(1, SeqCst) == 4 {
                    deep(0);
                }
            });
        }) else {
            return;
        };
        assert!(text.contains("COREPOOL_SIM_SEED=71"), "{text}");
    }

    /// The output of the test of this name, which crashes after the four runs of the plain order.
    fn output_of_crash(test: &str, first_seed: u64, crash: fn()) -> Option<String> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        output_of(test, || {
            Sim::new(1).first_seed(first_seed).run(10, |_| {
                point!();
                if RUNS.fetch_add(1, SeqCst) == 4 {
                    crash();
                }
            });
        })
    }

    #[test]
    fn an_abort_prints_the_seed() {
        let test = "crashes::an_abort_prints_the_seed";
        if let Some(text) = output_of_crash(test, 73, || std::process::abort()) {
            let command = format!("COREPOOL_SIM_SEED=73 cargo test {test} -- --include-ignored");
            assert!(text.contains(&command), "{text}");
            assert!(
                text.contains("core 0 crashes after the point `line "),
                "{text}"
            );
        }
    }

    #[test]
    fn a_bad_access_prints_the_seed() {
        let test = "crashes::a_bad_access_prints_the_seed";
        let access = || {
            let nowhere = std::hint::black_box(std::ptr::without_provenance::<u32>(8));
            // SAFETY: nothing is there, which is the fault that the test plants. The process ends.
            std::hint::black_box(unsafe { nowhere.read_volatile() });
        };
        if let Some(text) = output_of_crash(test, 74, access) {
            assert!(text.contains("COREPOOL_SIM_SEED=74"), "{text}");
        }
    }

    /// A trap is over when its handler returns. The process ends all the same.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_trap_prints_the_seed() {
        let test = "crashes::a_trap_prints_the_seed";
        // SAFETY: the trap touches nothing. The process ends.
        if let Some(text) = output_of_crash(test, 76, || unsafe { std::arch::asm!("int3") }) {
            assert!(text.contains("COREPOOL_SIM_SEED=76"), "{text}");
        }
    }

    #[test]
    fn a_crash_in_a_run_without_a_seed_prints_no_seed_of_an_earlier_simulation() {
        static IS_SECOND: AtomicU32 = AtomicU32::new(0);
        let test =
            "crashes::a_crash_in_a_run_without_a_seed_prints_no_seed_of_an_earlier_simulation";
        let Some(text) = output_of(test, || {
            for _ in 0..2 {
                let result = Sim::new(1).first_seed(75).try_run(10, |_| {
                    point!();
                    if IS_SECOND.load(SeqCst) == 1 {
                        std::process::abort();
                    }
                });
                result.unwrap();
                IS_SECOND.store(1, SeqCst);
            }
        }) else {
            return;
        };
        let command = format!("COREPOOL_SIM_SCHEDULES=0 cargo test {test} -- --include-ignored");
        assert!(text.contains(&command), "{text}");
    }

    #[test]
    fn a_panic_in_a_destructor_of_a_panic_prints_the_seed() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("second");
            }
        }
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let test = "crashes::a_panic_in_a_destructor_of_a_panic_prints_the_seed";
        let Some(text) = output_of(test, || {
            Sim::new(1).first_seed(72).run(10, |_| {
                point!();
                if RUNS.fetch_add(1, SeqCst) == 4 {
                    let _panics = Panics;
                    panic!("first");
                }
            });
        }) else {
            return;
        };
        assert!(text.contains("COREPOOL_SIM_SEED=72"), "{text}");
        assert!(text.contains("a second one begins: panicked at "), "{text}");
    }
}
