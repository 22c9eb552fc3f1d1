//! Statics that are not reset: each is found, and named.

#![cfg(target_os = "linux")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use corepool::StaticPool;
use corepool_sim::{Cause, Chip, Failed, FailedBy, Sim, point};

static NAMED: StaticPool<4, 32> = StaticPool::new();

/// The statics of the report on runs that differ.
fn differing(failed: Failed) -> Vec<String> {
    let FailedBy::Run(run) = failed.kind else {
        panic!("{failed}");
    };
    match run.cause {
        Cause::Nondeterminism { statics, .. } => statics,
        cause => panic!("{cause}"),
    }
}

mod pools {
    use super::*;

    /// Runs a job in a pool.
    fn use_pool(pool: &'static StaticPool<4, 32>) {
        pool.submit_detached(|| ()).unwrap();
        pool.run_pending(1);
    }

    #[test]
    fn a_pool_that_no_call_names_is_found() {
        static FORGOTTEN: StaticPool<4, 32> = StaticPool::new();
        let mut sim = Sim::new(1);
        let failed = sim.pool(&NAMED).try_run(100, |_| {
            use_pool(&NAMED);
            use_pool(&FORGOTTEN);
        });
        let failed = failed.unwrap_err();
        let path = "statics::pools::a_pool_that_no_call_names_is_found::FORGOTTEN";
        assert_eq!(failed.kind, FailedBy::NotNamed(path.into()));
        assert!(failed.to_string().ends_with("Name the pool by `pool`"));
    }

    #[test]
    fn a_pool_in_another_static_is_found() {
        struct App {
            pool: StaticPool<4, 32>,
        }
        static APP: App = App {
            pool: StaticPool::new(),
        };
        let failed = Sim::new(1).try_run(100, |_| use_pool(&APP.pool));
        let path = "statics::pools::a_pool_in_another_static_is_found::APP";
        assert_eq!(failed.unwrap_err().kind, FailedBy::NotNamed(path.into()));
        let mut sim = Sim::new(1);
        sim.pool(&APP.pool).run(100, |_| use_pool(&APP.pool));
    }

    #[test]
    fn a_pool_that_makes_the_first_run_fail_is_found_all_the_same() {
        static KEEPS_SLOTS: StaticPool<4, 32> = StaticPool::new();
        let failed = Sim::new(1).try_run(100, |_| {
            std::mem::forget(KEEPS_SLOTS.submit(|| ()).unwrap());
            panic!("the pool is not named");
        });
        assert!(matches!(failed.unwrap_err().kind, FailedBy::NotNamed(_)));
    }

    #[test]
    fn a_pool_on_the_stack_of_the_scenario_needs_no_name() {
        Sim::new(1).run(100, |_| {
            let pool = StaticPool::<4, 32>::new();
            assert_eq!(pool.free_slots(), 4);
            point!();
        });
    }

    #[test]
    fn a_pool_that_only_the_host_uses_needs_no_name() {
        static OF_THE_HOST: StaticPool<4, 32> = StaticPool::new();
        use_pool(&OF_THE_HOST);
        Sim::new(1).run(100, |_| point!());
        use_pool(&OF_THE_HOST);
    }
}

mod differences {
    use super::*;

    #[test]
    fn a_counter_that_is_not_reset_is_named() {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let failed = Sim::new(1).try_run(64, |_| {
            for _ in 0..COUNTER.fetch_add(1, SeqCst) % 3 {
                point!();
            }
        });
        let failed = failed.unwrap_err();
        let text = failed.to_string();
        assert!(text.contains("::COUNTER`"), "{text}");
        assert!(text.contains("no `reset` names them"), "{text}");
        let path = "statics::differences::a_counter_that_is_not_reset_is_named::COUNTER";
        assert!(differing(failed).contains(&path.into()), "{text}");
    }

    #[test]
    fn statics_that_belong_to_no_crate_are_named_as_well() {
        #[unsafe(no_mangle)]
        static COREPOOL_TEST_EXPORTED: AtomicU32 = AtomicU32::new(0);
        let mut sim = Sim::new(1);
        let scenario = |_: &Chip| {
            point!();
            for _ in 0..COREPOOL_TEST_EXPORTED.fetch_add(1, SeqCst) % 3 {
                point!();
            }
        };
        let failed = sim.try_run(64, scenario).unwrap_err();
        let text = failed.to_string();
        assert!(
            text.contains("`reset_crates` takes such a path, too"),
            "{text}"
        );
        let statics = differing(failed);
        assert!(statics.contains(&"COREPOOL_TEST_EXPORTED".into()), "{text}");
        // SAFETY: the static is an atomic, and no other test uses it.
        unsafe { sim.reset_crates(["COREPOOL_TEST_EXPORTED"]) };
        sim.run(64, scenario);
    }

    #[test]
    fn a_static_that_only_the_first_run_sets_is_named() {
        static IS_READY: AtomicBool = AtomicBool::new(false);
        let failed = Sim::new(1).try_run(64, |_| {
            point!();
            if !IS_READY.swap(true, SeqCst) {
                point!("set up");
            }
        });
        let statics = differing(failed.unwrap_err());
        assert!(
            statics.iter().any(|path| path.ends_with("::IS_READY")),
            "{statics:?}"
        );
    }

    #[test]
    fn a_static_that_makes_the_second_run_fail_is_named() {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let failed = Sim::new(1).try_run(64, |_| {
            point!();
            assert!(!TAKEN.swap(true, SeqCst), "the peripherals are taken");
        });
        let failed = failed.unwrap_err();
        let text = failed.to_string();
        assert!(text.contains("the peripherals are taken"), "{text}");
        let statics = differing(failed);
        assert!(statics.iter().any(|path| path.ends_with("::TAKEN")));
    }

    #[test]
    fn statics_that_are_reset_or_not_changed_are_not_named() {
        static RESET: AtomicU32 = AtomicU32::new(0);
        static UNCHANGED: AtomicU32 = AtomicU32::new(0);
        static CULPRIT: AtomicU32 = AtomicU32::new(0);
        let mut sim = Sim::new(1);
        let failed = sim.pool(&NAMED).reset(&RESET).try_run(64, |_| {
            RESET.fetch_add(1 + UNCHANGED.load(SeqCst), SeqCst);
            NAMED.submit_detached(|| ()).unwrap();
            NAMED.run_pending(1);
            for _ in 0..CULPRIT.fetch_add(1, SeqCst) % 3 {
                point!();
            }
        });
        let statics = differing(failed.unwrap_err()).join(" ");
        assert!(statics.contains("::CULPRIT"), "{statics}");
        for other in ["::RESET", "::UNCHANGED", "::NAMED"] {
            assert!(!statics.contains(other), "{statics}");
        }
    }
}

mod power_on {
    use std::{
        cell::Cell,
        panic::{AssertUnwindSafe, catch_unwind},
        ptr,
        sync::atomic::AtomicPtr,
    };

    use critical_section::Mutex;

    use super::*;

    #[test]
    fn a_static_is_as_in_the_program_whatever_came_before() {
        static COUNT: AtomicU32 = AtomicU32::new(7);
        static ZERO: AtomicU32 = AtomicU32::new(0);
        COUNT.store(1, SeqCst);
        ZERO.store(1, SeqCst);
        Sim::new(1).reset(&COUNT).reset(&ZERO).run(64, |_| {
            point!();
            assert_eq!(COUNT.fetch_add(1, SeqCst), 7);
            assert_eq!(ZERO.fetch_add(1, SeqCst), 0);
        });
    }

    #[test]
    fn a_pointer_in_a_static_points_to_its_target() {
        static TARGET: AtomicU32 = AtomicU32::new(7);
        static POINTER: AtomicPtr<u32> = AtomicPtr::new(TARGET.as_ptr());
        POINTER.store(ptr::null_mut(), SeqCst);
        Sim::new(1).reset(&POINTER).run(64, |_| {
            point!();
            assert_eq!(POINTER.swap(ptr::null_mut(), SeqCst), TARGET.as_ptr());
        });
    }

    /// The text of a `reset_any` that panics.
    fn refusal<T: Sync>(place: &'static T) -> String {
        let refused = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: nothing is reset, since no run begins.
            unsafe { Sim::new(1).reset_any(place) };
        }));
        *refused.unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn memory_of_the_heap_that_owns_more_of_it_is_refused() {
        type Owner = Mutex<Cell<Option<Box<u32>>>>;
        let owner: &Owner = Box::leak(Box::new(Mutex::new(Cell::new(Some(Box::new(7))))));
        let refused = catch_unwind(AssertUnwindSafe(|| {
            Sim::new(1).reset(owner);
        }));
        let text = *refused.unwrap_err().downcast::<String>().unwrap();
        assert!(text.contains("Each run could free what it owns"), "{text}");
        static EMPTY: Owner = Mutex::new(Cell::new(None));
        Sim::new(1).reset(&EMPTY).run(3, |_| {
            let was = critical_section::with(|cs| EMPTY.borrow(cs).replace(Some(Box::new(1))));
            assert!(was.is_none());
        });
    }

    #[test]
    fn a_static_in_read_only_memory_is_named() {
        static TABLE: [u32; 3] = [1, 2, 3];
        static TEXTS: [&str; 2] = ["one", "two"];
        let path = "statics::power_on::a_static_in_read_only_memory_is_named";
        let cure = "which is in read-only memory and cannot change. Leave this `reset` out";
        let expected = |name: &str| format!("`reset` names `{path}::{name}`, {cure}");
        assert_eq!(refusal(&TABLE), expected("TABLE"));
        assert_eq!(refusal(&TEXTS), expected("TEXTS"));
    }
}

/// The statics of a host's crate are in use during a simulation.
#[test]
fn a_crate_without_statics_of_its_own_is_named() {
    for name in [
        "no-such-crate",
        "std",
        "corepool-sim",
        "std::io::stdio::STDOUT",
    ] {
        let mut sim = Sim::new(1);
        // SAFETY: nothing is reset, since the simulation fails.
        unsafe { sim.reset_crates([name]) };
        let failed = sim.try_run(10, |_| point!()).unwrap_err();
        assert_eq!(failed.kind, FailedBy::NoStatics(name.into()));
        assert!(failed.to_string().contains("Name each static by `reset`"));
    }
}
