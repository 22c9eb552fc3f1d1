//! The promises of the simulated chip: interrupts, tasks, time, faults.

use std::{
    cell::Cell,
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use corepool::{JobError, OnLoss, SpinWorker, StaticPool, WorkerId};
use corepool_sim::{
    Cause, Chip, Failed, FailedBy, FailedRun, Returns, Sim, busy, now, point, sleep, sometimes,
    sometimes_late,
};

const MS: Duration = Duration::from_millis(1);

/// The failed run of a simulation that fails.
fn failed_run(failed: Failed) -> FailedRun {
    match failed.kind {
        FailedBy::Run(run) => *run,
        _ => panic!("{failed}"),
    }
}

mod interrupts {
    use super::*;

    #[test]
    fn a_handler_never_runs_in_a_critical_section_of_its_core() {
        static MASKED: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(1);
        sim.reset(&MASKED);
        let button = sim.interrupt("button", 1, || assert!(!MASKED.load(SeqCst)));
        sim.spontaneous(button, 0..=3).everywhere(1);
        sim.run(2_000, |_| {
            for _ in 0..3 {
                critical_section::with(|_| {
                    MASKED.store(true, SeqCst);
                    point!();
                    critical_section::with(|_| point!());
                    point!();
                    MASKED.store(false, SeqCst);
                });
                point!();
            }
        });
    }

    #[test]
    fn an_interrupt_that_fires_in_a_critical_section_is_served_after_it() {
        static SERVED: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(1);
        sim.reset(&SERVED);
        let button = sim.interrupt("button", 1, || SERVED.store(true, SeqCst));
        sim.run(100, |chip| {
            critical_section::with(|_| {
                chip.raise(button);
                point!();
                assert!(!SERVED.load(SeqCst));
            });
            assert!(SERVED.load(SeqCst));
        });
    }

    #[test]
    fn an_interrupt_interrupts_those_of_lower_priority_only() {
        static LEVEL: AtomicU32 = AtomicU32::new(0);
        fn handler(priority: u32) {
            let before = LEVEL.swap(priority, SeqCst);
            assert!(before < priority, "{priority} has interrupted {before}");
            point!();
            point!();
            assert_eq!(LEVEL.swap(before, SeqCst), priority);
        }
        let mut sim = Sim::new(1);
        sim.reset(&LEVEL);
        for priority in 1..=3 {
            let name = ["low", "middle", "high"][priority - 1];
            let irq = sim.interrupt(name, priority as u8, move || handler(priority as u32));
            sim.spontaneous(irq, 0..=2);
        }
        let report = sim
            .try_run(5_000, |_| {
                for _ in 0..5 {
                    point!();
                }
            })
            .unwrap();
        assert_eq!(report.depth, 3, "all three are nested in some run");
    }

    #[test]
    fn everywhere_interrupts_each_point_once() {
        static WHERE: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
        thread_local! {
            static AT: Cell<u32> = const { Cell::new(0) };
        }
        let mut sim = Sim::new(1);
        let button = sim.interrupt("button", 1, || {
            WHERE.lock().unwrap().insert(AT.get());
        });
        sim.spontaneous(button, 0..=1).everywhere(1);
        let report = sim
            .try_run(0, |_| {
                for at in 0..20 {
                    AT.set(at);
                    point!();
                }
            })
            .unwrap();
        assert_eq!(*WHERE.lock().unwrap(), (0..20).collect());
        // Two plain runs, one that counts the options, one for each point, one for the start, and
        // one for the draw of the chip's pace.
        assert_eq!(report.runs, 2 + 1 + 20 + 1 + 1);
    }

    #[test]
    fn ticks_that_come_while_one_is_pending_are_lost() {
        static TICKS: AtomicU32 = AtomicU32::new(0);
        let mut sim = Sim::new(1);
        sim.reset(&TICKS);
        sim.every(MS, 0, "timer", 1, || {
            TICKS.fetch_add(1, SeqCst);
            // Longer than four periods: one tick pends, the others are lost.
            if TICKS.load(SeqCst) == 1 {
                busy(4 * MS + MS / 2);
            }
        });
        sim.run(100, |chip| {
            chip.busy(5 * MS + MS / 4);
            point!();
            // At 1 ms the first, and the one that pended meanwhile. The others are lost.
            let ticks = TICKS.load(SeqCst);
            assert!((2..=7).contains(&ticks), "{ticks}");
        });
    }

    #[test]
    fn an_interrupt_fires_any_number_of_times_while_a_task_waits() {
        static FIRED: AtomicU32 = AtomicU32::new(0);
        let mut sim = Sim::new(1);
        sim.reset(&FIRED);
        let button = sim.interrupt("button", 1, || {
            FIRED.fetch_add(1, SeqCst);
        });
        sim.spontaneous(button, 0..=8).run(500, |_| {
            corepool_sim::sleep(MS);
            sometimes!(FIRED.load(SeqCst) == 8, "all fire in one sleep");
        });
    }

    #[test]
    fn a_handler_adds_its_time_to_the_computation_that_it_interrupts() {
        let mut sim = Sim::new(1);
        let timer = sim.interrupt("timer", 1, || busy(2 * MS));
        sim.spontaneous(timer, 0..=1).run(200, |chip| {
            let start = now();
            chip.busy(MS);
            let took = now() - start;
            let most = MS * 11 / 10 + 2 * MS * chip.fired(timer) as u32;
            assert!((MS..=most).contains(&took), "{took:?}");
            sometimes!(took > 3 * MS, "it was interrupted");
        });
    }

    #[test]
    fn a_handler_of_one_core_does_not_stop_another_core() {
        static GO: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(2);
        sim.reset(&GO);
        let wait = sim.interrupt_on(0, "wait", 1, || {
            while !GO.load(SeqCst) {
                corepool::spin_loop();
            }
        });
        sim.task(1, "other", 0, || GO.store(true, SeqCst));
        sim.run(500, move |chip| chip.raise(wait));
    }

    #[test]
    fn a_handler_that_has_to_wait_fails_the_run_and_names_the_call() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let button = sim.interrupt("button", 1, || {
            let _ = POOL.submit(|| busy(MS)).unwrap().result();
        });
        let failed = sim.try_run(10, |chip| chip.raise(button)).unwrap_err();
        let run = failed_run(failed);
        assert_eq!(run.cause, Cause::HandlerBlocks("result"));
        assert_eq!(run.context, "button");
    }
}

mod sections {
    use super::*;

    /// Enters a section for good.
    fn enter() {
        // SAFETY: the section is never left, which is the fault that the test plants.
        let _ = unsafe { critical_section::acquire() };
    }

    #[test]
    fn a_section_that_is_held_at_the_end_fails_the_run() {
        let failed = Sim::new(1).try_run(1, |_| enter()).unwrap_err();
        let held = Cause::SectionHeld("the end of a task");
        assert_eq!(failed_run(failed).cause, held);
    }

    #[test]
    fn a_section_that_is_held_across_a_wait_fails_the_run() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let failed = sim
            .try_run(1, |_| {
                let job = POOL.submit(|| busy(MS)).unwrap();
                critical_section::with(|_| job.result().unwrap());
            })
            .unwrap_err();
        assert_eq!(failed_run(failed).cause, Cause::SectionHeld("park"));
    }

    #[test]
    fn a_section_that_is_held_at_the_end_of_a_handler_fails_the_run() {
        let mut sim = Sim::new(1);
        let button = sim.interrupt("button", 1, enter);
        let failed = sim.try_run(1, |chip| chip.raise(button)).unwrap_err();
        let held = Cause::SectionHeld("the end of a handler");
        assert_eq!(failed_run(failed).cause, held);
    }

    #[test]
    fn two_cores_are_never_in_the_section_together() {
        static INSIDE: AtomicU32 = AtomicU32::new(0);
        fn visit() {
            for _ in 0..3 {
                critical_section::with(|_| {
                    assert_eq!(INSIDE.fetch_add(1, SeqCst), 0);
                    point!();
                    INSIDE.fetch_sub(1, SeqCst);
                });
            }
        }
        let mut sim = Sim::new(3);
        sim.reset(&INSIDE);
        sim.task(1, "one", 0, visit).task(2, "two", 0, visit);
        sim.run(2_000, |_| visit());
    }
}

mod tasks {
    use super::*;

    #[test]
    fn a_task_of_a_higher_priority_preempts() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        static URGENT: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(1);
        sim.pool(&POOL).reset(&URGENT).worker_at(0, 5, &POOL);
        sim.run(500, |_| {
            POOL.submit_detached(|| URGENT.store(true, SeqCst)).unwrap();
            point!();
            assert!(
                URGENT.load(SeqCst),
                "the worker is more urgent than the main loop"
            );
        });
    }

    /// The patient worker joins first. It has no processor while `medium` computes.
    #[test]
    fn of_the_sleeping_workers_a_submit_wakes_the_most_urgent() {
        static POOL: StaticPool<2, 32, 1, 2> = StaticPool::new();
        let mut sim = Sim::new(1);
        sim.pool(&POOL).worker_at(0, 1, &POOL);
        sim.task(0, "urgent", 5, || {
            corepool_sim::sleep(MS);
            POOL.run(&corepool_sim::parker()).unwrap();
        });
        sim.task(0, "medium", 3, || {
            corepool_sim::sleep(5 * MS);
            assert_eq!(POOL.idle_workers(), 2);
            let submitted = now();
            let job = POOL.submit(move || now() - submitted).unwrap();
            busy(40 * MS);
            let waited = job.result().unwrap();
            assert!(waited < MS, "{waited:?}");
        });
        sim.run(200, |_| corepool_sim::sleep(60 * MS));
    }

    #[test]
    fn a_task_of_a_lower_priority_runs_only_while_the_others_wait() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        static BUSY: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(1);
        sim.pool(&POOL).reset(&BUSY).worker_at(0, 3, &POOL);
        sim.task(0, "idle", 0, || {
            for _ in 0..10 {
                assert!(!BUSY.load(SeqCst));
                point!();
            }
        });
        sim.run(500, |_| {
            let job = POOL.submit(|| {
                BUSY.store(true, SeqCst);
                point!();
                BUSY.store(false, SeqCst);
            });
            job.unwrap().result().unwrap();
        });
    }

    #[test]
    fn a_computation_stands_still_while_a_more_urgent_task_has_the_core() {
        static WOKEN: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(1);
        sim.reset(&WOKEN);
        sim.task(0, "urgent", 3, || {
            corepool_sim::sleep(MS / 10);
            WOKEN.store(true, SeqCst);
            busy(5 * MS);
        });
        sim.run(200, |chip| {
            let start = now();
            chip.busy(MS);
            assert!(WOKEN.load(SeqCst));
            assert!(now() - start >= 6 * MS, "{:?}", now() - start);
        });
    }

    #[test]
    fn a_task_that_computes_lets_no_less_urgent_one_run() {
        static COMPUTES: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(1);
        sim.reset(&COMPUTES);
        sim.task(0, "urgent", 3, || {
            corepool_sim::sleep(MS);
            COMPUTES.store(true, SeqCst);
            busy(MS);
            COMPUTES.store(false, SeqCst);
        });
        sim.run(200, |chip| {
            for _ in 0..40 {
                chip.busy(MS / 10);
                assert!(!COMPUTES.load(SeqCst));
            }
        });
    }

    #[test]
    fn tasks_of_one_priority_take_turns() {
        static STOP: AtomicBool = AtomicBool::new(false);
        let mut sim = Sim::new(1);
        sim.reset(&STOP);
        sim.task(0, "other", 0, || STOP.store(true, SeqCst));
        sim.run(100, |_| {
            while !STOP.load(SeqCst) {
                point!();
            }
        });
    }
}

mod time {
    use super::*;

    #[test]
    fn a_loop_that_only_looks_at_the_clock_ends() {
        Sim::new(1).run(20, |_| {
            let end = now() + Duration::from_secs(10);
            while now() < end {}
            assert!(now() < end + end / 16, "{:?}", now());
        });
    }

    #[test]
    fn a_loop_that_polls_a_future_ends() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        Sim::new(2).pool(&POOL).workers(1..=1, &POOL).run(50, |_| {
            let mut job = POOL.submit(|| busy(Duration::from_secs(2))).unwrap();
            while !job.done() {}
            job.try_result().unwrap().unwrap();
        });
    }

    #[test]
    fn without_a_stall_no_timeout_passes_while_the_job_can_go_on() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        Sim::new(2)
            .pool(&POOL)
            .workers(1..=1, &POOL)
            .run(5_000, |_| {
                let mut job = POOL.submit(|| busy(MS)).unwrap();
                job.result_timeout(100 * MS).unwrap();
            });
    }

    #[test]
    fn with_stalls_some_timeouts_pass() {
        static POOL: StaticPool<2, 32> = StaticPool::new();
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        sim.stall(0..=1, Duration::from_secs(1)).run(1_000, |_| {
            let mut job = POOL.submit(|| busy(MS)).unwrap();
            let result = job.result_timeout(100 * MS);
            sometimes!(
                matches!(result, Err(JobError::TimedOut)),
                "a stall made the job late"
            );
            sometimes!(result.is_ok(), "the job was in time");
        });
    }

    #[test]
    fn timers_of_embassy_expire_by_the_virtual_clock() {
        use embassy_time::{Duration as Span, Instant, Timer, with_timeout};
        static POOL: StaticPool<4, 256> = StaticPool::new();
        Sim::new(2).pool(&POOL).workers(1..=1, &POOL).run(500, |_| {
            let task = POOL.spawn(async {
                let start = Instant::now();
                Timer::after(Span::from_secs(3_600)).await;
                start.elapsed().as_secs()
            });
            let late = POOL.spawn(async {
                let hour = Timer::after(Span::from_secs(3_600));
                with_timeout(Span::from_millis(1), hour).await.is_err()
            });
            assert!(late.unwrap().result().unwrap());
            assert!(now() < 100 * MS);
            assert_eq!(task.unwrap().result().unwrap(), 3_600);
        });
    }

    #[test]
    fn cores_compute_at_the_same_time() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        Sim::new(3).pool(&POOL).workers(1..=2, &POOL).run(200, |_| {
            let jobs = [10 * MS, 10 * MS].map(|time| POOL.submit(move || busy(time)).unwrap());
            for job in jobs {
                job.result().unwrap();
            }
            assert!(now() < 15 * MS, "{:?}", now());
        });
    }

    #[test]
    fn spinning_workers_let_time_pass_and_runs_end() {
        static POOL: StaticPool<4, 32> = StaticPool::new();
        let mut sim = Sim::new(3);
        sim.pool(&POOL);
        for core in 1..=2 {
            sim.task(core, &format!("core {core}"), 0, || {
                POOL.run(&SpinWorker).unwrap()
            });
        }
        sim.run(2_000, |_| {
            POOL.submit(|| busy(MS)).unwrap().result().unwrap();
            let mut job = POOL.submit(|| busy(100 * MS)).unwrap();
            let result = job.result_timeout(10 * MS);
            assert!(matches!(result, Err(JobError::TimedOut)), "{result:?}");
            job.result().unwrap();
        });
    }
}

/// A run that comes to no end: the report says where each context is, and which jobs wait.
mod standstills {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();

    /// The place of a line of this file, as a report has it. It is known on Unix, and with debug information.
    fn place(line: u32) -> String {
        match cfg!(all(unix, debug_assertions)) {
            true => format!(" at tests/chip.rs:{line}:"),
            false => String::new(),
        }
    }

    #[test]
    fn a_wait_that_nothing_ends_has_its_place() {
        let line = line!() + 4;
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let failed = sim.try_run(10, |_| {
            let never = POOL.spawn(std::future::pending::<()>()).unwrap().result();
            never.unwrap();
        });
        let text = failed.unwrap_err().to_string();
        for part in [
            format!("core 0: waits, last point `park`{}", place(line)),
            "core 1: waits, last point `park`\n".into(),
        ] {
            assert!(text.contains(&part), "`{part}` is not in\n{text}");
        }
    }

    #[test]
    fn a_job_that_no_worker_runs_is_named() {
        let mut sim = Sim::new(1);
        let failed = sim.pool(&POOL).try_run(10, |_| {
            POOL.submit_detached(|| ()).unwrap();
            while POOL.unfinished() > 0 {
                sleep(MS);
            }
        });
        let text = failed.unwrap_err().to_string();
        let part = "1 job is unfinished in the pool `chip::standstills::POOL`, which has no worker: call `workers`";
        assert!(text.contains(part), "{text}");
    }

    #[test]
    fn an_endless_loop_of_points_has_its_place_and_takes_a_day_at_most() {
        let line = line!() + 3;
        let failed = Sim::new(1).try_run(10, |_| {
            loop {
                point!("turns");
            }
        });
        let run = failed_run(failed.unwrap_err());
        let text = run.cause.to_string();
        let part = format!("core 0: can go on, last point `turns`{}", place(line));
        assert!(text.contains(&part), "`{part}` is not in\n{text}");
        assert!(run.lanes.contains(" 86400.0s "), "{}", run.lanes);
    }
}

mod faults {
    use super::*;

    static POOL: StaticPool<4, 32> = StaticPool::new();

    #[test]
    fn a_core_that_hangs_in_a_job_leaves_its_waiter_waiting() {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let _ = sim.hang(1).in_a_job();
        let failed = sim
            .try_run(1_000, |_| {
                POOL.submit(|| busy(MS)).unwrap().result().unwrap()
            })
            .unwrap_err();
        let run = failed_run(failed);
        let Cause::Deadlock(contexts) = &run.cause else {
            panic!("{}", run.cause);
        };
        assert!(contexts[0].starts_with("core 0: waits"), "{contexts:?}");
        assert!(contexts[1].starts_with("core 1: hangs"), "{contexts:?}");
        assert_eq!(run.schedule.steps.len(), 1, "one hang suffices");
    }

    #[test]
    fn a_core_that_comes_back_ends_its_job() {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let _ = sim.hang(1).returns(Returns::After((MS..10 * MS).into()));
        sim.run(1_000, |_| {
            POOL.submit(|| busy(MS)).unwrap().result().unwrap()
        });
    }

    #[test]
    fn a_watchdog_declares_a_hung_worker_lost_and_the_late_one_does_no_harm() {
        static SINCE: Mutex<Option<(WorkerId, Duration)>> = Mutex::new(None);
        struct Watched;
        // The worker of a board that tells its watchdog of each job.
        impl corepool::Parker for Watched {
            fn waker(&self) -> std::task::Waker {
                std::task::Waker::noop().clone()
            }
            fn park(&self, _deadline: Option<Duration>) {
                corepool::spin_loop();
            }
        }
        impl corepool::Worker for Watched {
            fn spin(&self, _round: u32) -> bool {
                corepool::spin_loop();
                true
            }
            fn on_start(&self, worker: WorkerId) -> Result<(), corepool::InitError> {
                *SINCE.lock().unwrap() = Some((worker, Duration::MAX));
                Ok(())
            }
            fn on_job_start(&self, _job: corepool::JobId) {
                let start = now();
                if let Some((_, since)) = &mut *SINCE.lock().unwrap() {
                    *since = start;
                }
            }
            fn on_job_end(&self, _job: corepool::JobId) {
                if let Some((_, since)) = &mut *SINCE.lock().unwrap() {
                    *since = Duration::MAX;
                }
            }
        }
        let mut sim = Sim::new(2);
        sim.pool(&POOL);
        // SAFETY: no context keeps a guard, and no other test uses the static.
        unsafe { sim.reset_any(&SINCE) };
        sim.task(1, "core 1", 0, || {
            // A worker that was declared lost returns when it comes back.
            let _ = POOL.run(&Watched);
        });
        sim.every(10 * MS, 0, "watchdog", 7, || {
            let now = now();
            let late = SINCE.lock().unwrap().filter(|(_, since)| {
                *since != Duration::MAX && now.saturating_sub(*since) > 100 * MS
            });
            if let Some((worker, _)) = late {
                *SINCE.lock().unwrap() = None;
                // SAFETY: the job of this test borrows nothing, and the worker's context either
                // stands still for ever or finds out that it was declared lost.
                unsafe { POOL.worker_lost(worker, OnLoss::Continue) };
            }
        });
        let _ = sim.hang(1).in_a_job().returns(sometimes_late());
        sim.run(3_000, |_| {
            let mut job = POOL.submit(|| busy(MS)).unwrap();
            // A worker that hangs between the outcome and the wake-up leaves its waiter asleep. So
            // the main loop looks again.
            let result = loop {
                match job.result_timeout(Duration::from_secs(1)) {
                    Err(JobError::TimedOut) => {}
                    result => break result,
                }
            };
            sometimes!(result.is_err(), "the worker was lost");
            sometimes!(result.is_ok(), "the worker was in time");
        });
    }

    #[test]
    fn healing_lets_hung_cores_go_on() {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        let _ = sim.hang(1);
        sim.run(1_000, |chip| {
            let mut job = POOL.submit(|| busy(MS)).unwrap();
            let result = job.result_timeout(10 * MS);
            sometimes!(result.is_err(), "the core hung");
            chip.heal();
            if result.is_err() {
                job.result().unwrap();
            }
        });
    }

    #[test]
    fn a_scenario_that_does_not_end_after_healing_fails() {
        let mut sim = Sim::new(1);
        sim.heal_within(MS);
        sim.every(MS / 10, 0, "timer", 1, || ());
        let failed = sim
            .try_run(1, |chip| {
                chip.heal();
                chip.busy(Duration::from_secs(1));
            })
            .unwrap_err();
        assert!(matches!(failed_run(failed).cause, Cause::NotHealed(limit, _) if limit == MS));
    }

    #[test]
    fn a_pool_that_is_kept_full_refuses_jobs_for_a_while() {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        sim.kept_full(&POOL, 0..=2, 10 * MS);
        sim.run(1_000, |_| {
            let job = POOL.submit(|| 42);
            sometimes!(job.is_err(), "the pool was full");
            sometimes!(job.is_ok(), "the pool had room");
            let job = job.or_else(|full| POOL.submit_blocking(full.into_inner()));
            assert_eq!(job.unwrap().result().unwrap(), 42);
        });
    }

    #[test]
    fn a_stall_in_the_handler_of_the_timers_ends() {
        let mut sim = Sim::new(2);
        sim.pool(&POOL).workers(1..=1, &POOL);
        sim.kept_full(&POOL, 0..=1, MS);
        sim.stall(0..=1, 10 * MS);
        let schedule = "calls/core 0@start#1:fire=0,timers@handler#1:stall=0/10000000";
        let scenario = |chip: &Chip| chip.busy(MS);
        sim.replay(&schedule.parse().unwrap(), scenario).unwrap();
    }

    #[test]
    fn spurious_wakes_do_no_harm() {
        Sim::new(2)
            .pool(&POOL)
            .workers(1..=1, &POOL)
            .spurious_wakes()
            .run(1_000, |_| {
                POOL.submit(|| busy(MS)).unwrap().result().unwrap();
            });
    }
}

mod panics {
    use super::*;

    static POOL: StaticPool<8, 64> = StaticPool::new();

    #[test]
    fn interrupts_fire_after_the_application_has_caught_a_panic() {
        static FIRED: AtomicU32 = AtomicU32::new(0);
        let mut sim = Sim::new(1);
        sim.reset(&FIRED);
        let button = sim.interrupt("button", 1, || {
            FIRED.fetch_add(1, SeqCst);
        });
        sim.spontaneous(button, 0..=1).run(300, |_| {
            std::panic::catch_unwind(|| panic!("caught")).unwrap_err();
            let before = FIRED.load(SeqCst);
            point!();
            sometimes!(FIRED.load(SeqCst) > before, "it fires after the panic");
        });
    }

    /// Uses the pool when it is dropped, be it while a panic unwinds.
    struct Uses;

    impl Drop for Uses {
        fn drop(&mut self) {
            if let Ok(job) = POOL.submit(|| ()) {
                job.cancel();
                let _ = job.result();
            }
        }
    }

    #[test]
    fn jobs_panic_and_their_destructors_use_the_pool() {
        Sim::new(3)
            .pool(&POOL)
            .workers(1..=2, &POOL)
            .run(3_000, |_| {
                let jobs: Vec<_> = (0..3)
                    .map(|number| {
                        let uses = Uses;
                        let job = move || {
                            let _uses = uses;
                            assert!(number == 1, "planned");
                        };
                        POOL.submit(job).unwrap()
                    })
                    .collect();
                for (number, job) in jobs.into_iter().enumerate() {
                    assert_eq!(job.result().is_ok(), number == 1);
                }
            });
    }

    #[test]
    fn a_panic_that_no_party_observes_fails_the_run() {
        let failed = Sim::new(2)
            .pool(&POOL)
            .workers(1..=1, &POOL)
            .try_run(1, |_| POOL.submit_detached(|| panic!("lost")).unwrap())
            .unwrap_err();
        assert_eq!(failed_run(failed).cause, Cause::Unobserved("lost".into()));
    }

    #[test]
    fn a_slot_that_is_lost_fails_the_run() {
        let failed = Sim::new(2)
            .pool(&POOL)
            .workers(1..=1, &POOL)
            .try_run(1, |_| std::mem::forget(POOL.submit(|| ()).unwrap()))
            .unwrap_err();
        let lost = Cause::SlotsLost {
            pool: "chip::panics::POOL".into(),
            free: 7,
            expected: 8,
        };
        assert_eq!(failed_run(failed).cause, lost);
    }
}
