//! The conformance suite's executor on a simulated chip: the test is the main program of core 0, and each
//! worker is a task on a core of its own.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Waker,
    time::Duration,
};

use corepool::{InitError, NoSpill, Parker, Worker, WorkerId};
use corepool_sim::{Failed, FailedBy, Sim, TaskParker, parker};
use corepool_tests::{
    Clock, Fixture, Hold, Init, SLOTS, SMALL, Static, TestPort, View, finish, gates_wait_by,
    hold_threads, keep,
};

/// The schedules of each test.
const SCHEDULES: u64 = 100;
/// A test has at most so many workers.
const WORKERS: usize = 8;
/// A test starts at most so many pools of each size.
const POOLS: usize = 5;

/// Tests that a simulated chip cannot run, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("drop_tests::cancel_races", THREADS),
    ("drop_tests::shutdown_races", THREADS),
    ("executor_tests::many_threads_submit", THREADS),
    ("future_tests::repr_says_running_during_callbacks", THREADS),
    (
        "future_tests::state_and_value_agree_while_the_job_ends",
        LONG,
    ),
    ("shared_tests::several_threads_wait", THREADS),
    (
        "wait_shared_tests::each_holder_may_wait_for_the_same_jobs",
        THREADS,
    ),
    (
        "shutdown_tests::blocked_submit_is_told_of_the_shutdown",
        THREADS,
    ),
    ("wait_tests::waits_in_parallel", THREADS),
];

const THREADS: &str = "it has threads of the host";
const LONG: &str = "it has more points than a run may have";

/// A worker that a test starts.
struct Joins {
    pool: View<NoSpill>,
    init: Init,
}

/// The step that a task for workers is at.
struct Task {
    joins: Option<Joins>,
    /// It is a worker, or will be one.
    is_taken: bool,
    waker: Option<Waker>,
}

static TASKS: Mutex<[Task; WORKERS]> = Mutex::new(
    [const {
        Task {
            joins: None,
            is_taken: false,
            waker: None,
        }
    }; WORKERS],
);

/// The pools that the tests of this run have taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

fn tasks() -> MutexGuard<'static, [Task; WORKERS]> {
    TASKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All pools, of both sizes.
fn pools() -> &'static [Box<dyn Any + Send + Sync>] {
    static ALL: Mutex<Option<&'static Vec<Box<dyn Any + Send + Sync>>>> = Mutex::new(None);
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.get_or_insert_with(|| {
        let mut pools: Vec<Box<dyn Any + Send + Sync>> = Vec::new();
        for _ in 0..POOLS {
            pools.push(Box::new(keep(Static::<SLOTS>::new())));
            pools.push(Box::new(keep(Static::<SMALL>::new())));
        }
        keep(pools)
    })
}

/// A worker with a start hook.
struct ChipWorker {
    parker: TaskParker,
    init: Init,
}

impl Parker for ChipWorker {
    fn waker(&self) -> Waker {
        self.parker.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        self.parker.park(deadline);
    }
}

impl Worker for ChipWorker {
    fn on_start(&self, _worker: WorkerId) -> Result<(), InitError> {
        (self.init)()
    }
}

/// A task for workers: it is a worker again and again.
fn work(number: usize) {
    loop {
        let task = parker();
        let joins = loop {
            let joins = {
                let this = &mut tasks()[number];
                this.is_taken = this.joins.is_some();
                this.waker = Some(task.waker());
                this.joins.take()
            };
            match joins {
                Some(joins) => break joins,
                None => task.park(None),
            }
        };
        let worker = ChipWorker {
            parker: task,
            init: joins.init,
        };
        // A pool that breaks ends its workers.
        let _ = joins.pool.run(&worker);
    }
}

/// Gives a pool one more worker.
fn join(pool: View<NoSpill>, init: &Init) {
    loop {
        let free = tasks().iter().position(|task| !task.is_taken);
        let Some(free) = free else {
            corepool::spin_loop();
            continue;
        };
        let waker = {
            let task = &mut tasks()[free];
            task.is_taken = true;
            let init = Arc::clone(init);
            task.joins = Some(Joins { pool, init });
            task.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        return;
    }
}

/// Some tests need no job.
fn is_without_a_job(failed: &Failed) -> bool {
    match &failed.kind {
        FailedBy::ShowsTooLittle(sentences) => *sentences == ["no job ran in any run"],
        _ => false,
    }
}

/// A static pool on a simulated chip.
#[derive(Debug)]
pub struct OnAChip<const N: usize = SLOTS> {
    pool: &'static Static<N>,
    workers: usize,
}

impl<const N: usize> Fixture for OnAChip<N> {
    type Pool = &'static Static<N>;
    type Small = OnAChip<SMALL>;

    /// Simulations run one at a time.
    const PATIENCE: Duration = Duration::from_secs(600);

    fn run(name: &str, test: fn()) {
        if let Some((_, why)) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == name) {
            eprintln!("left out: {why}");
            return;
        }
        gates_wait_by(|holds| {
            while !holds() {
                corepool::spin_loop();
            }
        });
        let mut sim = Sim::new(1 + WORKERS);
        for pool in pools() {
            if let Some(pool) = pool.downcast_ref::<&'static Static<SLOTS>>() {
                sim.blocked_callers_wait(*pool);
            } else if let Some(pool) = pool.downcast_ref::<&'static Static<SMALL>>() {
                sim.blocked_callers_wait(*pool);
            }
        }
        sim.allow_unobserved_panics();
        // SAFETY: no function keeps a guard, and only one simulation at a time uses the tasks.
        unsafe { sim.reset_any(&TASKS) }.reset(&TAKEN);
        for number in 0..WORKERS {
            sim.task(number + 1, &format!("core {}", number + 1), 0, move || {
                work(number);
            });
        }
        match sim.try_run(SCHEDULES, |_| test()) {
            Err(failed) if !is_without_a_job(&failed) => panic!("{name}: {failed}"),
            _ => {}
        }
    }

    fn start_with(workers: usize, init: Init) -> Self {
        let pools = pools()
            .iter()
            .filter_map(|pool| pool.downcast_ref::<&'static Static<N>>());
        let taken = TAKEN.fetch_add(1, SeqCst);
        let pool = pools.copied().nth(taken);
        let pool = pool.expect("a test starts few pools");
        for _ in 0..workers {
            join(pool.pool_ref(), &init);
        }
        Self { pool, workers }
    }

    /// A moment at which the workers may go on.
    fn pool(&self) -> Self::Pool {
        corepool_sim::at("pool");
        self.pool
    }

    fn hold_workers(&self) -> Hold {
        hold_threads(self.pool, self.workers)
    }

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn now(&self) -> Duration {
        corepool_sim::now()
    }

    fn port(&self) -> Option<&TestPort> {
        None
    }
}

impl<const N: usize> Drop for OnAChip<N> {
    fn drop(&mut self) {
        finish(self.pool);
    }
}
