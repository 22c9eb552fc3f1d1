//! Stopped for ever: whichever thread stops, before whichever step, the others go on.
//!
//! For each operation, and each k, a thread is stopped for good before the k-th step of the
//! operation. The others have one job at a time then, beside two workers that sleep ([`one_by_one`]);
//! or a submitter and a worker finish [`JOBS`] further jobs, several at a time. At most the slots of
//! the stopped thread are lost, and the place of whom it was waking. After that the thread is let go,
//! and all accounts must balance.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use corepool::{
    InitError, JobFuture, JobId, OnLoss, Parker, PoolRef, ReturnWhen, RunError, ShutdownError,
    StaticPool, Worker, WorkerId,
};
use shuttle::thread;

use crate::{
    calls::{self, Check},
    few,
    machine::{Machine, Sleeper},
    one_by_one::one_by_one,
    operations::{Act, Around, BYTES, OPERATIONS, SOON, TWO_PLACES, poll_once},
    ring_pool::RingPool,
    stop::{self, Company, Control},
};

/// The number of jobs that the others must finish.
const JOBS: usize = 1_000;
/// How many of these are under way at a time.
const WINDOW: usize = 4;
/// The steps of a job that lasts: more than it takes to submit the [`WINDOW`].
const LASTS: usize = 150;
/// The slots of the pools.
pub const SLOTS: usize = 8;
/// The orders of a row in which no thread is stopped.
const ORDERS: u64 = 200;
/// A worker's steps go on for ever; by then it has slept and worked several times.
const WORKER_STEPS: usize = 300;

/// The methods that the others need of a pool.
pub trait Pool: Sync + 'static {
    /// Stands for a result to come.
    type Future: Send + 'static;
    /// Submits a job that returns `n`; `None` if the pool has no room.
    fn submit(&'static self, n: usize) -> Option<Self::Future>;
    /// Whether a job has ended.
    fn is_done(&'static self, future: &Self::Future) -> bool;
    /// Waits until one of the jobs has ended, and takes it away.
    fn first_result(&'static self, futures: &mut Vec<Self::Future>) -> usize;
    /// A worker, until the pool is shut down.
    fn work(&'static self);
    /// Lets the workers end.
    fn shut_down(&'static self);
    /// The free slots.
    fn free_slots(&'static self) -> usize;
}

type CorePool = StaticPool<SLOTS, BYTES, 1, 4, 4>;

impl Pool for CorePool {
    type Future = corepool::JobFuture<'static, usize>;

    fn submit(&'static self, n: usize) -> Option<Self::Future> {
        let job = move || {
            // Some last, so that the submitter has to wait.
            if n % 8 == 7 {
                (0..LASTS).for_each(|_| thread::yield_now());
            }
            n
        };
        StaticPool::submit(self, job).ok()
    }

    fn is_done(&'static self, future: &Self::Future) -> bool {
        future.done()
    }

    fn first_result(&'static self, futures: &mut Vec<Self::Future>) -> usize {
        let waited = corepool::wait(futures, None, ReturnWhen::FirstCompleted);
        assert_ne!(waited.expect("there is room for one waiter").done.len(), 0);
        // The first ones are done.
        let first = futures.swap_remove(0);
        first.result().expect("nobody cancels it")
    }

    fn work(&'static self) {
        self.run(&Sleeper)
            .expect("there is a place for each worker");
    }

    fn shut_down(&'static self) {
        self.shutdown(true, false).expect("called by no worker");
    }

    fn free_slots(&'static self) -> usize {
        StaticPool::free_slots(self)
    }
}

fn core_pool<const S: usize>() -> &'static StaticPool<S, BYTES, 1, 4, 4> {
    let pool: &StaticPool<S, BYTES, 1, 4, 4> = Box::leak(Box::new(StaticPool::new()));
    pool.install(&Machine);
    pool
}

/// Finishes `JOBS` jobs, and returns the future of one more: if the stopped thread has taken one
/// with it, it is this one. But it can't have taken one that was submitted after it was stopped.
fn finish_jobs<P: Pool>(pool: &'static P, control: &Control) -> P::Future {
    let mut futures = Vec::new();
    let mut numbers = 0..=JOBS;
    let mut seen = [false; JOBS + 1];
    let mut late = [false; JOBS + 1];
    let mut finished = 0;
    while finished < JOBS {
        if futures.len() < WINDOW && !numbers.is_empty() {
            let number = *numbers.start();
            late[number] = control.is_stopped();
            match pool.submit(number) {
                Some(future) => {
                    futures.push(future);
                    numbers.next();
                    continue;
                }
                // The only one may be the one that is taken.
                None if futures.len() < 2 => {
                    thread::yield_now();
                    continue;
                }
                None => {}
            }
        }
        let number = pool.first_result(&mut futures);
        assert!(!std::mem::replace(&mut seen[number], true), "ended twice");
        finished += 1;
        control.progress();
    }
    let last = seen.iter().position(|seen| !seen);
    if last.is_some_and(|last| late[last]) {
        while !futures.iter().all(|future| pool.is_done(future)) && control.stuck().is_none() {
            thread::yield_now();
        }
    }
    futures.pop().expect("one more was submitted")
}

/// An operation in a full pool, with the futures of its jobs that were cancelled.
type InFullPool = fn(PoolRef<'static, BYTES>, Vec<JobFuture<'static, ()>>);

/// A victim's operations in a full pool, some of whose jobs were cancelled: by their numbers.
const FULL: &[(&str, &[usize], InFullPool)] = &[
    ("drop, of a cancelled job", &[1], let_go),
    ("drop, of two cancelled jobs", &[0, SLOTS - 1], let_go),
    ("submit, takes over a slot", &[SLOTS - 1], submit_one),
    ("submit, the first job is cancelled", &[0], submit_one),
    (
        "submit, two jobs are cancelled",
        &[1, SLOTS - 1],
        submit_one,
    ),
    ("run two, the first job is cancelled", &[0], run_two),
    ("run two, the second job is cancelled", &[1], run_two),
];

fn let_go(_pool: PoolRef<'static, BYTES>, cancelled: Vec<JobFuture<'static, ()>>) {
    drop(cancelled);
}

fn submit_one(pool: PoolRef<'static, BYTES>, cancelled: Vec<JobFuture<'static, ()>>) {
    drop(cancelled);
    let _ = pool.submit_detached(|| ());
}

fn run_two(pool: PoolRef<'static, BYTES>, cancelled: Vec<JobFuture<'static, ()>>) {
    drop(cancelled);
    pool.run_pending(2);
}

/// Fills a pool, and cancels these of its jobs.
fn fill<const S: usize>(
    pool: &'static StaticPool<S, BYTES, 1, 4, 4>,
    cancelled: &[usize],
) -> Vec<JobFuture<'static, ()>> {
    let jobs: Vec<_> = (0..S).map(|_| pool.submit(|| ())).collect();
    let jobs = jobs
        .into_iter()
        .map(|job| job.expect("there is room for all"));
    let cancelled = jobs
        .enumerate()
        .filter(|(number, _)| cancelled.contains(number));
    cancelled
        .map(|(_, job)| job)
        .inspect(|job| assert!(job.cancel()))
        .collect()
}

/// A victim's operation on the rival.
struct Prepared<P: Pool> {
    act: Act,
    /// The future of its job, if another party holds it.
    held: Option<P::Future>,
    /// How many slots are its own.
    slots: usize,
}

impl<P: Pool> Prepared<P> {
    fn new(act: impl FnOnce() + Send + 'static) -> Self {
        Self {
            act: Box::new(act),
            held: None,
            slots: 1,
        }
    }
}

/// A pool, a worker, a submitter, and a victim that is stopped.
fn others_finish<P: Pool>(pool: &'static P, prepared: Prepared<P>, control: &Arc<Control>) {
    let Prepared { act, held, slots } = prepared;
    let worker = thread::spawn(move || pool.work());
    let inner = control.clone();
    let victim = thread::spawn(move || inner.counted(act));
    let mut last = vec![finish_jobs(pool, control)];
    drop(held);
    // The last jobs' worker may still be about to free their slots.
    while pool.free_slots() + slots < SLOTS && control.stuck().is_none() {
        if last.iter().any(|last| pool.is_done(last)) {
            pool.first_result(&mut last);
        }
        thread::yield_now();
    }
    control.release();
    if !last.is_empty() {
        pool.first_result(&mut last);
    }
    pool.shut_down();
    victim.join().unwrap();
    worker.join().unwrap();
    assert_eq!(pool.free_slots(), SLOTS, "a late thread has lost a slot");
}

/// An operation of the rival, prepared on a fresh pool.
type PrepareRival = fn(&'static RingPool) -> Prepared<RingPool>;

/// The rival: the parts that its operations have in common with the core's.
const RIVAL: &[(&str, PrepareRival)] = &[
    ("submit", |pool| {
        Prepared::new(move || {
            let _ = pool.submit(1);
        })
    }),
    ("run one", |pool| {
        let _ = pool.submit(1);
        Prepared::new(move || {
            pool.run_one();
        })
    }),
    ("result", |pool| {
        let job = pool.submit(1);
        pool.run_one();
        Prepared::new(move || {
            let _ = job.map(|job| pool.first_result(&mut vec![job]));
        })
    }),
];

/// A worker that says who it is and what it achieves.
struct Reporting<'a> {
    control: &'a Control,
    number: &'a Mutex<Option<WorkerId>>,
}

impl Parker for Reporting<'_> {
    fn waker(&self) -> Waker {
        Sleeper.waker()
    }

    fn park(&self, deadline: Option<Duration>) {
        Sleeper.park(deadline);
    }
}

impl Worker for Reporting<'_> {
    fn on_start(&self, worker: WorkerId) -> Result<(), InitError> {
        *self.number.lock().unwrap() = Some(worker);
        Ok(())
    }

    fn on_job_end(&self, _job: JobId) {
        self.control.progress();
    }
}

/// A way to bring a pool to its end. True: and to wait for it, as one must who is not stopped.
type End = fn(PoolRef<'static, BYTES>, bool) -> Result<(), ShutdownError>;

/// The way that lets the jobs run, for which there must be workers.
const LETS_RUN: &str = "shutdown that waits";

/// The ways, by name.
pub const ENDS: &[(&str, End)] = &[
    ("shutdown that cancels", |pool, waits| {
        pool.shutdown(waits, true)
    }),
    (LETS_RUN, |pool, _| pool.shutdown(true, false)),
    ("shutdown_timeout", |pool, waits| match waits {
        true => pool.shutdown(true, true),
        false => pool.shutdown_timeout(SOON, true),
    }),
    ("shutdown_async", |pool, waits| {
        let mut end = pin!(pool.shutdown_async(true));
        match poll_once(end.as_mut(), Waker::noop()) {
            Poll::Ready(ended) if !waits => ended,
            _ => pool.shutdown(waits, true),
        }
    }),
    ("break_pool", |pool, waits| {
        pool.break_pool("as asked for");
        pool.shutdown(waits, true)
    }),
];

/// A victim brings a pool of so many workers to its end, with so many jobs in its queue. The others end
/// them, and the pool.
fn others_leave<const S: usize, const W: usize>(jobs: usize, end: End, control: &Arc<Control>) {
    let pool = core_pool::<S>();
    let left = Arc::new(());
    for _ in 0..jobs {
        let token = left.clone();
        assert!(pool.submit_detached(move || drop(token)).is_ok());
    }
    let workers = [(); W].map(|()| {
        let control = control.clone();
        thread::spawn(move || {
            let worker = Reporting {
                control: &control,
                number: &Mutex::new(None),
            };
            pool.run(&worker)
        })
    });
    let inner = control.clone();
    let victim = thread::spawn(move || inner.counted(|| end(pool.pool_ref(), false)));
    while control.is_ahead() {
        thread::yield_now();
    }
    assert_eq!(end(pool.pool_ref(), true), Ok(()));
    for worker in workers {
        let ended = worker.join().unwrap();
        assert!(matches!(ended, Ok(()) | Err(RunError::Broken(_))));
    }
    assert!(Arc::strong_count(&left) <= 2, "jobs are left");
    assert!(pool.free_slots() + 1 >= S, "slots are lost");
    control.release();
    let _ = victim.join().unwrap();
    assert_eq!(Arc::strong_count(&left), 1, "a late thread has kept a job");
    assert_eq!(pool.free_slots(), S, "a late thread has lost a slot");
}

/// A victim is a worker that runs a job with a callback. The application declares it lost; the job
/// ends, or, if the victim had not marked it as its own, can be cancelled.
fn lost_worker(control: &Arc<Control>) {
    let pool = core_pool::<SLOTS>();
    let number = Arc::new(Mutex::new(None));
    let mut job = StaticPool::submit(pool, || 1).expect("the pool is empty");
    assert!(job.add_done_callback(|_| ()).is_ok());
    let (inner, its_number) = (control.clone(), number.clone());
    let victim = thread::spawn(move || {
        inner.counted(|| {
            pool.run(&Reporting {
                control: &inner,
                number: &its_number,
            })
        })
    });
    while control.is_ahead() && !job.done() {
        thread::yield_now();
    }
    let number: Option<WorkerId> = *number.lock().unwrap();
    if let Some(number) = number {
        // SAFETY: there are no scopes here.
        unsafe { pool.worker_lost(number, OnLoss::Continue) };
    }
    let worker = thread::spawn(move || Pool::work(pool));
    let last = finish_jobs(pool, control);
    pool.first_result(&mut vec![last]);
    assert!(job.done() || job.cancel(), "the job hangs");
    drop(job);
    // The job's slot and the callback's.
    assert!(pool.free_slots() + 2 >= SLOTS, "slots are lost");
    control.release();
    Pool::shut_down(pool);
    let _ = victim.join().unwrap();
    worker.join().unwrap();
    assert_eq!(pool.free_slots(), SLOTS, "a late thread has lost a slot");
}

/// One operation, stopped before each of its steps.
struct Swept {
    steps: usize,
    runs: usize,
    /// Executions in which a job was late, as it may be after a worker that was woken.
    delayed: usize,
    failed: usize,
    /// The first failure: why, and how to see it again.
    first: Option<String>,
}

/// Says where a failed assertion was.
struct Case {
    step: usize,
    seed: u64,
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("stopped before step {}, seed {}", self.step, self.seed);
        }
    }
}

/// Stops the victim before step 1, 2, 3 ... of what `body` does, until it has no more or `most` have
/// been seen; alone, and in company in orders that come from `seeds` seeds.
fn sweep(
    most: usize,
    seeds: u64,
    body: impl Fn(&Arc<Control>) + Copy + Send + Sync + 'static,
) -> Swept {
    let mut swept = Swept {
        steps: 0,
        runs: 0,
        delayed: 0,
        failed: 0,
        first: None,
    };
    for seed in 0..=seeds {
        let company = if seed == 0 {
            Company::Alone
        } else {
            Company::Mixed
        };
        for step in 1..=most {
            let where_it_is = Case { step, seed };
            let control = stop::run(step, company, seed, body);
            drop(where_it_is);
            if !control.is_stopped() {
                break;
            }
            swept.runs += 1;
            swept.steps = swept.steps.max(step);
            swept.delayed += usize::from(control.is_delayed());
            if let Some(why) = control.stuck() {
                swept.failed += 1;
                swept
                    .first
                    .get_or_insert_with(|| format!("step {step}, seed {seed}: {why}"));
            }
        }
    }
    swept
}

/// Stops no thread, in orders that come from so many seeds.
fn in_any_order(seeds: u64, body: impl Fn(&Arc<Control>) + Copy + Send + Sync + 'static) -> Swept {
    let mut swept = Swept {
        steps: 0,
        runs: 0,
        delayed: 0,
        failed: 0,
        first: None,
    };
    for seed in 0..seeds {
        let where_it_is = Case { step: 0, seed };
        let control = stop::run(usize::MAX, Company::Mixed, seed, body);
        drop(where_it_is);
        swept.runs += 1;
        if let Some(why) = control.stuck() {
            swept.failed += 1;
            swept
                .first
                .get_or_insert_with(|| format!("seed {seed}: {why}"));
        }
    }
    swept
}

/// Runs the whole check, or the rows that have `only` in their name, with so many random orders for
/// each step.
pub fn check(seeds: u64, only: &str) -> Result<(), String> {
    println!("{}\n", calls::check(Check::Stopped)?);
    println!(
        "{:<44} {:>6} {:>6} {:>7} {:>6} {:>7}",
        "stopped in", "steps", "runs", "delayed", "stuck", "seconds"
    );
    let mut errors = Vec::new();
    let mut row = |name: &str, must_hold: bool, sweep: &dyn Fn() -> Swept| {
        if !name.contains(only) {
            return;
        }
        let start = Instant::now();
        let swept = sweep();
        println!(
            "{name:<44} {:>6} {:>6} {:>7} {:>6} {:>7.1}",
            swept.steps,
            swept.runs,
            swept.delayed,
            swept.failed,
            start.elapsed().as_secs_f32()
        );
        if swept.runs == 0 {
            errors.push(format!("{name}: nothing was stopped"));
        }
        match (must_hold, swept.first) {
            (true, Some(first)) => errors.push(format!("{name}: {first}")),
            (false, None) => errors.push(format!("{name}: it gets through; is the check blind?")),
            _ => {}
        }
    };
    row("nobody, and there is one worker", true, &|| {
        in_any_order(ORDERS, few::one_worker)
    });
    row("worker_lost, and the seat has a successor", true, &|| {
        sweep(WORKER_STEPS, seeds, few::successor)
    });
    for operation in OPERATIONS {
        row(operation.name, true, &|| {
            sweep(WORKER_STEPS, seeds, move |control| {
                one_by_one(operation, control);
            })
        });
    }
    for operation in OPERATIONS.iter().filter(|operation| operation.crowd) {
        row(&format!("{}, {JOBS} jobs", operation.name), true, &|| {
            sweep(WORKER_STEPS, seeds, move |control| {
                let pool = core_pool();
                let around = Around::default();
                let victim = (operation.prepare)(pool.pool_ref(), &around);
                let prepared = Prepared {
                    act: victim.act,
                    held: victim.held,
                    slots: operation.slots,
                };
                others_finish(pool, prepared, control);
            })
        });
    }
    for &(name, cancelled, act) in FULL {
        row(name, true, &|| {
            sweep(WORKER_STEPS, seeds, move |control| {
                let pool = core_pool();
                let futures = fill::<SLOTS>(pool, cancelled);
                // The slots that the victim holds at first. Later it holds fewer.
                let slots = futures.len();
                let victim = Prepared {
                    slots,
                    ..Prepared::new(move || act(pool.pool_ref(), futures))
                };
                others_finish(pool, victim, control);
            })
        });
    }
    row("work, and declared lost", true, &|| {
        sweep(WORKER_STEPS, seeds, lost_worker)
    });
    row("shutdown that lets 1,000 jobs run", true, &|| {
        sweep(WORKER_STEPS, seeds, |control| {
            others_leave::<1_024, 2>(JOBS, |pool, waits| pool.shutdown(waits, false), control)
        })
    });
    for &(name, end) in ENDS {
        row(name, true, &|| {
            sweep(WORKER_STEPS, seeds, move |control| {
                others_leave::<SLOTS, 2>(SLOTS, end, control)
            })
        });
    }
    for &(name, end) in ENDS.iter().filter(|end| end.0 != LETS_RUN) {
        row(&format!("{name}, without workers"), true, &|| {
            sweep(WORKER_STEPS, seeds, move |control| {
                others_leave::<SLOTS, 0>(SLOTS, end, control)
            })
        });
    }
    for &(name, prepare) in RIVAL {
        row(&format!("control, heapless::mpmc: {name}"), false, &|| {
            sweep(WORKER_STEPS, seeds, move |control| {
                let pool = RingPool::leak();
                others_finish(pool, prepare(pool), control);
            })
        });
    }
    row(&format!("control: {}", TWO_PLACES.name), false, &|| {
        sweep(WORKER_STEPS, seeds, |control| {
            one_by_one(&TWO_PLACES, control);
        })
    });
    match errors.as_slice() {
        [] => Ok(()),
        errors => Err(errors.join("\n")),
    }
}
