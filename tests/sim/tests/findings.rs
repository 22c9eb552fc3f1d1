//! The pictures and regressions that a failing run leaves behind.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    time::Duration,
};

use corepool::StaticPool;
use corepool_sim::{Chip, Failed, FailedBy, FailedRun, Rows, Schedule, Sim, now, point, sleep};
use serde_json::Value;

static POOL: StaticPool<4, 32> = StaticPool::new();
static SUM: AtomicU32 = AtomicU32::new(0);

/// Loses an addition if two cores add at the same time.
fn add() {
    let sum = SUM.load(SeqCst);
    point!("between < load & store");
    SUM.store(sum + 1, SeqCst);
}

fn sim() -> Sim<'static> {
    let mut sim = Sim::new(2);
    sim.pool(&POOL).reset(&SUM).workers(1..=1, &POOL);
    sim
}

fn scenario(_chip: &Chip) {
    let job = POOL.submit(add).unwrap();
    add();
    job.result().unwrap();
    assert_eq!(SUM.load(SeqCst), 2);
}

/// Adds one after the other.
fn mended(_chip: &Chip) {
    POOL.submit(add).unwrap().result().unwrap();
    add();
    assert_eq!(SUM.load(SeqCst), 2);
}

fn failed_run(failed: Failed) -> FailedRun {
    match failed.kind {
        FailedBy::Run(run) => *run,
        _ => panic!("{failed}"),
    }
}

fn found() -> FailedRun {
    failed_run(sim().try_run(1_000, scenario).unwrap_err())
}

/// Runs a test of this program in a process of its own, with a variable, and returns what it prints.
fn output_with(test: &str, variable: (&str, &Path)) -> String {
    let program = std::env::current_exe().unwrap();
    let Output { stdout, stderr, .. } = Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(variable.0, variable.1)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

#[test]
#[ignore = "it fails: other tests run it"]
fn fails() {
    sim().run(1_000, |chip| {
        (0..30).for_each(|_| point!());
        scenario(chip);
    });
}

#[test]
#[ignore = "other tests run it"]
fn passes() {
    println!("runs: {}", sim().try_run(10, mended).unwrap().runs);
}

mod pictures {
    use super::*;

    #[test]
    fn the_step_at_which_the_run_fails_is_marked() {
        let run = found();
        let last = run.lanes.lines().last().unwrap();
        assert!(last.ends_with("✗ core 0 fails"), "{last}");
    }

    /// None of them has a name of the application.
    fn forty_points() {
        for _ in 0..40 {
            POOL.free_slots();
        }
    }

    #[test]
    fn a_core_that_stalls_is_marked_and_named_points_of_the_others_are_shown() {
        let schedule = "calls/core 1@in the job#1:stall=1/1000000".parse::<Schedule>();
        let failed =
            sim()
                .stall(0..=1, Duration::from_millis(1))
                .replay(&schedule.unwrap(), |_| {
                    let job = POOL.submit(|| point!("in the job")).unwrap();
                    sleep(Duration::from_micros(500));
                    forty_points();
                    point!("the main loop goes on");
                    forty_points();
                    assert!(job.done());
                });
        let lanes = failed_run(failed.unwrap_err()).lanes;
        let row = |label: &str| lanes.lines().find(|line| line.contains(label)).unwrap();
        assert!(row("the main loop goes on").contains('▒'), "{lanes}");
        assert!(!row("in the job").contains('▒'), "{lanes}");
        assert!(lanes.contains('⋮'), "{lanes}");
    }

    #[test]
    fn a_deviation_at_another_place_than_its_row_is_shown_with_its_place() {
        let schedule = "calls/chip@pace#1:draw=400".parse::<Schedule>().unwrap();
        let failed = Sim::new(1).replay(&schedule, |_| {
            point!();
            assert!(now() < Duration::from_nanos(500));
        });
        let lanes = failed_run(failed.unwrap_err()).lanes;
        assert!(lanes.contains("◀ chip@pace#1:draw=400: without"), "{lanes}");
    }

    #[test]
    fn all_rows_are_shown_on_demand() {
        let many = |chip: &Chip| {
            (0..30).for_each(|_| point!());
            scenario(chip);
        };
        let run = failed_run(sim().try_run(1_000, many).unwrap_err());
        let all = run.picture.lanes(Rows::All);
        assert!(run.lanes.contains('⋮') && !all.contains('⋮'), "{all}");
        assert!(all.lines().count() > run.lanes.lines().count());
    }

    #[test]
    fn the_environment_asks_for_all_rows() {
        let text = output_with("fails", ("COREPOOL_SIM_ROWS", Path::new("all")));
        assert!(text.contains("✗ core 0 fails"), "{text}");
        assert!(!text.contains('⋮'), "{text}");
    }

    #[test]
    fn the_svg_has_each_context_each_point_and_each_deviation() {
        let run = found();
        let svg = run.picture.svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts = |class: Option<&str>| -> Vec<String> {
            let nodes = document.descendants();
            nodes
                .filter(|node| node.has_tag_name("text") && node.attribute("class") == class)
                .filter_map(|node| node.text().map(str::to_string))
                .collect()
        };
        let others = texts(None);
        assert!(
            ["core 0", "core 1"]
                .iter()
                .all(|core| others.contains(&core.to_string()))
        );
        let points = texts(Some("point"));
        // The head, and an empty line before it.
        assert_eq!(
            points.len(),
            run.picture.lanes(Rows::All).lines().count() - 2
        );
        assert!(points.contains(&"between < load & store".to_string()));
        let remarks = texts(Some("remark")).join(" ");
        for step in &run.schedule.steps {
            assert!(remarks.contains(&format!("◀ {}", step.action)), "{remarks}");
        }
        assert!(remarks.ends_with("✗ core 0 fails"), "{remarks}");
    }

    #[test]
    fn the_trace_has_a_thread_for_each_context_and_its_slices_do_not_overlap() {
        let run = found();
        let trace: Value = serde_json::from_str(&run.picture.perfetto()).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let of_kind = |kind: &'static str| events.iter().filter(move |event| event["ph"] == kind);
        let named = of_kind("M").filter(|event| event["name"] == "thread_name");
        let names: Vec<_> = named
            .filter_map(|event| event["args"]["name"].as_str())
            .collect();
        assert_eq!(names, ["core 0", "core 1", "timers"]);
        let mut ends = HashMap::new();
        for slice in of_kind("X") {
            let (start, length) = (
                slice["ts"].as_f64().unwrap(),
                slice["dur"].as_f64().unwrap(),
            );
            let end = ends.entry(slice["tid"].as_u64().unwrap()).or_insert(0.0);
            // Sums of decimals in binary.
            assert!(*end <= start + 1e-6, "{slice} begins before {end}");
            *end = start + length;
        }
        assert_eq!(ends.len(), 2);
        let remarks = of_kind("i").count();
        assert_eq!(remarks, run.schedule.steps.len() + 1);
    }

    #[test]
    fn the_environment_asks_for_files_and_the_report_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let text = output_with("fails", ("COREPOOL_SIM_PICTURES", folder.path()));
        for kind in ["svg", "json"] {
            let file = folder.path().join(format!("fails.{kind}"));
            assert!(fs::read_to_string(&file).is_ok_and(|text| text.contains("core 1")));
            assert!(text.contains(&file.display().to_string()), "{text}");
        }
    }
}

mod regressions {
    use super::*;

    /// The runs of the plain order come after the regressions.
    fn is_replayed(failed: Failed) -> bool {
        failed_run(failed).seed.is_none()
    }

    #[test]
    fn a_failure_is_kept_and_is_the_first_to_be_replayed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("regressions.txt");
        let found = failed_run(
            sim()
                .regressions(&file)
                .try_run(1_000, scenario)
                .unwrap_err(),
        );
        let test = std::thread::current().name().unwrap().to_string();
        let line = format!("{test} {}\n", found.schedule);
        assert_eq!(fs::read_to_string(&file).unwrap(), line);
        assert!(is_replayed(
            sim().regressions(&file).try_run(0, scenario).unwrap_err()
        ));
        // Once is enough.
        assert_eq!(fs::read_to_string(&file).unwrap(), line);
    }

    #[test]
    fn a_mended_regression_stays_and_passes() {
        static IS_MENDED: AtomicBool = AtomicBool::new(false);
        /// As `add`, and the steps still find their places when it is mended.
        fn add_once() {
            let sum = SUM.load(SeqCst);
            point!("between < load & store");
            match IS_MENDED.load(SeqCst) {
                true => drop(SUM.fetch_add(1, SeqCst)),
                false => SUM.store(sum + 1, SeqCst),
            }
        }
        fn scenario(_chip: &Chip) {
            let job = POOL.submit(add_once).unwrap();
            add_once();
            job.result().unwrap();
            assert_eq!(SUM.load(SeqCst), 2);
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("regressions.txt");
        sim()
            .regressions(&file)
            .try_run(1_000, scenario)
            .unwrap_err();
        IS_MENDED.store(true, SeqCst);
        sim().regressions(&file).try_run(100, scenario).unwrap();
    }

    #[test]
    fn a_regression_that_fits_no_more_is_reported_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("regressions.txt");
        let test = std::thread::current().name().unwrap().to_string();
        let step = "core 0@a line that is gone#1:core=1";
        fs::write(&file, format!("# old\n\n{test} calls/{step}\n")).unwrap();
        let failed = sim().regressions(&file).try_run(10, mended).unwrap_err();
        let text = failed.to_string();
        assert!(
            text.contains(step) && text.contains("regressions.txt"),
            "{text}"
        );
    }

    #[test]
    fn regressions_of_other_tests_are_left_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("regressions.txt");
        fs::write(&file, "other calls/core 0@a line that is gone#1:core=1\n").unwrap();
        sim().regressions(&file).try_run(10, mended).unwrap();
    }

    #[test]
    fn a_line_that_is_no_regression_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("regressions.txt");
        fs::write(&file, "# old\ntest calls/nonsense\n").unwrap();
        let failed = sim().regressions(&file).try_run(10, mended).unwrap_err();
        let text = failed.to_string();
        assert!(
            text.contains("regressions.txt, line 2") && text.contains("nonsense"),
            "{text}"
        );
    }

    #[test]
    fn the_environment_names_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("regressions.txt");
        output_with("fails", ("COREPOOL_SIM_REGRESSIONS", &file));
        let text = fs::read_to_string(&file).unwrap();
        let schedule = text.trim().strip_prefix("fails ").unwrap();
        assert!(schedule.parse::<Schedule>().is_ok(), "{text}");
    }
}

#[test]
fn a_search_goes_on_for_so_many_minutes() {
    let text = output_with("passes", ("COREPOOL_SIM_MINUTES", Path::new("0.01")));
    let runs = text.lines().find_map(|line| line.split_once("runs: "));
    let (_, runs) = runs.unwrap_or_else(|| panic!("{text}"));
    assert!(runs.parse::<u64>().unwrap() > 1_000, "{text}");
}
